"""How large a sandbox picture or video is: pixels from ratio, width, height, quality and resolution; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstep.errors import InvalidRequest

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

LEAST, MOST = 64, 4096
#: pixels of the long side, by quality; and where only a ratio is said
QUALITY = {"2k": 2048, "4k": 4096}
LONG = 1024
#: the shape of a kind where none is said
USUAL = {"video": "16:9", "infographic": "3:4"}
#: pixels of the short side, by resolution
RESOLUTION = {"360p": 360, "520p": 520, "720p": 720, "1080p": 1080}


def size(request: GenerationRequest) -> tuple[int, int] | None:
    """Width and height in pixels (even for video), or None where nothing is said; else :class:`InvalidRequest`."""
    width, height, grade = request.width, request.height, request.quality or request.resolution
    if width is None and height is None and request.aspect_ratio is None and grade is None:
        return None
    ratio = request.aspect_ratio or USUAL.get(request.kind, "1:1")
    across, down = (int(part) for part in ratio.split(":"))
    if width is not None or height is not None:
        if grade is not None:
            name = "quality" if request.quality else "resolution"
            raise _refuse(name, "beside width and height it says nothing new; leave one of them out")
        if width is None:
            width = round((height or 0) * across / down)
        elif height is None:
            height = round(width * down / across)
        elif (
            request.aspect_ratio and abs(width - height * across / down) > 1 and abs(height - width * down / across) > 1
        ):
            raise _refuse("aspect_ratio", f"{ratio} and {width}x{height} pixels disagree; leave one of them out")
    elif request.resolution is not None:
        short = RESOLUTION[request.resolution]
        width, height = round(short * max(1.0, across / down)), round(short * max(1.0, down / across))
    else:
        long = QUALITY.get(request.quality or "", LONG)
        width, height = round(long * min(1.0, across / down)), round(long * min(1.0, down / across))
    assert width is not None
    assert height is not None
    if not (LEAST <= width <= MOST and LEAST <= height <= MOST):
        name = "aspect_ratio" if request.aspect_ratio else "width"
        raise _refuse(name, f"that would be {width}x{height} pixels; each side may have {LEAST} to {MOST}")
    return (width // 2 * 2, height // 2 * 2) if request.kind == "video" else (width, height)


def _refuse(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {why}", field=name, provider="sandbox")
