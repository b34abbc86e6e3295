"""Pixels and seconds of a saved file, from its header alone: nothing is decoded, and garbage measures None."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genstep.sniff import films, pictures


@dataclass(frozen=True, slots=True)
class Measures:
    """``width`` and ``height`` in pixels, ``duration`` in seconds; None where the header does not say."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None


def measure(path: Path, media_type: str) -> Measures:
    """What the header of ``path`` says of its size and length; never raises on malformed content."""
    try:
        with path.open("rb") as file:
            return _measure(file, media_type)
    except (OSError, ValueError, OverflowError, struct.error):
        return Measures()


def _measure(file: BinaryIO, media_type: str) -> Measures:
    if media_type.startswith("image/"):
        width, height = pictures.size(file, media_type)
        return Measures(width, height) if width > 0 and height > 0 else Measures()
    if media_type in ("video/mp4", "video/quicktime", "audio/mp4"):
        return Measures(*films.mp4(file))
    if media_type in ("video/webm", "video/x-matroska"):
        return Measures(*films.webm(file.read(1 << 20)))
    if media_type == "audio/wav":
        return Measures(duration=_wav(file))
    return Measures()


def _wav(file: BinaryIO) -> float | None:
    """Seconds of a WAV: its data chunk by its byte rate; a streamed one, without a true size, by the file's length."""
    end = file.seek(0, 2)
    at, rate = 12, 0
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            rate = struct.unpack("<8xI", file.read(12))[0]
        elif name == b"data":
            there = end - at - 8
            return min(size or there, there) / rate if rate else None
        at += 8 + size + size % 2
    return None
