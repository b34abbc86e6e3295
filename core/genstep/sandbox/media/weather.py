"""Weather in front of a scene: falling snow, and fog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from .canvas import Stage, Step, shape_mask
from .land import WHITE, mist
from .palette import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOG = frozenset({"fog", "foggy", "mist", "misty", "haze", "smoke"})
_SNOW = frozenset({"snow", "snowy", "snowfall", "winter", "blizzard", "christmas"})


def weather(stage: Stage) -> Iterator[Step]:
    """Yield the weather that the prompt asks for."""
    if stage.words & _FOG:
        for level in (0.52, 0.66, 0.80):
            colour = mix(mix(stage.palette.haze, stage.palette.horizon, 0.6), WHITE, 0.1)
            yield mist(stage, level, 0.30, colour, 0.8, 0.4 + 0.5 * level)
    if stage.words & _SNOW:
        for share in (0.15, 1.0):
            yield _flakes(stage, share)


def _flakes(stage: Stage, share: float) -> Step:
    # Flakes that fall over the clip; a share of 0 is far and small, 1 near and soft.
    rng = stage.rng
    radius = stage.unit * (0.0014 + 0.0045 * share**2)
    count = int((230 - 150 * share) * stage.wide * stage.height / stage.unit**2)
    flakes = [
        (rng.random() * stage.wide, rng.random() * stage.height, radius * rng.uniform(0.6, 1.3)) for _ in range(count)
    ]

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        for x, y, size in flakes:
            canvas.ellipse([v * scale for v in (x - size, y - size, x + size, y + size)], fill=int(225 - 70 * share))

    mask = shape_mask((stage.wide, stage.height), draw)
    if share:
        mask = mask.filter(ImageFilter.BoxBlur(radius * 0.35 * share))
    fall = stage.height * stage.seconds * (0.08 + 0.12 * share)

    def paint(frame: Image.Image, t: float) -> None:
        # The sheet of flakes wraps, so that it is full at any time.
        down = round(fall * t) % stage.height
        x = -stage.bleed + round(stage.bleed * 0.5 * t)
        for y in (down - stage.height, down):
            frame.paste(WHITE, (x, y, x + mask.width, y + mask.height), mask)

    return paint
