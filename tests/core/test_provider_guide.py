"""The page "How to write a provider" is true: its Python runs, its TOML is an entry point, its table is complete."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import genstep
from genstep.provider import Provider

PAGE = Path(genstep.__file__).parent / "providers" / "README.md"
TEXT = PAGE.read_text("utf-8")


def blocks(language: str) -> list[tuple[int, str]]:
    """The code blocks of a language, each with the line on which it begins."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [(TEXT.count("\n", 0, match.start(1)), match[1]) for match in found]


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page has defined when all of its Python has run, from top to bottom as a reader would."""
    names: dict[str, Any] = {"__name__": "guide"}
    for line, code in blocks("python"):
        exec(compile("\n" * line + code, str(PAGE), "exec"), names)
    return names


def test_the_python_runs(names: dict[str, Any]) -> None:
    assert len(blocks("python")) >= 6
    assert names["easel"].slug == "easel"


def test_the_shortest_provider_reaches_every_state(names: dict[str, Any]) -> None:
    easel, drive, reply = names["Easel"](names["easel"].account), names["drive"], names["reply"]
    states = {
        "dry": ({"pictures": ["https://easel.example/1.png"]}, genstep.Completed),
        "ruined": ({"why": "rain", "paid_back": True}, genstep.Failed),
        "sketching": ({}, genstep.Running),
    }
    for stage, (more, kind) in states.items():
        state, calls = drive(easel, easel.poll("p1"), reply({"stage": stage, **more}))
        assert (type(state), [call.path for call in calls]) == (kind, ["/paintings/p1"])


def test_its_history_can_be_paged(names: dict[str, Any]) -> None:
    easel = names["easel"]
    body = {"paintings": [{"ticket": 1, "words": "a fox"}], "next": 20}
    page, [call] = names["drive"](easel, easel.history(None), names["reply"](body))
    assert (page.items[0].id, page.items[0].prompt, page.next, call.params) == ("1", "a fox", 20, {"from": 0})


def test_the_plug_in_registers_it(names: dict[str, Any]) -> None:
    registered: list[Any] = []
    names["genstep_providers"](register=registered.append)
    assert [provider.slug for provider in registered] == ["easel"]


def test_the_toml_is_an_entry_point_of_our_group() -> None:
    [(_, code)] = blocks("toml")
    assert tomllib.loads(code)["project"]["entry-points"]["genstep"] == {"easel": "genstep_easel"}


def test_the_table_names_all_that_a_provider_may_have() -> None:
    table = TEXT[TEXT.index("| attribute or verb |") : TEXT.index("A service whose one call")]
    named = set(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.strip().splitlines())))
    there_is = {name for name in (*vars(Provider), *Provider.__annotations__) if not name.startswith("_")}
    assert named == there_is


def test_every_name_of_genstep_on_the_page_exists() -> None:
    for name in set(re.findall(r"\bgenstep\.([A-Za-z]\w*)", TEXT)):
        assert name in genstep.__all__ or name in ("foreign", "outcome", "capabilities", "testing")
