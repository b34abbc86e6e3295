"""The five documents as numbered lines, and how a range of one is written and cut.

A range is written `LINE[:COLUMN]-LINE[:COLUMN]` or, within one line, `LINE`; lines and columns count from 1, both ends
are included, and a column left out is the line's first or last. `88-101:1` is line 88 to the first character of 101.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

TEXTS = Path(__file__).parent / "text"
SLUGS = ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio", "imageapi")

_RANGE = re.compile(r"(\d+)(?::(\d+))?(?:-(\d+)(?::(\d+))?)?")


@functools.cache
def document(slug: str) -> str:
    """The document's text, exactly as it was scraped."""
    return (TEXTS / f"{slug}.txt").read_bytes().decode("utf-8")


@functools.cache
def lines(slug: str) -> tuple[str, ...]:
    """The document's lines without their line feeds; line n is at index n - 1."""
    return tuple(document(slug).split("\n"))


@dataclass(frozen=True, slots=True)
class Span:
    """A range of one document, by lines and columns that count from 1 and are both included."""

    slug: str
    first: int
    last: int
    first_column: int
    last_column: int

    @classmethod
    def parse(cls, slug: str, written: str) -> Span:
        """Read `LINE[:COLUMN]-LINE[:COLUMN]`; ValueError where the document has no such range."""
        match = _RANGE.fullmatch(written)
        if match is None:
            raise ValueError(f"{slug}: {written!r} is not a range; write LINE[:COLUMN]-LINE[:COLUMN]")
        first, last = int(match[1]), int(match[3] or match[1])
        if not 1 <= first <= last <= len(lines(slug)):
            raise ValueError(f"{slug}: {written!r} is outside of the document's {len(lines(slug))} lines")
        span = cls(slug, first, last, int(match[2] or 1), int(match[4] or len(lines(slug)[last - 1])))
        if span.last_column > len(lines(slug)[last - 1]) or span.start >= span.end:
            raise ValueError(f"{slug}: {written!r} is empty or ends after its line")
        return span

    @property
    def start(self) -> int:
        """Offset of the first character in the document."""
        return _offset(self.slug, self.first, self.first_column)

    @property
    def end(self) -> int:
        """Offset after the last character in the document."""
        return _offset(self.slug, self.last, self.last_column) + 1

    @property
    def text(self) -> str:
        """The document's own characters in the range."""
        return document(self.slug)[self.start : self.end]

    def __str__(self) -> str:
        return f"{self.slug}.txt:{self.first}-{self.last}"


def _offset(slug: str, line: int, column: int) -> int:
    return sum(len(text) + 1 for text in lines(slug)[: line - 1]) + column - 1
