"""The open sea under a low sun, with a path of light on the waves and a sail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from genstep.sandbox.media.canvas import Point, Stage, Step, fade_down, gradient, layer, polygon_mask, shape_mask
from genstep.sandbox.media.land import WHITE, clouds, hills, ridge, sky, stars, sun, waves
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("sunset", "tropic", "rose", "dawn", "night", "day", "autumn")
WORDS = "sea ocean wave waves beach coast harbor harbour ship boat sail sailing surf underwater lighthouse island"
HINTS = "fish whale dolphin water summer sunset pirate shark"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the nearest wave."""
    rng, palette = stage.rng, stage.palette
    horizon = rng.uniform(0.50, 0.56)
    radius = stage.unit * rng.uniform(0.055, 0.085)
    light = (stage.width * rng.uniform(0.3, 0.7), stage.height * horizon - radius * rng.uniform(0.5, 2.2))
    yield sky(stage, horizon, light, 0.95)
    if palette.dark:
        yield stars(stage, horizon)
    yield clouds(stage, 0.02, horizon * 0.75, rng.uniform(0.3, 0.7))
    yield clouds(stage, horizon * 0.6, horizon * 0.98, rng.uniform(0.1, 0.5), mix(palette.sun, palette.haze, 0.35))
    yield sun(stage, light, radius, stage.height * 0.03)
    for share in (0.25, 0.6):
        line = [max(0.0, value * 1.5 - 0.62) for value in ridge(rng, 300, 0.48)]
        colour = mix(palette.haze, palette.near, share * 0.8)
        rise = stage.unit * 0.10 * (1.2 - share)
        yield from hills(stage, line, horizon, rise, (colour, mix(colour, palette.haze, 0.5)), 0.2, horizon + 0.002)
    yield _water(stage, horizon)
    for i in range(5):
        yield _wave(stage, horizon, i)
    yield from _glitter(stage, horizon, light[0])
    yield from _boat(stage, horizon)


def _water(stage: Stage, horizon: float) -> Step:
    top = int(stage.height * horizon)
    depth = stage.height - top
    far = mix(stage.palette.horizon, stage.palette.haze, 0.7)
    fill = gradient((stage.width, depth), [(0, mix(far, WHITE, 0.1)), (0.12, _sea(stage, 0.05)), (1, _sea(stage, 0.5))])
    return layer(fill, Image.new("L", (stage.width, depth), 255), (0, top))


def _sea(stage: Stage, share: float) -> Colour:
    # The colour of the water, from the horizon (0) to the viewer (1).
    palette = stage.palette
    far = mix(palette.sky[-2][1], palette.sky[1][1], 0.45)
    return mix(far, mix(palette.sky[0][1], palette.near, 0.6), share**0.8)


def _wave(stage: Stage, horizon: float, index: int) -> Step:
    rng = stage.rng
    share = (index + 1) / 5
    length = 240
    line = [v**1.5 for v in waves(rng, length, stage.wide / stage.unit * (2.4 - 1.2 * share))]
    rise = stage.unit * (0.010 + 0.05 * share)
    top = int(stage.height * (horizon + (1.0 - horizon) * (0.13 + 0.72 * share**1.3)) - rise)
    height = max(4, stage.height - top)
    crest: list[Point] = [(i * stage.wide / (length - 1), rise * (1 - v)) for i, v in enumerate(line)]
    mask = polygon_mask((stage.wide, height), [(-2.0, height + 2.0), *crest, (stage.wide + 2.0, height + 2.0)])
    body, light = _sea(stage, 0.12 + 0.88 * share), mix(_sea(stage, share * 0.5), stage.palette.glow, 0.30)
    band = min(1.0, rise * 1.9 / height)
    fill = gradient((stage.wide, height), [(0, light), (band * 0.45, mix(body, light, 0.35)), (band, body), (1, body)])
    foam = [(x, y + stage.unit * 0.006 * share * v) for (x, y), v in zip(crest, line, strict=True)]
    edge = ImageChops.multiply(mask, polygon_mask((stage.wide, height), [*crest, *reversed(foam)]))
    fill.paste(mix(light, WHITE, 0.5), (0, 0), edge)
    return layer(fill, mask, (-stage.bleed, top), (-stage.bleed * (0.3 + 0.6 * share), 0))


def _glitter(stage: Stage, horizon: float, light: float) -> Iterator[Step]:
    palette, rng = stage.palette, stage.rng
    top = int(stage.height * horizon)
    depth = stage.height - top
    for colour, spread, count, level in ((palette.glow, 0.26, 380, 90), (palette.sun, 0.05, 460, 210)):
        marks: list[tuple[float, float, float, float]] = []
        for _ in range(count):
            y = rng.random() ** 1.6
            x = light + stage.bleed + rng.gauss(0, 0.5) * stage.unit * (spread + 0.10 * y)
            marks.append(
                (x, y * depth, stage.unit * (0.004 + 0.030 * y * rng.random()), stage.unit * (0.0007 + 0.0022 * y))
            )

        def draw(
            canvas: ImageDraw.ImageDraw, scale: int, marks: list[tuple[float, float, float, float]] = marks
        ) -> None:
            for x, y, half, thick in marks:
                canvas.ellipse([v * scale for v in (x - half, y - thick, x + half, y + thick)], fill=255)

        mask = shape_mask((stage.wide, depth), draw).point([v * level // 255 for v in range(256)])
        yield layer(colour, fade_down(mask, 0.3, 0.95), (-stage.bleed, top), (-stage.bleed * 0.25, 0))


def _boat(stage: Stage, horizon: float) -> Iterator[Step]:
    rng, palette = stage.rng, stage.palette
    size = stage.unit * rng.uniform(0.10, 0.15)
    x = stage.width * rng.choice((rng.uniform(0.14, 0.3), rng.uniform(0.7, 0.86)))
    y = stage.height * (horizon + 0.045)
    side = math.ceil(size * 1.3)

    def at(*points: Point) -> list[Point]:
        return [(side / 2 + px * size, side * 0.96 - py * size) for px, py in points]

    main = at((0.03, 0.16), (0.03, 1.08), (0.12, 0.86), (0.22, 0.58), (0.33, 0.26), (0.36, 0.18))
    jib = at((-0.02, 0.18), (0.0, 0.98), (-0.12, 0.66), (-0.24, 0.34), (-0.33, 0.19))
    hull = at((-0.42, 0.14), (0.46, 0.14), (0.36, 0.03), (0.28, 0.0), (-0.28, 0.0), (-0.36, 0.05))
    drift = (stage.unit * 0.05, 0.0)
    sails = polygon_mask((side, side), main, jib)
    body = polygon_mask((side, side), hull, at((0.005, 0.1), (0.005, 1.12), (0.02, 1.12), (0.02, 0.1)))
    for mask, colour in ((sails, mix(WHITE, palette.glow, 0.2)), (body, palette.near)):
        mirrored = mask.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((side, max(1, int(side * 0.6))))
        shade = fade_down(mirrored, 0.0, 0.9).point([v * 2 // 5 for v in range(256)])
        yield layer(colour, shade, (x - side / 2, y + side * 0.48 - side * 0.02), drift)
        yield layer(colour, mask, (x - side / 2, y - side / 2), drift)
