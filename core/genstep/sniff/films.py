"""Pixels and seconds of a film: the boxes of MP4 and the elements of WebM, as far as the header."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_MOST_BOXES = 4096

_SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0
_SCALE, _DURATION, _WIDTH, _HEIGHT = 0x2AD7B1, 0x4489, 0xB0, 0xBA


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of its payload, end) of each box between two offsets (ISO/IEC 14496-12, 4.2); its end may lie past
    ``end`` where the file is cut."""
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if start + 8 > end or len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        payload = start + 8
        if size == 1 and len(head) == 16:
            size, payload = struct.unpack_from(">Q", head, 8)[0], start + 16
        elif size == 0:
            size = end - start
        if start + size < payload:
            return
        yield name, payload, start + size
        start += size


def mp4(file: BinaryIO) -> tuple[int | None, int | None, float | None]:
    """(width, height, seconds) of the first track that is seen, from ``moov``."""
    width = height = None
    duration = None
    for name, start, end in boxes(file, 0, file.seek(0, 2)):
        if name != b"moov":
            continue
        for inner, at, stop in boxes(file, start, end):
            if inner == b"mvhd":
                duration = _mvhd(file, at)
            elif inner == b"trak" and not width:
                width, height = _trak(file, at, stop)
        break
    return width or None, height or None, duration


def _mvhd(file: BinaryIO, at: int) -> float | None:
    file.seek(at)
    data = file.read(32)
    scale, length = struct.unpack_from(">IQ", data, 20) if data[:1] == b"\1" else struct.unpack_from(">II", data, 12)
    return length / scale if scale and length and length not in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else None


def _trak(file: BinaryIO, start: int, end: int) -> tuple[int | None, int | None]:
    for name, at, _ in boxes(file, start, end):
        if name == b"tkhd":
            file.seek(at)
            data = file.read(96)
            width, height = struct.unpack_from(">II", data, 88 if data[:1] == b"\1" else 76)
            return width >> 16, height >> 16
    return None, None


def webm(head: bytes) -> tuple[int | None, int | None, float | None]:
    """(width, height, seconds) of a WebM or Matroska file, from its first bytes (RFC 8794, RFC 9559)."""
    width = height = duration = None
    ticks, scale = 0.0, 1_000_000
    stack = [(0, len(head))]
    for _ in range(_MOST_BOXES):
        if not stack:
            break
        at, end = stack.pop()
        if at >= end:
            continue
        name, start = _number(head, at, keep_marker=True)
        size, start = _number(head, start)
        unknown = size == (1 << 7 * (start - at - (name.bit_length() + 7) // 8)) - 1
        stop = end if unknown else min(start + size, end)
        stack.append((stop, end))
        body = head[start : min(stop, start + 8)]
        if name in (_SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO):
            stack.append((start, stop))
        elif name == _SCALE:
            scale = int.from_bytes(body, "big")
        elif name == _DURATION and stop - start in (4, 8):
            ticks = struct.unpack(">f" if len(body) == 4 else ">d", body)[0]
        elif name == _WIDTH:
            width = int.from_bytes(body, "big") or None
        elif name == _HEIGHT:
            height = int.from_bytes(body, "big") or None
    if 0 < ticks < float("inf") and scale:
        duration = ticks * scale / 1e9
    return width, height, duration


def _number(data: bytes, at: int, *, keep_marker: bool = False) -> tuple[int, int]:
    """A variable-size integer at ``at``, and where it ends."""
    first = data[at] if at < len(data) else 0
    length = 9 - first.bit_length()
    if length > 8 or at + length > len(data):
        raise ValueError("no EBML number")
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep_marker else value & ~(1 << 7 * length)), at + length
