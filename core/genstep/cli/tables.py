"""Lists on stdout: an aligned table on a terminal, tab-separated lines without a header elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from genstep.cli.report import clean, styled

#: the colour of a word that says how something stands
_STYLES = {
    "completed": "green",
    "healthy": "green",
    "ok": "green",
    "processing": "cyan",
    "pending": "cyan",
    "failed": "red",
    "wrong": "red",
    "unreachable": "red",
    "uncertain": "yellow",
    "degraded": "yellow",
    "note": "yellow",
    "cancelled": "dim",
}


def show(
    headers: Sequence[str], rows: Sequence[Sequence[object]], *, fold: Sequence[str] = (), empty: str = ""
) -> None:
    """Print rows under headers; columns in ``fold`` take several lines where the terminal is narrow."""
    texts = [[clean("" if value is None else value) for value in row] for row in rows]
    if not texts:
        if empty:
            click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        for row in texts:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header not in fold)
    for row in texts:
        table.add_row(*(Text(value, style=_STYLES.get(value, "")) for value in row))
    Console(highlight=False).print(table)


def pairs(values: Sequence[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, without those that say nothing."""
    said = [(name, clean(value)) for name, value in values if value is not None and value not in ("", (), {})]
    width = max((len(name) for name, _ in said), default=0) if sys.stdout.isatty() else 0
    for name, value in said:
        click.echo(f"{styled(name.ljust(width), dim=True)}  {value}" if width else f"{name}\t{value}")


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a Unix time is: "just now", "5 min", "3 h", "12 d"."""
    passed = max(0.0, (time.time() if now is None else now) - moment)
    if passed < 60:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{int(passed // size)} {unit}"
    return ""


def moment(value: float | None) -> str:
    """A Unix time in the reader's own zone, to the second."""
    from datetime import datetime

    return datetime.fromtimestamp(value).astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else ""
