"""A starry night: curtains of northern lights above snow and pines, mirrored in a lake."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from genstep.sandbox.media.canvas import Stage, Step, gradient, layer
from genstep.sandbox.media.land import hills, mist, pines, ridge, sky, stars, still_water, sun, waves
from genstep.sandbox.media.palette import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("aurora", "night")
WORDS = "aurora stars starry milky meteor northern"
HINTS = "night midnight moonlight arctic dream dreams magic dragon castle owl"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the stars to the nearest pines."""
    rng, palette = stage.rng, stage.palette
    horizon = rng.uniform(0.64, 0.70)
    yield sky(stage, horizon, (stage.width * 0.5, stage.height * horizon), 0.8)
    yield stars(stage, horizon, 1.5)
    for i in range(2):
        yield _curtain(stage, horizon, i)
    if rng.random() < 0.4:
        place = (stage.width * rng.uniform(0.12, 0.88), stage.height * rng.uniform(0.12, 0.22))
        yield sun(stage, place, stage.unit * 0.035, 0, crescent=True)
    for share in (0.2, 0.65):
        colour = mix(palette.haze, palette.near, share)
        line = ridge(rng, 420, 0.53)
        rise = stage.unit * (0.22 - 0.12 * share)
        yield from hills(
            stage, line, horizon - 0.03, rise, (colour, mix(colour, palette.haze, 0.6)), share, horizon + 0.004
        )
    line = ridge(rng, 300, 0.45)
    yield from _far_shore(stage, line, horizon)
    yield still_water(stage, horizon, mix(palette.haze, palette.near, 0.6), 0.3)
    yield mist(stage, horizon, 0.05, palette.haze, 0.45, 0.7)
    edge = [abs(2 * i / 199 - 1) ** 1.5 * 0.8 + 0.2 * v for i, v in enumerate(waves(rng, 200, 1.2))]
    yield from pines(stage, edge, 1.03, stage.unit * 0.13, (palette.near, palette.near), 0.95, stage.unit * 0.20)


def _far_shore(stage: Stage, line: list[float], horizon: float) -> Iterator[Step]:
    shore = mix(stage.palette.haze, stage.palette.near, 0.86)
    yield from pines(stage, line, horizon + 0.005, stage.unit * 0.02, (shore, shore), 0.75, stage.unit * 0.035, 1.6)


def _curtain(stage: Stage, horizon: float, index: int) -> Step:
    rng, palette = stage.rng, stage.palette
    width, height = 360, 200
    canvas = Image.new("L", (width, height))
    profile = Image.frombytes(
        "L", (1, 64), bytes(int(255 * (y / 63) ** 2.0 * min(1, (63 - y) / 13) ** 1.5) for y in range(64))
    )
    line, folds, fine = waves(rng, width, rng.uniform(0.8, 1.5)), waves(rng, width, 3), waves(rng, width, 17)
    shape = waves(rng, width, rng.uniform(4, 7))
    base = height * (0.66 + 0.24 * index)
    for x in range(width):
        bright = (0.15 + 0.85 * folds[x]) * (0.55 + 0.45 * fine[x]) * math.sin(math.pi * (x + 0.5) / width) ** 0.5
        tall = int(height * (0.30 + 0.34 * folds[x] + 0.08 * fine[x]))
        foot = int(base - height * (0.30 * line[x] + 0.06 * shape[x]))
        column = profile.resize((1, max(2, tall))).point([int(v * min(1.0, bright)) for v in range(256)])
        canvas.paste(column, (x, foot - tall))
    size = (stage.wide, max(8, int(stage.height * horizon)))
    mask = canvas.filter(ImageFilter.GaussianBlur(1.2)).resize(size, Image.Resampling.BICUBIC)
    low, high = (palette.accent, palette.second) if palette.name == "aurora" else ((98, 240, 190), palette.second)
    colours = [
        (0.0, high),
        (0.45, mix(low, high, 0.5 if index else 0.25)),
        (0.75, low),
        (1.0, mix(low, (255, 255, 255), 0.25)),
    ]
    strength = (1.2, 1.6)[index]
    light = mask.point([min(235, int(v * strength)) for v in range(256)])
    return layer(gradient(size, colours), light, (-stage.bleed, 0), (-stage.bleed * (0.35 - 0.25 * index), 0))
