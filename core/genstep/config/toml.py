"""TOML, written: the flat tables of config.toml (the standard library only reads it)."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def document(values: Mapping[str, Any], tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The text of a TOML file: plain ``values`` first, then ``[outer.inner]`` tables, each one level deep."""
    lines = [f"{key(name)} = {value(item)}" for name, item in values.items()]
    for outer, inners in tables.items():
        for inner, table in inners.items():
            lines += ["", f"[{key(outer)}.{key(inner)}]"]
            lines += [f"{key(name)} = {value(item)}" for name, item in table.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def key(name: str) -> str:
    """A key: bare where TOML allows it, else quoted."""
    return name if _BARE.fullmatch(name) else text(name)


def text(string: str) -> str:
    """A basic string. JSON's escapes are all TOML's too, but for DEL, and surrogates, which neither can say."""
    clean = string.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(item: Any) -> str:
    """A value: text, number, truth, date, list, or a table in one line; TypeError for anything else."""
    if isinstance(item, str):
        return text(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, float):
        return repr(item) if math.isfinite(item) else "nan" if math.isnan(item) else "inf" if item > 0 else "-inf"
    if isinstance(item, dt.datetime | dt.date | dt.time):
        return item.isoformat()
    if isinstance(item, list | tuple):
        return "[" + ", ".join(value(part) for part in item) + "]"
    if isinstance(item, Mapping):
        pairs = ", ".join(f"{key(str(name))} = {value(part)}" for name, part in item.items())
        return "{ " + pairs + " }" if pairs else "{}"
    raise TypeError(f"TOML has no {type(item).__name__}")
