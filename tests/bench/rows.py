"""One row of the table that `make bench` prints, and the printing."""

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Row:
    """What was measured: ours, the others' by name, what we aim at, and whether that is met (None: no aim)."""

    measure: str
    ours: str
    others: Mapping[str, str] = field(default_factory=dict)
    aim: str = ""
    met: bool | None = None


WIDTHS = {"measure": 46, "genstep": 26, "the others": 48, "aim": 26, "met": 3}


def show(rows: Sequence[Row]) -> None:
    """Print the rows as JSON for `table.py` where `--json` is asked for, else as a table."""
    if "--json" in sys.argv:
        print(json.dumps([asdict(row) for row in rows]))
        return
    rule = "-+-".join("-" * width for width in WIDTHS.values())
    print(_line([[name] for name in WIDTHS]))
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "NO"
        others = [f"{name}: {value}" for name, value in row.others.items()]
        cells = ([row.measure], [row.ours], others, [row.aim], [met])
        print(rule)
        print(_line([_wrapped(cell, width) for cell, width in zip(cells, WIDTHS.values(), strict=True)]))


def _wrapped(cell: Sequence[str], width: int) -> list[str]:
    return [line for text in cell for line in textwrap.wrap(text, width, subsequent_indent="  ") or [""]]


def _line(cells: Sequence[Sequence[str]]) -> str:
    lines = []
    for number in range(max(len(cell) for cell in cells)):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        padded = [part.ljust(width) for part, width in zip(parts, WIDTHS.values(), strict=True)]
        lines.append(" | ".join(padded).rstrip())
    return "\n".join(lines)
