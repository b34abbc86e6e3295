"""ConceptViz: every parameter, default, status and error of document 000, by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, ask, drive, make, places, reply, survives, swap

from genstep.errors import (
    AuthenticationError,
    BatchTooLarge,
    ConfigurationError,
    GenerationFailed,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    UnreadableReply,
)
from genstep.outcome import Verdict, judge
from genstep.provider import Accepted, Completed, Failed, Get, Output, Paid, Running
from genstep.providers.conceptviz import ConceptViz

ACCEPTED = {
    "taskId": "vaW29_MJ1wbnyFU4bl_pd",
    "status": "pending",
    "credits_used": 1,
    "credits_remaining": 79,
    "poll_url": "/api/v1/task/vaW29_MJ1wbnyFU4bl_pd",
}
COMPLETED = {
    "status": "completed",
    "images": [{"url": "https://r2.conceptviz.app/images/abc123.png", "prompt": "water cycle diagram"}],
}
FAILED = {
    "status": "failed",
    "error": "Image generation failed. Please try again later.",
    "code": "GENERATION_FAILED",
    "credits_refunded": True,
}
SAID = "Image generation failed. Please try again later"
SILENT = "ConceptViz could not make it, and does not say why"


@pytest.fixture
def service() -> Any:
    return make(ConceptViz)


def error_of(service: Any, status: int, body: Any, call: Any = None, **headers: str) -> Any:
    return service.error(
        call or Paid("/generate", json={"prompt": "x", "quality": "2k"}), reply(body, status, **headers)
    )


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, {"prompt": "water cycle", "quality": "2k"}),
        ({"quality": "4k"}, {"prompt": "water cycle", "quality": "4k"}),
        ({"aspect_ratio": "16:9"}, {"prompt": "water cycle", "quality": "2k", "aspectRatio": "16:9"}),
        ({"aspect_ratio": "21:9"}, {"prompt": "water cycle", "quality": "2k", "aspectRatio": "21:9"}),
        ({"n": 3}, {"prompts": ["water cycle"] * 3, "quality": "2k"}),
    ],
)
def test_sends_the_documents_fields(service: Any, fields: dict[str, Any], body: dict[str, Any]) -> None:
    accepted, [call] = drive(service, service.submit(ask(service, "water cycle", **fields)), reply(ACCEPTED))
    assert (call.method, call.path, call.json, call.paid, call.auth) == ("POST", "/generate", body, True, True)
    assert accepted == Accepted("vaW29_MJ1wbnyFU4bl_pd", credits=1, balance=79)


def test_different_prompts_of_one_quality_share_a_task(service: Any) -> None:
    prompts = ["cell division mitosis diagram", "DNA double helix structure"]
    requests = [ask(service, prompt, quality="2k") for prompt in prompts]
    assert len({service.group(request) for request in requests}) == 1
    _, [call] = drive(service, service.submit_batch(requests), reply(ACCEPTED))
    assert call.json == {"prompts": prompts, "quality": "2k"}
    _, [call] = drive(service, service.submit_batch(requests[:1]), reply(ACCEPTED))
    assert call.json == {"prompt": prompts[0], "quality": "2k"}


@pytest.mark.parametrize("other", [{"quality": "4k"}, {"aspect_ratio": "1:1"}])
def test_tasks_are_not_shared_across_quality_or_ratio(service: Any, other: dict[str, str]) -> None:
    assert service.group(ask(service, "a")) != service.group(ask(service, "a", **other))


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"quality": "8k"}, "quality", "2k, 4k"),
        ({"aspect_ratio": "wide"}, "aspect_ratio", "W:H"),
        ({"model": "x"}, "model", "quality"),
        ({"width": 512}, "width", "cannot express"),
        ({"kind": "video"}, "kind", "image"),
        ({"options": {"x": 1}}, "options.x", "none"),
        ({"image": "https://a.example/b.png"}, "image", "no input image"),
    ],
)
def test_refuses_what_it_cannot_express(service: Any, fields: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as caught:
        ask(service, "x", **fields)
    assert caught.value.field == field


def test_price_and_batch(service: Any) -> None:
    assert service.price(ask(service, "x")) == 1
    assert service.price(ask(service, "x", quality="4k", n=3)) == 6
    assert service.batch(ask(service, "x", n=9)) == 4
    small = make(ConceptViz, options={"batch": 2})
    assert small.batch(ask(small, "x", n=9)) == 2
    with pytest.raises(ConfigurationError, match="1 to 4"):
        make(ConceptViz, options={"batch": 5})


def test_a_key_of_another_service_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cvk_"):
        make(ConceptViz, api_key="sk_other")


def test_poll_goes_to_the_task_and_not_to_poll_url(service: Any) -> None:
    _, [call] = drive(service, service.poll("a/b?c"), reply({"status": "processing"}))
    assert call == Get("/task/a%2Fb%3Fc")


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"status": "processing"}, Running(status="processing")),
        ({"status": "pending"}, Running(status="pending")),
        ({"status": "queued"}, Running(status="queued")),
        (
            COMPLETED,
            Completed(
                outputs=(Output("https://r2.conceptviz.app/images/abc123.png", prompt="water cycle diagram"),),
                job_id="t",
            ),
        ),
        (FAILED, Failed(SAID, "GENERATION_FAILED", refunded=True)),
        ({"status": "failed", "code": "GENERATION_FAILED"}, Failed(SILENT, "GENERATION_FAILED", refunded=True)),
        ({"status": "failed", "error": "odd"}, Failed("odd", None, refunded=None)),
        ({**FAILED, "credits_refunded": False}, Failed(SAID, "GENERATION_FAILED", refunded=False)),
    ],
)
def test_states(service: Any, body: Any, state: Any) -> None:
    assert drive(service, service.poll("t"), reply(body))[0] == state


def test_pictures_keep_their_order_and_prompts(service: Any) -> None:
    pictures = [{"url": f"https://r2.conceptviz.app/{name}.png", "prompt": name} for name in "dbca"]
    done, _ = drive(service, service.poll("t"), reply({"status": "completed", "images": pictures}))
    assert [(each.item, each.prompt, each.url) for each in done.outputs] == [
        (item, name, f"https://r2.conceptviz.app/{name}.png") for item, name in enumerate("dbca")
    ]


@pytest.mark.parametrize(
    ("status", "code", "kind", "field"),
    [
        (400, "INVALID_BODY", InvalidRequest, None),
        (400, "PROMPT_REQUIRED", InvalidRequest, "prompt"),
        (400, "TOO_MANY_PROMPTS", InvalidRequest, "n"),
        (401, "UNAUTHORIZED", AuthenticationError, None),
        (401, "INVALID_API_KEY", AuthenticationError, None),
        (402, "INSUFFICIENT_CREDITS", InsufficientCredits, None),
        (403, "PLAN_LIMIT_EXCEEDED", BatchTooLarge, None),
        (404, "TASK_NOT_FOUND", NotFound, None),
        (500, "GENERATION_FAILED", GenerationFailed, None),
    ],
)
def test_every_documented_error(service: Any, status: int, code: str, kind: type, field: str | None) -> None:
    error = error_of(service, status, {"error": "Human-readable error message", "code": code})
    assert type(error) is kind
    assert (error.code, error.status, getattr(error, "field", None)) == (code, status, field)
    assert "Human-readable error message" in str(error)
    assert judge(status, error) is Verdict.REFUSED


def test_too_few_credits_says_how_many(service: Any) -> None:
    body = {"error": "Not enough credits", "code": "INSUFFICIENT_CREDITS", "credits_remaining": 3}
    call = Paid("/generate", json={"prompts": ["a", "b"], "quality": "4k"})
    error = error_of(service, 402, body, call)
    assert (error.required, error.available) == (4, 3)


def test_generation_failed_is_final_and_refunded_on_submit_and_on_poll(service: Any) -> None:
    failure = reply({"error": "Image generation failed", "code": "GENERATION_FAILED"}, 500)
    with pytest.raises(GenerationFailed) as caught:
        drive(service, service.submit(ask(service, "x")), failure)
    assert (caught.value.refunded, caught.value.charged) == (True, False)
    state, _ = drive(service, service.poll("t"), failure)
    assert (type(state), state.code, state.refunded) == (Failed, "GENERATION_FAILED", True)


@pytest.mark.parametrize(
    ("status", "body", "kind", "verdict"),
    [
        (500, b"<html>nginx</html>", ProviderUnavailable, Verdict.UNCERTAIN),
        (502, b"", ProviderUnavailable, Verdict.UNCERTAIN),
        (500, {"error": "boom", "code": "SOMETHING"}, ProviderUnavailable, Verdict.UNCERTAIN),
        (404, b"not found", NotFound, Verdict.REFUSED),
        (418, {"error": "no tea", "code": ["x"]}, InvalidRequest, Verdict.REFUSED),
        (302, b"", ProviderUnavailable, Verdict.UNCERTAIN),
    ],
)
def test_undocumented_errors_go_by_status(service: Any, status: int, body: Any, kind: type, verdict: Verdict) -> None:
    error = error_of(service, status, body)
    assert type(error) is kind
    assert error.charged is None
    assert judge(status, error) is verdict


def test_a_429_is_honoured_although_undocumented(service: Any) -> None:
    error = error_of(service, 429, {"error": "slow down"}, retry_after="7")
    assert (type(error), error.retry_after, error.quota) == (RateLimited, 7.0, False)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", {}, {"taskId": None}, {"taskId": ""}, {"taskId": ["x"]}, {"taskId": True}]
)
def test_an_accepted_reply_without_an_id_is_unreadable(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply) as caught:
        drive(service, service.submit(ask(service, "x")), reply(body))
    assert judge(200, caught.value) is Verdict.UNCERTAIN


@pytest.mark.parametrize("missing", [("credits_used",), ("credits_remaining",), ("status",), ("poll_url",)])
@pytest.mark.parametrize("value", [..., None, "many", [1], float("nan")])
def test_the_id_is_kept_whatever_else_is_wrong(service: Any, missing: tuple[str], value: Any) -> None:
    accepted, _ = drive(service, service.submit(ask(service, "x")), reply(swap(ACCEPTED, missing, value)))
    assert accepted.job_id == "vaW29_MJ1wbnyFU4bl_pd"
    assert (accepted.credits is None) == (missing == ("credits_used",))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"status": 7},
        {"status": "completed"},
        *({"status": "completed", "images": images} for images in ([], "x", ["x"], [{"url": "ftp://x/y"}], [{}])),
    ],
)
def test_a_state_that_is_not_as_documented_is_unreadable(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, service.poll("t"), reply(body))


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service = make(ConceptViz)
    body = data.draw(
        st.sampled_from(
            [ACCEPTED, COMPLETED, FAILED, {"error": "e", "code": "INSUFFICIENT_CREDITS", "credits_remaining": 1}]
        )
    )
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    answer = reply(
        data.draw(st.sampled_from([mangled, mangled, data.draw(anything)])),
        data.draw(st.sampled_from([200, 400, 402, 500])),
    )
    survives(service, service.poll("t"), answer)
    survives(service, service.submit(ask(service, "x", n=2)), answer)
