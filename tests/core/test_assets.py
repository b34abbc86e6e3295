"""Results are fetched, checked, named, marked and moved into place whole; nothing of another's is ever replaced."""

import asyncio
import base64
import errno
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genstep.assets import AssetStore, places, stem_for
from genstep.errors import AssetError, ConfigurationError
from genstep.provider import Output
from tests.core import media

PNG = media.picture("PNG", "RGB", (40, 30))
JPEG = media.picture("JPEG", "RGB", (40, 30))
URL = "https://cdn.example/fox.png?sig=fake-signature"
ABOUT = {
    "prompt": "a red fox",
    "provider": "conceptviz",
    "model": None,
    "seed": 7,
    "request": {"prompt": "a red fox", "kind": "image"},
    "created_at": 1_760_000_000.0,
    "fingerprint": "0f" * 32,
}


class Host:
    """A host of results in memory: it notes what is asked for, and fails as it is told, one fault an answer."""

    def __init__(self, body=b"", *, faults=(), announce=True, ranges=True, status=200):
        self.body, self.faults, self.announce, self.ranges, self.status = body, list(faults), announce, ranges, status
        self.starts = []

    @asynccontextmanager
    async def fetch(self, url, *, start=0):
        assert url == URL
        self.starts.append(start)
        fault = self.faults.pop(0) if self.faults else {}
        body = fault.get("body", self.body)
        partial = start and self.ranges and "status" not in fault
        if fault.get("refused"):
            raise AssetError("the connection was refused", code="download")
        sent = body[start:] if partial else body
        yield Answer(
            206 if partial else fault.get("status", self.status),
            fault.get("length", len(sent)) if self.announce else None,
            sent,
            fault.get("breaks_after"),
            fault.get("ends_after"),
        )


class Answer:
    media_type = "application/octet-stream"

    def __init__(self, status, length, body, breaks_after, ends_after):
        self.status, self.length = status, length
        self._body, self._breaks, self._ends = body, breaks_after, ends_after

    async def chunks(self):
        stop = self._breaks if self._breaks is not None else self._ends
        body = self._body[:stop]
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]
        if self._breaks is not None:
            raise AssetError("the connection broke", code="download")


def save(store, output, host=None, *, stem="fox-1", kind="image", about=ABOUT):
    return asyncio.run(store.save(output, stem=stem, kind=kind, fetch=(host or Host()).fetch, about=about))


def refusal(store, output, host=None, **options):
    with pytest.raises(AssetError) as caught:
        save(store, output, host, **options)
    assert "fake-signature" not in caught.value.message
    return caught.value


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


# ---- saving


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


# ---- downloads that go wrong


def test_a_download_that_breaks_is_gone_on_with_where_it_broke(tmp_path):
    data = media.picture("BMP", "RGB", (60, 60))
    host = Host(data, faults=[{"breaks_after": 3000}, {"breaks_after": 4000}])
    asset = save(AssetStore(tmp_path), Output(url=URL), host)
    assert host.starts == [0, 3000, 7000]
    assert asset.read() == data


def test_a_download_that_ends_early_is_gone_on_with(tmp_path):
    data = media.picture("BMP", "RGB", (60, 60))
    host = Host(data, faults=[{"ends_after": 2500}])
    assert save(AssetStore(tmp_path), Output(url=URL), host).read() == data
    assert host.starts == [0, 2500]


def test_a_host_without_ranges_is_asked_for_all_of_it_again(tmp_path):
    data = media.picture("BMP", "RGB", (60, 60))
    host = Host(data, faults=[{"breaks_after": 3000}], ranges=False)
    assert save(AssetStore(tmp_path), Output(url=URL), host).read() == data


def test_a_range_of_another_file_is_not_glued_to_the_first(tmp_path):
    data, other = media.picture("BMP", "RGB", (60, 60)), media.picture("BMP", "RGB", (70, 60))
    host = Host(other, faults=[{"breaks_after": 3000, "body": data}])
    assert save(AssetStore(tmp_path), Output(url=URL), host).read() == other
    assert host.starts == [0, 3000, 0]


def test_a_range_past_the_end_starts_again(tmp_path):
    data = media.picture("BMP", "RGB", (60, 60))
    host = Host(data, faults=[{"breaks_after": len(data), "length": None}, {"status": 416}])
    assert save(AssetStore(tmp_path), Output(url=URL), host).read() == data


def test_a_download_that_keeps_breaking_is_an_error_that_another_try_may_mend(tmp_path):
    host = Host(PNG * 50, faults=[{"breaks_after": 100}] * 9)
    error = refusal(AssetStore(tmp_path), Output(url=URL), host)
    assert error.code == "download"
    assert "broke off after" in error.message
    assert len(host.starts) < 9
    assert names(tmp_path) == []


def test_what_breaks_before_the_first_byte_is_the_transports_own_error(tmp_path):
    host = Host(PNG, faults=[{"refused": True}])
    assert "refused" in refusal(AssetStore(tmp_path), Output(url=URL), host).message
    assert host.starts == [0]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_cut_picture_of_unknown_length_is_refused(tmp_path, form):
    data = media.picture(form, "RGB", (200, 100))
    error = refusal(AssetStore(tmp_path), Output(url=URL), Host(data[:-20], announce=False))
    assert error.code == "download"
    assert "cut short" in error.message
    assert refusal(AssetStore(tmp_path), Output(data=data[:-20])).code == "asset_broken"
    assert save(AssetStore(tmp_path), Output(url=URL), Host(data, announce=False)).width == 200
    assert [name for name in names(tmp_path) if ".part" in name] == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_url_is_said_to_be_one(tmp_path, status):
    error = refusal(AssetStore(tmp_path), Output(url=URL), Host(b"gone", status=status))
    assert (error.status, error.code) == (status, "asset_status")
    assert f"https://cdn.example/fox.png answered HTTP {status}; its URL may have expired" in error.message
    assert names(tmp_path) == []


@pytest.mark.parametrize(("status", "code"), [(503, "download"), (429, "download"), (400, "asset_status"), (206, "asset_status")])
def test_an_error_that_may_pass_is_told_from_one_that_stays(tmp_path, status, code):
    error = refusal(AssetStore(tmp_path), Output(url=URL), Host(PNG, status=status))
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("body", "came"),
    [
        (b"<!doctype html><title>Sign in</title>", "an HTML page"),
        (b'{"error": "expired"}', "JSON"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"Not found", "plain text"),
        (b"\0\1\2\3\4", "bytes of no known type"),
        (media.sound(), "audio/wav"),
    ],
)
@pytest.mark.parametrize("kind", ["image", "video", "model3d"])
def test_an_error_page_is_never_a_result(tmp_path, kind, body, came):
    error = refusal(AssetStore(tmp_path), Output(url=URL, media_type="image/png"), Host(body), kind=kind)
    assert error.code == "asset_type"
    assert f"answered {came} instead of" in error.message
    assert "its URL may have expired" in error.message
    assert names(tmp_path) == []


def test_nothing_is_no_result(tmp_path):
    store = AssetStore(tmp_path)
    for output in (Output(url=URL), Output(data=b""), Output(text=""), Output(url="data:,"), Output()):
        assert refusal(store, output).code == "asset_empty"
    assert refusal(store, Output(url="data:image/png;base64,###")).code == "asset_broken"
    assert names(tmp_path) == []


def test_a_result_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("genstep.assets.store.MOST", 2000)
    monkeypatch.setattr("genstep.assets.store.MOST_VIDEO", 3000)
    store = AssetStore(tmp_path)
    announced, silent = Host(bytes(2500)), Host(bytes(1 << 20), announce=False)
    assert refusal(store, Output(url=URL), announced).code == "asset_too_large"
    assert "2,000 bytes" in refusal(store, Output(url=URL), silent).message
    assert refusal(store, Output(url=URL), Host(bytes(2500)), kind="video").code == "asset_type"
    assert names(tmp_path) == []


def test_a_cancelled_download_leaves_nothing(tmp_path):
    class Slow(Answer):
        async def chunks(self):
            yield PNG[:100]
            await asyncio.Event().wait()

    @asynccontextmanager
    async def fetch(url, *, start=0):
        yield Slow(200, len(PNG), PNG, None, None)

    async def run():
        saving = AssetStore(tmp_path).save(Output(url=URL), stem="fox-1", kind="image", fetch=fetch, about=ABOUT)
        task = asyncio.create_task(saving)
        while not names(tmp_path):
            await asyncio.sleep(0)
        assert names(tmp_path)[0].startswith("fox-1.")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert names(tmp_path) == []


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def full(path, flags):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(places, "_flush", full)
    error = refusal(AssetStore(tmp_path), Output(data=PNG))
    assert error.code == "asset_not_saved"
    assert str(tmp_path) in error.message
    assert "No space left on device" in error.message
    assert "resume the job" in error.message
    assert names(tmp_path) == []


# ---- the place


def test_a_place_that_can_be_written_is_checked_once_and_left_clean(tmp_path):
    store = AssetStore(tmp_path / "a" / "b")
    store.check()
    assert names(tmp_path / "a" / "b") == []
    shutil.rmtree(tmp_path / "a")
    store.check()
    assert not (tmp_path / "a").exists()


def test_a_place_that_cannot_be_written_names_itself_and_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for output, word in [(tmp_path / "file", "not a folder"), (tmp_path / "file" / "below", "not a folder")]:
        with pytest.raises(ConfigurationError, match=word) as caught:
            AssetStore(output).check()
        assert str(output) in caught.value.message
        assert "GENSTEP_OUTPUT" in caught.value.message


@pytest.mark.parametrize(
    ("number", "word"), [(errno.EROFS, "Read-only"), (errno.EACCES, "Permission denied"), (errno.ENOSPC, "No space left")]
)
def test_a_probe_that_fails_is_told_and_checked_again(tmp_path, monkeypatch, number, word):
    store = AssetStore(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(ConfigurationError, match=word):
        patch.setattr(Path, "open", _failing(number))
        store.check()
    assert names(tmp_path) == []
    store.check()


def _failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_an_almost_full_disk_is_refused_before_anything_is_paid(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(ConfigurationError, match="only 1,000 bytes are left"):
        AssetStore(tmp_path).check()


def test_what_a_killed_download_left_is_swept_a_day_later_and_nothing_else(tmp_path):
    for name in ("fox-1.0a1b2c3d.part", "fox-2.0a1b2c3d.part", "mine.part", "fox.png"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / "fox-2.0a1b2c3d.part")
    AssetStore(tmp_path).check()
    assert names(tmp_path) == ["fox-2.0a1b2c3d.part", "fox.png", "mine.part"]


@pytest.mark.parametrize("form", ["{0}", "file://{0}", "file://localhost{0}", "local://{0}", "{0}/x/.."])
def test_a_local_place_by_path_or_url_is_the_same(tmp_path, form):
    folder = tmp_path / "müll & art"
    asset = save(AssetStore(form.format(folder)), Output(data=PNG))
    assert asset.path == folder / "fox-1.png"


def test_a_relative_place_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = AssetStore("art")
    monkeypatch.chdir("/")
    assert save(store, Output(data=PNG)).path == tmp_path / "art" / "fox-1.png"


def test_the_default_place_is_the_configured_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GENSTEP_OUTPUT", str(tmp_path / "mine"))
    assert save(AssetStore(), Output(data=PNG)).path.parent == tmp_path / "mine"


def test_a_file_url_of_another_host_is_refused():
    with pytest.raises(ConfigurationError, match="three slashes"):
        AssetStore("file://home/me")


# ---- kept files


def test_a_kept_file_exists_until_it_is_changed_or_gone(tmp_path):
    store = AssetStore(tmp_path)
    asset = save(store, Output(data=PNG))
    assert store.exists(asset)
    asset.path.write_bytes(b"changed")
    assert not store.exists(asset)
    store.remove(asset)
    assert names(tmp_path) == []
    assert not store.exists(asset)
    store.remove(asset)


def test_a_file_that_cannot_be_looked_at_is_not_called_gone(tmp_path, monkeypatch):
    store = AssetStore(tmp_path)
    asset = save(store, Output(data=PNG))
    monkeypatch.setattr(Path, "stat", _failing(errno.EIO))
    with pytest.raises(AssetError, match="cannot be looked at"):
        store.exists(asset)


def test_a_kept_file_is_adopted_by_another_place_with_its_sidecar(tmp_path):
    first, second = AssetStore(tmp_path / "a"), AssetStore(tmp_path / "b")
    asset = save(first, Output(url=URL, metadata={"model": "x"}), Host(PNG))
    assert asyncio.run(first.adopt(asset, "other")) is asset
    copy = asyncio.run(second.adopt(asset, "fox-1"))
    assert copy.path == tmp_path / "b" / "fox-1.png"
    assert copy.read() == asset.read()
    assert (copy.sha256, copy.metadata, copy.source_url) == (asset.sha256, asset.metadata, asset.source_url)
    assert (tmp_path / "b" / "fox-1.png.json").read_bytes() == (tmp_path / "a" / "fox-1.png.json").read_bytes()
    assert asyncio.run(second.adopt(asset, "fox-1")) == copy
    assert asyncio.run(second.adopt(copy, "fox-1")) is copy


def test_a_kept_file_that_was_changed_or_is_gone_is_not_adopted(tmp_path):
    first, second = AssetStore(tmp_path / "a"), AssetStore(tmp_path / "b")
    asset = save(first, Output(data=PNG))
    asset.path.write_bytes(b"changed")
    with pytest.raises(AssetError, match="was changed"):
        asyncio.run(second.adopt(asset, "fox-1"))
    asset.path.unlink()
    with pytest.raises(AssetError, match="could not be saved"):
        asyncio.run(second.adopt(asset, "fox-1"))
    assert names(tmp_path / "b") == []


# ---- other stores


@pytest.fixture
def bucket():
    import fsspec

    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("output", ["memory://bucket/art", "memory://bucket/art/", "memory://"])
def test_a_remote_place_is_written_like_a_local_one(bucket, output):
    store = AssetStore(output)
    store.check()
    assert bucket.find("/") == []
    asset = save(store, Output(url=URL), Host(PNG))
    assert asset.path is None
    assert asset.uri == output.rstrip("/").replace("memory:", "memory://", 1).replace("////", "//") + "/fox-1.png" or (
        asset.uri == f"{output}fox-1.png"
    )
    assert hashlib.sha256(asset.read()).hexdigest() == asset.sha256
    assert (asset.width, asset.height) == (40, 30)
    assert [Path(name).name for name in bucket.find("/")] == ["fox-1.png", "fox-1.png.json"]
    assert store.exists(asset)
    assert save(store, Output(url=URL), Host(PNG)) == asset
    assert save(store, Output(data=media.picture("PNG"))).uri.endswith("/fox-1-2.png")
    store.remove(asset)
    assert not store.exists(asset)
    store.remove(asset)


def test_files_move_between_remote_and_local_places(bucket, tmp_path):
    here, there = AssetStore(tmp_path), AssetStore("memory://bucket/art")
    asset = save(here, Output(data=PNG))
    copy = asyncio.run(there.adopt(asset, "fox-1"))
    assert copy.uri == "memory://bucket/art/fox-1.png"
    assert asyncio.run(there.adopt(copy, "fox-1")) is copy
    assert b"a red fox" in bucket.cat_file("/bucket/art/fox-1.png.json")
    store = AssetStore(tmp_path / "back")
    back = asyncio.run(store.adopt(copy, "fox-1"))
    assert back.path.read_bytes() == asset.path.read_bytes()
    assert names(tmp_path / "back") == ["fox-1.png", "fox-1.png.json"]


def test_a_remote_store_that_takes_only_part_of_a_file_is_not_believed(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(type(bucket), "size", lambda self, path: 3)
    error = refusal(AssetStore("memory://bucket/art"), Output(data=PNG))
    assert "does not have all of its" in error.message
    assert names(tmp_path) == []


def test_the_errors_of_a_backend_are_ours(bucket, monkeypatch, tmp_path):
    def fail(self, *args, **kwargs):
        raise KeyError("NoSuchBucket")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(type(bucket), "pipe_file", fail)
    monkeypatch.setattr(type(bucket), "put_file", fail)
    with pytest.raises(ConfigurationError, match=r"memory://bucket/art: it cannot be written .*NoSuchBucket"):
        AssetStore("memory://bucket/art").check()
    assert "NoSuchBucket" in refusal(AssetStore("memory://bucket/art"), Output(data=PNG)).message


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")])
def test_a_missing_backend_is_named_with_the_command_that_installs_it(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("fsspec.registry._registry", {})
    with pytest.raises(ConfigurationError, match=f"pip install {package}"):
        AssetStore(f"{scheme}://bucket/art").check()


def test_an_unknown_store_is_refused():
    with pytest.raises(ConfigurationError, match="no store is known by nowhere://"):
        AssetStore("nowhere://bucket").check()


@pytest.mark.parametrize("output", ["s3://fake-key:fake-word@bucket/art", "s3://bucket/art?key=fake-word"])
def test_secrets_in_the_url_of_a_place_are_refused_and_not_repeated(output):
    with pytest.raises(ConfigurationError) as caught:
        AssetStore(output)
    assert "fake-word" not in caught.value.message


def test_local_results_load_neither_http_nor_fsspec(tmp_path):
    code = (
        "import asyncio, sys; from genstep.assets import AssetStore; from genstep.provider import Output;"
        f"s = AssetStore({str(tmp_path)!r}); s.check();"
        "asyncio.run(s.save(Output(text='x'), stem='a', kind='text', fetch=None, about={}));"
        "print({'PIL', 'httpx', 'httpx2', 'fsspec'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
