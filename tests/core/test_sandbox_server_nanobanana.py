"""The image, video and 3D API in the sandbox answers as document 001 says."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import START, Drive

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nfake").decode()


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("nanobanana") as drive:
        yield drive


def test_the_documents_examples_cost_what_they_show(drive: Drive) -> None:
    images = drive.post(
        "/images", {"prompt": "sunset", "aspect_ratio": "16:9", "output_format": "webp", "num_images": 2}
    )
    video = drive.post("/videos", {"prompt": "a spaceship"})
    model = drive.post("/3d", {"image_url": "https://example.com/object.jpg"})
    assert [r.json["data"]["remaining_points"] for r in (images, video, model)] == [92, 82, 62]


def test_images(drive: Drive) -> None:
    body = {"prompt": "sunset", "aspect_ratio": "16:9", "output_format": "webp", "num_images": 2}
    reply = drive.post("/images", body)
    assert set(reply.json) == {"success", "data"}
    data = reply.json["data"]
    assert set(data) == {"images", "generation_id", "generation_time", "remaining_points", "request_id"}
    assert re.fullmatch("[0-9a-f]{24}", data["generation_id"])
    assert len(data["images"]) == 2
    for image in data["images"]:
        size = len(drive.get(image["url"], key=None).body)
        assert image == {
            "url": image["url"],
            "content_type": "image/webp",
            "file_name": image["url"].rpartition("/")[2].partition("?")[0],
            "file_size": size,
            "width": 1920,
            "height": 1080,
            "aspect_ratio": "16:9",
        }


def test_the_call_blocks_until_the_media_is_there(drive: Drive) -> None:
    data = drive.post("/images", {"prompt": "sunset"}).json["data"]
    assert 1.5 <= drive.clock.now - START <= 4
    assert data["generation_time"] == pytest.approx((drive.clock.now - START) * 1000, abs=2)


def test_video(drive: Drive) -> None:
    body = {"prompt": "nebula", "model": "ltx-2", "duration": 2.5, "resolution": "360p", "aspect_ratio": "9:16"}
    data = drive.post("/videos", body).json["data"]
    assert set(data) == {"video", "generation_time", "remaining_points", "request_id"}
    video = data["video"]
    assert {
        k: video[k] for k in ("content_type", "width", "height", "duration", "resolution", "aspect_ratio", "model")
    } == {
        "content_type": "video/mp4",
        "width": 360,
        "height": 640,
        "duration": 2.5,
        "resolution": "360p",
        "aspect_ratio": "9:16",
        "model": "ltx-2",
    }
    assert set(video) - {"content_type", "width", "height", "duration", "resolution", "aspect_ratio", "model"} == {
        "url",
        "file_name",
        "file_size",
        "generation_id",
    }


@pytest.mark.parametrize("image", [{"image_base64": PNG}, {"image_base64": f"data:image/png;base64,{PNG}"}])
def test_model3d(drive: Drive, image: dict) -> None:
    data = drive.post("/3d", {**image, "texture_quality": "no"}).json["data"]
    assert set(data) == {"model", "generation_time", "remaining_points", "request_id"}
    assert set(data["model"]) == {
        "url",
        "preview_image",
        "content_type",
        "file_name",
        "file_size",
        "texture_quality",
        "generation_id",
    }
    assert (data["model"]["content_type"], data["model"]["texture_quality"]) == ("model/gltf-binary", "no")
    assert drive.get(data["model"]["preview_image"], key=None).headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/images", {}, "prompt"),
        ("/images", {"prompt": ""}, "prompt"),
        ("/images", {"prompt": "a", "num_images": 0}, "num_images"),
        ("/images", {"prompt": "a", "num_images": 5}, "num_images"),
        ("/images", {"prompt": "a", "num_images": 1.5}, "num_images"),
        ("/images", {"prompt": "a", "num_images": True}, "num_images"),
        ("/images", {"prompt": "a", "num_images": "2"}, "num_images"),
        ("/images", {"prompt": "a", "output_format": "jpg"}, "output_format"),
        ("/images", {"prompt": "a", "aspect_ratio": "0:1"}, "aspect_ratio"),
        ("/images", {"prompt": "a", "model": ""}, "model"),
        ("/videos", {}, "prompt"),
        ("/videos", {"prompt": "a", "model": "nano-banana"}, "model"),
        ("/videos", {"prompt": "a", "resolution": "4k"}, "resolution"),
        ("/videos", {"prompt": "a", "resolution": {}}, "resolution"),
        ("/videos", {"prompt": "a", "duration": 0}, "duration"),
        ("/videos", {"prompt": "a", "duration": "4"}, "duration"),
        ("/3d", {}, "image_url"),
        ("/3d", {"image_url": "https://e.example/a.png", "image_base64": PNG}, "image_url"),
        ("/3d", {"image_url": "a.png"}, "image_url"),
        ("/3d", {"image_base64": "%%%"}, "image_base64"),
        ("/3d", {"image_base64": "aGVsbG8="}, "image_base64"),
        ("/3d", {"image_base64": PNG, "texture_quality": "high"}, "texture_quality"),
        ("/3d", {"image_base64": PNG, "orientation": 3}, "orientation"),
        ("/images", b"{", "JSON"),
    ],
)
def test_what_is_refused(drive: Drive, path: str, body: object, field: str) -> None:
    reply = drive.post(path, body)
    assert reply.status == 400
    assert set(reply.json) == {"success", "error"}
    assert reply.json["success"] is False
    assert field in reply.json["error"]
    assert drive.control.charges() == []


@pytest.mark.parametrize("key", [None, "an-invalid-key", "revoked-key"])
def test_keys_that_do_not_work(drive: Drive, key: str | None) -> None:
    reply = drive.get("/projects", key=key)
    assert (reply.status, reply.json["success"]) == (401, False)
    assert reply.headers["X-RateLimit-Limit"] == "100"


def test_too_few_points(drive: Drive) -> None:
    drive.control.set_credits("nanobanana", 7, drive.key)
    assert drive.post("/images", {"prompt": "a", "num_images": 2}).status == 402
    assert drive.post("/images", {"prompt": "a"}).json["data"]["remaining_points"] == 3


def test_every_reply_carries_the_rate_limit_and_an_hour_ends_it(drive: Drive) -> None:
    drive.control.set("nanobanana", per_hour=3)
    replies = [drive.get("/projects"), drive.get("/nowhere"), drive.post("/images", {}), drive.get("/projects")]
    assert [r.status for r in replies] == [200, 404, 400, 200]
    assert [r.headers["X-RateLimit-Remaining"] for r in replies] == ["2", "3", "1", "0"]
    assert {r.headers["X-RateLimit-Reset"] for r in (replies[0], replies[3])} == {str(int(START) + 3600)}
    refused = drive.get("/projects")
    assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert "Retry-After" not in refused.headers
    drive.wait(3600)
    assert drive.get("/projects").status == 200


@pytest.mark.parametrize(("plan", "limit"), [("free", "100"), ("pro", "500"), ("enterprise", "1000")])
def test_plans(drive: Drive, plan: str, limit: str) -> None:
    drive.control.set("nanobanana", plan=plan)
    assert drive.get("/projects").headers["X-RateLimit-Limit"] == limit


def test_projects_are_paged_filtered_and_sorted(drive: Drive) -> None:
    made = [drive.post("/images", {"prompt": f"picture {i}", "num_images": 2}).json["data"] for i in range(3)]
    drive.post("/videos", {"prompt": "clip"})
    drive.post("/3d", {"image_url": "https://example.com/object.jpg"})
    first = drive.get("/projects?type=images&page=1&limit=2&sort=createdAt&order=desc").json["data"]
    assert [p["id"] for p in first["projects"]] == [made[2]["generation_id"], made[1]["generation_id"]]
    assert first["pagination"] == {"page": 1, "limit": 2, "total": 3, "pages": 2, "has_more": True}
    last = drive.get("/projects?type=images&page=2&limit=2").json["data"]
    assert [p["id"] for p in last["projects"]] == [made[0]["generation_id"]]
    assert last["pagination"]["has_more"] is False
    entry = last["projects"][0]
    assert set(entry) == {"id", "type", "prompt", "created_at", "url", "thumbnail", "metadata"}
    assert set(entry["metadata"]) == {"aspect_ratio", "file_size", "dimensions"}
    assert (entry["type"], entry["metadata"]["dimensions"]) == ("image", "1440x1440")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["created_at"])
    everything = drive.get("/projects?order=asc").json["data"]["projects"]
    assert [p["type"] for p in everything] == ["image", "image", "image", "video", "3d"]
    for project in everything:
        assert drive.get(project["thumbnail"], key=None).headers["Content-Type"] == "image/jpeg"
    assert drive.get("/projects", key="somebody-else").json["data"]["pagination"]["total"] == 0


@pytest.mark.parametrize(
    "query", ["type=image", "page=0", "page=x", "limit=0", "limit=101", "order=up", "sort=prompt", "page=-1"]
)
def test_queries_that_are_refused(drive: Drive, query: str) -> None:
    assert drive.get(f"/projects?{query}").status == 400


def test_a_failed_generation_gives_its_points_back_and_is_no_project(drive: Drive) -> None:
    drive.control.fault("fail", "nanobanana")
    assert drive.post("/images", {"prompt": "a"}).status == 500
    assert drive.control.accounts()[0]["credits"] == 100
    drive.control.set("nanobanana", refunds=False)
    drive.control.fault("fail", "nanobanana")
    assert drive.post("/images", {"prompt": "a"}).status == 500
    assert drive.control.accounts()[0]["credits"] == 96
    assert drive.get("/projects").json["data"]["projects"] == []


def test_a_lost_call_is_found_among_the_projects(drive: Drive) -> None:
    drive.control.fault("drop", "nanobanana", endpoint="images", when="during")
    assert drive.post("/images", {"prompt": "a fox"}).response.drop
    assert drive.get("/projects").json["data"]["projects"] == []
    drive.wait(4)
    assert [p["prompt"] for p in drive.get("/projects").json["data"]["projects"]] == ["a fox"]
    assert drive.control.spent("nanobanana") == 4


def test_success_false_with_status_200(drive: Drive) -> None:
    body = '{"success":false,"error":"Model is busy"}'
    drive.control.fault("status", "nanobanana", status=200, body=body)
    reply = drive.post("/images", {"prompt": "a"})
    assert (reply.status, reply.json["error"]) == (200, "Model is busy")
