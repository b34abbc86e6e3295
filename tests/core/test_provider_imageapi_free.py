"""ImageAPI: the free routes of document 004 (models, usage, health, prompt helpers), by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, drive, make, places, reply, survives, swap

from genstep.errors import InvalidRequest, ProviderUnavailable, UnreadableReply
from genstep.models import ModelInfo
from genstep.provider import Get
from genstep.providers.imageapi import ImageAPI

USAGE = {
    "success": True,
    "data": {
        "usage": {
            "today": {"requestCount": 10, "imageCount": 10},
            "this_month": {"requestCount": 150, "imageCount": 150},
        },
        "plan": {
            "name": "Free",
            "slug": "free",
            "requests_per_month": 1500,
            "requests_per_day": 50,
            "remaining_today": 40,
            "remaining_month": 1350,
        },
    },
}
LISTED = [{"slug": "flux-schnell", "name": "FLUX.1 Schnell", "description": "12B params, fast. Good default."}]


@pytest.fixture
def service() -> Any:
    return make(ImageAPI)


@pytest.mark.parametrize(
    "body", [LISTED, {"data": LISTED}, {"models": LISTED}, {"success": True, "data": {"models": LISTED}}]
)
def test_models_are_public_and_read_in_any_envelope(service: Any, body: Any) -> None:
    models, [call] = drive(service, service.models(None), reply(body))
    assert call == Get("/models", auth=False)
    assert models == [
        ModelInfo("flux-schnell", "FLUX.1 Schnell", "image", description="12B params, fast. Good default.")
    ]
    assert drive(service, service.models("image"), reply(body))[0] == models
    assert drive(service, service.models("video"), reply(body))[0] == []


@pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": "x"}, 7, b"<html>"])
def test_no_list_of_models_is_unreadable(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, service.models(None), reply(body))


def test_balance_is_the_smaller_of_day_and_month(service: Any) -> None:
    balance, [call] = drive(service, service.balance(), reply(USAGE, date="Mon, 15 Jan 2024 10:30:00 GMT"))
    assert (call, call.auth) == (Get("/usage"), True)
    assert (balance.amount, balance.unit, balance.as_of, balance.details) == (
        40,
        "requests",
        1705314600.0,
        USAGE["data"],
    )
    little = swap(USAGE, ("data", "plan", "remaining_month"), 3)
    assert drive(service, service.balance(), reply(little))[0].amount == 3
    only = swap(USAGE, ("data", "plan", "remaining_today"), None)
    assert drive(service, service.balance(), reply(only))[0].amount == 1350


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"plan": {"remaining_today": "many"}}}])
def test_usage_without_what_is_left_is_unreadable(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply):
        drive(service, service.balance(), reply(body))


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("word", ["healthy", "degraded"])
def test_health_needs_no_key_and_may_come_with_a_503(service: Any, word: str, status: int) -> None:
    body = {"status": word, "checks": {"database": "ok"}}
    for envelope in (body, {"success": word == "healthy", "data": body}):
        health, [call] = drive(service, service.health(), reply(envelope, status))
        assert call == Get("/health", auth=False)
        assert (health.status, health.details["checks"]) == (word, {"database": "ok"})
    with pytest.raises(ProviderUnavailable):
        drive(service, service.health(), reply(b"<html>", 503))


def test_enhance(service: Any) -> None:
    answer = reply({"success": True, "data": {"prompt": "a robot, reading"}})
    prompt, [call] = drive(service, service.enhance("robot reading a book", "anime, cozy"), answer)
    assert (call.path, call.json, call.paid, call.auth) == (
        "/prompt/enhance", {"prompt": "robot reading a book", "tone": "anime, cozy"}, False, True,
    )  # fmt: skip
    assert prompt == "a robot, reading"
    _, [call] = drive(service, service.enhance("robot", None), answer)
    assert call.json == {"prompt": "robot"}
    with pytest.raises(InvalidRequest, match="prompt"):
        drive(service, service.enhance("  ", None))
    with pytest.raises(UnreadableReply):
        drive(service, service.enhance("x", None), reply({"success": True, "data": {}}))


@pytest.mark.parametrize("part", ["subject", "setting", "mood", "art_style", "lighting", "camera", "extras"])
def test_build_takes_each_part_alone(service: Any, part: str) -> None:
    answer = reply({"success": True, "data": {"prompt": "built"}})
    prompt, [call] = drive(service, service.build_prompt({"camera": "", "extras": "", part: "fox in a scarf"}), answer)
    assert (call.path, call.json, prompt) == ("/prompt/build", {part: "fox in a scarf"}, "built")


@pytest.mark.parametrize(
    ("parts", "field"), [({}, "subject"), ({"mood": ""}, "subject"), ({"colour": "red"}, "colour")]
)
def test_build_needs_a_known_part(service: Any, parts: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest, match="art_style") as caught:
        drive(service, service.build_prompt(parts))
    assert caught.value.field == field


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service: Any = make(ImageAPI)
    body = data.draw(st.sampled_from([USAGE, {"data": LISTED}, {"status": "healthy"}, {"data": {"prompt": "x"}}]))
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    answer = reply(mangled, data.draw(st.sampled_from([200, 200, 503])))
    for verb in (service.balance(), service.models(None), service.health(), service.enhance("x", None)):
        survives(service, verb, answer)
