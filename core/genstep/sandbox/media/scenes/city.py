"""A city by the water at dusk: rows of towers with lit windows under a large sun or moon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from genstep.sandbox.media.canvas import Stage, Step, between, layer, shape_mask
from genstep.sandbox.media.land import clouds, mist, sky, stars, still_water, sun
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("night", "sunset", "rose", "dawn", "autumn")
WORDS = "city town street skyline tower towers building buildings urban downtown cyberpunk metropolis"
HINTS = "neon traffic car robot office night people bridge"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the reflections."""
    rng, palette = stage.rng, stage.palette
    horizon = rng.uniform(0.70, 0.75)
    light = (stage.width * rng.uniform(0.28, 0.72), stage.height * (horizon - rng.uniform(0.30, 0.42)))
    yield sky(stage, horizon, light, 0.85)
    if palette.dark:
        yield stars(stage, horizon * 0.8, 0.7)
    yield clouds(stage, 0.04, horizon * 0.8, rng.uniform(0.2, 0.5))
    yield sun(stage, light, stage.unit * rng.uniform(0.10, 0.14), stage.height * 0.04)
    for i in range(4):
        share = i / 3
        colour = mix(palette.haze, palette.near, 0.10 + 0.82 * share**1.1)
        yield from _row(stage, horizon, share, colour)
        if i < 3:
            yield mist(stage, horizon - 0.02, 0.20, mix(palette.haze, palette.horizon, 0.6), 0.5, 0.3 + 0.3 * share)
    yield still_water(stage, horizon, mix(palette.haze, palette.near, 0.6), 0.35)


def _row(stage: Stage, horizon: float, share: float, colour: Colour) -> Iterator[Step]:
    rng, palette = stage.rng, stage.palette
    tall = stage.unit * (0.52 - 0.16 * share)
    height = int(tall * 1.25)
    top = int(stage.height * horizon) - height
    towers: list[tuple[int, int, int, int, int]] = []
    x = -stage.unit * 0.05
    while x < stage.wide:
        wide = stage.unit * rng.uniform(0.035, 0.085) * (0.75 + 0.45 * share)
        middle = 1 - abs(2 * x / stage.wide - 1) * 0.45
        up = tall * middle * (0.30 + 0.70 * rng.random() ** 2.2) * (0.8 if share == 1 else 1.0)
        roof_style = int(rng.random() * (6 if share < 1 else 12))
        left, broad = int(x), max(1, int(wide))
        towers.append((left, left + broad, int(height - up), roof_style if broad > 5 else 5, broad))
        x += wide * rng.uniform(0.8, 1.35)

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        quay = height - stage.unit * 0.008 * share
        canvas.rectangle((0, quay * scale, stage.wide * scale, height * scale), fill=255)
        for left, right, roof, style, wide in towers:
            a, b, y = left * scale, right * scale - 1, roof * scale
            canvas.rectangle((a, y, b, height * scale), fill=255)
            middle, part = (a + b) // 2, wide * scale / 10
            if style == 0:
                canvas.polygon([(a, y), (middle, y - part * 5), (b, y)], fill=255)
                canvas.rectangle((middle - part * 0.2, y - part * 11, middle + part * 0.2, y), fill=255)
            elif style == 1:
                canvas.rectangle((a + 2 * part, y - 2 * part, b - 2 * part, y), fill=255)
                canvas.rectangle((a + 4 * part, y - 5 * part, b - 4 * part, y), fill=255)
                canvas.rectangle((middle - part * 0.2, y - 12 * part, middle + part * 0.2, y), fill=255)
            elif style == 2:
                canvas.polygon([(a, y), (b, y - 4 * part), (b, y)], fill=255)
            elif style == 3:
                canvas.rectangle((a + part, y - part, a + 4 * part, y), fill=255)

    size = (stage.wide, height)
    fill = between(mix(colour, palette.near, 0.12), mix(colour, palette.haze, 0.28 * (1 - share)), size, 1.2)
    fill.paste(
        mix(palette.accent if palette.dark else palette.sun, palette.glow, 0.35),
        (0, 0),
        _windows(stage, size, towers, share),
    )
    yield layer(fill, shape_mask(size, draw), (-stage.bleed, top), (-stage.bleed * (0.15 + 0.6 * share), 0))


def _windows(
    stage: Stage, size: tuple[int, int], towers: list[tuple[int, int, int, int, int]], share: float
) -> Image.Image:
    rng = stage.rng
    mask = Image.new("L", size)
    if share < 0.3:
        return mask
    draw = ImageDraw.Draw(mask)
    cell = stage.unit * (0.0075 + 0.0055 * share)
    lit = 0.42 if stage.palette.dark else 0.24
    if cell < 2.5:
        return mask
    for left, right, roof, _style, wide in towers:
        across = int((wide - cell) / cell)
        if across < 2:
            continue
        start = left + (right - left - across * cell) / 2
        floors = int((size[1] - roof) / (cell * 1.5))
        for floor in range(1, floors):
            y = roof + floor * cell * 1.5
            row = rng.random()
            for column in range(across):
                if rng.random() < lit * (2.2 if row > 0.9 else 1.0):
                    x = start + column * cell
                    level = int((90 + 150 * rng.random()) * (0.35 + 0.65 * share))
                    draw.rectangle((x + cell * 0.22, y, x + cell * 0.78, y + cell * 0.85), fill=level)
    return mask
