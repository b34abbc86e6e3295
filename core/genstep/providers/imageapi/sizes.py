"""A size in pixels for a ratio, which document 004 does not know: pure arithmetic, 256 to 1024 in steps of eight."""

from __future__ import annotations

import math
from functools import lru_cache

from genstep.errors import InvalidRequest

LEAST, MOST, STEP, DEFAULT = 256, 1024, 8, 512
_SIDES = range(LEAST, MOST + 1, STEP)


def fit(ratio: str | None, width: int | None, height: int | None) -> tuple[int, int]:
    """Width and height for what was said; :class:`InvalidRequest` where they disagree or no size can be that shape.

    A side that is not said is 512, as in the document, or follows from the ratio.
    """
    if ratio is None:
        return width or DEFAULT, height or DEFAULT
    across, down = (int(part) for part in ratio.split(":"))
    if across > 4 * down or down > 4 * across:
        raise _refuse("aspect_ratio", f"imageapi makes ratios from 1:4 to 4:1, not {ratio}")
    if width is None and height is None:
        return _nearest(across, down)
    if width is None:
        assert height is not None
        return _other("height", height, across, down), height
    if height is None:
        return width, _other("width", width, down, across)
    # each side may have been rounded to whole eights
    if abs(width - height * across / down) >= STEP and abs(height - width * down / across) >= STEP:
        raise _refuse("aspect_ratio", f"{ratio} and {width}x{height} pixels disagree; leave one of them out")
    return width, height


def _other(name: str, side: int, other: int, own: int) -> int:
    length = round(side * other / own / STEP) * STEP
    if not LEAST <= length <= MOST:
        low, high = math.ceil(LEAST * own / other), math.floor(MOST * own / other)
        raise _refuse(name, f"beside this aspect_ratio it is {max(low, LEAST)} to {min(high, MOST)} pixels, not {side}")
    return length


@lru_cache(maxsize=256)
def _nearest(across: int, down: int) -> tuple[int, int]:
    """The truest shape; of equally true ones, that whose area is nearest to the default of 512x512."""

    def badness(size: tuple[int, int]) -> tuple[float, float]:
        width, height = size
        untrue = abs(math.log(width * down / (height * across)))
        return round(untrue, 9), abs(math.log(width * height / DEFAULT**2))

    return min(((width, height) for width in _SIDES for height in _SIDES), key=badness)


def _refuse(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {why}", field=name, provider="imageapi")
