"""Which output belongs to which item of a call."""

import pytest

from genstep.client.results import assign
from genstep.provider import Output


def outputs(*prompts):
    return [Output(url=f"u{i}", item=i, prompt=prompt) for i, prompt in enumerate(prompts)]


@pytest.mark.parametrize(
    ("given", "asked", "found"),
    [
        (["a", "b"], ["a", "b"], {0: ["u0"], 1: ["u1"]}),
        (["b", "a"], ["a", "b"], {0: ["u1"], 1: ["u0"]}),
        ([None, None], ["a", "b"], {0: ["u0"], 1: ["u1"]}),
        (["a", "a"], ["a", "a"], {0: ["u0"], 1: ["u1"]}),
        (["rewritten", "a"], ["a", "b"], {0: ["u1"], 1: ["u0"]}),
        (["b"], ["a", "b"], {1: ["u0"]}),
        (["a", "b", "more"], ["a", "b"], {0: ["u0"], 1: ["u1", "u2"]}),
    ],
)
def test_by_prompt_then_by_position(given, asked, found):
    made = assign(outputs(*given), dict(enumerate(asked)))
    assert {item: [output.url for output in those] for item, those in sorted(made.items())} == found


def test_a_preview_goes_with_its_main_output():
    main, preview = Output(url="m", item=0, prompt="b"), Output(url="p", item=0, role="preview")
    assert assign([main, preview], {0: "a", 1: "b"}) == {1: [main, preview]}


def test_a_gap_in_a_batch_stays_a_gap():
    assert list(assign([Output(url="u", item=1)], {0: "a", 1: "a"})) == [1]
