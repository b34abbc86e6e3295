"""Sound files: samples between -1 and 1 written as 16-bit WAV with the sandbox's mark, or as MP3 by PyAV."""

from __future__ import annotations

import io
import struct
import sys
import wave
from array import array
from typing import TYPE_CHECKING

from .libav import encoder, load
from .medium import MARK, Media

if TYPE_CHECKING:
    from collections.abc import Sequence

_MP3_FRAME = 1152


def sound(channels: Sequence[array[float]], rate: int, output_format: str, loudness: float = 0.6) -> Media:
    """Return the channels (of one length, at any scale) as a file of `rate` samples a second, peaking at `loudness`."""
    highest, lowest = max(map(max, channels)), min(map(min, channels))
    peak = max(highest, -lowest) or 1.0
    scale = 32767 * loudness / peak
    count = len(channels[0])
    mixed = array("h", bytes(2 * count * len(channels)))
    for index, channel in enumerate(channels):
        mixed[index :: len(channels)] = array("h", [int(value * scale) for value in channel])
    if sys.byteorder == "big":
        mixed.byteswap()
    if output_format == "mp3":
        return Media(_mp3(mixed.tobytes(), len(channels), rate), "audio/mpeg", ".mp3", duration=count / rate)
    return Media(_wav(mixed.tobytes(), len(channels), rate), "audio/wav", ".wav", duration=count / rate)


def _wav(samples: bytes, channels: int, rate: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    data = bytearray(out.getvalue())
    info = b"INFO" + b"".join(_entry(key, MARK.encode()) for key in (b"ICMT", b"ISFT"))
    data += b"LIST" + struct.pack("<I", len(info)) + info
    data[4:8] = struct.pack("<I", len(data) - 8)
    return bytes(data)


def _entry(key: bytes, text: bytes) -> bytes:
    text += b"\0" * (2 - len(text) % 2)
    return key + struct.pack("<I", len(text)) + text


def _mp3(samples: bytes, channels: int, rate: int) -> bytes:
    av = load()
    layout = "stereo" if channels == 2 else "mono"
    out = io.BytesIO()
    with av.open(out, "w", format="mp3", options={"fflags": "+bitexact"}) as container:
        container.metadata["comment"] = MARK
        stream = container.add_stream(encoder("mp3"), rate=rate, layout=layout, options={"b": "128k"})
        planar = av.AudioResampler(format="s16p", layout=layout, rate=rate, frame_size=_MP3_FRAME)
        step = 2 * channels * _MP3_FRAME
        for start in range(0, len(samples), step):
            part = samples[start : start + step]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(part) // (2 * channels))
            frame.planes[0].update(part.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate = rate
            frame.pts = start // (2 * channels)
            for ready in planar.resample(frame):
                container.mux(stream.encode(ready))
        for ready in planar.resample(None):
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return out.getvalue()
