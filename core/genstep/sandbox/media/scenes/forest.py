"""A forest in the morning: ranks of pines fading into the mist, and light falling through them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from genstep.sandbox.media.canvas import Stage, Step, fade_down, layer
from genstep.sandbox.media.land import clouds, hills, mist, pines, ridge, sky, stars, sun, waves
from genstep.sandbox.media.palette import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("forest", "mist", "dawn", "autumn", "sunset", "night", "rose")
WORDS = "forest forests wood woods tree trees jungle garden park"
HINTS = "fox bear deer wolf owl bird birds leaf leaves autumn green fairy mushroom elf horse"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the nearest trunks."""
    rng, palette = stage.rng, stage.palette
    light = (stage.width * rng.uniform(0.25, 0.75), stage.height * rng.uniform(0.16, 0.30))
    yield sky(stage, 0.75, light, 1.0)
    if palette.dark:
        yield stars(stage, 0.5)
    yield clouds(stage, 0.02, 0.45, 0.25)
    yield sun(stage, light, stage.unit * rng.uniform(0.04, 0.06), stage.height * 0.04)
    far = mix(palette.haze, palette.horizon, 0.35)
    yield from hills(stage, ridge(rng, 400, 0.5), 0.47, stage.unit * 0.20, (far, palette.horizon), 0.1, 0.8)
    ranks = 5
    for i in range(ranks):
        share = i / (ranks - 1)
        colour = mix(mix(palette.haze, palette.horizon, 0.15), palette.near, share**1.1)
        foot = mix(colour, mix(palette.haze, palette.horizon, 0.5), 0.75 * (1 - share))
        line = waves(rng, 200, 1.1 + 0.6 * rng.random())
        if i == ranks - 1:
            line = [abs(2 * k / 199 - 1) ** 1.6 * 0.9 + 0.12 * v for k, v in enumerate(line)]
        base = 0.56 + 0.44 * share**1.1
        rise, tall = stage.unit * (0.07 + 0.06 * share), stage.unit * (0.07 + 0.26 * share**1.3)
        yield from pines(stage, line, base, rise, (colour, foot), 0.2 + 0.75 * share, tall, 1.5 - 0.5 * share)
        if i < ranks - 1:
            yield mist(
                stage, base + 0.03, 0.16, mix(palette.haze, palette.horizon, 0.7), 0.6 - 0.25 * share, 0.4 + 0.4 * share
            )
        if i == ranks - 3:
            yield _rays(stage, light)


def _rays(stage: Stage, light: tuple[float, float]) -> Step:
    rng = stage.rng
    shrink = max(1, round(stage.unit / 240))
    size = (max(4, stage.width // shrink), max(4, stage.height // shrink))
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    x0, y0, length = light[0] / shrink, light[1] / shrink, max(size) * 1.5
    for _ in range(9):
        angle, half = rng.uniform(0.12, math.pi - 0.12), rng.uniform(0.012, 0.05)
        ends = [(x0 + length * math.cos(angle + a), y0 + length * math.sin(angle + a)) for a in (-half, half)]
        draw.polygon([(x0, y0), *ends], fill=int(rng.uniform(25, 75)))
    soft = mask.filter(ImageFilter.GaussianBlur(size[1] / 70)).resize(
        (stage.width, stage.height), Image.Resampling.BICUBIC
    )
    return layer(stage.palette.sun, fade_down(soft, 0.25, 0.85), (0, 0), (stage.unit * 0.02, 0))
