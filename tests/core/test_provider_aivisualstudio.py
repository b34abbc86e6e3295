"""AI Visual Studio: every parameter, default, status and code of document 003, by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, ask, drive, make, places, reply, swap
from tests.documents.examples import example

from genstep.errors import (
    ConfigurationError,
    GenstepError,
    InvalidRequest,
    UnreadableReply,
)
from genstep.models import Estimate, GenerationRequest, InputImage, ModelInfo
from genstep.outcome import Verdict, judge
from genstep.provider import Accepted, Completed, Failed, Get, Output, Paid, Rate, Running
from genstep.providers.aivisualstudio import AIVisualStudio

ACCEPTED = example("aivisualstudio", "image-accepted").json
EVENT = example("aivisualstudio", "webhook-completed").json
DONE = EVENT["data"]
MODELS = example("aivisualstudio", "models").json
NO_CREDITS = example("aivisualstudio", "insufficient-credits").json
HOOK = {"id": "wh_1", "url": "https://your-app.com/hook", "events": ["generation.failed"], "secret": "whsec_fake"}
BODY = {"prompt": "x", "model": "prunaai/z-image-turbo", "output_format": "webp"}
VIDEO = {"prompt": "x", "model": "minimax/hailuo-2.3-fast", "aspect_ratio": "16:9", "duration": 5}
FRAME = "https://host.example/first.png"


@pytest.fixture
def service() -> Any:
    return make(AIVisualStudio)


def coded(code: str, **details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "What went wrong.", "details": details}}


# -- submit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path", "body"),
    [
        ({}, "/generate/image", BODY),
        ({"model": "other/model"}, "/generate/image", {**BODY, "model": "other/model"}),
        ({"output_format": "png"}, "/generate/image", {**BODY, "output_format": "png"}),
        ({"output_format": "jpeg"}, "/generate/image", {**BODY, "output_format": "jpg"}),
        ({"output_format": "jpg"}, "/generate/image", {**BODY, "output_format": "jpg"}),
        *(
            ({"aspect_ratio": ratio}, "/generate/image", {**BODY, "aspect_ratio": ratio})
            for ratio in ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
        ),
        ({"kind": "video"}, "/generate/video", VIDEO),
        ({"kind": "video", "model": "other/model"}, "/generate/video", {**VIDEO, "model": "other/model"}),
        ({"kind": "video", "image": FRAME}, "/generate/video", {**VIDEO, "first_frame_image": FRAME}),
        ({"kind": "video", "image": InputImage(url=FRAME)}, "/generate/video", {**VIDEO, "first_frame_image": FRAME}),
        *(({"kind": "video", "duration": d}, "/generate/video", {**VIDEO, "duration": int(d)}) for d in (1, 4.0, 10)),
        *(
            ({"kind": "video", "aspect_ratio": ratio}, "/generate/video", {**VIDEO, "aspect_ratio": ratio})
            for ratio in ("16:9", "9:16", "1:1", "4:3", "3:4")
        ),
    ],
)
def test_sends_the_documents_fields(service: Any, fields: Any, path: str, body: dict[str, Any]) -> None:
    request = ask(service, "x", **fields)
    accepted, calls = drive(service, service.submit(request), reply(ACCEPTED))
    assert calls == [Paid(path, json=body)]
    assert type(calls[0].json.get("duration", 5)) is int
    assert accepted == Accepted("gen_abc123def456", credits=5)
    assert service.batch(request) == 1


@pytest.mark.parametrize(("kind", "name"), [("image", "image-curl"), ("video", "video-curl")])
def test_the_documents_own_requests(service: Any, kind: str, name: str) -> None:
    body = example("aivisualstudio", name).json
    _, [call] = drive(service, service.submit(ask(service, kind=kind, **body)), reply(ACCEPTED))
    assert body.items() <= call.json.items()


@pytest.mark.parametrize("kind", ["image", "video"])
def test_the_accounts_webhook_url_goes_with_every_job(kind: str) -> None:
    service = make(AIVisualStudio, webhook_url="https://your-app.com/hook")
    _, [call] = drive(service, service.submit(ask(service, "x", kind=kind)), reply(ACCEPTED))
    assert call.json["webhook_url"] == "https://your-app.com/hook"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "music"}, "kind"),
        ({"prompt": ""}, "prompt"),
        ({"aspect_ratio": "21:9"}, "aspect_ratio"),
        ({"kind": "video", "aspect_ratio": "3:2"}, "aspect_ratio"),
        ({"output_format": "gif"}, "output_format"),
        ({"kind": "video", "output_format": "webp"}, "output_format"),
        ({"duration": 5}, "duration"),
        ({"kind": "video", "duration": 11}, "duration"),
        ({"kind": "video", "duration": 0.5}, "duration"),
        ({"kind": "video", "duration": 2.5}, "duration"),
        ({"image": FRAME}, "image"),
        ({"kind": "video", "image": b"png"}, "image"),
        ({"kind": "video", "image": "first.png"}, "image"),
        ({"kind": "video", "image": InputImage(data=b"png")}, "image"),
        ({"seed": 1}, "seed"),
        ({"quality": "4k"}, "quality"),
        ({"options": {"webhook_url": "https://x.example"}}, "options.webhook_url"),
    ],
)
def test_what_it_cannot_express_is_refused_before_sending(service: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(service, **{"prompt": "x", **fields})
    assert caught.value.field == field


def test_the_first_frame_is_a_url_only() -> None:
    assert AIVisualStudio.capabilities.spec("video").input_image == {"url"}


@pytest.mark.parametrize("missing", ["status", "prompt", "model", "type", "credits_charged", "created_at"])
@pytest.mark.parametrize("value", [..., None, [], "many", float("inf")])
def test_a_paid_job_keeps_its_id_whatever_else_is_wrong(service: Any, missing: str, value: Any) -> None:
    answer = reply(swap(ACCEPTED, [missing], value))
    accepted, _ = drive(service, service.submit(ask(service, "x")), answer)
    assert accepted == Accepted("gen_abc123def456", credits=None if missing == "credits_charged" else 5)


@pytest.mark.parametrize("body", [b"<html>", b"", [], {}, {"id": None}, {"id": {}}, {"id": "a\nb"}, {"id": "\ud800"}])
def test_an_answer_without_an_id_is_uncertain(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply) as caught:
        drive(service, service.submit(ask(service, "x")), reply(body))
    assert judge(200, caught.value) is Verdict.UNCERTAIN


def test_the_key_starts_with_the_documents_prefix() -> None:
    with pytest.raises(ConfigurationError, match="avs_live_"):
        make(AIVisualStudio, api_key="sk_fake")


def test_the_documented_rate() -> None:
    assert AIVisualStudio.rate == Rate(60, 60)


# -- poll ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda record: record, lambda record: {"data": record}])
@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({"id": "gen_1", "status": "processing"}, Running(status="processing")),
        ({"id": "gen_1", "status": "queued"}, Running(status="queued")),
        (DONE, Completed((Output(url="https://cdn.example.com/image.png"),), completed_at=1736424015.0)),
        (
            {**DONE, "output_url": ["https://a.example/1", "https://a.example/2"], "credits_charged": 5},
            Completed(
                (Output(url="https://a.example/1"), Output(url="https://a.example/2")),
                credits=5,
                completed_at=1736424015.0,
            ),
        ),
        (
            {**DONE, "output_url": [None, "https://a.example/2"], "completed_at": "soon"},
            Completed((Output(url="https://a.example/2"),)),
        ),
        ({"status": "failed", "error": "content policy"}, Failed("content policy")),
        ({"status": "failed", "error_message": "content policy"}, Failed("content policy")),
        (
            {"status": "failed", "error": {"code": "policy", "message": "content policy"}},
            Failed("content policy", code="policy", refunded=None),
        ),
        (
            {"status": "failed", "credits_charged": 5},
            Failed("it gave no reason; change the prompt or the model before trying again", credits=5),
        ),
    ],
)
def test_states(service: Any, wrap: Any, record: Any, state: Any) -> None:
    assert drive(service, service.poll("gen_1"), reply(wrap(record))) == (state, [Get("/generations/gen_1")])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        [],
        {},
        {"data": []},
        {"status": 7},
        *({**DONE, "output_url": urls} for urls in (None, "", [], "ftp://x/y", [7], {})),
    ],
)
def test_a_record_that_is_not_as_documented_is_asked_again(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, service.poll("gen_1"), reply(body))


@pytest.mark.parametrize("job_id", ["gen/../x", "gen?x=1", "gen#ü"])
def test_a_job_id_stays_one_part_of_the_path(service: Any, job_id: str) -> None:
    _, [call] = drive(service, service.poll(job_id), reply({"status": "processing"}))
    assert call.path.count("/") == 2
    assert not {"?", "#"} & set(call.path)


# -- models and prices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "params"), [(None, None), ("image", {"type": "image"}), ("video", {"type": "video"})])
def test_models_with_prices(service: Any, kind: str | None, params: Any) -> None:
    found, calls = drive(service, service.models(kind), reply(MODELS))
    assert calls == [Get("/models", params=params)]
    assert found == [
        ModelInfo("prunaai/z-image-turbo", "Z-Image Turbo", "image", 5, "Fast image generation"),
        ModelInfo("minimax/hailuo-2.3-fast", "Hailuo 2.3 Fast", "video", 450, "Fast video generation"),
    ]


@pytest.mark.parametrize(
    ("fields", "amount"), [({}, 5), ({"n": 3}, 15), ({"kind": "video", "n": 2}, 900), ({"model": "unheard/of"}, None)]
)
def test_estimate_is_the_models_price_times_n(service: Any, fields: dict[str, Any], amount: float | None) -> None:
    request = ask(service, "x", **fields)
    found, calls = drive(service, service.estimate(request), reply(MODELS))
    assert calls == [Get("/models", params={"type": request.kind})]
    assert found == Estimate(amount, "credits", exact=False)
    assert service.price(request) is None


# -- all of it -------------------------------------------------------------------------------------------------


def test_declares_what_it_has() -> None:
    has = AIVisualStudio.capabilities
    assert (sorted(has.kinds), has.history, has.models, has.webhooks) == (["image", "video"], True, True, True)
    assert not any((has.balance, has.health, has.cancel, has.delete, has.enhance, has.build_prompt, has.blocking))


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service = make(AIVisualStudio)
    body = data.draw(
        st.sampled_from([ACCEPTED, DONE, MODELS, NO_CREDITS, HOOK, coded("insufficient_scope", scope=["x"])])
    )
    body = data.draw(st.sampled_from([body, {"data": body}, {"data": [body], "total": 9}]))
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    answer = reply(
        data.draw(st.sampled_from([mangled, mangled, data.draw(anything)])),
        data.draw(st.sampled_from([200, 201, 400, 403, 429, 500])),
        x_ratelimit_reset=data.draw(st.sampled_from(["", "17", "x"])),
    )
    verbs = [
        service.submit(GenerationRequest("x", model="m")),
        service.poll("gen_1"),
        service.models(None),
        service.estimate(GenerationRequest("x", model="m")),
        service.history(None),
        service.list_webhooks(),
        service.create_webhook("https://your-app.com/hook", None),
        service.update_webhook("wh_1", {"events": ["generation.failed"]}),
    ]
    for verb in verbs:
        try:
            result, _ = drive(service, verb, answer)
        except GenstepError as error:
            result = error.to_dict()
        repr(result).encode()


@given(st.data())
def test_no_event_breaks_it(data: st.DataObject) -> None:
    payload = swap(EVENT, data.draw(st.sampled_from(places(EVENT))), data.draw(anything))
    settled = make(AIVisualStudio).event(payload)
    assert settled is None or isinstance(settled[1], Completed)
