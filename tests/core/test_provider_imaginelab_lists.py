"""ImagineLab: models, past work and its paging, delete; of all of these the document shows no reply."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.flows import drive, make, reply
from tests.documents.examples import example

from genstep.errors import (
    InvalidRequest,
    UnreadableReply,
)
from genstep.models import HistoryItem, ModelInfo
from genstep.provider import Delete, Get
from genstep.providers.imaginelab import ImagineLab

CREATED = example("imaginelab", "created").json
RECORD = {**CREATED, "status": "completed", "outputs": ["https://cdn.imagineview.art/1842.png"]}


@pytest.fixture
def service() -> Any:
    return make(ImagineLab)


@pytest.mark.parametrize("wrap", [None, "items", "data", "models"])
def test_models_in_every_envelope(service: Any, wrap: str | None) -> None:
    rows = [
        "seedream-5.0-lite",
        {"model_name": "ink", "name": "Ink", "generation_type": "image", "credit_cost": 6},
        {"name": "reel", "type": "video"},
        {"id": 3, "type": "text"},
        None,
        {},
    ]
    found, calls = drive(service, service.models(None), reply({wrap: rows} if wrap else rows))
    assert calls == [Get("/generations/models")]
    assert found == [
        ModelInfo("seedream-5.0-lite"),
        ModelInfo("ink", kind="image", price=6),
        ModelInfo("reel", kind="video"),
        ModelInfo("3", kind="text"),
    ]
    pictures, calls = drive(service, service.models("image"), reply(rows))
    assert [model.id for model in pictures] == ["seedream-5.0-lite", "ink"]
    assert calls == [Get("/generations/models")]


@pytest.mark.parametrize("wrap", [None, "items", "data", "generations"])
def test_history_in_every_envelope(service: Any, wrap: str | None) -> None:
    rows = [RECORD, {"id": 7}, {"no": "id"}, "x"]
    page, calls = drive(service, service.history(None), reply({wrap: rows} if wrap else rows))
    assert calls == [Get("/generations")]
    assert page.next is None
    assert page.items == (
        HistoryItem(
            id="1842",
            kind="image",
            prompt="A neon city skyline at dusk",
            status="completed",
            created_at=1780833600.0,
            urls=("https://cdn.imagineview.art/1842.png",),
            metadata={"model_name": "seedream-5.0-lite", "credit_cost": 5},
        ),
        HistoryItem("7", None, None, None, None),
    )


@pytest.mark.parametrize(
    ("filters", "ids"),
    [({"kind": "video"}, ["2"]), ({"status": "completed"}, ["1"]), ({"kind": "video", "status": None}, ["2"])],
)
def test_history_filters_here_and_guesses_no_parameter(service: Any, filters: dict[str, Any], ids: list[str]) -> None:
    rows = [{**RECORD, "id": 1}, {**CREATED, "id": 2, "generation_type": "video"}]
    page, calls = drive(service, service.history(None, **filters), reply(rows))
    assert ([item.id for item in page.items], calls) == (ids, [Get("/generations")])
    with pytest.raises(InvalidRequest, match="kind, status"):
        drive(service, service.history(None, page=2))


@pytest.mark.parametrize(
    ("link", "params"),
    [
        ("/api/v1/generations?page=2", {"page": "2"}),
        ("?cursor=a%2Fb&size=20", {"cursor": "a/b", "size": "20"}),
        ("https://api.imagineview.art/api/v1/generations?page=2", {"page": "2"}),
        ("https://evil.example/api/v1/generations?page=2", None),
        ("//evil.example/api/v1/generations?page=2", None),
        ("http://api.imagineview.art/api/v1/generations?page=2", None),
        ("https://api.imagineview.art@evil.example/api/v1/generations?page=2", None),
        ("/api/v1/auth/me?page=2", None),
        ("/api/v1/generations", None),
        ("https://[", None),
        (2, None),
        (None, None),
    ],
)
def test_only_the_services_own_link_leads_on(service: Any, link: Any, params: Any) -> None:
    page, _ = drive(service, service.history(None), reply({"items": [{"id": 1}], "next": link}))
    if params is None:
        assert page.next is None
        return
    _, calls = drive(service, service.history(page.next), reply({"items": []}))
    assert calls == [Get("/generations", params=params)]


def test_a_page_of_which_the_filter_keeps_nothing_does_not_end_the_list(service: Any) -> None:
    first = reply({"items": [{"id": 1, "status": "failed"}], "next": "?page=2"})
    second = reply({"items": [{"id": 2, "status": "completed"}]})
    page, calls = drive(service, service.history(None, status="completed"), first, second)
    assert ([item.id for item in page.items], page.next) == (["2"], None)
    assert [call.params for call in calls] == [None, {"page": "2"}]


def test_a_page_with_no_new_ids_ends_the_list(service: Any) -> None:
    link = "/api/v1/generations?page=2"
    first, _ = drive(service, service.history(None), reply({"items": [{"id": 1}, {"id": 2}], "next": link}))
    second, _ = drive(service, service.history(first.next), reply({"items": [{"id": 2}, {"id": 3}], "next": link}))
    third, _ = drive(service, service.history(second.next), reply({"items": [{"id": 3}, {"id": 1}], "next": link}))
    assert [[item.id for item in page.items] for page in (first, second, third)] == [["1", "2"], ["3"], []]
    assert third.next is None


@pytest.mark.parametrize("body", [b"", b"<html>", {}, {"items": None}, 7])
@pytest.mark.parametrize("verb", ["models", "history"])
def test_no_list_is_unreadable(service: Any, verb: str, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, getattr(service, verb)(None), reply(body))


def test_delete(service: Any) -> None:
    assert drive(service, service.delete("1842"), reply(b"", 204)) == (None, [Delete("/generations/1842")])
