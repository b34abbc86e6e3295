"""Nano Banana: every parameter, default, reply and error of document 001, by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import anything, ask, drive, make, places, reply, survives, swap

from genstep.errors import (
    AuthenticationError,
    ConfigurationError,
    GenerationFailed,
    InsufficientCredits,
    InvalidRequest,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    UnreadableReply,
)
from genstep.models import InputImage
from genstep.outcome import Verdict, judge
from genstep.provider import Paid, Rate
from genstep.providers.nanobanana import NanoBanana

IMAGES = {
    "success": True,
    "data": {
        "images": [
            {
                "url": "https://cdn.example.com/image1.webp",
                "content_type": "image/webp",
                "file_name": "generated-image-12345-1.webp",
                "file_size": 145678,
                "width": 1920,
                "height": 1080,
                "aspect_ratio": "16:9",
            }
        ],
        "generation_id": "507f1f77bcf86cd799439011",
        "generation_time": 2450,
        "remaining_points": 92,
        "request_id": "req_123456789",
    },
}
VIDEO = {
    "success": True,
    "data": {
        "video": {
            "url": "https://cdn.example.com/video-12345.mp4",
            "content_type": "video/mp4",
            "file_name": "generated-video-12345.mp4",
            "file_size": 4567890,
            "width": 1280,
            "height": 720,
            "duration": 4,
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "model": "vidu-q2",
            "generation_id": "507f1f77bcf86cd799439012",
        },
        "generation_time": 32450,
        "remaining_points": 82,
        "request_id": "req_123456790",
    },
}
MODEL = {
    "success": True,
    "data": {
        "model": {
            "url": "https://cdn.example.com/model-12345.glb",
            "preview_image": "https://cdn.example.com/preview-12345.jpg",
            "content_type": "model/gltf-binary",
            "file_name": "3d-model-12345.glb",
            "file_size": 12345678,
            "texture_quality": "standard",
            "generation_id": "507f1f77bcf86cd799439013",
        },
        "generation_time": 45678,
        "remaining_points": 62,
        "request_id": "req_123456791",
    },
}
REPLIES = {"image": IMAGES, "video": VIDEO, "model3d": MODEL}
PICTURE = InputImage(data=b"\x89PNG fake", media_type="image/png", sha256="ab")
IMAGE_DEFAULTS = {"aspect_ratio": "1:1", "output_format": "png", "num_images": 1, "model": "nano-banana"}
VIDEO_DEFAULTS = {"model": "vidu-q2", "duration": 4, "resolution": "720p", "aspect_ratio": "16:9"}
MODEL_DEFAULTS = {
    "texture_quality": "standard",
    "texture_alignment": "original_image",
    "orientation": "default",
}


@pytest.fixture
def service() -> Any:
    return make(NanoBanana)


def of_kind(service: Any, kind: str, **fields: Any) -> Any:
    if kind == "model3d":
        return ask(service, kind=kind, **{"image": PICTURE, **fields})
    return ask(service, "a fox", kind=kind, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "path", "body"),
    [
        ("image", {}, "/images", {"prompt": "a fox", **IMAGE_DEFAULTS}),
        (
            "image",
            {"aspect_ratio": "16:9", "output_format": "webp", "n": 2, "model": "other"},
            "/images",
            {"prompt": "a fox", "aspect_ratio": "16:9", "output_format": "webp", "num_images": 2, "model": "other"},
        ),
        ("image", {"output_format": "jpg"}, "/images", {"prompt": "a fox", **IMAGE_DEFAULTS, "output_format": "jpeg"}),
        ("image", {"aspect_ratio": "4:3"}, "/images", {"prompt": "a fox", **IMAGE_DEFAULTS, "aspect_ratio": "4:3"}),
        ("video", {}, "/videos", {"prompt": "a fox", **VIDEO_DEFAULTS}),
        ("video", {"model": "ltx-2"}, "/videos", {"prompt": "a fox", **VIDEO_DEFAULTS, "model": "ltx-2"}),
        ("video", {"duration": 2.5}, "/videos", {"prompt": "a fox", **VIDEO_DEFAULTS, "duration": 2.5}),
        *(
            ("video", {"resolution": size}, "/videos", {"prompt": "a fox", **VIDEO_DEFAULTS, "resolution": size})
            for size in ("360p", "520p", "720p", "1080p")
        ),
        ("model3d", {}, "/3d", {"image_base64": "iVBORyBmYWtl", **MODEL_DEFAULTS}),
        (
            "model3d",
            {
                "image": InputImage(url="https://example.com/object.jpg"),
                "options": {"texture_quality": "no", "texture_alignment": "geometry", "orientation": "align_image"},
            },
            "/3d",
            {
                "image_url": "https://example.com/object.jpg",
                "texture_quality": "no",
                "texture_alignment": "geometry",
                "orientation": "align_image",
            },
        ),
    ],
)
def test_sends_the_documents_fields(service: Any, kind: str, fields: dict[str, Any], path: str, body: Any) -> None:
    _, [call] = drive(service, service.submit(of_kind(service, kind, **fields)), reply(REPLIES[kind]))
    assert (call.method, call.path, call.json, call.paid, call.auth) == ("POST", path, body, True, True)
    assert call.read_timeout is not None
    assert call.read_timeout >= 600
    assert isinstance(call.json.get("duration", 1), int) or fields.get("duration") == 2.5


@pytest.mark.parametrize("path", ["/video", "video/", "/api/v1/video"])
def test_paths_that_the_document_lost_can_be_set(path: str) -> None:
    service: Any = make(NanoBanana, options={"videos_path": path, "model3d_path": "/models/3d"})
    _, [call] = drive(service, service.submit(of_kind(service, "video")), reply(VIDEO))
    assert call.path == "/video"
    _, [call] = drive(service, service.submit(of_kind(service, "model3d")), reply(MODEL))
    assert call.path == "/models/3d"


@pytest.mark.parametrize(
    ("kind", "fields", "field", "allowed"),
    [
        ("image", {"output_format": "gif"}, "output_format", "png, jpeg, webp"),
        ("image", {"aspect_ratio": "wide"}, "aspect_ratio", "W:H"),
        ("image", {"duration": 4}, "duration", "cannot express"),
        ("video", {"model": "sora"}, "model", "vidu-q2, ltx-2"),
        ("video", {"resolution": "4k"}, "resolution", "360p, 520p, 720p, 1080p"),
        ("video", {"image": PICTURE}, "image", "no input image"),
        ("model3d", {"image": None}, "image", "chair.jpg"),
        ("model3d", {"prompt": "a chair"}, "prompt", "leave it out"),
        ("model3d", {"options": {"texture_quality": "high"}}, "options.texture_quality", "standard, no"),
        ("model3d", {"options": {"orientation": 3}}, "options.orientation", "default"),
        ("voice", {}, "kind", "image, video, model3d"),
    ],
)
def test_refuses_what_it_cannot_express(service: Any, kind: str, fields: Any, field: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as caught:
        of_kind(service, kind, **fields)
    assert caught.value.field == field


def test_reads_images(service: Any) -> None:
    done, _ = drive(service, service.submit(of_kind(service, "image")), reply(IMAGES))
    [output] = done.outputs
    assert (output.url, output.media_type, output.item) == ("https://cdn.example.com/image1.webp", "image/webp", 0)
    assert output.metadata == {
        "content_type": "image/webp",
        "file_name": "generated-image-12345-1.webp",
        "file_size": 145678,
        "width": 1920,
        "height": 1080,
        "aspect_ratio": "16:9",
        "generation_id": "507f1f77bcf86cd799439011",
        "generation_time": 2450,
    }
    assert (done.job_id, done.balance, done.credits, done.request_id, done.failures) == (
        "507f1f77bcf86cd799439011", 92, None, "req_123456789", (),
    )  # fmt: skip


def test_reads_a_video(service: Any) -> None:
    done, _ = drive(service, service.submit(of_kind(service, "video")), reply(VIDEO))
    [output] = done.outputs
    assert (output.url, output.media_type) == ("https://cdn.example.com/video-12345.mp4", "video/mp4")
    assert (output.metadata["duration"], output.metadata["resolution"], output.metadata["model"]) == (
        4,
        "720p",
        "vidu-q2",
    )
    assert (done.job_id, done.balance, done.request_id) == ("507f1f77bcf86cd799439012", 82, "req_123456790")


def test_reads_a_3d_model_and_its_preview(service: Any) -> None:
    done, _ = drive(service, service.submit(of_kind(service, "model3d")), reply(MODEL))
    main, preview = done.outputs
    assert (main.url, main.role, main.media_type) == (
        "https://cdn.example.com/model-12345.glb",
        "main",
        "model/gltf-binary",
    )
    assert (preview.url, preview.role, preview.item) == ("https://cdn.example.com/preview-12345.jpg", "preview", 0)
    assert (done.job_id, done.balance, done.request_id) == ("507f1f77bcf86cd799439013", 62, "req_123456791")


def test_a_3d_model_without_preview_is_still_one(service: Any) -> None:
    without = swap(MODEL, ("data", "model", "preview_image"), ...)
    done, _ = drive(service, service.submit(of_kind(service, "model3d")), reply(without))
    assert [output.role for output in done.outputs] == ["main"]


def test_several_images_are_numbered_and_a_missing_one_fails_alone(service: Any) -> None:
    one = IMAGES["data"]["images"][0]  # type: ignore[index]
    pictures = [one, {"url": None}, {**one, "url": "https://cdn.example.com/image3.webp"}]
    done, _ = drive(
        service, service.submit(of_kind(service, "image", n=4)), reply(swap(IMAGES, ("data", "images"), pictures))
    )
    assert [(output.item, output.url) for output in done.outputs] == [
        (0, "https://cdn.example.com/image1.webp"),
        (2, "https://cdn.example.com/image3.webp"),
    ]
    assert [(failure.item, type(failure.error)) for failure in done.failures] == [
        (1, GenerationFailed),
        (3, GenerationFailed),
    ]
    assert "2 of 4" in str(done.failures[0].error)


def test_more_images_than_asked_for_are_kept(service: Any) -> None:
    pictures = IMAGES["data"]["images"] * 3  # type: ignore[index]
    done, _ = drive(
        service, service.submit(of_kind(service, "image")), reply(swap(IMAGES, ("data", "images"), pictures))
    )
    assert [output.item for output in done.outputs] == [0, 0, 0]
    assert done.failures == ()


@pytest.mark.parametrize(("kind", "name"), [("image", "images"), ("video", "video"), ("model3d", "model")])
@pytest.mark.parametrize("value", [..., None, "x", [], {}, [{"url": "file:///etc/passwd"}], {"url": 7}])
def test_a_success_without_a_file_is_unreadable(service: Any, kind: str, name: str, value: Any) -> None:
    with pytest.raises(UnreadableReply) as caught:
        drive(service, service.submit(of_kind(service, kind)), reply(swap(REPLIES[kind], ("data", name), value)))
    assert judge(200, caught.value) is Verdict.UNCERTAIN


@pytest.mark.parametrize("name", ["generation_id", "generation_time", "remaining_points", "request_id"])
@pytest.mark.parametrize("value", [..., None, [], "\ud800", float("inf")])
def test_the_picture_is_kept_whatever_else_is_wrong(service: Any, name: str, value: Any) -> None:
    done, _ = drive(service, service.submit(of_kind(service, "image")), reply(swap(IMAGES, ("data", name), value)))
    assert len(done.outputs) == 1


def test_price_is_the_accounts_or_unknown(service: Any) -> None:
    request = of_kind(service, "image", n=3)
    assert service.price(request) is None
    assert make(NanoBanana, options={"price": 2}).price(request) == 6
    table = make(NanoBanana, options={"price": {"image": 4, "video": 10}})
    assert table.price(request) == 12
    assert table.price(of_kind(table, "model3d")) is None
    assert (table.unit, table.batch(request)) == ("points", 4)


@pytest.mark.parametrize(("plan", "limit"), [("free", 100), ("pro", 500), ("enterprise", 1000)])
def test_the_plan_sets_the_hourly_limit(plan: str, limit: int) -> None:
    assert make(NanoBanana, options={"plan": plan}).rate == Rate(limit, 3600)
    assert make(NanoBanana).rate is None


def test_an_account_must_name_its_host() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        make(NanoBanana, base_url=None)


@pytest.mark.parametrize("status", [200, 201])
def test_a_200_can_say_no(service: Any, status: int) -> None:
    refusal = reply({"success": False, "error": "Content policy violation"}, status)
    with pytest.raises(GenerationFailed, match="Content policy violation") as caught:
        drive(service, service.submit(of_kind(service, "image")), refusal)
    assert judge(status, caught.value) is Verdict.REFUSED
    with pytest.raises(ProviderUnavailable, match="Content policy violation"):
        drive(service, service.history(None), refusal)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (400, InvalidRequest, Verdict.REFUSED),
        (401, AuthenticationError, Verdict.REFUSED),
        (402, InsufficientCredits, Verdict.REFUSED),
        (403, PermissionDenied, Verdict.REFUSED),
        (429, RateLimited, Verdict.AGAIN),
        (500, ProviderUnavailable, Verdict.UNCERTAIN),
        (504, ProviderUnavailable, Verdict.UNCERTAIN),
    ],
)
def test_the_status_decides_an_error(service: Any, status: int, kind: type, verdict: Verdict) -> None:
    call = Paid("/images", json={})
    error = service.error(call, reply({"success": False, "error": "Because.", "request_id": "req_9"}, status))
    assert (type(error), error.status, error.request_id, error.charged) == (kind, status, "req_9", None)
    assert "Because" in str(error)
    assert judge(status, error) is verdict
    assert type(service.error(call, reply(b"<html>", status))) is kind


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "Mon, 15 Jan 2024 10:30:30 GMT", "date": "Mon, 15 Jan 2024 10:30:00 GMT"}, 30.0),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(service: Any, headers: dict[str, str], wait: float | None) -> None:
    assert service.error(Paid("/images"), reply({"error": "slow"}, 429, **headers)).retry_after == wait


@given(st.data())
def test_no_reply_breaks_it(data: st.DataObject) -> None:
    service: Any = make(NanoBanana)
    kind = data.draw(st.sampled_from(["image", "video", "model3d"]))
    body = REPLIES[kind]
    mangled = swap(body, data.draw(st.sampled_from(places(body))), data.draw(anything))
    whole = data.draw(st.sampled_from([mangled, mangled, data.draw(anything)]))
    answer = reply(whole, data.draw(st.sampled_from([200, 200, 400, 500])))
    survives(service, service.submit(of_kind(service, kind)), answer)
