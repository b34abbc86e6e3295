"""ImagineLab: every parameter, default, status, price and error of document 002, by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, ask, drive, make, places, reply, swap
from tests.documents.examples import example

from genstep.errors import (
    GenstepError,
    InvalidRequest,
    UnreadableReply,
)
from genstep.models import GenerationRequest
from genstep.outcome import Verdict, judge
from genstep.provider import Accepted, Completed, Failed, Get, Output, Paid, Post, Running
from genstep.providers.imaginelab import ImagineLab

KINDS = ["image", "video", "voice", "music", "infographic", "text"]
CREATED = example("imaginelab", "created").json
DONE = example("imaginelab", "status").json
RECORD = {**CREATED, "status": "completed", "outputs": ["https://cdn.imagineview.art/1842.png"]}
URL = Output(url="https://cdn.imagineview.art/1842.png")
LOGIN = Post("/auth/login", form={"username": "you@example.com", "password": "fake-password"}, auth=False)


@pytest.fixture
def service() -> Any:
    return make(ImagineLab)


def finished(service: Any, record: Any) -> Any:
    state, _ = drive(service, service.poll("1842"), reply(DONE), reply(record))
    return state


# -- submit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_job(service: Any, kind: str) -> None:
    request = ask(service, "A neon city skyline at dusk", kind=kind, model="some-model")
    accepted, calls = drive(service, service.submit(request), reply(CREATED, 201))
    body = {"generation_type": kind, "model_name": "some-model", "prompt": "A neon city skyline at dusk"}
    assert calls == [Paid("/generations", json=body)]
    assert accepted == Accepted("1842", credits=5)
    assert service.batch(request) == 1


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, {}),
        ({"aspect_ratio": "16:9"}, {"settings": {"aspect_ratio": "16:9"}}),
        ({"aspect_ratio": "21:9"}, {"settings": {"aspect_ratio": "21:9"}}),
        ({"project": 7}, {"project_id": 7}),
        ({"project": "p7"}, {"project_id": "p7"}),
        ({"options": {"settings": {"style": "ink", "steps": 4}}}, {"settings": {"style": "ink", "steps": 4}}),
        ({"options": {"style": "ink", "hd": True}}, {"settings": {"style": "ink", "hd": True}}),
        ({"options": {"settings": {"a": 1, "b": 1}, "b": 2}}, {"settings": {"a": 1, "b": 2}}),
        (
            {"aspect_ratio": "1:1", "options": {"settings": {"aspect_ratio": "1:1"}}},
            {"settings": {"aspect_ratio": "1:1"}},
        ),
    ],
)
def test_optional_fields_are_sent_only_where_given(service: Any, fields: dict[str, Any], sent: dict[str, Any]) -> None:
    request = ask(service, "x", model="seedream-5.0-lite", **fields)
    _, [call] = drive(service, service.submit(request), reply(CREATED))
    assert call.json == {"generation_type": "image", "model_name": "seedream-5.0-lite", "prompt": "x", **sent}


@pytest.mark.parametrize("name", ["create-request", "create-curl", "create-python"])
def test_the_documents_own_requests(service: Any, name: str) -> None:
    body = example("imaginelab", name).json
    fields = {"aspect_ratio": body["settings"]["aspect_ratio"]} if "settings" in body else {}
    request = ask(service, body["prompt"], kind=body["generation_type"], model=body["model_name"], **fields)
    _, [call] = drive(service, service.submit(request), reply(CREATED))
    assert call.json == {key: value for key, value in body.items() if value is not None}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "model3d"}, "kind"),
        ({"quality": "4k"}, "quality"),
        ({"duration": 4}, "duration"),
        ({"image": "https://host.example/a.png"}, "image"),
        ({"seed": 1}, "seed"),
        ({"output_format": "png"}, "output_format"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"kind": "voice", "aspect_ratio": "16:9"}, "aspect_ratio"),
        ({"prompt": " "}, "prompt"),
        ({"options": {"settings": "16:9"}}, "options.settings"),
        ({"options": {"a": {1, 2}}}, "options"),
        ({"options": {"a": float("nan")}}, "options"),
        ({"aspect_ratio": "1:1", "options": {"aspect_ratio": "16:9"}}, "aspect_ratio"),
        ({"model": None}, "model"),
    ],
)
def test_what_it_cannot_express_is_refused_before_sending(service: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(service, **{"prompt": "x", "model": "m", **fields})
    assert caught.value.field == field


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("missing", ["status", "credit_cost", "created_at", "outputs", "prompt", "user_id"])
@pytest.mark.parametrize("value", [..., None, [], "many", float("nan")])
def test_a_paid_job_keeps_its_id_whatever_else_is_wrong(service: Any, status: int, missing: str, value: Any) -> None:
    accepted, _ = drive(
        service, service.submit(ask(service, "x", model="m")), reply(swap(CREATED, [missing], value), status)
    )
    assert accepted == Accepted("1842", credits=None if missing == "credit_cost" else 5)


@pytest.mark.parametrize("body", [b"<html>", b"", [], {}, {"id": None}, {"id": ""}, {"id": [1]}, {"id": ".."}])
def test_an_answer_without_an_id_is_uncertain(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply) as caught:
        drive(service, service.submit(ask(service, "x", model="m")), reply(body, 201))
    assert judge(201, caught.value) is Verdict.UNCERTAIN


# -- price -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "credits"), [("text", 2), ("voice", 3), ("image", 5), ("music", 8), ("infographic", 10), ("video", 15)]
)
def test_the_price_table_is_indicative(service: Any, kind: str, credits: float) -> None:
    request = ask(service, "x", kind=kind, model="m", n=3)
    assert service.price(request) == 3 * credits
    assert not service.exact_prices


# -- poll ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"id": 1842, "status": "pending", "progress": 0}, Running(0.0, "pending")),
        ({"id": 1842, "status": "processing", "progress": 42}, Running(0.42, "processing")),
        ({"id": 1842, "status": "processing"}, Running(None, "processing")),
        ({"id": 1842, "status": "processing", "progress": "half"}, Running(None, "processing")),
        ({"id": 1842, "status": "processing", "progress": 250}, Running(1.0, "processing")),
        ({"id": 1842, "status": "processing", "progress": -1}, Running(0.0, "processing")),
        ({"id": 1842, "status": "upscaling", "progress": 90}, Running(0.9, "upscaling")),
    ],
)
def test_running_states(service: Any, body: Any, state: Running) -> None:
    assert drive(service, service.poll("1842"), reply(body)) == (state, [Get("/generations/1842/status")])


def test_completed_reads_the_record(service: Any) -> None:
    state, calls = drive(service, service.poll("1842"), reply(DONE), reply(RECORD))
    assert calls == [Get("/generations/1842/status"), Get("/generations/1842")]
    assert state == Completed((URL,), credits=5)


@pytest.mark.parametrize("job_id", ["a/../b", "1842?x=1", "ü#"])
def test_a_job_id_stays_one_part_of_the_path(service: Any, job_id: str) -> None:
    _, [call] = drive(service, service.poll(job_id), reply({"status": "pending"}))
    assert call.path.count("/") == 3
    assert not {"?", "#"} & set(call.path)


@pytest.mark.parametrize(
    ("kind", "outputs", "expected"),
    [
        ("image", ["https://a.example/1.png", "https://a.example/2.png"], [("url", 0), ("url", 1)]),
        ("image", [{"url": "https://a.example/1.png", "type": "image"}], [("url", 0)]),
        ("video", [{"url": "https://a.example/1.mp4", "text": None}], [("url", 0)]),
        ("text", ["A haiku."], [("text", "A haiku.")]),
        ("text", ["https://a.example/ is a fine place"], [("text", "https://a.example/ is a fine place")]),
        ("text", [{"text": "A haiku.", "type": "text"}], [("text", "A haiku.")]),
        ("text", [{"url": "https://a.example/1.txt"}], [("url", 0)]),
        ("music", ["https://a.example/1.mp3", "la la la"], [("url", 0), ("text", "la la la")]),
        ("image", ["data:image/png;base64,iVBORw0="], [("url", 0)]),
        ("voice", [{"url": "data:audio/wav;rate=8000;base64,UklGRg=="}], [("url", 0)]),
        ("image", [None, 7, {}, "https://a.example/1.png", ["x"]], [("url", 3)]),
        ("text", ["half \ud83d a pair"], [("text", "half ? a pair")]),
    ],
)
def test_outputs_in_every_shape(service: Any, kind: str, outputs: list[Any], expected: list[Any]) -> None:
    state = finished(service, {**RECORD, "generation_type": kind, "outputs": outputs})
    first = [outputs[value] if name == "url" else value for name, value in expected]
    urls = [entry["url"] if isinstance(entry, dict) else entry for entry in first]
    assert [getattr(output, name) for output, (name, _) in zip(state.outputs, expected, strict=True)] == urls


@pytest.mark.parametrize(
    "outputs",
    [..., None, [], {}, "https://a.example/1.png", [None], ["https://"], ["http:// x"]],
)
def test_completed_without_outputs_is_asked_again(service: Any, outputs: Any) -> None:
    with pytest.raises(UnreadableReply):
        finished(service, swap(RECORD, ["outputs"], outputs))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"error": "content policy"}, "content policy"),
        ({"error_message": "content policy"}, "content policy"),
        ({"detail": "content policy"}, "content policy"),
        ({"error": None, "error_message": "", "detail": "content policy"}, "content policy"),
        ({"error": {"message": "content policy"}}, "content policy"),
        ({"detail": [{"loc": ["body", "prompt"], "msg": "too long"}]}, "prompt: too long"),
    ],
)
def test_a_failure_says_why_and_nothing_of_the_money(service: Any, record: Any, message: str) -> None:
    answers = reply({**DONE, "status": "failed"}), reply({**CREATED, "status": "failed", **record})
    state, calls = drive(service, service.poll("1842"), *answers)
    assert calls[1] == Get("/generations/1842")
    assert state == Failed(message, refunded=None, credits=5)


@pytest.mark.parametrize("record", [b"<html>", b"", [], {}, {"error": 7}])
def test_a_failure_without_a_reason_is_still_a_failure(service: Any, record: Any) -> None:
    state, _ = drive(service, service.poll("1842"), reply({**DONE, "status": "failed"}), reply(record))
    assert isinstance(state, Failed)
    assert "no reason" in state.message


@pytest.mark.parametrize("body", [b"", b"<html>", [], {}, {"status": None}, {"status": 3}, {"status": ""}])
def test_a_status_that_is_no_word_is_unreadable(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, service.poll("1842"), reply(body))


def test_declares_what_it_has() -> None:
    has = ImagineLab.capabilities
    assert (sorted(has.kinds), has.history, has.models, has.delete) == (sorted(KINDS), True, True, True)
    absent = (has.balance, has.health, has.cancel, has.webhooks, has.enhance, has.build_prompt, has.blocking)
    assert not any(absent)
    assert "seedream-5.0-lite" in has.spec("image").fields["model"].allowed()


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service = make(ImagineLab)
    body = data.draw(st.sampled_from([CREATED, DONE, RECORD, {"detail": [{"loc": ["body"], "msg": "m"}]}]))
    body = data.draw(st.sampled_from([body, {"items": [body], "next": "?page=2"}]))
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    answer = reply(
        data.draw(st.sampled_from([mangled, mangled, data.draw(anything)])),
        data.draw(st.sampled_from([200, 201, 401, 402, 422, 500])),
    )
    request = GenerationRequest("x", model="m")
    first = reply(data.draw(st.sampled_from([DONE, {"status": "failed"}])))
    verbs = [service.submit(request), service.models(None), service.history(None), service.login("u", "p")]
    for flow, answers in [*((verb, [answer]) for verb in verbs), (service.poll("1"), [first, answer])]:
        try:
            result, _ = drive(service, flow, *answers)
        except GenstepError as error:
            result = error.to_dict()
        repr(result).encode()
