"""How large and how long a medium is: from width and height, or an aspect ratio and a long side, within bounds."""

from __future__ import annotations

import math
import re

LARGEST = 8192  # pixels a side
LONGEST = 300.0  # seconds
_RATIO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[:x/]\s*(\d+(?:\.\d+)?)\s*")


def size_for(aspect_ratio: str, long_side: int) -> tuple[int, int]:
    """Return (width, height) in pixels of an aspect ratio `W:H` and a longer side; ValueError where either is wrong."""
    match = _RATIO.fullmatch(aspect_ratio)
    wide, high = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not wide or not high or not math.isfinite(wide / high):
        raise ValueError(f"aspect_ratio must be W:H with two positive numbers, such as 16:9; it is {aspect_ratio!r}")
    if not 1 <= long_side <= LARGEST:
        raise ValueError(f"long_side must be between 1 and {LARGEST} pixels; it is {long_side}")
    scale = long_side / max(wide, high)
    return max(1, round(wide * scale)), max(1, round(high * scale))


def frame_size(
    width: int | None, height: int | None, aspect_ratio: str | None, long_side: int | None, usual: tuple[str, int]
) -> tuple[int, int]:
    """Return (width, height) in pixels: as asked for, else by the ratio (or the `usual` one) and one side."""
    if width is None or height is None:
        shape = size_for(aspect_ratio or usual[0], usual[1] if long_side is None else long_side)
        if width is not None:
            shape = (width, max(1, round(width * shape[1] / shape[0])))
        elif height is not None:
            shape = (max(1, round(height * shape[0] / shape[1])), height)
        width, height = shape
    for name, side in (("width", width), ("height", height)):
        if not 1 <= side <= LARGEST:
            raise ValueError(f"{name} must be between 1 and {LARGEST} pixels; it is {side}")
    return width, height


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size with both sides even and at least 16, as video encoders need them; an odd side grows by one."""
    width, height = (max(16, side + side % 2) for side in size)
    return width, height


def seconds(duration: float | None, usual: float) -> float:
    """Return the duration asked for, or the usual one; ValueError where it is out of bounds."""
    if duration is None:
        return usual
    if not 0 < duration <= LONGEST:
        raise ValueError(f"duration must be above 0 and at most {LONGEST:g} seconds; it is {duration}")
    return float(duration)
