"""The pixel size of a picture, from its header."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib import import_module
from typing import BinaryIO

SOS = 0xDA
# Frame headers of JPEG: SOF0 to SOF15 without DHT, JPG and DAC.
_SOF = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PLUGINS = {
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
}


def size(file: BinaryIO, media_type: str) -> tuple[int, int]:
    """(width, height) in pixels, or :class:`ValueError`, :class:`struct.error` where the header is malformed."""
    head = file.read(40)
    if media_type == "image/png":
        width, height = struct.unpack_from(">II", head, 16)
    elif media_type == "image/gif":
        width, height = struct.unpack_from("<HH", head, 6)
    elif media_type == "image/webp":
        width, height, _ = webp_canvas(head)
    elif media_type == "image/jpeg":
        width, height = _jpeg(file)
    else:
        file.seek(0)
        width, height = _by_pillow(file, media_type)
    return width, height


def webp_canvas(head: bytes) -> tuple[int, int, bool]:
    """(width, height, has alpha) of a WebP, from its first 30 bytes at least (RFC 9649, section 2)."""
    form = head[12:16]
    if form == b"VP8X":
        flags, width, height = head[20], int.from_bytes(head[24:27], "little"), int.from_bytes(head[27:30], "little")
        return width + 1, height + 1, bool(flags & 0x10)
    if form == b"VP8L" and head[20:21] == b"\x2f":
        bits = struct.unpack_from("<I", head, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    if form == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF, False
    raise ValueError("no WebP frame")


def jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, start of its content, end) of each segment of a JPEG, to SOS inclusive; ValueError where malformed."""
    at = 2
    while True:
        file.seek(at)
        fill, marker, length = struct.unpack(">BBH", file.read(4))
        if fill != 0xFF or length < 2:
            raise ValueError("no JPEG segment")
        if marker == 0xFF:
            at += 1
            continue
        yield marker, at + 4, at + 2 + length
        if marker == SOS:
            return
        at += 2 + length


def _jpeg(file: BinaryIO) -> tuple[int, int]:
    for marker, start, _ in jpeg_segments(file):
        if marker in _SOF:
            file.seek(start)
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
    raise ValueError("no JPEG frame")


def _by_pillow(file: BinaryIO, media_type: str) -> tuple[int, int]:
    """By Pillow's own reader of the format, which reads the header; ``Image.open`` would try them all, and warn."""
    module, name = _PLUGINS.get(media_type, ("", ""))
    if not module:
        raise ValueError(f"no reader for {media_type}")
    try:
        with getattr(import_module(module), name)(file) as picture:
            width, height = picture.size
    except Exception as error:  # noqa: BLE001  (Pillow's readers raise whatever garbage leads them to)
        raise ValueError(str(error)) from None
    return width, height
