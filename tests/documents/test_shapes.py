"""The comparison sees what a strict reader of the document would stumble over."""

import pytest
from tests.documents.shapes import differences, misquotes


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"id": 1842, "outputs": []}, {"id": 7, "outputs": ["https://a.example/b.png"]}),
        ({"url": "https://cdn.example.com/a.webp"}, {"url": "http://127.0.0.1:4100/assets/b.webp"}),
        ({"image": "https://... (or data:image/png;base64,...)"}, {"image": "data:image/png;base64,AAAA"}),
        ({"at": "2024-01-15T10:30:00Z"}, {"at": "2026-06-07T12:00:00Z"}),
        (
            [{"ok": True, "image": "x"}, {"ok": False, "error": "y"}],
            [{"ok": False, "error": "z"}, {"ok": True, "image": "w"}],
        ),
    ],
)
def test_other_values_of_the_same_shape_pass(expected: object, actual: object) -> None:
    assert differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ({"a": 1}, {}, "$: 'a' is missing"),
        ({"a": 1}, {"a": 1, "b": 2}, "$: 'b' is not in the document"),
        ({"a": {"b": True}}, {"a": {"b": 1}}, "$.a.b: a boolean in the document, an integer in the reply"),
        ({"a": 4}, {"a": 4.0}, "$.a: an integer in the document, a number with a fraction in the reply"),
        ({"a": "x"}, {"a": None}, "$.a: a string in the document, null in the reply"),
        ({"a": "x"}, {"a": ""}, "$.a: '' is not text, as 'x' in the document is"),
        (["x"], [], "$: empty, where the document shows 1"),
        ([{"a": 1}], [{"a": 1}, {"b": 1}], "$[1]: 'a' is missing"),
        ([{"a": 1}, {"b": 1}], [{"a": 1}], "$: no element is like number 1 of the document's"),
        ("2025-01-09T12:00:00Z", "2025-01-09T12:00:00+00:00", "is not an ISO timestamp in UTC"),
        ("https://cdn.example.com/a.png", "data:image/png;base64,AAAA", "is not a URL"),
        ("gen_abc123def456", "abc123def456", "is not a gen_ id"),
        ("507f1f77bcf86cd799439011", "job-1", "is not 24 hex digits"),
        ("/api/v1/task/a", "http://127.0.0.1/api/v1/task/a", "is not a path from the origin"),
        ("1920x1080", "1920 x 1080", "is not WIDTHxHEIGHT"),
        ("image/webp", "webp", "is not a media type"),
    ],
)
def test_each_way_to_differ_is_named(expected: object, actual: object, said: str) -> None:
    assert said in "\n".join(differences(expected, actual))


def test_a_fixed_place_must_repeat_the_document() -> None:
    expected = {"data": [{"status": "pending"}]}
    assert misquotes(expected, {"data": [{"status": "pending"}]}, ["data.0.status"]) == []
    assert misquotes(expected, {"data": [{"status": "queued"}]}, ["data.0.status"]) == [
        "data.0.status: 'pending' in the document, 'queued' in the reply"
    ]
