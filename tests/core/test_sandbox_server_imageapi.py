"""ImageAPI in the sandbox answers as document 004 says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import START, Drive

CORS = "Access-Control-Allow-Origin"


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("imageapi") as drive:
        yield drive


def error(reply) -> tuple[int, str]:
    assert reply.json["success"] is False
    assert reply.json["request_id"].startswith("req_")
    assert set(reply.json) - {"retry_after"} == {"success", "error", "request_id"}
    assert reply.headers[CORS] == "*"
    return reply.status, reply.json["error"]


def test_a_picture_by_url(drive: Drive) -> None:
    body = {"prompt": "a sunset", "negative_prompt": "blurry", "width": 640, "height": 256, "seed": 12345}
    reply = drive.post("/generate", body)
    data = reply.json["data"]
    assert reply.json == {
        "success": True,
        "data": {
            "image": data["image"],
            "seed": 12345,
            "model": "flux-schnell",
            "storage": {"enabled": True, "stored": True, "plan": "10 GB cloud storage"},
        },
        "request_id": reply.json["request_id"],
    }
    assert 1.5 <= drive.clock.now - START <= 6
    file = drive.get(data["image"], key=None)
    assert file.headers["Content-Type"] == "image/png"
    assert json.loads(file.body)[3] == {"height": 256, "output_format": "png", "width": 640}


@pytest.mark.parametrize("switch", ["setting", "key"])
def test_a_data_url_where_storage_is_off(drive: Drive, switch: str) -> None:
    key = "sk_nostorage_fake"
    if switch == "setting":
        key = drive.key
        drive.control.set("imageapi", storage=False)
    data = drive.post("/generate", {"prompt": "a"}, key=key).json["data"]
    prefix, _, encoded = data["image"].partition(",")
    assert prefix == "data:image/png;base64"
    assert json.loads(base64.b64decode(encoded))[1] == "a"
    assert data["storage"] == {"enabled": False, "stored": False, "plan": "10 GB cloud storage"}


def test_the_same_seed_gives_the_same_picture_and_none_a_random_one(drive: Drive) -> None:
    def picture(**fields: object) -> tuple[int, bytes]:
        data = drive.post("/generate", {"prompt": "a", **fields}).json["data"]
        return data["seed"], drive.get(data["image"], key=None).body

    assert picture(seed=7) == picture(seed=7)
    assert picture(seed=7)[1] != picture(seed=8)[1]
    assert picture(seed=7)[1] != picture(seed=7, model="sdxl-lightning")[1]
    seeds = {picture()[0] for _ in range(3)}
    assert len(seeds) == 3
    assert all(isinstance(seed, int) for seed in seeds)


@pytest.mark.parametrize("path", ["/generate", "/generate/product", "/generate/logo"])
def test_the_variants_take_the_same(drive: Drive, path: str) -> None:
    assert drive.post(path, {"prompt": "a"}).json["data"]["model"] == "flux-schnell"
    assert len(drive.post(path, {"items": [{"prompt": "a"}, {"prompt": "b"}]}).json["data"]["results"]) == 2


def test_a_batch_has_a_result_for_each_item(drive: Drive) -> None:
    items = [{"prompt": "a", "seed": 1}, {"prompt": ""}, {"prompt": "c", "width": 2000}, {"prompt": "d", "seed": 4}]
    reply = drive.post("/generate", {"items": items})
    assert set(reply.json) == {"success", "data", "request_id"}
    assert set(reply.json["data"]) == {"results"}
    first, second, third, fourth = reply.json["data"]["results"]
    for made, seed in ((first, 1), (fourth, 4)):
        assert set(made) == {"success", "image", "seed", "model", "storage"}
        assert (made["success"], made["seed"]) == (True, seed)
    assert set(second) == set(third) == {"success", "error"}
    assert "prompt" in second["error"]
    assert "width" in third["error"]
    assert drive.control.submits("imageapi") == 1
    assert drive.control.spent("imageapi") == 2


def test_an_item_over_the_rate_limit_fails_alone(drive: Drive) -> None:
    drive.control.set("imageapi", per_minute=1)
    reply = drive.post("/generate", {"items": [{"prompt": "a"}, {"prompt": "b"}]})
    assert reply.status == 200
    results = reply.json["data"]["results"]
    assert results[0]["success"] is True
    assert results[1] == {"success": False, "error": "Rate limit exceeded"}


def test_an_item_that_fails_to_generate_fails_alone(drive: Drive) -> None:
    drive.control.fault("fail", "imageapi")
    results = drive.post("/generate", {"items": [{"prompt": "a"}, {"prompt": "b"}]}).json["data"]["results"]
    assert [r["success"] for r in results] == [False, True]
    assert drive.get("/usage").json["data"]["usage"]["today"] == {"requestCount": 1, "imageCount": 1}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"negative_prompt": "x" * 1001}, "negative_prompt"),
        ({"negative_prompt": 1}, "negative_prompt"),
        ({"width": 255}, "width"),
        ({"width": 1025}, "width"),
        ({"height": 512.5}, "height"),
        ({"height": "512"}, "height"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": 51}, "num_inference_steps"),
        ({"seed": "7"}, "seed"),
        ({"seed": True}, "seed"),
        ({"model": "gpt"}, "model"),
        ({"model": []}, "model"),
        ({"items": []}, "items"),
        ({"items": ["a"]}, "items"),
        ({"items": {}}, "items"),
        ({"items": [{"prompt": "a"}] * 11}, "items"),
    ],
)
def test_what_is_refused(drive: Drive, change: dict, field: str) -> None:
    status, message = error(drive.post("/generate", {"prompt": "a", **change}))
    assert status == 400
    assert field in message
    assert drive.control.charges() == []


@pytest.mark.parametrize(
    "fields", [{"prompt": "x" * 2000, "negative_prompt": "y" * 1000}, {"width": 256, "height": 1024}]
)
def test_the_ends_of_the_ranges_are_in_them(drive: Drive, fields: dict) -> None:
    assert drive.post("/generate", {"prompt": "a", "num_inference_steps": 50, **fields}).status == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b""])
def test_bodies_that_are_no_object(drive: Drive, body: bytes) -> None:
    assert error(drive.post("/generate", body))[0] == 400


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (None, 401),
        ("cvk_fake", 401),
        ("sk_revoked_fake", 401),
        ("sk_suspended_fake", 403),
        ("sk_noplan_fake", 403),
    ],
)
def test_keys_that_do_not_work(drive: Drive, key: str | None, status: int) -> None:
    assert error(drive.get("/usage", key=key))[0] == status


def test_the_workspace_sets_the_batch_size(drive: Drive) -> None:
    drive.control.set("imageapi", max_batch=2)
    assert error(drive.post("/generate", {"items": [{"prompt": "a"}] * 3}))[0] == 400


@pytest.mark.parametrize(("limit", "span"), [("per_minute", 60), ("per_day", 86_400), ("per_month", 30 * 86_400)])
def test_limits_say_when_to_come_back(drive: Drive, limit: str, span: int) -> None:
    drive.control.set("imageapi", **{limit: 1})
    assert drive.post("/generate", {"prompt": "a"}).status == 200
    reply = drive.post("/generate", {"prompt": "a"})
    assert error(reply)[0] == 429
    wait = reply.json["retry_after"]
    assert reply.headers["Retry-After"] == str(wait)
    assert span - 6 <= wait <= span
    drive.wait(wait)
    assert drive.post("/generate", {"prompt": "a"}).status == 200


def test_open_calls_are_limited(drive: Drive) -> None:
    calls = [drive.request("POST", "/generate", {"prompt": str(i)}) for i in range(6)]
    replies = drive.together(*calls)
    assert sorted(reply.status for reply in replies) == [200] * 5 + [429]
    assert next(r for r in replies if r.status == 429).headers["Retry-After"] == "1"


def test_usage_counts_down_the_plan(drive: Drive) -> None:
    drive.post("/generate", {"prompt": "a"})
    drive.post("/generate", {"items": [{"prompt": "a"}, {"prompt": "b"}]})
    assert drive.get("/usage").json == {
        "success": True,
        "data": {
            "usage": {
                "today": {"requestCount": 3, "imageCount": 3},
                "this_month": {"requestCount": 3, "imageCount": 3},
            },
            "plan": {
                "name": "Free",
                "slug": "free",
                "requests_per_month": 1500,
                "requests_per_day": 50,
                "remaining_today": 47,
                "remaining_month": 1497,
            },
        },
    }


def test_a_failed_generation_is_500_and_not_counted(drive: Drive) -> None:
    for kind in ("fail", "reject"):
        drive.control.fault(kind, "imageapi")
        assert error(drive.post("/generate", {"prompt": "a"})) == (500, "Image generation failed")
    assert drive.get("/usage").json["data"]["plan"]["remaining_today"] == 50
    assert drive.control.spent("imageapi") == 0


def test_prompt_helpers(drive: Drive) -> None:
    enhanced = drive.post("/prompt/enhance", {"prompt": "robot reading a book", "tone": "anime, cozy"}).json
    assert set(enhanced) == {"success", "data"}
    assert set(enhanced["data"]) == {"prompt"}
    assert "robot reading a book" in enhanced["data"]["prompt"]
    assert "anime, cozy" in enhanced["data"]["prompt"]
    built = drive.post("/prompt/build", {"subject": "fox in a scarf", "mood": "cozy", "extras": ""}).json
    assert built == {"success": True, "data": {"prompt": "fox in a scarf, cozy"}}
    for path, body in (
        ("/prompt/enhance", {}),
        ("/prompt/enhance", {"prompt": "a", "tone": 3}),
        ("/prompt/build", {}),
        ("/prompt/build", {"subject": 3}),
        ("/prompt/build", {"colour": "red"}),
    ):
        assert error(drive.post(path, body))[0] == 400
    assert drive.control.charges() == []


def test_models_need_no_key(drive: Drive) -> None:
    models = drive.get("/models", key=None).json["data"]["models"]
    assert len(models) == 9
    assert models[0] == {
        "slug": "flux-schnell",
        "name": "FLUX.1 Schnell",
        "description": "12B params, fast. Good default.",
    }


def test_health_needs_no_key(drive: Drive) -> None:
    assert drive.get("/health", key=None).json["status"] == "healthy"
    drive.control.set("imageapi", degraded=True)
    assert drive.get("/health", key=None).json["status"] == "degraded"


def test_a_browser_of_another_site_may_ask(drive: Drive) -> None:
    preflight = drive.send(
        "OPTIONS", "/generate", key=None, Origin="https://shop.example", Access_Control_Request_Method="POST"
    )
    assert preflight.status == 204
    assert preflight.headers[CORS] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert drive.get("/models", key=None).headers[CORS] == "*"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/images", 404), ("GET", "/generate", 405)])
def test_what_the_document_does_not_have_is_not_there(drive: Drive, method: str, path: str, status: int) -> None:
    assert error(drive.send(method, path))[0] == status
