"""The cards of an infographic: bars, shares, steps, and one large number, with figures that the dice decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .caption import font, write
from .palette import Colour, mix, rgb

if TYPE_CHECKING:
    from random import Random

    from PIL import Image, ImageDraw

INK, CARD = rgb("23283a"), (255, 255, 255)
_STEPS = ("Observe", "Collect", "Compare", "Explain", "Share")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the cards are drawn on: canvas pixels, the colours, the dice and the words of the prompt."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    deep: Colour
    tones: tuple[Colour, ...]
    rng: Random
    words: list[str]

    def text(
        self, at: tuple[float, float], text: str, size: float, colour: Colour, anchor: str = "lm", bold: bool = False
    ) -> None:
        """Write one line; letters that would be too small to read are left out."""
        if size >= 7:
            face = font(round(size))
            write(self.draw, at, text, face, colour, anchor, size / 28 if bold else 0)


def _heading(sheet: Sheet, box: Box, unit: float, text: str, tone: Colour) -> Box:
    x0, y0, x1, y1 = box
    pad = unit * 0.085
    sheet.draw.rounded_rectangle(
        (x0 + pad, y0 + pad * 0.95, x0 + pad + unit * 0.016, y0 + pad * 1.65), unit * 0.008, tone
    )
    sheet.text((x0 + pad + unit * 0.04, y0 + pad * 1.3), text, unit * 0.062, INK, bold=True)
    return x0 + pad, y0 + pad * 2.3, x1 - pad, y1 - pad


def bars(sheet: Sheet, box: Box, unit: float) -> None:
    x0, y0, x1, y1 = _heading(sheet, box, unit, "Year by year", sheet.tones[0])
    count = 6
    values = [0.30 + 0.09 * i + sheet.rng.uniform(-0.10, 0.14) for i in range(count)]
    top = max(values)
    base = y1 - unit * 0.075
    for i in range(5):
        y = base - (base - y0) * i / 4
        sheet.draw.line((x0, y, x1, y), fill=mix(CARD, INK, 0.10), width=max(1, round(unit / 260)))
    pitch = (x1 - x0) / count
    for i, value in enumerate(values):
        left, right = x0 + pitch * (i + 0.2), x0 + pitch * (i + 0.8)
        y = base - (base - y0) * 0.96 * value / top
        tone = sheet.tones[1] if value == top else mix(sheet.tones[0], CARD, 0.30 - 0.05 * i)
        sheet.draw.rounded_rectangle(
            (left, y, right, base), min(unit * 0.014, (right - left) / 3), tone, corners=(True, True, False, False)
        )
        sheet.text(((left + right) / 2, y1 - unit * 0.012), f"'{20 + i}", unit * 0.042, mix(INK, CARD, 0.35), "mm")
        if value == top:
            sheet.text(
                ((left + right) / 2, y + unit * 0.04), f"{round(value * 100)}", unit * 0.042, CARD, "mm", bold=True
            )


def donut(sheet: Sheet, box: Box, unit: float) -> None:
    x0, y0, x1, y1 = _heading(sheet, box, unit, "Shares", sheet.tones[1])
    parts = [sheet.rng.uniform(0.6, 1.6) for _ in range(4)]
    shares = [round(100 * part / sum(parts)) for part in parts]
    shares[0] += 100 - sum(shares)
    names = [*sheet.words[:3], *("First", "Second", "Third", "Other")[len(sheet.words[:3]) :]]
    side_by_side = (x1 - x0) > (y1 - y0) * 1.15
    radius = min((x1 - x0) * (0.22 if side_by_side else 0.34), (y1 - y0) * (0.48 if side_by_side else 0.30))
    centre = (x0 + radius, (y0 + y1) / 2) if side_by_side else ((x0 + x1) / 2, y0 + radius)
    angle = -90.0
    circle = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    for share, tone in zip(shares, sheet.tones, strict=True):
        sheet.draw.pieslice(
            circle, angle, angle + share * 3.6, fill=tone, outline=CARD, width=max(1, round(unit / 110))
        )
        angle += share * 3.6
    hole = radius * 0.60
    sheet.draw.ellipse((centre[0] - hole, centre[1] - hole, centre[0] + hole, centre[1] + hole), fill=CARD)
    sheet.text(centre, f"{max(shares)}%", radius * 0.42, INK, "mm", bold=True)
    left, top = (centre[0] + radius * 1.28, centre[1] - unit * 0.135) if side_by_side else (x0, y1 - unit * 0.30)
    right = min(x1, left + unit * 0.6)
    for i, (name, share, tone) in enumerate(zip(names, shares, sheet.tones, strict=True)):
        y = top + i * unit * 0.09
        dot = unit * 0.017
        sheet.draw.ellipse((left, y - dot, left + dot * 2, y + dot), fill=tone)
        sheet.text((left + unit * 0.055, y), name, unit * 0.046, INK)
        sheet.text((right, y), f"{share}%", unit * 0.046, mix(INK, CARD, 0.3), "rm")


def steps(sheet: Sheet, box: Box, unit: float) -> None:
    x0, y0, x1, y1 = _heading(sheet, box, unit, "Step by step", sheet.tones[2])
    names = list(_STEPS)
    names.pop(1 + int(sheet.rng.random() * 3))
    pitch = (y1 - y0) / len(names)
    radius = min(unit * 0.055, pitch * 0.36)
    x = x0 + radius
    line = max(1, round(unit / 130))
    sheet.draw.line((x, y0 + pitch / 2, x, y1 - pitch / 2), fill=mix(CARD, INK, 0.15), width=line)
    for i, name in enumerate(names):
        y = y0 + pitch * (i + 0.5)
        sheet.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=sheet.tones[i])
        sheet.text((x, y), str(i + 1), radius * 1.1, CARD, "mm", bold=True)
        left = x + radius * 2
        sheet.text((left, y - pitch * 0.12), name, unit * 0.05, INK)
        long = (x1 - left) * sheet.rng.uniform(0.45, 0.95)
        bar = max(1.0, unit * 0.011)
        sheet.draw.rounded_rectangle(
            (left, y + pitch * 0.17, x1, y + pitch * 0.17 + bar), bar / 2, mix(CARD, INK, 0.08)
        )
        sheet.draw.rounded_rectangle(
            (left, y + pitch * 0.17, left + long, y + pitch * 0.17 + bar), bar / 2, sheet.tones[i]
        )


def number(sheet: Sheet, box: Box, unit: float) -> None:
    x0, y0, x1, y1 = _heading(sheet, box, unit, "At a glance", sheet.tones[3])
    value = sheet.rng.uniform(1.2, 9.8)
    sheet.text((x0, y0 + unit * 0.12), f"{value:.1f}x", unit * 0.24, sheet.tones[0], bold=True)
    sheet.text((x0, y0 + unit * 0.275), "more than five years ago", unit * 0.046, mix(INK, CARD, 0.3))
    top, base = y0 + unit * 0.34, y1
    if base - top < unit * 0.08:
        return
    points = []
    level = 0.12
    for i in range(25):
        level = min(0.97, max(0.05, level + sheet.rng.uniform(-0.05, 0.115)))
        points.append((x0 + (x1 - x0) * i / 24, base - (base - top) * (level + 0.03 * math.sin(i))))
    sheet.draw.polygon([(x0, base), *points, (x1, base)], fill=mix(CARD, sheet.tones[2], 0.22))
    sheet.draw.line(points, fill=sheet.tones[2], width=max(1, round(unit / 90)), joint="curve")
    dot = unit * 0.02
    x, y = points[-1]
    sheet.draw.ellipse(
        (x - dot, y - dot, x + dot, y + dot), fill=sheet.tones[1], outline=CARD, width=max(1, round(unit / 160))
    )
