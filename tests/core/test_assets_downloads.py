"""Downloads that break go on, and what is not the result is said to be none; neither leaves anything behind."""

import asyncio
import errno
import struct
import tracemalloc
import zlib
from contextlib import asynccontextmanager

import pytest
from tests.core import media
from tests.core.results import ABOUT, PNG, URL, Answer, Host, names, refusal, save

from genstep.assets import AssetStore, places
from genstep.provider import Output


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
    host = Host(PNG * 50, faults=[{"breaks_after": 100}] * 99)
    error = refusal(AssetStore(tmp_path), Output(url=URL), host)
    assert error.code == "download"
    assert "broke off after" in error.message
    assert len(host.starts) > 4
    assert names(tmp_path) == []


def test_what_breaks_before_the_first_byte_is_the_transports_own_error(tmp_path):
    host = Host(PNG, faults=[{"refused": True}] * 99)
    assert "refused" in refusal(AssetStore(tmp_path), Output(url=URL), host).message
    assert set(host.starts) == {0}


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


@pytest.mark.parametrize(
    ("status", "code"), [(503, "download"), (429, "download"), (400, "asset_status"), (206, "asset_status")]
)
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
    begun = asyncio.Event()

    class Slow(Answer):
        async def chunks(self):
            yield PNG[:100]
            begun.set()
            await asyncio.Event().wait()

    @asynccontextmanager
    async def fetch(url, *, start=0):
        yield Slow(200, len(PNG), PNG, None, None)

    async def run():
        saving = AssetStore(tmp_path).save(Output(url=URL), stem="fox-1", kind="image", fetch=fetch, about=ABOUT)
        task = asyncio.create_task(saving)
        await begun.wait()
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


def huge_png(width, height, idat):
    """A PNG that claims to be far larger than its bytes."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_measured_and_marked_but_never_unpacked(tmp_path):
    bomb = huge_png(50_000, 50_000, zlib.compress(bytes(50_000_000), 9))
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        asset = save(AssetStore(tmp_path), Output(url=URL), Host(bomb))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (asset.width, asset.height) == (50_000, 50_000)
    assert b"trainedAlgorithmicMedia" in asset.read()
    assert most < 20_000_000


def test_a_picture_whose_announced_length_is_too_short_is_refused(tmp_path):
    error = refusal(AssetStore(tmp_path), Output(url=URL), Host(PNG[:-20]))
    assert error.code == "asset_broken"
    assert names(tmp_path) == []


class Trickle:
    """A host whose body comes in small pieces, so many seconds apart."""

    def __init__(self, body, piece, seconds):
        self.body, self.piece, self.seconds, self.starts = body, piece, seconds, []

    @asynccontextmanager
    async def fetch(self, url, *, start=0):
        self.starts.append(start)
        host = self

        class Slow(Answer):
            async def chunks(self):
                for at in range(start, len(host.body), host.piece):
                    await asyncio.sleep(host.seconds)
                    yield host.body[at : at + host.piece]

        yield Slow(206 if start else 200, len(self.body) - start, b"", None, None)


def test_a_body_that_trickles_is_given_up_and_may_come_another_day(tmp_path):
    host = Trickle(media.picture("BMP", "RGB", (600, 600)), 500, 10)
    error = refusal(AssetStore(tmp_path), Output(url=URL), host)
    assert error.code == "download"
    assert "too slowly" in error.message
    assert len(host.starts) > 1
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "body"), [("image", media.picture("BMP", "RGB", (1600, 1600))), ("voice", PNG * 99999)]
)
def test_a_body_that_comes_for_too_long_is_given_up(tmp_path, kind, body):
    error = refusal(AssetStore(tmp_path), Output(url=URL), Trickle(body, 65_000, 60), kind=kind)
    assert error.code == "download"
    assert "takes too long" in error.message


def test_a_later_attempt_goes_on_where_the_last_one_broke(tmp_path):
    data = media.picture("BMP", "RGB", (60, 60))
    refused = [{"refused": True}] * 4
    host = Host(data, faults=[{"breaks_after": 3000}, *refused[:3], {"breaks_after": 4000}])
    assert save(AssetStore(tmp_path), Output(url=URL), host).read() == data
    assert host.starts.count(0) == 1
    assert host.starts[-1] == 7000
