"""Reading a batch's file: JSON lines or CSV into requests, each with its line; every problem is kept, none raised."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from genstep.errors import InvalidRequest
from genstep.models import GenerationRequest

_WHOLE = ("n", "width", "height", "seed", "steps")


@dataclass(frozen=True, slots=True)
class Row:
    """One request of the file: where it is, and what it says, or why it says nothing usable."""

    line: int
    request: GenerationRequest | None
    problem: str = ""

    @property
    def name(self) -> str:
        return f"line {self.line}"


def read(file: str) -> list[Row]:
    """The requests of a .jsonl or .csv file, in order; a usage error where there is none, or it cannot be read."""
    path = Path(file)
    ending = path.suffix.lower()
    if ending not in (".jsonl", ".csv"):
        raise click.UsageError(f"{file}: takes a file that ends in .jsonl or .csv")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise click.UsageError(f"{file}: line {line} is not UTF-8") from None
    rows = list(_json_lines(text) if ending == ".jsonl" else _csv_rows(file, text))
    if not rows:
        raise click.UsageError(f"{file}: there is no request in it")
    return rows


def _json_lines(text: str) -> Iterator[Row]:
    # not splitlines(): JSON may hold U+2028 as it is
    for line, one in enumerate(text.split("\n"), start=1):
        if not one.strip():
            continue
        try:
            data = json.loads(one)
        except (ValueError, RecursionError) as error:
            yield Row(line, None, f"not JSON: {getattr(error, 'msg', error)}")
            continue
        if isinstance(data, dict):
            yield _row(line, data)
        else:
            yield Row(line, None, 'takes an object, such as {"prompt": "a red fox"}')


def _csv_rows(file: str, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if len(set(names)) < len(names):
            raise click.UsageError(f"{file}: a column's name is there twice")
        reader.fieldnames = names
        for cells in reader:
            if None in cells:
                yield Row(reader.line_num, None, "has more cells than there are columns")
                continue
            try:
                yield _row(reader.line_num, _fields(cells))
            except ValueError as error:
                yield Row(reader.line_num, None, str(error))
    except csv.Error as error:
        raise click.UsageError(f"{file}: line {reader.line_num} is not CSV: {error}") from None


def _fields(cells: dict[str, str | None]) -> dict[str, Any]:
    """A row's cells as fields: empty ones say nothing, ``options.NAME`` is an option, numbers are numbers."""
    fields: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, cell in cells.items():
        text = (cell or "").strip()
        if not text:
            continue
        if name.startswith("options."):
            options[name.removeprefix("options.")] = _json_or_text(text)
        elif name == "options":
            given = _json_or_text(text)
            if not isinstance(given, dict):
                raise ValueError('options: takes a JSON object, such as {"style": "flat"}')
            options.update(given)
        elif name in _WHOLE:
            fields[name] = _number(name, text, int)
        elif name == "duration":
            fields[name] = _number(name, text, float)
        else:
            fields[name] = int(text) if name == "project" and text.isascii() and text.isdigit() else text
    return {**fields, **({"options": options} if options else {})}


def _number(name: str, text: str, kind: type[int | float]) -> float:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name}: takes {what}, not {text!r:.60}") from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _row(line: int, fields: dict[str, Any]) -> Row:
    try:
        return Row(line, GenerationRequest(**fields))
    except InvalidRequest as error:
        return Row(line, None, error.message)
    except TypeError as error:
        return Row(line, None, str(error))
