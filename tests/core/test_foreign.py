"""Values out of foreign JSON and headers: good ones pass, all others are None, nothing raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything

from genstep import foreign


@pytest.mark.parametrize(
    ("read", "value", "result"),
    [
        (foreign.text, " kept as it is ", " kept as it is "),
        (foreign.text, "  ", None),
        (foreign.text, "a\ud800b\0c", "a?bc"),
        (foreign.text, 7, None),
        (foreign.said, "Two\n lines.", "Two lines"),
        (foreign.said, "x" * 400, "x" * 299 + "…"),
        (foreign.flag, False, False),
        (foreign.flag, 0, None),
        (foreign.number, 7, 7),
        (foreign.number, 0.5, 0.5),
        (foreign.number, True, None),
        (foreign.number, "7", None),
        (foreign.number, float("nan"), None),
        (foreign.number, 10**400, None),
        (foreign.whole, 7.0, 7),
        (foreign.whole, 7.5, None),
        (foreign.whole, 2**64, None),
        (foreign.identifier, "gen_1-a", "gen_1-a"),
        (foreign.identifier, 42, "42"),
        (foreign.identifier, True, None),
        (foreign.identifier, "..", None),
        (foreign.identifier, " a", None),
        (foreign.identifier, "a\nb", None),
        (foreign.identifier, "a\ud800", None),
        (foreign.identifier, "x" * 501, None),
        (foreign.url, "https://cdn.example/a.png?sig=1", "https://cdn.example/a.png?sig=1"),
        (foreign.url, "http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
        (foreign.url, "file:///etc/passwd", None),
        (foreign.url, "//cdn.example/a", None),
        (foreign.url, "https://[", None),
        (foreign.url, "https://a:99999/", None),
        (foreign.moment, "2024-01-15T10:30:00Z", 1705314600.0),
        (foreign.moment, "2024-01-15T10:30:00", 1705314600.0),
        (foreign.moment, "2024-01-15T11:30:00+01:00", 1705314600.0),
        (foreign.moment, 1705314600, 1705314600),
        (foreign.moment, "yesterday", None),
        (foreign.rows, [{"a": 1}, "x"], [{"a": 1}]),
        (foreign.rows, {}, None),
        (foreign.table, [], {}),
        (foreign.picture, "data:image/webp;charset=x;base64,AAAA", (b"\0\0\0", "image/webp")),
        (foreign.picture, "data:image/png;base64,AAA", None),
        (foreign.picture, "data:text/html;base64,AAAA", None),
    ],
)
def test_what_is_read(read: Any, value: Any, result: Any) -> None:
    assert read(value) == result


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Mon, 15 Jan 2024 10:31:00 GMT", "date": "Mon, 15 Jan 2024 10:30:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 15 Jan 2024 10:29:00 GMT", "date": "Mon, 15 Jan 2024 10:30:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 15 Jan 2024 10:31:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert foreign.retry_after(headers) == seconds


@given(anything)
def test_nothing_raises_and_everything_can_be_stored(value: Any) -> None:
    scalars = (foreign.text, foreign.said, foreign.flag, foreign.number, foreign.whole, foreign.identifier)
    for read in (*scalars, foreign.url, foreign.moment, foreign.rows, foreign.table, foreign.plain):
        stored = foreign.plain(read(value))
        json.dumps(stored, ensure_ascii=False, allow_nan=False).encode()


@given(st.text())
def test_no_text_breaks_the_parsers(value: str) -> None:
    foreign.picture("data:image/png;base64," + value)
    foreign.retry_after({"retry-after": value, "date": value})
    foreign.moment(value)
    foreign.url("https://" + value)


def test_what_is_nested_too_deeply_is_left_out() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    assert len(json.dumps(foreign.plain(deep))) < 40
