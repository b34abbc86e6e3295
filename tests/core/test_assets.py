"""Results are checked, named, marked and moved into place whole; nothing of another's is ever replaced."""

import asyncio
import base64
import errno
import hashlib
import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.core import media
from tests.core.results import ABOUT, JPEG, PNG, URL, Host, names, save

from genstep.assets import AssetStore, stem_for
from genstep.provider import Output


def test_a_picture_is_saved_measured_hashed_and_described(tmp_path):
    asset = save(AssetStore(tmp_path / "new" / "art"), Output(url=URL), Host(PNG))
    path = tmp_path / "new" / "art" / "fox-1.png"
    assert (asset.path, asset.uri, asset.role) == (path, path.as_uri(), "main")
    assert (asset.media_type, asset.width, asset.height) == ("image/png", 40, 30)
    assert asset.size == path.stat().st_size
    assert asset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (asset.prompt, asset.seed, asset.source_url) == ("a red fox", 7, "https://cdn.example/fox.png")
    assert names(path.parent) == ["fox-1.png", "fox-1.png.json"]


def test_a_picture_says_that_a_model_made_it_and_keeps_its_pixels(tmp_path):
    for data in (PNG, JPEG, media.picture("WEBP")):
        asset = save(AssetStore(tmp_path), Output(data=data))
        with Image.open(asset.path) as after, Image.open(io.BytesIO(data)) as before:
            assert b"trainedAlgorithmicMedia" in after.info["xmp"]
            assert b"a red fox" not in after.info["xmp"]
            assert after.tobytes() == before.tobytes()


def test_the_sidecar_tells_how_the_file_came_to_be(tmp_path):
    asset = save(AssetStore(tmp_path), Output(url=URL, prompt="a red fox, improved", seed=9), Host(PNG))
    told = json.loads((tmp_path / "fox-1.png.json").read_text("utf-8"))
    assert told["prompt"] == asset.prompt == "a red fox, improved"
    assert told["seed"] == asset.seed == 9
    assert told["source_url"] == "https://cdn.example/fox.png"
    assert told["sha256"] == asset.sha256
    assert told["generator"].startswith("genstep ")
    for name in ("provider", "model", "request", "created_at", "fingerprint"):
        assert told[name] == ABOUT[name]
    assert told["kind"] == "image"
    assert "fake-signature" not in (tmp_path / "fox-1.png.json").read_text()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_files_have_the_users_own_mode(tmp_path):
    before = os.umask(0o027)
    try:
        save(AssetStore(tmp_path), Output(data=PNG))
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)} == {0o640}


@pytest.mark.parametrize(
    ("kind", "data", "extension"),
    [
        ("image", JPEG, ".jpg"),
        ("infographic", media.picture("WEBP"), ".webp"),
        ("video", media.film(), ".mp4"),
        ("video", media.film("webm", "libvpx"), ".webm"),
        ("model3d", media.model(), ".glb"),
        ("voice", media.sound(), ".wav"),
        ("music", media.compressed_sound("mp3", "libmp3lame"), ".mp3"),
        ("text", b"The fox is red.", ".txt"),
    ],
)
def test_every_kind_gets_the_ending_of_its_content(tmp_path, kind, data, extension):
    asset = save(AssetStore(tmp_path), Output(url=URL), Host(data), kind=kind)
    assert asset.path.name == "fox-1" + extension
    if not asset.media_type.startswith("image/"):
        assert asset.read() == data


def test_a_video_and_a_sound_are_measured(tmp_path):
    film = save(AssetStore(tmp_path), Output(data=media.film()), kind="video")
    assert (film.width, film.height, round(film.duration)) == (64, 48, 1)
    assert save(AssetStore(tmp_path), Output(data=media.sound(0.5)), kind="voice").duration == 0.5


def test_text_is_an_asset_in_utf_8(tmp_path):
    asset = save(AssetStore(tmp_path), Output(text="<b>Füchse</b> ❄\n"), kind="text")
    assert (asset.media_type, asset.path.name) == ("text/plain", "fox-1.txt")
    assert asset.path.read_bytes() == "<b>Füchse</b> ❄\n".encode()
    assert asset.source_url is None


def test_a_data_url_is_saved_like_any_other_and_travels_no_further(tmp_path):
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    asset = save(AssetStore(tmp_path), Output(url=url))
    assert (asset.media_type, asset.source_url) == ("image/png", None)
    assert base64.b64encode(PNG)[:40].decode() not in (tmp_path / "fox-1.png.json").read_text()


def test_metadata_and_role_stay_with_the_asset(tmp_path):
    asset = save(AssetStore(tmp_path), Output(data=PNG, role="preview", metadata={"model": "x"}))
    assert (asset.role, asset.metadata) == ("preview", {"model": "x"})


# ---- names


def test_another_file_of_the_same_name_is_never_replaced(tmp_path):
    (tmp_path / "fox-1.png").write_bytes(b"mine")
    (tmp_path / "fox-1-2.png").mkdir()
    asset = save(AssetStore(tmp_path), Output(data=PNG))
    assert asset.path.name == "fox-1-3.png"
    assert (tmp_path / "fox-1.png").read_bytes() == b"mine"


def test_the_same_content_again_is_the_same_file(tmp_path):
    store = AssetStore(tmp_path)
    first = save(store, Output(url=URL), Host(PNG))
    assert save(store, Output(url=URL), Host(PNG)) == first
    assert save(store, Output(data=JPEG)).path.name == "fox-1.jpg"
    assert len(names(tmp_path)) == 4


def test_the_sidecar_of_a_kept_file_is_made_up_for_but_never_replaced(tmp_path):
    store = AssetStore(tmp_path)
    save(store, Output(data=PNG))
    sidecar = tmp_path / "fox-1.png.json"
    sidecar.unlink()
    save(store, Output(data=PNG))
    assert json.loads(sidecar.read_text())["prompt"] == "a red fox"
    sidecar.write_text("mine")
    save(store, Output(data=PNG))
    assert sidecar.read_text() == "mine"


def test_many_savers_of_one_name_never_mix_their_files(tmp_path):
    pictures = [media.picture("PNG", "RGB", (20 + number, 10)) for number in range(6)]

    async def run():
        store = AssetStore(tmp_path)
        saves = [
            store.save(Output(data=data), stem="fox-1", kind="image", fetch=Host().fetch, about=ABOUT)
            for data in pictures * 2
        ]
        return await asyncio.gather(*saves)

    assets = asyncio.run(run())
    assert len({asset.path for asset in assets}) == 6
    for asset in assets:
        assert asset.sha256 == hashlib.sha256(asset.path.read_bytes()).hexdigest()
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


def test_a_file_system_without_links_works_too(tmp_path, monkeypatch):
    def unsupported(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", unsupported)
    (tmp_path / "fox-1.png").write_bytes(b"mine")
    asset = save(AssetStore(tmp_path), Output(data=PNG))
    assert asset.path.name == "fox-1-2.png"
    assert (tmp_path / "fox-1.png").read_bytes() == b"mine"
    assert names(tmp_path) == ["fox-1-2.png", "fox-1-2.png.json", "fox-1.png"]


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("a red fox in the snow", "a-red-fox-in-the-snow-7k2m9q-1"),
        ("  Füchse & Œuvres: déjà vu!  ", "fuchse-uvres-deja-vu-7k2m9q-1"),
        ("雪の中の狐", "generation-7k2m9q-1"),
        ("", "generation-7k2m9q-1"),
        ("../../etc/passwd\0", "etc-passwd-7k2m9q-1"),
        ("CON", "con-7k2m9q-1"),
        ("word " * 100, "word-word-word-word-word-word-word-word-word-7k2m9q-1"),
        ("x" * 100, "x" * 48 + "-7k2m9q-1"),
    ],
)
def test_stems_are_readable(prompt, stem):
    assert stem_for(prompt, "7k2m9q", 1) == stem


@given(st.text(max_size=300), st.text(max_size=80), st.integers(1, 10_000))
def test_stems_are_safe_everywhere(prompt, job, number):
    stem = stem_for(prompt, job, number)
    assert stem.isascii()
    assert all(letter.isalnum() or letter == "-" for letter in stem)
    assert len(stem) < 120
    assert not stem.startswith("-")
    reserved = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
    assert stem not in reserved
