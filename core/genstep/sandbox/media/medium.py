"""What makers share: the medium they return, the error for a missing library, their dice, and the words of a prompt."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from random import Random

MARK = "genstep sandbox"


@dataclass(frozen=True, slots=True)
class Media:
    """A finished medium: its bytes and type; sides in pixels and duration in seconds, where it has them."""

    data: bytes
    media_type: str
    extension: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None


class MediaUnavailable(RuntimeError):
    """The medium needs an optional library that is not installed; the message says how to install it."""


def dice(*parts: object) -> Random:
    """Return random numbers that depend on nothing but `parts`; any text is allowed in them."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return Random(hashlib.sha256(text).digest())  # noqa: S311 - pictures, no secrets


def words_of(text: str) -> frozenset[str]:
    """Return the words at the beginning of a text, in lower case."""
    return frozenset(re.findall(r"\w+", text[:2000].lower()))
