"""The documents' JSON examples: where each stands, what it is, and its JSON, cut from the document when asked for."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.documents import json_blocks
from tests.documents.spans import SLUGS, Span

TABLE = Path(__file__).parent / "examples.toml"

Kind = Literal["request", "reply", "error", "webhook"]


@dataclass(frozen=True, slots=True)
class Example:
    """One JSON example of a document.

    `method` and `path` (from `/api/v1` on) are what the document states, else None; `decided` is the `METHOD /path`
    that this project takes where it states none. `status` is the HTTP status where the document states it. `text` is
    verbatim, `json` what it says, `source_lines` its first and last line. `fixed` are the dotted places of values that
    a server has to repeat exactly.
    """

    name: str
    slug: str
    kind: Kind
    method: str | None
    path: str | None
    decided: str | None
    status: int | None
    text: str
    json: Any
    span: Span
    fixed: tuple[str, ...]

    @property
    def source_lines(self) -> tuple[int, int]:
        return self.span.first, self.span.last

    def __str__(self) -> str:
        return f"{self.slug}.{self.name}:{self.span.first}"


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text("utf-8"))


def load_examples(*, slug: str | None = None, kind: Kind | None = None) -> list[Example]:
    """Every example, in the documents' order; only one service's or one kind's if asked."""
    return [
        _example(each, name, row)
        for each in SLUGS
        for name, row in _table()[each].items()
        if slug in (None, each) and kind in (None, row["kind"])
    ]


def example(slug: str, name: str) -> Example:
    """The one example of that name; KeyError where there is none."""
    return _example(slug, name, _table()[slug][name])


def not_examples() -> list[Span]:
    """What reads as JSON in a document and is none of the API's, as declared in the table with its reason."""
    return [Span.parse(row["slug"], row["at"]) for row in _table()["not_examples"]]


def _example(slug: str, name: str, row: dict[str, Any]) -> Example:
    span = Span.parse(slug, row["at"])
    method, path = (None, None) if row["endpoint"] == "not stated" else row["endpoint"].split(" ")
    return Example(
        name=name,
        slug=slug,
        kind=row["kind"],
        method=method,
        path=path,
        decided=row.get("decided"),
        status=row.get("status"),
        text=span.text,
        json=json_blocks.read(span.text),
        span=span,
        fixed=tuple(row.get("fixed", ())),
    )
