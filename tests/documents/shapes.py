"""Compares a reply with a document's example: the same keys, the same JSON types, strings of the same form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# The first form that the document's string has is the form that the other one must have.
FORMS = {
    "an ISO timestamp in UTC": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "a URL": re.compile(r"https?://[^\s/]+(?:/\S*)?"),
    "a gen_ id": re.compile(r"gen_[A-Za-z0-9]+"),
    "a req_ id": re.compile(r"req_[A-Za-z0-9]+"),
    "24 hex digits": re.compile(r"[0-9a-f]{24}"),
    "a path from the origin": re.compile(r"/api/v1/\S+"),
    "WIDTHxHEIGHT": re.compile(r"[1-9]\d*x[1-9]\d*"),
    "W:H": re.compile(r"[1-9]\d*:[1-9]\d*"),
    "a media type": re.compile(r"(?:image|video|audio|model|text)/[a-z0-9.+-]+"),
    "a file name": re.compile(r"[\w.-]+\.(?:webp|png|jpeg|jpg|mp4|glb)"),
    "text": re.compile(r".+", re.DOTALL),
}
_KINDS = {
    "NoneType": "null",
    "bool": "a boolean",
    "int": "an integer",
    "float": "a number with a fraction",
    "str": "a string",
    "list": "a list",
    "dict": "an object",
}
# Document 004 writes both forms of its one such value into the string itself: "https://... (or data:image/png;…)".
_URL_OR_DATA_URL = re.compile(r"(?:https?://|data:image/png;base64,)\S+")


def form(text: str) -> tuple[str, re.Pattern[str]]:
    """The name and the pattern of the form that a document's string has."""
    if "(or data:" in text:
        return "a URL or a data URL", _URL_OR_DATA_URL
    return next((name, pattern) for name, pattern in FORMS.items() if pattern.fullmatch(text))


def differences(expected: Any, actual: Any, where: str = "$") -> list[str]:
    """What tells a reply from the example, one sentence each; empty where keys, types and forms are the same.

    Integers and other numbers are different types. Of a list, each element must look like one of the example's
    elements, and each of these must be met; an empty list of the example says nothing of elements.
    """
    if type(expected) is not type(actual):
        return [f"{where}: {_kind(expected)} in the document, {_kind(actual)} in the reply"]
    if isinstance(expected, dict):
        return _dict_differences(expected, actual, where)
    if isinstance(expected, list):
        return _list_differences(expected, actual, where)
    if isinstance(expected, str):
        name, pattern = form(expected)
        if not pattern.fullmatch(actual):
            return [f"{where}: {actual[:80]!r} is not {name}, as {expected!r} in the document is"]
    return []


def misquotes(expected: Any, actual: Any, places: Iterable[str]) -> list[str]:
    """Which of the dotted places hold another value than in the example, one sentence each."""
    return [
        f"{place}: {pick(expected, place)!r} in the document, {pick(actual, place)!r} in the reply"
        for place in places
        if pick(expected, place) != pick(actual, place)
    ]


def pick(value: Any, place: str) -> Any:
    """The value at a dotted place such as `data.images.0.url`; KeyError or IndexError where there is none."""
    for step in place.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _dict_differences(expected: dict[str, Any], actual: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}: {key!r} is missing" for key in expected if key not in actual]
    found += [f"{where}: {key!r} is not in the document" for key in actual if key not in expected]
    for key in expected.keys() & actual.keys():
        found += differences(expected[key], actual[key], f"{where}.{key}")
    return found


def _list_differences(expected: list[Any], actual: list[Any], where: str) -> list[str]:
    if expected and not actual:
        return [f"{where}: empty, where the document shows {len(expected)}"]
    found: list[str] = []
    for index, element in enumerate(actual if expected else ()):
        closest: list[str] = min((differences(shown, element, f"{where}[{index}]") for shown in expected), key=len)
        found += closest
    for index, shown in enumerate(expected):
        if all(differences(shown, element) for element in actual):
            found.append(f"{where}: no element is like number {index} of the document's")
    return found


def _kind(value: Any) -> str:
    return _KINDS[type(value).__name__]
