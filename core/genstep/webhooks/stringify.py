"""``JSON.stringify`` as JavaScript does it (key order, numbers, escapes), to check a signature made over that form."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any


def parse(body: bytes) -> Any:
    """The body's JSON, as strict as JavaScript's ``JSON.parse``; None where it is none."""
    try:
        return json.loads(body.decode("utf-8"), parse_int=_int, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def stringify(value: Any) -> bytes | None:
    """What JavaScript writes for a parsed ``value``, in UTF-8; None where it nests too deeply to be read."""
    try:
        return _written(value).encode("utf-8")
    except RecursionError:
        return None


def _int(digits: str) -> int | float:
    # JavaScript knows only an infinity that far out, and Python limits how many digits it reads
    return int(digits) if len(digits) < 400 else float(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _written(value: Any) -> str:
    if isinstance(value, dict):
        # JavaScript lists keys that look like array indexes first, by number
        indexes = sorted((key for key in value if _is_index(key)), key=int)
        keys = [*indexes, *(key for key in value if not _is_index(key))]
        return "{" + ",".join(f"{_quote(key)}:{_written(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return _number(value)


def _is_index(key: str) -> bool:
    return re.fullmatch("0|[1-9][0-9]{0,9}", key) is not None and int(key) < 2**32 - 1


def _quote(text: str) -> str:
    """A string as JavaScript escapes it: like Python without ASCII escapes, but for half a surrogate pair."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", quoted)


def _number(value: float) -> str:
    """A number as JavaScript writes it: a double, in exponent form only below 1e-6 and from 1e21 on."""
    try:
        double = float(value)
    except OverflowError:
        return "null"
    if not math.isfinite(double):
        return "null"
    if double == 0 or 1e-6 <= abs(double) < 1e21:
        shown = format(Decimal(repr(abs(double))), "f")
        shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
        return f"-{shown}" if double < 0 else shown
    mantissa, _, exponent = repr(double).partition("e")
    return f"{mantissa}e{int(exponent):+d}"
