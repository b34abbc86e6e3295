"""A drafted diagram: a cycle of numbered stations on a fine grid, joined by arrows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import ImageDraw

from genstep.sandbox.media.canvas import Point, Stage, Step, backdrop, glow, gradient, layer, shape_mask
from genstep.sandbox.media.land import WHITE
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("night", "tropic", "cosmos", "aurora", "rose")
WORDS = "diagram chart workflow schema schematic blueprint flowchart graph timeline infographic"
HINTS = "cycle process plan architecture explain network system steps"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the paper to the stations."""
    rng, palette = stage.rng, stage.palette
    size = (stage.width, stage.height)
    deep = mix(palette.sky[0][1], (8, 12, 34), 0.45)
    paper = gradient(size, [(0, mix(deep, palette.sky[1][1], 0.55)), (1, deep)])
    centre = (stage.width / 2, stage.height * 0.43)
    glow(paper, centre, stage.unit * 0.9, palette.sky[2][1], 0.6)
    _grid(stage, ImageDraw.Draw(paper, "RGBA"))
    yield backdrop(paper)
    count = 4 + int(rng.random() * 2)
    high = stage.height * 0.285
    wide = min(stage.width * 0.36, max(high, stage.width * 0.27))
    high = min(high, wide * 1.2)
    turn = -math.pi / 2
    tones = [palette.accent, palette.second, palette.glow, palette.sun]
    places = [turn + math.tau * i / count for i in range(count)]
    spots = [(centre[0] + wide * math.cos(a), centre[1] + high * math.sin(a)) for a in places]
    radius = min(high * 0.36, stage.unit * 0.1)
    yield _arrows(stage, centre, (wide, high), places, radius)
    yield from _hub(stage, centre, radius * 1.1)
    for i, spot in enumerate(spots):
        yield from _station(stage, spot, radius, tones[i % len(tones)], i)


def _grid(stage: Stage, draw: ImageDraw.ImageDraw) -> None:
    cell = max(6.0, stage.unit / 28)
    for axis, length in ((0, stage.width), (1, stage.height)):
        for i in range(int(length / cell) + 1):
            at = i * cell
            line = (at, 0, at, stage.height) if axis == 0 else (0, at, stage.width, at)
            draw.line(line, fill=(255, 255, 255, 26 if i % 4 == 0 else 11), width=max(1, round(stage.unit / 1400)))


def _arrows(stage: Stage, centre: Point, reach: Point, places: list[float], radius: float) -> Step:
    def gap(a: float) -> float:
        return 1.42 * radius / math.hypot(reach[0] * math.sin(a), reach[1] * math.cos(a))

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        width = max(1, round(stage.unit * scale * 0.0045))
        for start, after in zip(places, [*places[1:], places[0] + math.tau], strict=True):
            first, last = start + gap(start), after - gap(after)
            angles = [first + (last - first) * k / 40 for k in range(41)]
            points = [(centre[0] + reach[0] * math.cos(a), centre[1] + reach[1] * math.sin(a)) for a in angles]
            scaled = [(x * scale, y * scale) for x, y in points]
            canvas.line(scaled[:-2], fill=230, width=width, joint="curve")
            (x0, y0), (x1, y1) = scaled[-4], scaled[-1]
            angle = math.atan2(y1 - y0, x1 - x0)
            tip = stage.unit * scale * 0.022
            wings = [(x1 - tip * math.cos(angle + a), y1 - tip * math.sin(angle + a)) for a in (0.45, -0.45)]
            canvas.polygon([(x1, y1), *wings], fill=255)

    return layer(mix(WHITE, stage.palette.second, 0.25), shape_mask((stage.width, stage.height), draw), (0, 0))


def _hub(stage: Stage, centre: Point, radius: float) -> Iterator[Step]:
    side = math.ceil(radius * 2.4)

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        middle, r = side * scale / 2, radius * scale
        for k in range(24):
            a = math.tau * k / 24
            inner, outer = r * (0.86 if k % 2 else 0.78), r * 0.98
            ends = [(middle + d * math.cos(a), middle + d * math.sin(a)) for d in (inner, outer)]
            canvas.line(ends, fill=200, width=max(1, round(r * 0.05)))
        r *= 0.5
        canvas.ellipse((middle - r, middle - r, middle + r, middle + r), outline=255, width=max(1, round(r * 0.14)))
        r *= 0.45
        canvas.ellipse((middle - r, middle - r, middle + r, middle + r), fill=255)

    drift = (0.0, -stage.unit * 0.01)
    yield layer(
        mix(WHITE, stage.palette.accent, 0.35),
        shape_mask((side, side), draw),
        (centre[0] - side / 2, centre[1] - side / 2),
        drift,
    )


def _station(stage: Stage, spot: Point, radius: float, tone: Colour, index: int) -> Iterator[Step]:
    side = math.ceil(radius * 2.6)
    at = (spot[0] - side / 2, spot[1] - side / 2)
    drift = (0.0, stage.unit * 0.02 * (-1 if index % 2 else 1))

    def ring(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        middle, r = side * scale / 2, radius * scale
        canvas.ellipse((middle - r, middle - r, middle + r, middle + r), fill=235)

    def rim(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        middle, r = side * scale / 2, radius * scale
        canvas.ellipse((middle - r, middle - r, middle + r, middle + r), outline=255, width=max(2, round(r * 0.07)))

    def icon(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        _ICONS[index % len(_ICONS)](canvas, side * scale / 2, radius * scale * 0.52)

    body = gradient(
        (side, side),
        [(0, mix(stage.palette.sky[1][1], WHITE, 0.06)), (1, mix(stage.palette.sky[0][1], (0, 0, 0), 0.2))],
    )
    yield layer(body, shape_mask((side, side), ring), at, drift)
    yield layer(tone, shape_mask((side, side), rim), at, drift)
    yield layer(mix(tone, WHITE, 0.55), shape_mask((side, side), icon), at, drift)


def _sun(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    canvas.ellipse((c - r * 0.45, c - r * 0.45, c + r * 0.45, c + r * 0.45), fill=255)
    for k in range(8):
        a = math.tau * k / 8
        ends = [(c + r * d * math.cos(a), c + r * d * math.sin(a)) for d in (0.66, 1.0)]
        canvas.line(ends, fill=255, width=max(1, round(r * 0.14)))


def _cloud(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    for x, y, size in ((-0.5, 0.15, 0.42), (0.0, -0.15, 0.55), (0.52, 0.15, 0.40)):
        canvas.ellipse((c + r * (x - size), c + r * (y - size), c + r * (x + size), c + r * (y + size)), fill=255)
    canvas.rectangle((c - r * 0.5, c + r * 0.1, c + r * 0.52, c + r * 0.56), fill=255)


def _drop(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    canvas.ellipse((c - r * 0.58, c - r * 0.2, c + r * 0.58, c + r * 0.96), fill=255)
    canvas.polygon([(c, c - r), (c - r * 0.53, c + r * 0.18), (c + r * 0.53, c + r * 0.18)], fill=255)


def _peaks(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    canvas.polygon([(c - r, c + r * 0.7), (c - r * 0.25, c - r * 0.75), (c + r * 0.5, c + r * 0.7)], fill=255)
    canvas.polygon([(c + r * 0.1, c + r * 0.7), (c + r * 0.5, c - r * 0.2), (c + r, c + r * 0.7)], fill=190)


def _bars(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    for k, high in enumerate((0.6, 1.0, 1.45)):
        x = c + r * (-0.72 + 0.52 * k)
        canvas.rectangle((x, c + r * (0.75 - high), x + r * 0.36, c + r * 0.75), fill=255)


def _leaf(canvas: ImageDraw.ImageDraw, c: float, r: float) -> None:
    half = [(k / 20 - 0.5, math.sin(math.pi * k / 20) * 0.3) for k in range(21)]
    edge = [*half, *((u, -w) for u, w in reversed(half))]
    canvas.polygon([(c + r * 1.5 * (u + w), c + r * 1.5 * (w - u)) for u, w in edge], fill=255)


_ICONS = (_sun, _cloud, _drop, _peaks, _leaf, _bars)
