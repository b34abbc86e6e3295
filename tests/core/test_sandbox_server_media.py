"""The sandbox server hands out real media of every kind, of the type and size that its replies say."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import httpx
import pytest
from PIL import Image
from tests.core.sandbox_drive import KEYS

from genstep.sandbox.server import SandboxServer

MAGIC = {
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/webp": b"RIFF",
    "model/gltf-binary": b"glTF",
    "audio/wav": b"RIFF",
}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(speed=10_000, long_side=96) as server:
        yield server


def call(server: SandboxServer, slug: str, path: str, body: dict | None = None) -> dict:
    url, headers = f"{server.base(slug)}/api/v1{path}", {"Authorization": f"Bearer {KEYS[slug]}"}
    method = "GET" if body is None else "POST"
    reply = httpx.request(method, url, json=body, headers=headers, trust_env=False, timeout=60)
    assert reply.is_success, reply.text
    found: dict = reply.json()
    return found


def fetch(url: str, media_type: str) -> bytes:
    reply = httpx.get(url, trust_env=False, timeout=60)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, media_type)
    assert reply.content.startswith(MAGIC.get(media_type, b""))
    return reply.content


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_pictures_have_the_size_and_bytes_that_the_reply_says(server: SandboxServer, form: str) -> None:
    body = {"prompt": "a red fox", "aspect_ratio": "16:9", "output_format": form}
    [image] = call(server, "nanobanana", "/images", body)["data"]["images"]
    data = fetch(image["url"], f"image/{form}")
    assert len(data) == image["file_size"]
    with Image.open(BytesIO(data)) as opened:
        assert opened.size == (image["width"], image["height"]) == (96, 54)


def test_a_clip_and_its_thumbnail(server: SandboxServer) -> None:
    body = {"prompt": "a ship in fog", "duration": 1, "resolution": "360p"}
    video = call(server, "nanobanana", "/videos", body)["data"]["video"]
    data = fetch(video["url"], "video/mp4")
    assert data[4:8] == b"ftyp"
    assert len(data) == video["file_size"]
    [project] = call(server, "nanobanana", "/projects?type=videos")["data"]["projects"]
    assert project["metadata"]["dimensions"] == f"{video['width']}x{video['height']}"
    fetch(project["thumbnail"], "image/jpeg")


def test_a_model_and_its_preview(server: SandboxServer) -> None:
    model = call(server, "nanobanana", "/3d", {"image_url": "https://example.com/object.jpg"})["data"]["model"]
    assert len(fetch(model["url"], "model/gltf-binary")) == model["file_size"]
    fetch(model["preview_image"], "image/jpeg")


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("image", "image/png"), ("infographic", "image/png"), ("voice", "audio/wav"), ("music", "audio/wav")],
)
def test_files_of_imaginelab(server: SandboxServer, kind: str, media_type: str) -> None:
    model = "seedream-5.0-lite" if kind == "image" else f"sandbox-{kind}"
    body = {"generation_type": kind, "model_name": model, "prompt": "hello", "settings": {"duration": 1}}
    made = call(server, "imaginelab", "/generations", body)
    server.control.release(str(made["id"]))
    [url] = call(server, "imaginelab", f"/generations/{made['id']}")["outputs"]
    assert url.partition("?")[0].endswith({"image/png": ".png", "audio/wav": ".wav"}[media_type])
    fetch(url, media_type)


@pytest.mark.parametrize(("form", "media_type"), [("webp", "image/webp"), ("png", "image/png"), ("jpg", "image/jpeg")])
def test_files_of_aivisualstudio(server: SandboxServer, form: str, media_type: str) -> None:
    made = call(server, "aivisualstudio", "/generate/image", {"prompt": "a city", "output_format": form})
    server.control.release(made["id"])
    url = call(server, "aivisualstudio", f"/generations/{made['id']}")["output_url"]
    assert url.partition("?")[0].endswith(f".{form}")
    fetch(url, media_type)


def test_imageapi_keeps_to_the_pixels_asked_for(server: SandboxServer) -> None:
    body = {"prompt": "a sunset", "width": 320, "height": 256}
    with Image.open(
        BytesIO(fetch(call(server, "imageapi", "/generate", body)["data"]["image"], "image/png"))
    ) as opened:
        assert opened.size == (320, 256)


def test_the_same_seed_gives_the_same_bytes_after_a_restart() -> None:
    def picture() -> bytes:
        with SandboxServer(speed=10_000, long_side=64, seed=7) as server:
            [image] = call(server, "nanobanana", "/images", {"prompt": "a red fox"})["data"]["images"]
            return fetch(image["url"], "image/png")

    assert picture() == picture()
