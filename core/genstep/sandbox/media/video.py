"""Clips: the scene of a picture set in motion, as H.264 in MP4 or VP9 in WebM, by PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from PIL import Image

from .libav import encoder, load
from .medium import MARK, Media
from .picture import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canvas import Step

_RATES = (24, 20, 15, 12)  # frames a second
_BUDGET = 1280 * 720 * 24 * 5  # pixels a clip, above which fewer frames a second are made
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "superfast", "crf": "23", "tune": "animation"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "3M"},
}


def clip(
    prompt: str, seed: int, size: tuple[int, int], seconds: float, output_format: str, image: bytes | None = None
) -> Media:
    """Return a clip of `size` (even sides) and `seconds` long, to a frame; MediaUnavailable without PyAV."""
    av = load()
    rate = next((r for r in _RATES if size[0] * size[1] * seconds * r <= _BUDGET), _RATES[-1])
    count = max(2, round(seconds * rate))
    bleed = round(size[0] * min(0.5, 0.03 * seconds))
    painters = list(steps(prompt, seed, size, image, bleed, seconds))
    out = io.BytesIO()
    # `moov_size` keeps room for the index at the front, so that a player can start before it has the whole file.
    room = {"moov_size": str(8192 + 48 * count)} if output_format == "mp4" else {}
    with av.open(out, "w", format=output_format, options={"fflags": "+bitexact", **room}) as container:
        container.metadata["comment"] = MARK
        _write(av, container, encoder(output_format), rate, count, size, painters)
    return Media(out.getvalue(), f"video/{output_format}", f".{output_format}", *size, duration=count / rate)


def _write(
    av: Any, container: Any, codec: str, rate: int, count: int, size: tuple[int, int], painters: Sequence[Step]
) -> None:
    stream = container.add_stream(codec, rate=rate, options=_OPTIONS.get(codec, {}))
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = Fraction(1, rate)
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1
    frame = Image.new("RGB", size)
    for index in range(count):
        for paint in painters:
            paint(frame, index / max(1, count - 1))
        picture = av.VideoFrame.from_image(frame).reformat(format="yuv420p", dst_colorspace="ITU709")
        picture.pts = index
        picture.time_base = Fraction(1, rate)
        container.mux(stream.encode(picture))
    container.mux(stream.encode(None))
