"""Small real files of every type, made by other libraries than ours, for tests to look at."""

from __future__ import annotations

import io
import json
import struct
import wave
from functools import cache

import av
import numpy as np
from PIL import Image

PIXELS = (24, 16)


@cache
def picture(form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = PIXELS, **options: object) -> bytes:
    """A picture with a gradient, encoded by Pillow."""
    image = Image.linear_gradient("L").resize(size).convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(size))
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@cache
def sound(seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * int(8000 * seconds)))
    return out.getvalue()


@cache
def film(form: str = "mp4", codec: str = "mpeg4", frames: int = 10) -> bytes:
    """``frames`` frames at 10 a second, 64 by 48 pixels, encoded by ffmpeg's libraries."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as file:
        stream = file.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 20, np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@cache
def compressed_sound(form: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=form) as file:
        stream = file.add_stream(codec, rate=44100)
        stream.layout = "mono"
        fifo = av.AudioFifo()
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        tone.sample_rate = 44100
        fifo.write(av.AudioResampler(format=stream.format, layout="mono", rate=44100).resample(tone)[0])
        while frame := fifo.read(stream.frame_size or 1024, partial=True):
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@cache
def model() -> bytes:
    """A GLB with an empty scene."""
    text = json.dumps({"asset": {"version": "2.0"}, "scenes": [{}]}).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text
