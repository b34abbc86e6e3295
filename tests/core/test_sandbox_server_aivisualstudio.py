"""AI Visual Studio in the sandbox answers as document 003 says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import START, Drive

RATE = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("aivisualstudio") as drive:
        yield drive


def code(reply) -> tuple[int, str]:
    assert set(reply.json) == {"error"}
    assert set(reply.json["error"]) == {"code", "message", "details"}
    assert set(reply.headers) >= RATE
    return reply.status, reply.json["error"]["code"]


def test_an_image_from_submit_to_record(drive: Drive) -> None:
    body = {"prompt": "A futuristic city", "model": "prunaai/z-image-turbo", "aspect_ratio": "16:9"}
    accepted = drive.post("/generate/image", body).json
    assert accepted == {
        "id": accepted["id"],
        "status": "processing",
        "prompt": "A futuristic city",
        "model": "prunaai/z-image-turbo",
        "type": "image",
        "credits_charged": 5,
        "created_at": "2027-01-15T08:00:00Z",
    }
    assert re.fullmatch("gen_[0-9a-f]{12}", accepted["id"])
    early = drive.get(f"/generations/{accepted['id']}").json
    assert early == {
        "id": accepted["id"],
        "type": "image",
        "status": "processing",
        "prompt": "A futuristic city",
        "output_url": None,
        "created_at": accepted["created_at"],
        "completed_at": None,
    }
    drive.wait(30)
    done = drive.get(f"/generations/{accepted['id']}").json
    assert set(done) == set(early)
    assert done["status"] == "completed"
    assert done["completed_at"] > done["created_at"]
    assert drive.get(done["output_url"], key=None).headers["Content-Type"] == "image/webp"


def test_a_video_costs_450_and_takes_a_first_frame(drive: Drive) -> None:
    body = {"prompt": "a", "duration": 10, "aspect_ratio": "9:16", "first_frame_image": "https://e.example/a.png"}
    accepted = drive.post("/generate/video", body).json
    assert (accepted["credits_charged"], accepted["type"]) == (450, "video")
    assert accepted["model"] == "minimax/hailuo-2.3-fast"
    drive.wait(180)
    url = drive.get(f"/generations/{accepted['id']}").json["output_url"]
    assert drive.get(url, key=None).headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"])
@pytest.mark.parametrize("form", ["webp", "png", "jpg"])
def test_image_choices(drive: Drive, ratio: str, form: str) -> None:
    assert drive.post("/generate/image", {"prompt": "a", "aspect_ratio": ratio, "output_format": form}).status == 200


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("image", {"prompt": None}),
        ("image", {"prompt": " "}),
        ("image", {"model": "minimax/hailuo-2.3-fast"}),
        ("image", {"model": "unknown"}),
        ("image", {"aspect_ratio": "21:9"}),
        ("image", {"aspect_ratio": ["1:1"]}),
        ("image", {"output_format": "jpeg"}),
        ("image", {"webhook_url": "http://hooks.example/a"}),
        ("image", {"webhook_url": "ftp://hooks.example/a"}),
        ("video", {"aspect_ratio": "3:2"}),
        ("video", {"duration": 0}),
        ("video", {"duration": 11}),
        ("video", {"duration": 5.5}),
        ("video", {"duration": "5"}),
        ("video", {"duration": True}),
        ("video", {"first_frame_image": "data:image/png;base64,AAAA"}),
        ("video", {"first_frame_image": 5}),
    ],
)
def test_what_is_refused(drive: Drive, kind: str, change: dict) -> None:
    assert code(drive.post(f"/generate/{kind}", {"prompt": "a", **change})) == (400, "invalid_request")
    assert drive.control.charges() == []


@pytest.mark.parametrize("body", [b"{", b"[]", b""])
def test_bodies_that_are_no_object(drive: Drive, body: bytes) -> None:
    assert code(drive.post("/generate/image", body)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, "missing_api_key"),
        ("cvk_fake", "invalid_api_key"),
        ("avs_live_revoked_fake", "invalid_api_key"),
        ("avs_live_expired_fake", "expired_api_key"),
    ],
)
def test_keys_that_do_not_work(drive: Drive, key: str | None, expected: str) -> None:
    assert code(drive.get("/models", key=key)) == (401, expected)


def test_too_few_credits_is_403_and_says_how_many(drive: Drive) -> None:
    drive.control.set_credits("aivisualstudio", 2, drive.key)
    reply = drive.post("/generate/image", {"prompt": "a"})
    assert code(reply) == (403, "insufficient_credits")
    assert reply.json["error"] == {
        "code": "insufficient_credits",
        "message": "You need 5 credits but only have 2",
        "details": {"required": 5, "available": 2},
    }


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read", "GET", "/generations"),
        ("read", "GET", "/generations/gen_x"),
        ("read", "GET", "/models"),
        ("generate:image", "POST", "/generate/image"),
        ("generate:video", "POST", "/generate/video"),
        ("webhooks", "GET", "/webhooks"),
        ("webhooks", "POST", "/webhooks"),
        ("webhooks", "PATCH", "/webhooks/wh_x"),
        ("webhooks", "DELETE", "/webhooks/wh_x"),
    ],
)
def test_scopes(drive: Drive, scope: str, method: str, path: str) -> None:
    others = {"read", "generate:image", "generate:video", "webhooks"} - {scope}
    drive.control.set("aivisualstudio", drive.key, scopes=sorted(others))
    reply = drive.send(method, path, {"prompt": "a"})
    assert code(reply) == (403, "insufficient_scope")
    assert scope in reply.json["error"]["message"]
    drive.control.set("aivisualstudio", drive.key, scopes=[scope])
    assert drive.send(method, path, {"prompt": "a"}).status != 403


def test_a_readonly_key_reads(drive: Drive) -> None:
    key = "avs_live_readonly_fake"
    assert drive.get("/generations", key=key).status == 200
    assert code(drive.post("/generate/image", {"prompt": "a"}, key=key)) == (403, "insufficient_scope")


def test_an_ip_allowlist(drive: Drive) -> None:
    drive.control.set("aivisualstudio", drive.key, ip_allowlist=["203.0.113.7"])
    assert code(drive.get("/models")) == (403, "ip_not_allowed")


def test_sixty_requests_a_minute_and_the_headers_that_say_so(drive: Drive) -> None:
    replies = [drive.get("/models") for _ in range(60)]
    assert [int(r.headers["X-RateLimit-Remaining"]) for r in replies] == list(range(59, -1, -1))
    assert {(r.headers["X-RateLimit-Limit"], r.headers["X-RateLimit-Reset"]) for r in replies} == {
        ("60", str(int(START) + 60))
    }
    refused = drive.get("/models")
    assert code(refused) == (429, "rate_limited")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in refused.headers
    assert drive.get("/models", key="avs_live_another").status == 200
    drive.wait(60)
    assert drive.get("/models").status == 200


def test_the_list_is_filtered_and_paged(drive: Drive) -> None:
    drive.control.set_credits("aivisualstudio", 5000, drive.key)
    images = [drive.post("/generate/image", {"prompt": str(i)}).json["id"] for i in range(3)]
    drive.wait(60)
    video = drive.post("/generate/video", {"prompt": "v"}).json["id"]
    everything = drive.get("/generations").json
    assert set(everything) == {"data", "total"}
    assert [g["id"] for g in everything["data"]] == [video, *images[::-1]]
    assert everything["total"] == 4
    page = drive.get("/generations?type=image&status=completed&limit=2&offset=1").json
    assert ([g["id"] for g in page["data"]], page["total"]) == (images[1::-1], 3)
    assert [g["id"] for g in drive.get("/generations?status=processing").json["data"]] == [video]
    assert drive.get("/generations?status=failed").json == {"data": [], "total": 0}
    assert drive.get("/generations", key="avs_live_another").json["total"] == 0
    drive.control.set("aivisualstudio", order="oldest", output_as_list=True, record_in_data=True)
    assert [g["id"] for g in drive.get("/generations").json["data"]] == [*images, video]
    assert isinstance(drive.get(f"/generations/{images[0]}").json["data"]["output_url"], list)


@pytest.mark.parametrize("query", ["type=audio", "status=pending", "limit=0", "limit=101", "limit=x", "offset=-1"])
def test_queries_that_are_refused(drive: Drive, query: str) -> None:
    assert code(drive.get(f"/generations?{query}")) == (400, "invalid_request")


def test_models(drive: Drive) -> None:
    models = drive.get("/models").json
    assert models["total"] == len(models["data"]) == 2
    assert models["data"][0] == {
        "id": "prunaai/z-image-turbo",
        "name": "Z-Image Turbo",
        "type": "image",
        "credits_per_generation": 5,
        "description": "Fast image generation",
        "category": "image-generation",
    }
    assert [m["credits_per_generation"] for m in drive.get("/models?type=video").json["data"]] == [450]
    assert code(drive.get("/models?type=audio")) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/generations/gen_unknown", (404, "not_found")),
        ("GET", "/nowhere", (404, "not_found")),
        ("GET", "/generate/image", (404, "not_found")),
        ("PATCH", "/webhooks/wh_unknown", (404, "not_found")),
        ("DELETE", "/webhooks/wh_unknown", (404, "not_found")),
        ("GET", "/keys", (401, "invalid_api_key")),
        ("POST", "/keys", (401, "invalid_api_key")),
    ],
)
def test_what_is_not_there(drive: Drive, method: str, path: str, expected: tuple[int, str]) -> None:
    assert code(drive.send(method, path, {})) == expected


def test_another_accounts_generation_is_not_found(drive: Drive) -> None:
    job = drive.post("/generate/image", {"prompt": "a"}).json["id"]
    assert code(drive.get(f"/generations/{job}", key="avs_live_another")) == (404, "not_found")


def test_failures(drive: Drive) -> None:
    drive.control.fault("reject", "aivisualstudio")
    assert code(drive.post("/generate/image", {"prompt": "a"})) == (500, "internal_error")
    drive.control.fault("fail", "aivisualstudio")
    job = drive.post("/generate/image", {"prompt": "a"}).json["id"]
    drive.wait(60)
    record = drive.get(f"/generations/{job}").json
    assert (record["status"], record["output_url"]) == ("failed", None)
    assert drive.control.accounts()[0]["credits"] == 1000
