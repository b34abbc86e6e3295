"""Features that landscapes share: skies with stars, clouds and a sun or moon, ridges, pines, mist, and still water."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from .canvas import (
    Point,
    Stage,
    Step,
    backdrop,
    between,
    curve,
    disc_of_light,
    fade_down,
    glow,
    gradient,
    layer,
    polygon_mask,
    shape_mask,
    soft_noise,
)
from .palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

WHITE = (255, 255, 255)


def sky(stage: Stage, horizon: float, light: Point | None = None, reach: float = 0.75) -> Step:
    """Paint the sky down to `horizon` (share of the height), brighter around `light` (pixels)."""
    stops = [(place * horizon, colour) for place, colour in stage.palette.sky]
    picture = gradient((stage.width, stage.height), [*stops, (1.0, stage.palette.horizon)])
    if light is not None:
        strength = 0.35 if stage.palette.dark else 0.75
        glow(picture, light, stage.unit * reach, stage.palette.glow, strength, 1.9)
        glow(picture, light, stage.unit * reach * 0.32, stage.palette.sun, strength * 0.75, 1.8)
    return backdrop(picture)


def stars(stage: Stage, floor: float, amount: float = 1.0) -> Step:
    """Scatter stars above `floor` (share of the height); a few have a halo."""
    rng = stage.rng
    height = max(8, int(stage.height * floor))
    mask = Image.new("L", (stage.wide, height))
    draw = ImageDraw.Draw(mask)
    size = stage.unit / 1000
    count = int(420 * amount * stage.wide * height / stage.unit**2)
    for _ in range(count):
        x, y = rng.random() * stage.wide, rng.random() ** 1.3 * height
        bright = rng.random() ** 3
        level = int(60 + 190 * bright)
        radius = size * (0.35 + 1.1 * bright)
        if radius < 0.75:
            draw.point((x, y), fill=int(level * min(1, 0.45 + radius)))
        else:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=level)
        if bright > 0.93:
            halo = disc_of_light(radius * 5, 2.2).point(lambda v: v * 2 // 3)
            corner = (round(x - halo.width / 2), round(y - halo.height / 2))
            region = (*corner, corner[0] + halo.width, corner[1] + halo.height)
            mask.paste(ImageChops.lighter(mask.crop(region), halo), region)
    return layer(
        mix(WHITE, stage.palette.glow, 0.25), fade_down(mask, 0.55, 1.0), (-stage.bleed, 0), (-stage.bleed * 0.15, 0)
    )


def clouds(stage: Stage, top: float, bottom: float, amount: float, colour: Colour | None = None) -> Step:
    """Paint streaks of thin cloud between two heights (shares); `amount` from 0 to 1."""
    height = max(8, int(stage.height * (bottom - top)))
    ratio = stage.wide / max(1, height)
    noise = soft_noise((stage.wide, height), stage.rng, (max(2, round(1.6 * ratio)), 5), 4)
    mask = curve(noise, 150 - 55 * amount, 235 - 30 * amount, 70 + 120 * amount, 1.2)
    edges = Image.new("L", (1, 9))
    edges.putdata([0, 90, 190, 255, 255, 255, 190, 90, 0])
    mask = ImageChops.multiply(mask, edges.resize(mask.size, Image.Resampling.BICUBIC))
    tint = colour or mix(stage.palette.horizon, WHITE, 0.35)
    return layer(tint, mask, (-stage.bleed, int(stage.height * top)), (-stage.bleed * 0.45, 0))


def sun(stage: Stage, centre: Point, radius: float, rise: float = 0.0, crescent: bool = False) -> Step:
    """Paint the sun, or the moon in a dark mood: a disc with a halo that rises by `rise` pixels over the clip."""
    reach = math.ceil(radius * 3)
    light = Image.new("RGB", (reach * 2, reach * 2), stage.palette.sun)
    halo = disc_of_light(reach, 2.0).point(lambda v: v * 3 // 5)

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        middle, r = reach * scale, radius * scale
        canvas.ellipse((middle - r, middle - r, middle + r, middle + r), fill=255)
        if crescent:
            away = r * 0.45
            canvas.ellipse((middle - r + away, middle - r * 1.12, middle + r + away, middle + r * 0.88), fill=0)

    disc = shape_mask((reach * 2, reach * 2), draw)
    mask = ImageChops.lighter(halo.resize(disc.size), disc)
    if stage.palette.dark and not crescent:
        spots = soft_noise(light.size, stage.rng, (reach // max(1, int(radius)) * 5, 14), 3)
        shade = Image.new("RGB", light.size, mix(stage.palette.sun, stage.palette.haze, 0.45))
        light.paste(shade, (0, 0), curve(spots, 120, 175, 130))
    return layer(light, mask, (centre[0] - reach, centre[1] - reach), (0, -rise))


def ridge(rng: Random, length: int, roughness: float, detail: int = 9) -> list[float]:
    """Return `length` heights of a mountain line, 0 to 1, by midpoint displacement; a `roughness` of 0.4 is soft."""
    heights = [
        rng.uniform(0.2, 0.6),
        rng.uniform(0.35, 1.0),
        rng.uniform(0.2, 0.7),
        rng.uniform(0.4, 1.0),
        rng.random(),
    ]
    spread = 0.42
    for _ in range(detail - 2):
        finer: list[float] = []
        for a, b in pairwise(heights):
            finer += [a, (a + b) / 2 + rng.uniform(-spread, spread)]
        heights = [*finer, heights[-1]]
        spread *= roughness
    low, high = min(heights), max(heights)
    step = (len(heights) - 1) / max(1, length - 1)
    line = []
    for i in range(length):
        place = min(i * step, len(heights) - 1.001)
        j = int(place)
        value = heights[j] + (heights[j + 1] - heights[j]) * (place - j)
        line.append((value - low) / max(1e-6, high - low))
    return line


def waves(rng: Random, length: int, periods: float) -> list[float]:
    """Return `length` heights of a rolling line, 0 to 1: a few sines of random phase."""
    parts = [(periods * k * rng.uniform(0.8, 1.2), rng.uniform(0, math.tau), 1 / k**1.4) for k in (1, 2, 3, 5)]
    total = sum(part[2] for part in parts)
    return [
        0.5 + 0.5 * sum(a * math.sin(math.tau * f * i / length + p) for f, p, a in parts) / total for i in range(length)
    ]


def outline(line: Sequence[float], width: int, height: float, rise: float) -> list[Point]:
    """Return the polygon of a land line in a mask of `width` by `height` pixels whose peaks are `rise` pixels high."""
    step = width / max(1, len(line) - 1)
    points = [(i * step, rise * (1 - value)) for i, value in enumerate(line)]
    return [(-2.0, height + 2), (-2.0, points[0][1]), *points, (width + 2.0, points[-1][1]), (width + 2.0, height + 2)]


def hills(
    stage: Stage,
    line: Sequence[float],
    base: float,
    rise: float,
    colours: tuple[Colour, Colour],
    depth: float,
    foot: float,
) -> Iterator[Step]:
    """Paint land below a line: the top colour at its peaks, the second at `foot` (share of the height), as mist."""
    top = int(stage.height * base - rise)
    height = max(4, int(stage.height * foot) - top)
    mask = polygon_mask((stage.wide, height), outline(line, stage.wide, height, rise))
    fill = between(*colours, (stage.wide, height), 1.3)
    yield layer(fill, mask, (-stage.bleed, top), (-stage.bleed * depth, 0))


def pine(x: float, y: float, height: float, rng: Random) -> list[Point]:
    """Return the outline of a pine whose foot is at (x, y)."""
    tiers = 5 + int(rng.random() * 3)
    half = height * rng.uniform(0.19, 0.25)
    left: list[Point] = []
    right: list[Point] = []
    for i in range(tiers):
        low = (i + 1) / tiers
        spread = half * (0.18 + 0.82 * low)
        at = y - height + height * 0.94 * low
        left += [(x - spread * rng.uniform(0.85, 1.12), at + height * 0.02), (x - spread * 0.42, at - height * 0.035)]
        right += [(x + spread * rng.uniform(0.85, 1.12), at + height * 0.02), (x + spread * 0.42, at - height * 0.035)]
    trunk = height * 0.018
    return [(x, y - height), *right[:-1], (x + trunk, y - height * 0.06), (x + trunk, y), (x - trunk, y),
            (x - trunk, y - height * 0.06), *reversed(left[:-1])]  # fmt: skip


def pines(
    stage: Stage, line: Sequence[float], base: float, rise: float, colours: tuple[Colour, Colour], depth: float,
    tall: float, density: float = 1.0,
) -> Iterator[Step]:  # fmt: skip
    """Paint a wooded slope: a land line with pines of about `tall` pixels on it."""
    rng = stage.rng
    top = int(stage.height * base - rise - tall * 1.3)
    height = max(4, stage.height - top)
    ground = [(x, y + tall * 1.3) for x, y in outline(line, stage.wide, height, rise)]
    trees: list[Sequence[Point]] = [ground]
    x = -tall * 0.2
    while x < stage.wide + tall * 0.2:
        at = min(len(line) - 1, max(0, int(x / stage.wide * len(line))))
        size = tall * (0.45 + 0.85 * rng.random() ** 1.5)
        trees.append(pine(x, tall * 1.3 + rise * (1 - line[at]) + size * 0.08, size, rng))
        x += tall * rng.uniform(0.12, 0.42) / density
    mask = polygon_mask((stage.wide, height), *trees)
    fill = between(*colours, (stage.wide, height), 0.9)
    yield layer(fill, mask, (-stage.bleed, top), (-stage.bleed * depth, 0))


def mist(stage: Stage, level: float, thick: float, colour: Colour, strength: float, depth: float = 0.5) -> Step:
    """Paint a bank of mist around `level`, `thick` high (shares of the height)."""
    height = max(6, int(stage.height * thick))
    noise = soft_noise((stage.wide, height), stage.rng, (max(2, round(stage.wide / stage.unit * 3)), 2), 3)
    edges = Image.frombytes("L", (1, 7), bytes([0, 60, 170, 255, 170, 60, 0]))
    mask = ImageChops.multiply(
        curve(noise, 40, 220, 255 * strength), edges.resize(noise.size, Image.Resampling.BICUBIC)
    )
    return layer(colour, mask, (-stage.bleed, int(stage.height * level - height / 2)), (-stage.bleed * depth, 0))


def still_water(stage: Stage, level: float, tint: Colour, strength: float = 0.35) -> Step:
    """Mirror what is above `level` (share of the height) below it, tinted, with ripples that widen to the viewer."""
    top = int(stage.height * level)
    depth = stage.height - top
    rng = stage.rng
    veil = gradient(
        (stage.width, depth), [(0, mix(tint, stage.palette.horizon, 0.5)), (1, mix(tint, stage.palette.near, 0.55))]
    )
    bands: list[tuple[int, int, float, float]] = []
    y = 0.0
    while y < depth:
        step = max(1.0, stage.unit * (0.0012 + 0.010 * (y / stage.unit)))
        bands.append((int(y), min(depth, int(y + step) + 1), rng.uniform(0, math.tau), rng.uniform(0.6, 1.4)))
        y += step

    def paint(frame: Image.Image, t: float) -> None:
        source = frame.crop((0, max(0, top - depth), stage.width, top)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        if source.height < depth:
            source = source.resize((stage.width, depth))
        water = source.copy()
        for start, end, phase, size in bands:
            reach = (0.001 + 0.012 * start / max(1, depth)) * stage.unit * size
            shift = round(reach * math.sin(phase + t * stage.seconds * 2.2))
            strip = source.crop((0, start, stage.width, end))
            water.paste(strip, (shift, start))
        frame.paste(Image.blend(water, veil, strength), (0, top))

    return paint
