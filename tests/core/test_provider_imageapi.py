"""ImageAPI: every parameter, default, route, reply and error of document 004, by hand-fed replies."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, ask, drive, make, places, reply, survives, swap

from genstep.errors import (
    ConfigurationError,
    GenerationFailed,
    InvalidRequest,
    RateLimited,
    UnreadableReply,
)
from genstep.models import GenerationRequest
from genstep.outcome import Verdict, judge
from genstep.providers.imageapi import MODELS, ImageAPI

PICTURE = "https://img.example/a.png"
STORAGE = {"enabled": True, "stored": True, "plan": "10 GB cloud storage"}
ONE = {
    "success": True,
    "data": {"image": PICTURE, "seed": 12345, "model": "flux-schnell", "storage": STORAGE},
    "request_id": "req_xxx",
}
BATCH = {
    "success": True,
    "data": {
        "results": [
            {"success": True, "image": PICTURE, "seed": 12345, "model": "flux-schnell", "storage": STORAGE},
            {"success": False, "error": "Rate limit exceeded"},
        ]
    },
    "request_id": "req_xxx",
}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\nfake"
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
DEFAULTS = {"width": 512, "height": 512, "model": "flux-schnell"}


@pytest.fixture
def service() -> Any:
    return make(ImageAPI)


def generate(service: Any, answer: Any, **fields: Any) -> Any:
    return drive(service, service.submit(ask(service, "a sunset over mountains", **fields)), reply(answer))


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, DEFAULTS),
        ({"width": 256, "height": 1024}, {"width": 256, "height": 1024}),
        ({"width": 600}, {"width": 600, "height": 512}),
        ({"height": 600}, {"width": 512, "height": 600}),
        ({"negative_prompt": "blurry, low quality"}, {"negative_prompt": "blurry, low quality"}),
        ({"steps": 50}, {"num_inference_steps": 50}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 0}, {"seed": 0}),
        *(({"model": slug}, {"model": slug}) for slug in MODELS),
        ({"model": "new-in-this-workspace"}, {"model": "new-in-this-workspace"}),
        ({"aspect_ratio": "1:1"}, {"width": 512, "height": 512}),
        ({"aspect_ratio": "16:9"}, {"width": 640, "height": 360}),
        ({"aspect_ratio": "9:16"}, {"width": 360, "height": 640}),
        ({"aspect_ratio": "4:1"}, {"width": 1024, "height": 256}),
        ({"aspect_ratio": "16:9", "width": 1024}, {"width": 1024, "height": 576}),
        ({"aspect_ratio": "16:9", "height": 576}, {"width": 1024, "height": 576}),
        ({"aspect_ratio": "16:9", "width": 1000, "height": 560}, {"width": 1000, "height": 560}),
    ],
)
def test_sends_the_documents_fields(service: Any, fields: dict[str, Any], body: dict[str, Any]) -> None:
    done, [call] = generate(service, ONE, **fields)
    assert call.json == {"prompt": "a sunset over mountains", **DEFAULTS, **body}
    assert (call.method, call.path, call.paid, call.auth) == ("POST", "/generate", True, True)
    assert call.read_timeout is not None
    assert call.read_timeout >= 600
    assert (done.credits, done.request_id) == (1, "req_xxx")


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_ratio_becomes_a_size_or_a_refusal(across: int, down: int) -> None:
    service: Any = make(ImageAPI)
    if max(across, down) > 4 * min(across, down):
        with pytest.raises(InvalidRequest, match="1:4 to 4:1") as caught:
            ask(service, "x", aspect_ratio=f"{across}:{down}")
        assert caught.value.field == "aspect_ratio"
        return
    request = ask(service, "x", aspect_ratio=f"{across}:{down}")
    assert request.width % 8 == request.height % 8 == 0
    assert 256 <= min(request.width, request.height) <= max(request.width, request.height) <= 1024
    assert request.width / request.height == pytest.approx(across / down, rel=0.01)


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"prompt": ""}, "prompt", "say what to make"),
        ({"prompt": "x" * 2001}, "prompt", "1 to 2000 characters"),
        ({"negative_prompt": "x" * 1001}, "negative_prompt", "1000 characters"),
        ({"width": 255}, "width", "256 to 1024"),
        ({"width": 1025}, "width", "256 to 1024"),
        ({"height": 255}, "height", "256 to 1024"),
        ({"height": 1025}, "height", "256 to 1024"),
        ({"steps": 51}, "steps", "1 to 50"),
        ({"variant": "icon"}, "variant", "product, logo"),
        ({"aspect_ratio": "16:9", "width": 512, "height": 512}, "aspect_ratio", "disagree"),
        ({"aspect_ratio": "4:1", "width": 300}, "width", "1024 to 1024 pixels"),
        ({"aspect_ratio": "4:1", "height": 300}, "height", "256 to 256 pixels"),
        ({"output_format": "png"}, "output_format", "cannot express"),
        ({"kind": "video"}, "kind", "image"),
        ({"image": "https://a.example/b.png"}, "image", "no input image"),
        ({"options": {"x": 1}}, "options.x", "none"),
    ],
)
def test_refuses_what_it_cannot_express(service: Any, fields: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as caught:
        ask(service, **{"prompt": "x", **fields})
    assert caught.value.field == field


@pytest.mark.parametrize(("length", "key"), [(1, "prompt"), (2000, "prompt")])
def test_the_limits_themselves_are_taken(service: Any, length: int, key: str) -> None:
    request = ask(service, "x" * length, negative_prompt="y" * 1000, steps=1, width=256, height=1024)
    _, [call] = drive(service, service.submit(request), reply(ONE))
    assert len(call.json[key]) == length


@pytest.mark.parametrize(("variant", "path"), [("product", "/generate/product"), ("logo", "/generate/logo")])
def test_variants_have_their_own_settable_routes(service: Any, variant: str, path: str) -> None:
    _, [call] = generate(service, ONE, variant=variant)
    assert call.path == path
    assert "variant" not in call.json
    moved = make(ImageAPI, options={f"{variant}_path": f"/api/v1/images/{variant}/"})
    _, [call] = generate(moved, ONE, variant=variant)
    assert call.path == f"/images/{variant}"


def test_copies_are_items_and_seeds_count_up(service: Any) -> None:
    _, [call] = generate(service, BATCH, n=2)
    item = {"prompt": "a sunset over mountains", **DEFAULTS}
    assert call.json == {"items": [item, item]}
    _, [call] = generate(service, BATCH, n=2, seed=40)
    assert [each["seed"] for each in call.json["items"]] == [40, 41]


def test_items_of_a_batch_have_their_own_fields(service: Any) -> None:
    requests = [
        ask(service, "a futuristic city at night", steps=4),
        ask(service, "a portrait photo, studio lighting", aspect_ratio="4:1", model="phoenix-1", seed=3),
    ]
    assert service.group(requests[0]) == service.group(requests[1]) is not None
    assert service.group(requests[0]) != service.group(ask(service, "x", variant="logo"))
    _, [call] = drive(service, service.submit_batch(requests), reply(BATCH))
    assert call.json == {
        "items": [
            {"prompt": "a futuristic city at night", **DEFAULTS, "num_inference_steps": 4},
            {
                "prompt": "a portrait photo, studio lighting",
                "width": 1024,
                "height": 256,
                "seed": 3,
                "model": "phoenix-1",
            },
        ]
    }
    _, [call] = drive(service, service.submit_batch(requests[:1]), reply(ONE))
    assert "items" not in call.json


def test_price_and_batch(service: Any) -> None:
    assert (service.unit, service.batch(ask(service, "x"))) == ("requests", 4)
    assert [service.price(ask(service, "x", n=n)) for n in (1, 4, 5, 9)] == [1, 4, 5, 9]
    large = make(ImageAPI, options={"batch": 10})
    assert (large.batch(ask(large, "x")), large.price(ask(large, "x", n=20))) == (10, 20)
    with pytest.raises(ConfigurationError, match="batch"):
        make(ImageAPI, options={"batch": 0})


def test_a_hosted_picture(service: Any) -> None:
    done, _ = generate(service, ONE)
    [output] = done.outputs
    assert (output.url, output.data, output.seed, output.item) == ("https://img.example/a.png", None, 12345, 0)
    assert output.metadata == {"model": "flux-schnell", "storage": STORAGE}


@pytest.mark.parametrize(
    "image", [DATA_URL, DATA_URL.replace("image/png", "IMAGE/PNG"), DATA_URL[:30] + "\n" + DATA_URL[30:]]
)
def test_a_data_url_is_the_picture_itself(service: Any, image: str) -> None:
    done, _ = generate(service, swap(ONE, ("data", "image"), image))
    [output] = done.outputs
    assert (output.url, output.data, output.media_type) == (None, PNG, "image/png")


NOTHING = [
    b"",
    b"<html>",
    {},
    [],
    *({"data": data} for data in (None, {}, {"image": None}, {"results": []}, {"results": {}})),
]
MALFORMED = [
    DATA_URL[:-3],
    *(f"data:image/png;base64,{text}" for text in ("", "***")),
    "data:text/html;base64,PGI+",
    "data:image/png,raw",
    "ftp://x/y",
    "//x/y",
    "a.png",
]


@pytest.mark.parametrize("image", MALFORMED)
def test_a_malformed_picture_fails_its_item_alone(service: Any, image: str) -> None:
    done, _ = generate(service, swap(BATCH, ("data", "results", 1), {"success": True, "image": image}), n=2)
    assert [output.item for output in done.outputs] == [0]
    [failure] = done.failures
    assert (failure.item, type(failure.error), failure.error.code) == (1, GenerationFailed, "malformed_image")
    done, _ = generate(service, swap(ONE, ("data", "image"), image))
    assert (done.outputs, [each.item for each in done.failures]) == ((), [0])


def test_a_batch_keeps_what_was_made(service: Any) -> None:
    done, _ = generate(service, BATCH, n=2)
    [output], [failure] = done.outputs, done.failures
    assert (output.item, output.url, output.seed, output.metadata["storage"]) == (
        0,
        "https://img.example/a.png",
        12345,
        STORAGE,
    )
    assert (failure.item, type(failure.error), failure.error.charged) == (1, RateLimited, False)
    assert "Rate limit exceeded" in str(failure.error)
    assert (done.credits, done.request_id) == (1, "req_xxx")


@pytest.mark.parametrize(
    ("item", "kind", "quota"),
    [
        ({"success": False, "error": "Rate limit exceeded"}, RateLimited, False),
        ({"success": False, "error": "Too many requests"}, RateLimited, False),
        ({"success": False, "error": "Concurrency limit"}, RateLimited, False),
        ({"success": False, "error": "Monthly quota exceeded"}, RateLimited, True),
        ({"success": False, "error": "daily limit reached"}, RateLimited, True),
        ({"success": False, "error": "NSFW content"}, GenerationFailed, None),
        ({"success": False}, GenerationFailed, None),
        ({"success": False, "error": {"x": 1}, "image": "https://img.example/a.png"}, GenerationFailed, None),
        ({}, GenerationFailed, None),
        ("x", GenerationFailed, None),
        (None, GenerationFailed, None),
        ({"success": True, "image": 7}, GenerationFailed, None),
    ],
)
def test_why_an_item_failed(service: Any, item: Any, kind: type, quota: bool | None) -> None:
    done, _ = generate(service, swap(BATCH, ("data", "results", 1), item), n=2)
    [failure] = done.failures
    assert (failure.item, type(failure.error), getattr(failure.error, "quota", None)) == (1, kind, quota)
    assert failure.error.charged is False


def test_items_that_the_reply_forgot_failed(service: Any) -> None:
    done, _ = generate(service, BATCH, n=4)
    assert [failure.item for failure in done.failures] == [1, 2, 3]


def test_a_failed_batch_with_results_is_read_item_by_item(service: Any) -> None:
    done, _ = generate(service, {**BATCH, "success": False}, n=2)
    assert (len(done.outputs), len(done.failures)) == (1, 1)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("body", NOTHING)
def test_a_success_without_a_picture_is_unreadable(service: Any, body: Any, n: int) -> None:
    with pytest.raises(UnreadableReply) as caught:
        generate(service, body, n=n)
    assert judge(200, caught.value) is Verdict.UNCERTAIN


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service: Any = make(ImageAPI)
    body = data.draw(st.sampled_from([ONE, BATCH, {"error": "e", "retry_after": 1}]))
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    whole = data.draw(st.sampled_from([mangled, mangled, data.draw(anything)]))
    answer = reply(whole, data.draw(st.sampled_from([200, 200, 400, 429, 500, 503])))
    one, two = (GenerationRequest("x", n=n) for n in (1, 2))
    for verb in (service.submit(one), service.submit(two)):
        survives(service, verb, answer)
