"""Finds every JSON object in a document, and reads JSON that a page wrote with comments or trailing commas.

Two normalisations, and no third: a `// comment` outside of a string becomes spaces, and so does a comma before a
closing bracket. Both keep every other character at its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.documents.spans import document

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|,(?=\s*[}\]])|[{}]')


def normalised(text: str) -> str:
    """The same text, equally long, with comments and trailing commas blanked."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match[0]) if match[0][0] in "/," else match[0]

    # Comments first: one may stand between a trailing comma and its bracket.
    return _TOKEN.sub(blank, _TOKEN.sub(blank, text))


def read(text: str) -> Any:
    """The value of a document's JSON text; ValueError where it is none after normalising."""
    return json.loads(normalised(text))


def find(slug: str) -> Iterator[tuple[int, int]]:
    """Offsets (start, end) of each outermost balanced `{…}` of the document that reads as a JSON object."""
    text, position = document(slug), 0
    while (start := text.find("{", position)) >= 0:
        end = _closing(text, start)
        if end is not None and _is_json(text[start:end]):
            yield start, end
            position = end
        else:
            position = start + 1


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for match in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return None


def _is_json(text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
