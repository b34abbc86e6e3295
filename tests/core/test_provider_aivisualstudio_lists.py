"""AI Visual Studio: the list of past work, and webhooks: registered, delivered, read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.flows import drive, make, reply
from tests.documents.examples import example

from genstep.errors import (
    InvalidRequest,
    UnreadableReply,
)
from genstep.models import HistoryItem, Webhook
from genstep.provider import Completed, Delete, Failed, Get, Output, Patch, Post
from genstep.providers.aivisualstudio import AIVisualStudio

EVENT = example("aivisualstudio", "webhook-completed").json
DONE = EVENT["data"]
HOOK = {"id": "wh_1", "url": "https://your-app.com/hook", "events": ["generation.failed"], "secret": "whsec_fake"}


@pytest.fixture
def service() -> Any:
    return make(AIVisualStudio)


def test_history_reads_the_documents_page(service: Any) -> None:
    rows = [{**DONE, "model": "m", "credits_charged": 5}, {"id": "gen_2"}, {"no": "id"}, None]
    page, calls = drive(service, service.history(None), reply({"data": rows, "total": 4}))
    assert calls == [Get("/generations", params={"limit": 100, "offset": 0})]
    assert page.next is None
    assert page.items == (
        HistoryItem(
            id="gen_abc123def456",
            kind="image",
            prompt="A futuristic city at sunset",
            status="completed",
            created_at=1736424000.0,
            urls=("https://cdn.example.com/image.png",),
            metadata={"model": "m", "credits_charged": 5, "completed_at": "2025-01-09T12:00:15Z"},
        ),
        HistoryItem("gen_2", None, None, None, None),
    )


@pytest.mark.parametrize(
    ("filters", "params"),
    [
        ({"kind": "image"}, {"type": "image"}),
        ({"type": "video"}, {"type": "video"}),
        ({"status": "processing"}, {"status": "processing"}),
        ({"status": "completed"}, {"status": "completed"}),
        ({"kind": None, "status": "failed"}, {"status": "failed"}),
        ({"limit": 10}, {"limit": 10}),
    ],
)
def test_history_filters(service: Any, filters: dict[str, Any], params: dict[str, Any]) -> None:
    _, [call] = drive(service, service.history(40, **filters), reply({"data": []}))
    assert call.params == {"limit": 100, "offset": 40, **params}


@pytest.mark.parametrize(
    "filters", [{"kind": "music"}, {"status": "pending"}, {"limit": 0}, {"limit": 101}, {"limit": "9"}, {"page": 2}]
)
def test_a_filter_that_there_is_not_is_refused(service: Any, filters: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        drive(service, service.history(None, **filters))
    assert caught.value.field == next(iter(filters))


@pytest.mark.parametrize(
    ("offset", "count", "total", "following"),
    [
        (0, 2, 5, 2),
        (2, 2, 5, 4),
        (4, 1, 5, None),
        (0, 2, 2, None),
        (0, 2, None, 2),
        (0, 1, None, None),
        (0, 0, 5, None),
        (0, 2, "five", 2),
    ],
)
def test_history_goes_on_to_the_total(service: Any, offset: int, count: int, total: Any, following: Any) -> None:
    body = {"data": [{"id": f"gen_{n}"} for n in range(count)], "total": total}
    page, _ = drive(service, service.history(offset, limit=2), reply(body))
    assert page.next == following


def test_half_a_character_in_a_prompt_can_be_stored(service: Any) -> None:
    page, _ = drive(service, service.history(None), reply(b'{"data": [{"id": "gen_1", "prompt": "a \\ud83d"}]}'))
    assert page.items[0].prompt == "a ?"


@pytest.mark.parametrize("body", [b"", b"<html>", {}, {"data": None}, {"data": {}}, 7])
@pytest.mark.parametrize("verb", ["models", "history"])
def test_no_list_is_unreadable(service: Any, verb: str, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, getattr(service, verb)(None), reply(body))


@pytest.mark.parametrize("wrap", [lambda record: record, lambda record: {"data": record}])
def test_create_a_webhook(service: Any, wrap: Any) -> None:
    body = example("aivisualstudio", "webhook-create").json
    made, calls = drive(service, service.create_webhook(body["url"], body["events"]), reply(wrap(HOOK), 201))
    assert calls == [Post("/webhooks", json=body)]
    assert made == Webhook("wh_1", "https://your-app.com/hook", ("generation.failed",), "whsec_fake")
    assert "whsec_fake" not in repr(made)


def test_a_webhook_for_all_events_names_none(service: Any) -> None:
    made, [call] = drive(service, service.create_webhook("https://your-app.com/hook", None), reply({"id": 3}))
    assert call.json == {"url": "https://your-app.com/hook"}
    assert made == Webhook("3", "https://your-app.com/hook")


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("http://your-app.com/hook", None, "url"),
        ("your-app.com/hook", None, "url"),
        ("http://127.0.0.1:8000/hook", None, "url"),
        ("https://your-app.com/hook", ["generation.started"], "events"),
        ("https://your-app.com/hook", [], "events"),
        ("https://your-app.com/hook", "generation.failed", "events"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_before_sending(service: Any, url: str, events: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        drive(service, service.create_webhook(url, events))
    assert caught.value.field == field


def test_plain_http_only_between_loopbacks() -> None:
    service = make(AIVisualStudio, base_url="http://127.0.0.1:8765/aivisualstudio")
    _, [call] = drive(service, service.create_webhook("http://localhost:8000/hook", None), reply(HOOK))
    assert call.json == {"url": "http://localhost:8000/hook"}


@pytest.mark.parametrize("body", [{"secret": "whsec_fake"}, b'"whsec_fake"', {"id": [], "s": "whsec_fake"}])
def test_an_unreadable_webhook_is_not_quoted(service: Any, body: Any) -> None:
    for verb in (service.create_webhook("https://your-app.com/hook", None), service.list_webhooks()):
        with pytest.raises(UnreadableReply) as caught:
            drive(service, verb, reply(body))
        assert "whsec_fake" not in str(caught.value)


@pytest.mark.parametrize("wrap", [None, "data", "webhooks", "items"])
def test_list_webhooks(service: Any, wrap: str | None) -> None:
    rows = [{**HOOK, "events": None}, {"no": "id"}, "x"]
    found, calls = drive(service, service.list_webhooks(), reply({wrap: rows} if wrap else rows))
    assert calls == [Get("/webhooks")]
    assert found == [Webhook("wh_1", "https://your-app.com/hook", (), "whsec_fake")]


@pytest.mark.parametrize(
    ("body", "url"), [(b"", ""), ({"data": {"id": "wh/1", "url": "https://b.example/hook"}}, "https://b.example/hook")]
)
def test_update_a_webhook_is_a_patch_whatever_it_answers(service: Any, body: Any, url: str) -> None:
    changes = {"events": ["generation.completed"]}
    found, calls = drive(service, service.update_webhook("wh/1", changes), reply(body))
    assert calls == [Patch("/webhooks/wh%2F1", json=changes)]
    assert found == Webhook("wh/1", url, ("generation.completed",))


@pytest.mark.parametrize("changes", [{}, {"secret": "fake"}, {"url": None}])
def test_an_update_takes_url_and_events(service: Any, changes: Any) -> None:
    with pytest.raises(InvalidRequest, match="url and events"):
        drive(service, service.update_webhook("wh_1", changes))


def test_delete_a_webhook(service: Any) -> None:
    assert drive(service, service.delete_webhook("wh_1"), reply(b"", 204)) == (None, [Delete("/webhooks/wh_1")])


def test_the_documents_event_settles_its_job(service: Any) -> None:
    state = Completed((Output(url="https://cdn.example.com/image.png"),), completed_at=1736424015.0)
    assert service.event(EVENT) == ("gen_abc123def456", state)


def test_a_failed_event_settles_its_job(service: Any) -> None:
    record = {"id": "gen_1", "status": "failed", "error": "content policy"}
    assert service.event({"event": "generation.failed", "data": record}) == ("gen_1", Failed("content policy"))


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {**EVENT, "event": "generation.failed"},
        {**EVENT, "event": "generation.started"},
        {**EVENT, "event": ["generation.completed"]},
        {**EVENT, "data": None},
        {**EVENT, "data": {**DONE, "id": None}},
        {**EVENT, "data": {**DONE, "status": "processing"}},
        {**EVENT, "data": {**DONE, "output_url": None}},
    ],
)
def test_an_event_that_contradicts_itself_settles_nothing(service: Any, payload: Any) -> None:
    assert service.event(payload) is None
