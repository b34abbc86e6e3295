"""Whether a file has all its bytes, by what its own format says; the last word where no length was announced."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from genstep.sniff.films import boxes
from genstep.sniff.pictures import jpeg_segments


def whole(source: Path | bytes, media_type: str) -> bool:
    """False where the format itself says that bytes are missing; True where it has them, or cannot say."""
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        try:
            return _whole(file, media_type)
        except (ValueError, struct.error):
            return False


def _whole(file: BinaryIO, media_type: str) -> bool:
    end = file.seek(0, 2)
    file.seek(0)
    if media_type == "image/png":
        return _png(file, end)
    if media_type == "image/jpeg":
        *_, (_, start, _) = jpeg_segments(file)
        file.seek(start)
        return b"\xff\xd9" in file.read()
    if media_type in ("image/webp", "audio/wav"):
        size = struct.unpack("<4xI", file.read(8))[0]
        return bool(size == 0xFFFFFFFF or 8 + size <= end)
    if media_type == "model/gltf-binary":
        return bool(struct.unpack("<8xI", file.read(12))[0] <= end)
    if media_type in ("video/mp4", "video/quicktime", "audio/mp4", "image/avif"):
        return _boxes(file, end)
    return end > 0


def _png(file: BinaryIO, end: int) -> bool:
    at = 8
    while at < end:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if name == b"IEND":
            return bool(at <= end)
    return False


def _boxes(file: BinaryIO, end: int) -> bool:
    """Index and data are there, neither runs past the end, and no box's head is cut."""
    last, found = 0, set()
    for name, _, stop in boxes(file, 0, end):
        if name in (b"moov", b"mdat", b"moof", b"meta") and stop > end:
            return False
        last = min(stop, end)
        found.add(name)
    return (found >= {b"moov", b"mdat"} or b"meta" in found) and not 0 < end - last < 8
