"""Snow: white hills and laden pines under a pale sky."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageFilter

from genstep.sandbox.media.canvas import Point, Stage, Step, between, layer, moved, polygon_mask
from genstep.sandbox.media.land import WHITE, clouds, hills, mist, outline, pine, ridge, sky, stars, sun, waves
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("winter", "dawn", "winter", "rose", "night")
WORDS = "snow snowy winter ice icy frost frozen glacier christmas blizzard snowman"
HINTS = "ski polar penguin cold reindeer"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the nearest flakes."""
    rng, palette = stage.rng, stage.palette
    horizon = rng.uniform(0.56, 0.62)
    light = (stage.width * rng.uniform(0.2, 0.8), stage.height * (horizon - rng.uniform(0.26, 0.36)))
    yield sky(stage, horizon, light)
    if palette.dark:
        yield stars(stage, horizon)
    yield clouds(stage, 0.03, horizon * 0.8, rng.uniform(0.2, 0.5))
    yield sun(stage, light, stage.unit * rng.uniform(0.04, 0.06), stage.height * 0.04)
    for share in (0.0, 0.5, 1.0):
        rock = mix(palette.haze, palette.near, 0.12 + 0.30 * share)
        rise = stage.unit * (0.30 - 0.13 * share)
        base = horizon - 0.06 + 0.06 * share
        yield from _snowy(stage, ridge(rng, 420, 0.52), base, rise, rock, 0.1 + 0.2 * share)
        yield mist(stage, base + 0.02, 0.14, mix(palette.horizon, WHITE, 0.2), 0.6, 0.3)
    for i in range(4):
        share = i / 3
        line = waves(rng, 200, 1.0 + 0.7 * rng.random())
        base, rise = horizon + 0.03 + (0.93 - horizon) * share**1.25, stage.unit * (0.05 + 0.03 * share)
        if i:
            yield from _grove(stage, line, base, rise, share)
        snow = mix(mix(WHITE, palette.horizon, 0.35 - 0.1 * share), palette.sky[3][1], 0.55 if palette.dark else 0.02)
        shade = mix(snow, mix(palette.haze, palette.sky[0][1], 0.45), 0.75)
        yield from hills(stage, line, base, rise, (snow, mix(snow, shade, 1.1 - 0.3 * share)), 0.25 + 0.6 * share, 1.0)


def _snowy(stage: Stage, line: list[float], base: float, rise: float, rock: Colour, depth: float) -> Iterator[Step]:
    # Snow lies on the slopes that face one way: the mask less itself, moved down the other.
    top = int(stage.height * base - rise)
    height = max(8, int(rise * 1.8))
    mask = polygon_mask((stage.wide, height), outline(line, stage.wide, height, rise))
    fill = between(rock, mix(rock, stage.palette.horizon, 0.7), (stage.wide, height), 0.9)
    shrink = max(1, round(stage.unit / 200))
    small = mask.reduce(shrink) if min(mask.size) > 4 * shrink else mask
    step = stage.unit * 0.016 * small.width / mask.width
    soft = small.filter(ImageFilter.BoxBlur(step))
    shade = moved(soft, -round(step * 2.2), round(step * 2.6)).resize(mask.size, Image.Resampling.BICUBIC)
    snow = ImageChops.subtract(mask, shade)
    fill.paste(mix(WHITE, stage.palette.horizon, 0.6 if stage.palette.dark else 0.3), (0, 0), snow)
    yield layer(fill, mask, (-stage.bleed, top), (-stage.bleed * depth, 0))


def _grove(stage: Stage, line: list[float], base: float, rise: float, share: float) -> Iterator[Step]:
    rng, palette = stage.rng, stage.palette
    tall = stage.unit * (0.07 + 0.22 * share)
    top = int(stage.height * base - rise - tall * 1.35)
    height = max(8, int(rise + tall * 1.6))
    trees: list[list[Point]] = []
    for _ in range(max(1, round((4 - 2 * share) * stage.wide / stage.unit))):
        middle = rng.random() * stage.wide
        if share == 1 and abs(middle / stage.wide - 0.5) < 0.24:
            continue
        for _tree in range(2 + int(rng.random() * 4)):
            x = middle + rng.gauss(0, tall * 0.6)
            at = min(len(line) - 1, max(0, int(x / stage.wide * len(line))))
            trees.append(pine(x, tall * 1.35 + rise * (1 - line[at]) + tall * 0.06, tall * rng.uniform(0.5, 1.25), rng))
    if not trees:
        return
    mask = polygon_mask((stage.wide, height), *trees)
    colour = mix(palette.haze, palette.near, 0.45 + 0.5 * share)
    fill = between(colour, mix(colour, palette.haze, 0.35), (stage.wide, height))
    drop = max(1, round(tall * 0.022))
    snow = ImageChops.subtract(mask, moved(mask, drop, drop))
    snow = ImageChops.add(snow, ImageChops.subtract(mask, moved(mask, 0, drop * 2)).point([v // 2 for v in range(256)]))
    fill.paste(mix(WHITE, palette.horizon, 0.25), (0, 0), snow)
    yield layer(fill, mask, (-stage.bleed, top), (-stage.bleed * (0.25 + 0.6 * share), 0))
