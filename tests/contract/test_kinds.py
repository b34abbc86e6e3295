"""Every kind of every service is a real file that an independent tool opens, of the size asked for."""

from __future__ import annotations

import io
import json

import av
import pytest
import soundfile
import trimesh
from PIL import Image
from tests.contract.customer import Customer

from genstep.sandbox.server import SandboxServer


@pytest.fixture(scope="module")
def full_server():
    """One that makes pictures of their whole size."""
    settings = {slug: {"credits": 10_000} for slug in ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio")}
    with SandboxServer(speed=1000.0, settings=settings) as server:
        yield server


@pytest.fixture
def make(full_server, tmp_path):
    """Generate with a new customer of a service, and give the main assets."""

    def make(slug, **asked):
        made = Customer(full_server, slug, tmp_path).generate(asked.pop("prompt", "a fox"), **asked)
        return [asset for asset in made.assets if asset.role == "main"]

    return make


#: provider, request, format, and the pixels that the document leads one to expect
PICTURES = [
    ("conceptviz", {"quality": "2k", "aspect_ratio": "16:9"}, "PNG", (2048, 1152)),
    ("conceptviz", {"quality": "4k", "aspect_ratio": "1:1"}, "PNG", (4096, 4096)),
    ("nanobanana", {"aspect_ratio": "16:9"}, "PNG", (1920, 1080)),
    ("nanobanana", {"aspect_ratio": "1:1", "output_format": "jpeg"}, "JPEG", (1440, 1440)),
    ("nanobanana", {"aspect_ratio": "4:3", "output_format": "webp"}, "WEBP", (1662, 1248)),
    ("imaginelab", {"model": "seedream-5.0-lite", "aspect_ratio": "16:9"}, "PNG", (1024, 576)),
    ("imaginelab", {"model": "sandbox-infographic", "kind": "infographic", "aspect_ratio": "3:4"}, "PNG", (768, 1024)),
    ("aivisualstudio", {"aspect_ratio": "2:3"}, "WEBP", (682, 1024)),
    ("aivisualstudio", {"output_format": "jpeg", "aspect_ratio": "1:1"}, "JPEG", (1024, 1024)),
    ("imageapi", {"aspect_ratio": "16:9"}, "PNG", (640, 360)),
    ("imageapi", {"width": 1024, "height": 256}, "PNG", (1024, 256)),
    ("imageapi", {"width": 256, "height": 256, "variant": "logo", "seed": 3}, "PNG", (256, 256)),
]


@pytest.mark.parametrize(("slug", "asked", "form", "size"), PICTURES)
def test_a_picture_opens_in_pillow(make, slug, asked, form, size):
    [asset] = make(slug, **asked)
    with Image.open(asset.path) as picture:
        picture.load()
        assert (picture.format, (asset.width, asset.height)) == (form, picture.size)
        assert all(abs(side - wanted) <= 2 for side, wanted in zip(picture.size, size, strict=True))
        assert len(picture.convert("RGB").resize((32, 32)).getcolors(1024) or ()) > 5, "it is no blank sheet"


#: provider, request, pixels and seconds
FILMS = [
    ("nanobanana", {"resolution": "360p", "duration": 1, "aspect_ratio": "16:9"}, (640, 360), 1),
    ("nanobanana", {"resolution": "520p", "duration": 0.5, "aspect_ratio": "1:1"}, (520, 520), 0.5),
    ("imaginelab", {"model": "sandbox-video", "aspect_ratio": "1:1", "options": {"duration": 1}}, (640, 640), 1),
    ("aivisualstudio", {"duration": 1, "aspect_ratio": "9:16"}, (432, 768), 1),
]


@pytest.mark.parametrize(("slug", "asked", "size", "seconds"), FILMS)
def test_a_film_opens_in_pyav_and_moves(make, slug, asked, size, seconds):
    [asset] = make(slug, kind="video", **asked)
    with av.open(str(asset.path)) as film:
        frames = [frame.to_image().resize((16, 16)).tobytes() for frame in film.decode(video=0)]
        stream = film.streams.video[0]
        assert all(abs(side - wanted) <= 2 for side, wanted in zip((stream.width, stream.height), size, strict=True))
    assert (asset.width, asset.height, asset.media_type) == (stream.width, stream.height, "video/mp4")
    assert len(set(frames)) > 1
    assert abs(asset.duration - seconds) < 0.2


@pytest.mark.parametrize(("kind", "seconds"), [("voice", None), ("music", 2)])
def test_sound_opens_in_soundfile(make, kind, seconds):
    options = {} if seconds is None else {"options": {"duration": seconds}}
    [asset] = make("imaginelab", kind=kind, model=f"sandbox-{kind}", **options)
    sound, rate = soundfile.read(asset.path)
    assert abs(sound).max() > 0.01, "it is not silence"
    length = len(sound) / rate
    assert abs(length - asset.duration) < 0.1
    assert seconds is None or abs(length - seconds) < 0.1


def test_a_model_opens_in_trimesh_and_shows_itself_in_a_preview(full_server, tmp_path):
    made = Customer(full_server, "nanobanana", tmp_path).generate(
        kind="model3d", prompt="", image="https://pictures.example/chair.png"
    )
    roles = {asset.role: asset for asset in made.assets}
    scene = trimesh.load(io.BytesIO(roles["main"].read()), file_type="glb")
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) > 10
    with Image.open(roles["preview"].path) as picture:
        assert picture.size == (512, 512)


def test_a_text_is_a_file_of_utf_8(make):
    [asset] = make("imaginelab", kind="text", model="sandbox-text", prompt="ein Fuchs im Schnee ❄")
    assert len(asset.path.read_text("utf-8").split()) > 5
    assert asset.media_type == "text/plain"


def test_each_file_says_beside_it_what_it_is_of(make):
    [asset] = make("imageapi", width=256, height=256, seed=3)
    beside = json.loads(asset.path.with_name(f"{asset.path.name}.json").read_text("utf-8"))
    assert (beside["prompt"], beside["provider"], beside["seed"]) == ("a fox", "imageapi", 3)
