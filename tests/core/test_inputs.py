"""An input image is read and checked before anything is sent: what is wrong is said in one sentence."""

import base64
import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import media

from genstep.errors import InvalidRequest
from genstep.inputs import MOST_BYTES, read_image
from genstep.models import InputImage

BOTH = frozenset({"url", "data"})
PNG = media.picture("PNG")


def read(image, forms=BOTH):
    return read_image(image, forms=forms, provider="nanobanana")


def refusal(image, forms=BOTH):
    with pytest.raises(InvalidRequest) as caught:
        read(image, forms)
    error = caught.value
    assert (error.field, error.provider) == ("image", "nanobanana")
    assert error.message.startswith("image: ")
    assert "\n" not in error.message
    assert len(error.message) < 400
    return error.message


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
    ],
)
def test_every_form_of_a_picture_is_read(tmp_path, form, media_type):
    data = media.picture(form)
    path = tmp_path / "any.name"
    path.write_bytes(data)
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    expected = InputImage(data=data, media_type=media_type, sha256=hashlib.sha256(data).hexdigest())
    for image in (data, path, str(path), url, expected, InputImage(data=data)):
        assert read(image) == expected


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "fox.png").write_bytes(PNG)
    assert read("~/fox.png").data == PNG


def test_a_data_url_in_its_looser_forms_is_read():
    text = base64.urlsafe_b64encode(PNG).decode().rstrip("=")
    assert read(f"DATA:image/png;name=x;base64,{text}").data == PNG
    assert read("data:;base64," + text[:40] + "\n " + text[40:]).data == PNG
    assert read("data:image/png," + "".join(f"%{byte:02x}" for byte in PNG)).data == PNG


@pytest.mark.parametrize(
    "url", ["https://host.example/fox.png?x=1", "http://host.example/fox", "HTTPS://host.example/f"]
)
def test_a_url_is_handed_on_unread(url):
    assert read(url) == InputImage(url=url)
    assert read(InputImage(url=url)) == InputImage(url=url)


# ---- what the provider takes


def test_a_provider_of_urls_takes_no_bytes_and_says_so(tmp_path):
    for image in (PNG, str(tmp_path), "data:image/png;base64,AAAA", InputImage(data=PNG)):
        assert "nanobanana takes a URL only" in refusal(image, frozenset({"url"}))


def test_a_provider_of_bytes_takes_no_url_and_says_so():
    assert "not a URL; download it" in refusal("https://host.example/fox.png", frozenset({"data"}))
    assert "not a URL; download it" in refusal(InputImage(url="https://host.example/fox.png"), frozenset({"data"}))


# ---- what is no readable picture


def test_paths_that_cannot_be_read_are_named(tmp_path):
    assert "there is no file" in refusal(tmp_path / "none.png")
    assert str(tmp_path / "none.png") in refusal(str(tmp_path / "none.png"))
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "file").write_bytes(PNG)
    assert "cannot be read" in refusal(tmp_path / "file" / "below.png")
    assert "cannot be read" in refusal("x" * 5000)
    assert "is no path" in refusal("")
    assert "is no path" in refusal("fox\0.png")
    assert "~nobody-such" in refusal("~nobody-such/fox.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refusal(tmp_path / "pipe")


@pytest.mark.parametrize(
    "name", ["s3://bucket/fox.png", "file:///fox.png", "https://host.example/a fox.png", "ftp://h/f"]
)
def test_other_urls_are_refused(name):
    assert "not a URL that a service can fetch" in refusal(name)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<html>Not found</html>", "text/html"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\0\1\2\3", "not a picture"),
        (media.sound(), "audio/wav"),
        (media.film(), "video/mp4"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is(tmp_path, data, word):
    for image in (data, "data:image/png;base64," + base64.b64encode(data).decode()):
        message = refusal(image)
        assert word in message
        assert "PNG, JPEG, WebP" in message
    (tmp_path / "fox.png").write_bytes(data)
    assert "fox.png" in refusal(tmp_path / "fox.png")


def test_a_broken_data_url_is_refused():
    assert "data URL" in refusal("data:image/png;base64,####")
    assert "data URL" in refusal("data:image/png;base64")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_cut_picture_is_refused(form):
    data = media.picture(form, "RGB", (200, 100))
    assert "damaged" in refusal(data[: len(data) * 2 // 3])


def test_a_png_whose_bytes_do_not_match_its_checksums_is_refused():
    data = bytearray(PNG)
    data[PNG.index(b"IDAT") + 10] ^= 0xFF
    assert "damaged" in refusal(bytes(data))


def test_a_picture_too_large_to_read_is_refused(tmp_path):
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.write(PNG)
        file.truncate(MOST_BYTES + 1)
    assert "20 MiB" in refusal(large)
    assert "20 MiB" in refusal(PNG + bytes(MOST_BYTES))
    assert "bytes" in refusal("data:image/png;base64," + "A" * (3 * MOST_BYTES))


def test_a_picture_too_large_to_unpack_is_refused_without_being_unpacked():
    data = bytearray(PNG)
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    assert "30000 by 30000 pixels; at most 80 megapixels" in refusal(bytes(data))


def outcome(image):
    """What came of it: an image, or the error that names the field; anything else is a crash."""
    try:
        return read(image)
    except InvalidRequest as error:
        return error


@given(st.binary(max_size=100), st.integers(0, 150))
def test_garbage_is_refused_or_read_but_never_crashes(noise, at):
    for image in (noise, PNG[:at] + noise, PNG[:at] + noise + PNG[at + len(noise) :]):
        result = outcome(image)
        assert (
            result.media_type in ("image/png", "image/bmp")
            if isinstance(result, InputImage)
            else result.field == "image"
        )


@given(st.text(max_size=60))
def test_garbage_text_is_refused(text):
    result = outcome("nowhere-at-all/" + text)
    assert result.url if isinstance(result, InputImage) else result.field == "image"


def test_the_module_loads_no_pillow_until_it_reads():
    code = "import sys, genstep.inputs; print({'PIL', 'httpx', 'asyncio', 'fsspec'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_a_path_object_is_never_a_url():
    assert "there is no file" in refusal(Path("https://host.example/fox.png"))
