"""The assembled samples are the documents' own lines: nothing invented, nothing of the documents' code left over."""

import re
from pathlib import Path

import pytest
from tests.documents.samples.assemble import (
    Sample,
    document_credentials,
    document_origin,
    left_out,
    load_samples,
)
from tests.documents.spans import SLUGS, lines

SAMPLES = load_samples()
# How a line of code begins, or a call in it looks, in any of the documents' languages.
CODE = re.compile(
    r"^(import|const|async function|function) |^app\.|^# Step|^<\?php|curl -|requests\.(get|post)\(|fetch\([`\"]"
)
# The page's `echo "Task ID: $TASK_ID"` came out of the scrape as four lines, its `method: "POST",` as two.
GLUED = {'echo "Task ID: $TASK_ID"', 'method: "POST",'}


def written_lines(sample: Sample, folder: Path) -> list[str]:
    """The lines of the written file without indentation, its host and credentials turned back into the document's."""
    ours = {word: f"fake-credential-{number}-" for number, word in enumerate(document_credentials(sample.slug))}
    text = sample.write(folder, "http://127.0.0.1:9/here", ours).read_text("utf-8")
    assert document_origin(sample.slug) not in text
    text = text.replace("http://127.0.0.1:9/here", document_origin(sample.slug))
    for word, value in ours.items():
        text = text.replace(value, word)
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_each_line_is_the_documents_or_declared_as_ours(sample: Sample, tmp_path: Path) -> None:
    harness = {line.strip() for piece in sample.harness for line in piece.text.splitlines()}
    invented = [
        line
        for line in written_lines(sample, tmp_path)
        if line not in harness | GLUED and not any(line in original for original in lines(sample.slug))
    ]
    assert invented == []


def test_every_sample_is_run_by_a_test() -> None:
    folder = Path(__file__).parent
    tests = (folder / "test_samples.py").read_text("utf-8") + (folder / "test_webhook_sample.py").read_text("utf-8")
    assert [str(each) for each in SAMPLES if f'"{each}"' not in tests and f'SAMPLES["{each.name}"]' not in tests] == []


def test_our_own_lines_are_few() -> None:
    ours = {str(each): sum(piece.text.count("\n") for piece in each.harness) for each in SAMPLES if each.harness}
    assert ours == {
        "conceptviz.python-errors": 2,
        "aivisualstudio.verify-javascript": 3,
        "aivisualstudio.receiver-javascript": 12,
        "imageapi.browser-javascript": 1,
    }


@pytest.mark.parametrize("slug", SLUGS)
def test_every_call_in_the_documents_code_is_in_a_sample(slug: str) -> None:
    known = [part.span for sample in load_samples(slug) for part in sample.parts]
    known += [span for span in left_out() if span.slug == slug]
    calls = [number for number, line in enumerate(lines(slug), 1) if CODE.search(line)]
    assert calls
    assert [number for number in calls if not any(span.first <= number <= span.last for span in known)] == []


def test_the_scattered_samples_use_each_of_their_lines_once() -> None:
    """Document 000 has them in pieces: 48 to 67, 84 to 86, 94 to 175. The error fragment repeats the preamble."""
    used: list[int] = []
    for sample in load_samples("conceptviz"):
        skip = {*range(57, 63), 110, 111} if sample.name == "python-errors" else set()
        used += [n for part in sample.parts for n in range(part.span.first, part.span.last + 1) if n not in skip]
    assert sorted(used) == [*range(48, 68), *range(84, 87), *range(94, 176)]


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.language == "python"], ids=str)
def test_the_declared_indentation_makes_python(sample: Sample) -> None:
    compile(sample.text, str(sample), "exec")


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.language != "python"], ids=str)
def test_only_python_is_indented(sample: Sample) -> None:
    assert {part.indent for part in sample.parts} == {0}
