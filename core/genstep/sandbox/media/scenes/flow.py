"""Flowing colour: folds of silk over a soft field of light."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from genstep.sandbox.media.canvas import Stage, Step, backdrop, glow, gradient, layer, shape_mask
from genstep.sandbox.media.land import WHITE
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageDraw

PALETTES = ("rose", "sunset", "tropic", "cosmos", "aurora", "dawn")
WORDS = "abstract flow gradient wallpaper background pattern silk texture"
HINTS = "colour color colours colors music sound idea art logo modern"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the field of light to the nearest fold."""
    rng, palette = stage.rng, stage.palette
    size = (stage.width, stage.height)
    deep = mix(palette.sky[0][1], palette.near, 0.55)
    field = gradient(size, [(0, deep), (0.6, mix(palette.sky[1][1], deep, 0.35)), (1, deep)])
    for colour in (palette.sky[2][1], palette.accent, palette.second, palette.sky[3][1]):
        place = (stage.width * rng.random(), stage.height * rng.random())
        glow(field, place, stage.unit * rng.uniform(0.6, 1.1), colour, rng.uniform(0.3, 0.55), 1.5)
    yield backdrop(field)
    colours = [palette.sky[1][1], palette.sky[2][1], palette.accent, palette.sky[3][1], palette.second, palette.horizon]
    base, slope = rng.uniform(0.30, 0.42), rng.uniform(-0.25, 0.25)
    for i, colour in enumerate(colours):
        yield from _fold(stage, i / (len(colours) - 1), base, slope, colour)


def _fold(stage: Stage, share: float, base: float, slope: float, colour: Colour) -> Iterator[Step]:
    rng = stage.rng
    count = 46
    spin, twist = rng.uniform(0, math.tau), rng.uniform(0.8, 1.7)
    thick = rng.uniform(0.16, 0.30)
    length = 72
    curves: list[list[tuple[float, float]]] = []
    for k in range(count + 1):
        v = k / count
        points = []
        for i in range(length + 1):
            u = i / length
            middle = base + 0.34 * share + slope * (u - 0.5) + 0.10 * math.sin(math.tau * (u * twist) + spin)
            width = thick * math.sin(math.tau * (u * twist * 0.62) + spin * 1.7)
            y = middle + (v - 0.5) * width + 0.02 * math.sin(math.tau * (u * 1.6 + v * 0.5) + spin)
            points.append((u * stage.wide, y * stage.height))
        curves.append(points)

    def silk(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        for k in range(count):
            v = (k + 0.5) / count
            level = int(30 + 190 * (0.5 + 0.5 * math.cos(math.tau * v * 1.5 + spin)) ** 2 * (0.35 + 0.65 * v))
            outline = [*curves[k], *reversed(curves[k + 1])]
            canvas.polygon([(x * scale, y * scale) for x, y in outline], fill=level)

    size = (stage.wide, stage.height)
    mask = shape_mask(size, silk)
    light = gradient(
        size, [(0, mix(colour, WHITE, 0.30)), (0.5, colour), (1, mix(colour, stage.palette.sky[0][1], 0.45))]
    )
    travel = (-stage.bleed * (0.2 + 0.75 * share), 0)
    yield layer(light, mask, (-stage.bleed, 0), travel)
    rims = curves[:: count // 2]

    def rim(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        for points in rims:
            canvas.line(
                [(x * scale, y * scale) for x, y in points], fill=150, width=max(1, round(stage.unit * scale / 900))
            )

    yield layer(mix(colour, WHITE, 0.7), shape_mask(size, rim), (-stage.bleed, 0), travel)
