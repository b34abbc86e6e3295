"""The subject of a picture: where the prompt names a figure that we can draw, it is set into the scene."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from .canvas import Point, Stage, Step, between, layer, polygon_mask
from .figures import FIGURES, figure
from .palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator


def subject(stage: Stage, ground: Colour) -> Iterator[Step]:
    """Yield the steps of the first figure that the prompt names, on a mound of the `ground` colour or in the air."""
    for names, smooth, parts, flies in FIGURES:
        if not names & stage.words:
            continue
        side = -1 if stage.rng.random() < 0.5 else 1
        x = stage.width * (0.5 + side * stage.rng.uniform(0.14, 0.20))
        tall = stage.unit * (0.34 if flies else 0.36)
        foot = stage.height * (stage.rng.uniform(0.46, 0.54) if flies else 0.80)
        if not flies:
            x += stage.bleed * 0.45
            yield _mound(stage, x, foot - tall * 0.02, tall, ground)
        picture, mask = figure(parts, smooth, tall)
        shade = Image.new("RGB", picture.size, mix(stage.palette.near, stage.palette.sky[1][1], 0.4))
        picture = Image.blend(picture, shade, 0.22 if stage.palette.dark else 0.04)
        travel = (stage.bleed * 0.2, -stage.height * 0.15) if flies else (-stage.bleed * 0.9, 0.0)
        yield layer(picture, mask, (x - picture.width / 2, foot - picture.height * 0.875), travel)
        return


def _mound(stage: Stage, x: float, y: float, tall: float, ground: Colour) -> Step:
    half, top = tall * 2.6, int(y)
    height = max(4, stage.height - top)
    curve: list[Point] = [
        (x + stage.bleed + half * (k / 40 - 1), tall * 0.55 * (1 - math.cos(math.pi * (k / 40 - 1))) / 2 * 1.6)
        for k in range(81)
    ]
    outline = [(curve[0][0], height + 2.0), *curve, (curve[-1][0], height + 2.0)]
    size = (stage.wide, height)
    deep = mix(ground, mix(stage.palette.haze, stage.palette.sky[0][1], 0.5), 0.35)
    return layer(between(ground, deep, size), polygon_mask(size, outline), (-stage.bleed, top), (-stage.bleed * 0.9, 0))
