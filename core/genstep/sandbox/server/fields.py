"""What the five services check in the fields that they are sent: whole numbers, ratios, URLs, base64 pictures."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlsplit

_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")
WIDEST = 10


def whole(value: Any) -> int | None:
    """Return a JSON number without a fraction (4 and 4.0) as an int; None for anything else, true and false too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 and abs(value) < 2**63 else None


def number(value: Any) -> float | int | None:
    """Return a finite JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e300 else None


def digits(text: str) -> int | None:
    """Return a query's whole number, or None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None


def text(value: Any) -> str | None:
    """Return a text that is not blank, or None."""
    return value if isinstance(value, str) and value.strip() else None


def ratio(value: Any) -> str | None:
    """Return an aspect ratio ``W:H`` of whole numbers, no more than 10 times as long as wide, or None."""
    match = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    return match[0] if max(width, height) <= WIDEST * min(width, height) else None


def url(value: Any) -> str | None:
    """Return an absolute http or https URL, or None."""
    if not isinstance(value, str) or len(value) > 2048 or any(c.isspace() for c in value):
        return None
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and named else None


def picture(value: Any) -> bytes | None:
    """Return the bytes of a picture in base64, bare or as a data URL; None where it is no known picture format."""
    if not isinstance(value, str):
        return None
    bare = value.partition(",")[2] if value.startswith("data:") else value
    try:
        data = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return None
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return data if webp or data.startswith(_PICTURES) else None
