"""Media types, measures and completeness of files are decided by their content."""

import io
import json
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import media

from genstep import sniff

PICTURES = {
    "image/png": media.picture("PNG"),
    "image/jpeg": media.picture("JPEG"),
    "image/webp": media.picture("WEBP"),
    "image/gif": media.picture("GIF", "P"),
    "image/bmp": media.picture("BMP"),
    "image/tiff": media.picture("TIFF"),
    "image/avif": media.picture("AVIF"),
}
FILMS = {
    "video/mp4": media.film("mp4"),
    "video/quicktime": media.film("mov"),
    "video/webm": media.film("webm", "libvpx"),
    "video/x-matroska": media.film("matroska", "mpeg4"),
}
SOUNDS = {
    "audio/wav": media.sound(),
    "audio/mpeg": media.compressed_sound("mp3", "libmp3lame"),
    "audio/aac": media.compressed_sound("adts", "aac"),
    "audio/ogg": media.compressed_sound("ogg", "flac"),
    "audio/flac": media.compressed_sound("flac", "flac"),
    "audio/mp4": media.compressed_sound("ipod", "aac"),
}


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"content")
    return out.getvalue()


OTHERS = {
    "model/gltf-binary": media.model(),
    "model/gltf+json": json.dumps({"asset": {"version": "2.0"}, "meshes": []}).encode(),
    "model/vnd.usdz+zip": zipped("scene.usdc"),
    "application/zip": zipped("readme.txt"),
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "application/json": b'{"error": {"code": "expired"}}',
}
EVERYTHING = {**PICTURES, **FILMS, **SOUNDS, **OTHERS}


@pytest.mark.parametrize(("name", "data"), EVERYTHING.items(), ids=EVERYTHING)
def test_real_files_of_every_type_are_known(name, data):
    assert sniff.media_type(data) == name
    assert sniff.media_type(data[: sniff.HEAD]) == name
    assert sniff.extension(name) != ".bin"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<!DOCTYPE html><html><body>Not found</body></html>", "text/html"),
        ("\ufeff\n <!-- cdn --> <!doctype HTML>\n<title>503</title>", "text/html"),
        ("<HTML><HEAD>", "text/html"),
        ("<h1>Forbidden</h1>", "text/html"),
        ('<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD"><html/>', "text/html"),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ('<?xml version="1.0"?>\n<!-- drawn --><!DOCTYPE svg PUBLIC "x" [<!ENTITY a "b">]><svg>', "image/svg+xml"),
        ("<?xml version='1.0'?><x:svg xmlns:x='http://www.w3.org/2000/svg'></x:svg>", "image/svg+xml"),
        ("<Error><Code>AccessDenied</Code></Error>", "application/xml"),
        ('<?xml version="1.0"?><Error>', "application/xml"),
        ("<!-- " + "long " * 2000, "application/xml"),
        ('  {"detail": "gone"}', "application/json"),
        ("[]", "application/json"),
        ('[{"url": 1}]', "application/json"),
        ('{"images": ["' + "x" * 9000, "application/json"),
        ("[Verse 1]\nA red fox", "text/plain"),
        ("[1] A footnote", "text/plain"),
        ("{{name}} is a fox", "text/plain"),
        ("<Verse 1>\nA red fox", "text/plain"),
        ("<3 foxes", "text/plain"),
        ("ein Füchslein im Schnee ❄", "text/plain"),
        ("The free fox", "text/plain"),
        ("BMW builds foxes", "text/plain"),
    ],
)
def test_text_in_its_forms_is_told_apart(text, name):
    assert sniff.media_type(text.encode()) == name
    assert sniff.media_type(text.encode("utf-16")) == name


def test_a_text_that_is_cut_within_a_letter_is_still_text():
    assert sniff.media_type(("x" * (sniff.HEAD - 1) + "ü").encode()) == "text/plain"


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\0", b"\x93random\x00bytes\xff", b"caf\xe9 in latin-1", b"\xff\xff\xff\xff"]
)
def test_unknown_bytes_have_no_type(data):
    assert sniff.media_type(data) is None


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("image", set(PICTURES)),
        ("infographic", set(PICTURES)),
        ("video", set(FILMS)),
        ("model3d", {"model/gltf-binary", "model/gltf+json", "model/vnd.usdz+zip", "application/zip"}),
        ("voice", {*SOUNDS, *FILMS}),
        ("music", {*SOUNDS, *FILMS}),
        ("text", {"application/json", "text/plain"}),
    ],
)
def test_each_kind_takes_its_own_types_and_never_an_error_page(kind, taken):
    candidates = {*EVERYTHING, "text/plain", "text/html", "image/svg+xml", "application/xml"}
    assert {name for name in candidates if sniff.fits(kind, name)} == taken


def test_a_kind_of_a_plug_in_takes_anything_but_markup():
    assert sniff.fits("hologram", "application/zip")
    assert not sniff.fits("hologram", "text/html")
    assert not sniff.fits("hologram", "image/svg+xml")


def test_an_unknown_type_gets_a_neutral_ending():
    assert sniff.extension("application/x-unheard-of") == ".bin"


# ---- measures


@pytest.mark.parametrize(("name", "data"), PICTURES.items(), ids=PICTURES)
def test_pictures_are_measured(tmp_path, name, data):
    (tmp_path / "file").write_bytes(data)
    assert sniff.measure(tmp_path / "file", name) == sniff.Measures(*media.PIXELS)


@pytest.mark.parametrize(
    "data",
    [
        media.picture("WEBP", lossless=True),
        media.picture("WEBP", "RGBA", lossless=True),
        media.picture("WEBP", "RGBA"),
        media.picture("WEBP", exif=b"Exif\0\0II*\0"),
    ],
)
def test_each_form_of_webp_is_measured(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    assert sniff.measure(tmp_path / "file", "image/webp") == sniff.Measures(*media.PIXELS)


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0" + b"x" * 900}, {"comment": "hello"}])
def test_each_form_of_jpeg_is_measured(tmp_path, options):
    (tmp_path / "file").write_bytes(media.picture("JPEG", "RGB", (301, 203), **options))
    assert sniff.measure(tmp_path / "file", "image/jpeg") == sniff.Measures(301, 203)


@pytest.mark.parametrize(("name", "data"), FILMS.items(), ids=FILMS)
def test_films_are_measured(tmp_path, name, data):
    (tmp_path / "file").write_bytes(data)
    measured = sniff.measure(tmp_path / "file", name)
    assert (measured.width, measured.height) == (64, 48)
    assert measured.duration == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("name", ["video/mp4", "video/webm"])
def test_a_film_that_is_cut_anywhere_is_measured_as_far_as_it_goes(tmp_path, name):
    data = FILMS[name]
    # the header of an mp4 may come last
    for end in {*range(0, len(data), 97), *(data.find(box) + 4 for box in (b"mvhd", b"tkhd")), *range(400)}:
        (tmp_path / "file").write_bytes(data[:end])
        assert sniff.measure(tmp_path / "file", name).width in (None, 64)


def test_sound_is_measured_where_its_header_says_it(tmp_path):
    (tmp_path / "file").write_bytes(media.sound(1.25))
    assert sniff.measure(tmp_path / "file", "audio/wav") == sniff.Measures(duration=1.25)
    (tmp_path / "file").write_bytes(SOUNDS["audio/mp4"])
    assert sniff.measure(tmp_path / "file", "audio/mp4").duration == pytest.approx(1.0, abs=0.15)


def test_a_streamed_wav_without_a_size_is_measured_by_its_length(tmp_path):
    data = bytearray(media.sound(0.5))
    data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "file").write_bytes(data)
    assert sniff.measure(tmp_path / "file", "audio/wav").duration == 0.5


def test_a_picture_that_would_fill_the_memory_is_measured_without_being_unpacked(tmp_path):
    head = bytearray(media.picture("PNG"))
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "file").write_bytes(head)
    assert sniff.measure(tmp_path / "file", "image/png") == sniff.Measures(60_000, 60_000)


def test_what_is_gone_or_has_no_size_measures_nothing(tmp_path):
    assert sniff.measure(tmp_path / "none", "image/png") == sniff.Measures()
    (tmp_path / "glb").write_bytes(media.model())
    assert sniff.measure(tmp_path / "glb", "model/gltf-binary") == sniff.Measures()


# ---- whole or cut


@pytest.mark.parametrize(
    "name", ["image/png", "image/jpeg", "image/webp", "audio/wav", "video/mp4", "image/avif", "model/gltf-binary"]
)
def test_a_cut_file_is_noticed_and_a_whole_one_is_not_accused(tmp_path, name):
    data = EVERYTHING[name]
    (tmp_path / "file").write_bytes(data)
    assert sniff.whole(tmp_path / "file", name)
    assert sniff.whole(data, name)
    assert sniff.whole(data + b"junk" * 3, name)
    for length in (len(data) // 2, len(data) - 3):
        assert not sniff.whole(data[:length], name)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture():
    exif = b"Exif\0\0" + media.picture("JPEG", size=(8, 8))
    data = media.picture("JPEG", "RGB", (64, 64), exif=exif)
    assert sniff.whole(data, "image/jpeg")
    assert not sniff.whole(data[:-2], "image/jpeg")


# ---- garbage

garbage = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda data, at, noise: data[:at] + noise + data[at + len(noise) :],
        st.sampled_from(list(EVERYTHING.values())),
        st.integers(0, 400),
        st.binary(max_size=40),
    ),
    st.builds(lambda data, length: data[:length], st.sampled_from(list(EVERYTHING.values())), st.integers(0, 500)),
)


@given(garbage)
def test_garbage_never_crashes_and_its_type_is_one_of_ours(tmp_path_factory, data):
    name = sniff.media_type(data)
    assert name is None or sniff.extension(name) != ".bin"
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(data)
    for each in {name, "image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm", "audio/wav"} - {None}:
        measured = sniff.measure(path, each)
        assert all(value is None or value > 0 for value in (measured.width, measured.height))
        assert sniff.whole(path, each) in (True, False)


@given(st.text(max_size=200))
def test_garbage_text_is_never_taken_for_a_picture(text):
    assert not sniff.fits("image", sniff.media_type(text.encode("utf-8", "replace")) or "text/html")


def test_the_module_loads_no_library():
    code = "import sys, genstep.sniff; print({'PIL', 'httpx', 'pydantic', 'asyncio'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
