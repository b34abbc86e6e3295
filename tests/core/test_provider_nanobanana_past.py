"""Nano Banana: the list of past work (document 001, GET /api/v1/projects), by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, drive, make, places, reply, survives, swap

from genstep.errors import InvalidRequest
from genstep.models import HistoryItem
from genstep.provider import Get
from genstep.providers.nanobanana import NanoBanana

PROJECTS = {
    "success": True,
    "data": {
        "projects": [
            {
                "id": "507f1f77bcf86cd799439011",
                "type": "image",
                "prompt": "A beautiful sunset...",
                "created_at": "2024-01-15T10:30:00Z",
                "url": "https://cdn.example.com/image1.webp",
                "thumbnail": "https://cdn.example.com/thumb1.webp",
                "metadata": {"aspect_ratio": "16:9", "file_size": 145678, "dimensions": "1920x1080"},
            }
        ],
        "pagination": {"page": 1, "limit": 10, "total": 45, "pages": 5, "has_more": True},
    },
}


@pytest.fixture
def service() -> Any:
    return make(NanoBanana)


def test_past_work_page_by_page(service: Any) -> None:
    page, [call] = drive(service, service.history(None), reply(PROJECTS))
    assert call == Get(
        "/projects", params={"type": "all", "limit": 20, "sort": "createdAt", "order": "desc", "page": 1}
    )
    assert page.items == (
        HistoryItem(
            id="507f1f77bcf86cd799439011",
            kind="image",
            prompt="A beautiful sunset...",
            status="completed",
            created_at=1705314600.0,
            urls=("https://cdn.example.com/image1.webp",),
            metadata={
                "aspect_ratio": "16:9",
                "file_size": 145678,
                "dimensions": "1920x1080",
                "thumbnail": "https://cdn.example.com/thumb1.webp",
            },
        ),
    )
    assert page.next == 2
    last = swap(PROJECTS, ("data", "pagination", "has_more"), False)
    page, [call] = drive(service, service.history(page.next), reply(last))
    assert (call.params["page"], page.next) == (2, None)


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"type": "images", "limit": 10}, {"type": "images", "limit": 10}),
        ({"kind": "image"}, {"type": "images"}),
        ({"kind": "video", "order": "asc"}, {"type": "videos", "order": "asc"}),
        ({"kind": "model3d", "sort": "prompt"}, {"type": "3d", "sort": "prompt"}),
        ({"type": None, "limit": 100}, {"type": "all", "limit": 100}),
    ],
)
def test_filters_of_past_work(service: Any, filters: dict[str, Any], query: dict[str, Any]) -> None:
    _, [call] = drive(service, service.history(None, **filters), reply(PROJECTS))
    assert query.items() <= call.params.items()


@pytest.mark.parametrize(
    "filters",
    [{"type": "text"}, {"kind": "voice"}, {"limit": 101}, {"limit": 0}, {"order": "up"}, {"status": "x"}, {"sort": 1}],
)
def test_unknown_filters_are_refused_before_sending(service: Any, filters: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        drive(service, service.history(None, **filters))


@pytest.mark.parametrize(
    ("word", "kind"),
    [("image", "image"), ("video", "video"), ("3d", "model3d"), ("images", "image"), ("odd", None), (7, None)],
)
def test_kinds_of_past_work(service: Any, word: Any, kind: str | None) -> None:
    page, _ = drive(service, service.history(None), reply(swap(PROJECTS, ("data", "projects", 0, "type"), word)))
    assert page.items[0].kind == kind


def test_an_empty_page_ends_the_list_whatever_has_more_says(service: Any) -> None:
    page, _ = drive(service, service.history(None), reply(swap(PROJECTS, ("data", "projects"), [])))
    assert (page.items, page.next) == ((), None)


def test_entries_without_an_id_are_left_out(service: Any) -> None:
    broken = swap(PROJECTS, ("data", "projects"), [{"id": None}, "x", {"id": "kept"}])
    page, _ = drive(service, service.history(None), reply(broken))
    assert [item.id for item in page.items] == ["kept"]


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service: Any = make(NanoBanana)
    mangled = swap(PROJECTS, data.draw(st.sampled_from(places(PROJECTS))), data.draw(anything))
    survives(service, service.history(None), reply(mangled))
