"""Puts the documents' code samples together again from verbatim ranges, and writes them as files that run."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.documents.spans import SLUGS, Span

TABLE = Path(__file__).parent / "table.toml"
HARNESS = Path(__file__).parent / "harness.toml"

Language = Literal["bash", "python", "javascript"]
SUFFIXES: dict[Language, str] = {"bash": ".sh", "python": ".py", "javascript": ".mjs"}


@dataclass(frozen=True, slots=True)
class Part:
    """A range of the document: its lines moved right by `indent` spaces, and what follows the last of them."""

    span: Span
    indent: int = 0
    then: str = "\n"

    @property
    def text(self) -> str:
        return "\n".join(" " * self.indent + line for line in self.span.text.split("\n")) + self.then


@dataclass(frozen=True, slots=True)
class Harness:
    """Lines of ours that a fragment needs so that it can run, by their name in `harness.toml`."""

    name: str

    @property
    def text(self) -> str:
        return str(_read(HARNESS)[self.name])


@dataclass(frozen=True, slots=True)
class Sample:
    """One code sample of a document, as the pieces that it is put together from, in order."""

    slug: str
    name: str
    language: Language
    pieces: tuple[Part | Harness, ...]

    @property
    def parts(self) -> list[Part]:
        return [piece for piece in self.pieces if isinstance(piece, Part)]

    @property
    def harness(self) -> list[Harness]:
        return [piece for piece in self.pieces if isinstance(piece, Harness)]

    @property
    def text(self) -> str:
        """The program as the document has it, with its own host and credentials."""
        return "".join(piece.text for piece in self.pieces).removesuffix("\n") + "\n"

    def write(self, folder: Path, origin: str, credentials: Mapping[str, str]) -> Path:
        """Write the program for the given scheme and host, and the reader's credentials by the document's words."""
        text = self.text.replace(document_origin(self.slug), origin)
        for word in document_credentials(self.slug):
            text = text.replace(word, credentials.get(word, word))
        path = folder / f"{self}{SUFFIXES[self.language]}"
        path.write_text(text, "utf-8")
        return path

    def __str__(self) -> str:
        return f"{self.slug}.{self.name}"


@functools.cache
def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def load_samples(slug: str | None = None) -> list[Sample]:
    """Every sample, in the documents' order; only one document's if asked."""
    return [
        Sample(each, name, row["language"], tuple(_piece(each, part) for part in row["parts"]))
        for each in SLUGS
        for name, row in _read(TABLE)["sample"][each].items()
        if slug in (None, each)
    ]


def document_origin(slug: str) -> str:
    """The scheme and host that the document's samples call."""
    return str(_read(TABLE)["replace"][slug]["origin"])


def document_credentials(slug: str) -> list[str]:
    """The words of the document that stand for the reader's own credentials, longest first."""
    return sorted(_read(TABLE)["replace"][slug]["credentials"], key=len, reverse=True)


def left_out() -> list[Span]:
    """Code of the documents that is not run here, as declared in the table with its reason."""
    return [Span.parse(row["slug"], row["at"]) for row in _read(TABLE)["left_out"]]


def _piece(slug: str, written: str | dict[str, Any]) -> Part | Harness:
    if isinstance(written, str):
        return Part(Span.parse(slug, written))
    if "harness" in written:
        return Harness(written["harness"])
    return Part(Span.parse(slug, written["at"]), written.get("indent", 0), written.get("then", "\n"))
