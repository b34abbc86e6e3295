"""Pictures say that a model made them: in XMP that other tools read, with every pixel as it was."""

import io
import struct
import zlib
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.core import media

from genstep.provenance import SOURCE_TYPE, mark

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"

FORMS = {
    "png": ("image/png", media.picture("PNG")),
    "png with alpha": ("image/png", media.picture("PNG", "RGBA")),
    "png with palette": ("image/png", media.picture("PNG", "P")),
    "jpeg": ("image/jpeg", media.picture("JPEG")),
    "jpeg progressive": ("image/jpeg", media.picture("JPEG", progressive=True)),
    "jpeg with exif": ("image/jpeg", media.picture("JPEG", exif=b"Exif\0\0" + media.picture("TIFF"))),
    "webp lossy": ("image/webp", media.picture("WEBP")),
    "webp lossless": ("image/webp", media.picture("WEBP", lossless=True)),
    "webp lossless with alpha": ("image/webp", media.picture("WEBP", "RGBA", lossless=True)),
    "webp lossy with alpha": ("image/webp", media.picture("WEBP", "RGBA")),
    "webp with exif": ("image/webp", media.picture("WEBP", exif=b"Exif\0\0" + media.picture("TIFF"))),
    "webp odd size": ("image/webp", media.picture("WEBP", "RGB", (33, 7))),
}
OTHER_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="uuid:fox" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def statements(data: bytes) -> dict[str, str]:
    """What the picture's XMP says, as an XML parser reads it out of what Pillow finds."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    found: dict[str, str] = {}
    for description in ET.fromstring(packet.rstrip(b"\0 ")).iter(f"{RDF}Description"):
        assert not found.keys() & description.attrib.keys() - {f"{RDF}about"}
        found |= description.attrib
    return found


def pixels(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.mode, image.size, image.tobytes()


def png_with(*chunks: tuple[bytes, bytes], after_pixels: bool = False) -> bytes:
    data = media.picture("PNG")
    at = len(data) - 12 if after_pixels else 33
    made = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return data[:at] + made + data[at:]


def jpeg_with(marker: int, content: bytes) -> bytes:
    data = media.picture("JPEG")
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[2:]


@pytest.mark.parametrize(("media_type", "data"), FORMS.values(), ids=FORMS)
def test_the_mark_is_found_and_no_pixel_changes(media_type, data):
    marked = mark(data, media_type, tool="genstep 1.2")
    assert statements(marked)[f"{IPTC}DigitalSourceType"] == SOURCE_TYPE
    assert statements(marked)[f"{XMP}CreatorTool"] == "genstep 1.2"
    assert f"{IPTC}AIPromptInformation" not in statements(marked)
    assert pixels(marked) == pixels(data)
    with Image.open(io.BytesIO(marked)) as image:
        image.verify()
    with Image.open(io.BytesIO(marked)) as after, Image.open(io.BytesIO(data)) as before:
        assert after.getexif() == before.getexif()
        assert after.info.get("icc_profile") == before.info.get("icc_profile")


@pytest.mark.parametrize(("media_type", "data"), FORMS.values(), ids=FORMS)
def test_to_mark_again_changes_nothing(media_type, data):
    marked = mark(data, media_type)
    assert mark(marked, media_type) is marked


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp"])
def test_the_prompt_is_written_on_request_whatever_it_holds(media_type):
    data = media.picture(media_type[6:].upper())
    prompt = "a \"red\" fox & <hens> in 'snow' ❄\x00\x0b\ud800"
    assert statements(mark(data, media_type, prompt=prompt))[f"{IPTC}AIPromptInformation"] == (
        "a \"red\" fox & <hens> in 'snow' ❄"
    )


def test_a_prompt_too_long_for_a_jpeg_leaves_the_file_alone_but_not_others():
    long = "fox " * 20_000
    jpeg = media.picture("JPEG")
    assert mark(jpeg, "image/jpeg", prompt=long) is jpeg
    assert statements(mark(media.picture("PNG"), "image/png", prompt=long))[f"{IPTC}AIPromptInformation"] == long


def test_an_animation_keeps_its_frames():
    frames = [Image.new("RGB", (16, 16), (number * 80, 0, 0)) for number in range(3)]
    for form in ("PNG", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=100)
        marked = mark(out.getvalue(), f"image/{form.lower()}")
        with Image.open(io.BytesIO(marked)) as image:
            assert image.n_frames == 3
        assert statements(marked)[f"{IPTC}DigitalSourceType"] == SOURCE_TYPE


# ---- what is there already

KEYWORD = b"XML:com.adobe.xmp\0"
WITH_XMP = {
    "png": ("image/png", png_with((b"iTXt", KEYWORD + bytes(4) + OTHER_XMP.encode()))),
    "png, compressed": (
        "image/png",
        png_with((b"iTXt", KEYWORD + b"\1\0en\0xmp\0" + zlib.compress(OTHER_XMP.encode()))),
    ),
    "png, behind the pixels": (
        "image/png",
        png_with((b"iTXt", KEYWORD + bytes(4) + OTHER_XMP.encode()), after_pixels=True),
    ),
    "jpeg": ("image/jpeg", jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + OTHER_XMP.encode())),
    "webp": ("image/webp", media.picture("WEBP", xmp=OTHER_XMP.encode())),
}


@pytest.mark.parametrize(("media_type", "data"), WITH_XMP.values(), ids=WITH_XMP)
def test_xmp_that_is_there_is_kept_and_added_to(media_type, data):
    marked = mark(data, media_type)
    said = statements(marked)
    assert said["{http://purl.org/dc/elements/1.1/}format"] == "image/png"
    assert said[f"{IPTC}DigitalSourceType"] == SOURCE_TYPE
    assert said[f"{RDF}about"] == "uuid:fox"
    assert pixels(marked) == pixels(data)
    assert mark(marked, media_type) is marked


def test_another_tool_that_is_named_already_stays_the_tool():
    packet = OTHER_XMP.replace(
        "dc:format", 'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Other 9" dc:format'
    )
    said = statements(mark(media.picture("WEBP", xmp=packet.encode()), "image/webp"))
    assert said[f"{XMP}CreatorTool"] == "Other 9"
    assert said[f"{IPTC}DigitalSourceType"] == SOURCE_TYPE


def test_a_statement_that_the_service_made_itself_is_untouched():
    packet = OTHER_XMP.replace(
        "dc:format",
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'Iptc4xmpExt:DigitalSourceType="compositeSynthetic" dc:format',
    )
    data = media.picture("WEBP", xmp=packet.encode())
    assert mark(data, "image/webp") is data


def test_a_signed_manifest_is_not_broken():
    png = png_with((b"caBX", b"jumb"))
    jpeg = jpeg_with(0xEB, b"JP\0\1\0\0\0\1jumb")
    webp = media.picture("WEBP", xmp=b"jumb").replace(b"XMP ", b"C2PA")
    assert mark(png, "image/png") is png
    assert mark(jpeg, "image/jpeg") is jpeg
    assert mark(webp, "image/webp") is webp


def test_xmp_that_cannot_be_added_to_leaves_the_file_alone():
    for packet in (b"<x:xmpmeta/>", OTHER_XMP.encode("utf-16")):
        data = jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
        assert mark(data, "image/jpeg") is data


def test_compressed_xmp_that_would_fill_the_memory_leaves_the_file_alone():
    data = png_with((b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(b" " * 50_000_000)))
    assert mark(data, "image/png") is data


# ---- what is not ours to mark


@pytest.mark.parametrize("media_type", ["image/gif", "image/avif", "video/mp4", "text/plain", "application/json"])
def test_other_types_are_left_alone(media_type):
    data = b"anything"
    assert mark(data, media_type) is data


@pytest.mark.parametrize(("media_type", "data"), FORMS.values(), ids=FORMS)
def test_a_cut_header_is_left_alone(media_type, data):
    for length in (0, 5, 12, 20, 30):
        assert mark(data[:length], media_type) == data[:length]


@given(
    st.sampled_from(list(FORMS.values()) + list(WITH_XMP.values())),
    st.integers(0, 1000),
    st.binary(max_size=30),
    st.booleans(),
)
def test_garbage_never_crashes_and_never_loses_its_bytes(form, at, noise, cut):
    media_type, data = form
    garbled = data[:at] + noise + (b"" if cut else data[at + len(noise) :])
    marked = mark(garbled, media_type)
    assert marked is garbled or len(marked) > len(garbled)
