"""Infographics: the prompt as the title above four cards of made-up figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .canvas import between, glow
from .caption import badge, font, readable, wrap, write
from .cards import CARD, INK, Box, Sheet, bars, donut, number, steps
from .medium import Media, dice, words_of
from .palette import mix, rgb
from .picture import encode

if TYPE_CHECKING:
    from collections.abc import Callable

_PAPER = rgb("f3f1ea")
_THEMES = (
    ("1f4e79", "2a7fb8", "f2a541", "3fb8af", "e4572e"),
    ("4a2a6b", "8e5bb5", "ff8c61", "3fa7d6", "f2c14e"),
    ("14463f", "2a9d8f", "e9c46a", "f4845f", "577590"),
    ("7a2230", "d1495b", "edae49", "30638e", "00798c"),
)
_QUIET = words_of("about above after along among between from into over that their there this through under with")


def infographic(prompt: str, seed: int, size: tuple[int, int], output_format: str) -> Media:
    """Return an infographic about a prompt, with figures that the seed decides."""
    rng = dice("infographic", prompt, seed)
    scale = 2 if size[0] * size[1] <= 2_600_000 else 1
    width, height = size[0] * scale, size[1] * scale
    image = Image.new("RGB", (width, height), _PAPER)
    theme = [rgb(code) for code in _THEMES[int(rng.random() * len(_THEMES))]]
    words = [
        word.capitalize()
        for word in sorted(words_of(prompt))
        if word.isascii() and 4 <= len(word) <= 11 and word not in _QUIET
    ]
    sheet = Sheet(image, ImageDraw.Draw(image), theme[0], tuple(theme[1:]), rng, words)
    unit = min(width, height * 1.1)
    gap = unit * 0.032
    head = min(height * 0.24, unit * 0.22)
    _title(sheet, prompt, (0, 0, width, head), gap)
    foot = unit * 0.045
    cards: tuple[Callable[[Sheet, Box, float], None], ...] = (bars, donut, steps, number)
    columns = 4 if width > height * 2.2 else 1 if height > width * 2.2 else 2
    rows = len(cards) // columns
    wide = (width - gap * (columns + 1)) / columns
    high = (height - head - foot - gap * rows) / rows
    boxes: list[Box] = []
    for i in range(len(cards)):
        x, y = gap + (i % columns) * (wide + gap), head + gap * 0.8 + (i // columns) * (high + gap)
        boxes.append((x, y, x + wide, y + high))
    if min(wide, high) >= 24:
        _shadows(sheet, boxes, unit)
        for card, box in zip(cards, boxes, strict=True):
            card(sheet, box, min(wide, high * 1.3))
    note = "Sample figures, made up by the genstep sandbox"
    sheet.text((width / 2, height - foot * 0.55), note, unit * 0.017, mix(INK, _PAPER, 0.45), "mm")
    frame = image.reduce(scale) if scale > 1 else image
    badge(*size)(frame, 0.0)
    return encode(frame, output_format)


def _title(sheet: Sheet, prompt: str, box: Box, gap: float) -> None:
    width, height = round(box[2]), max(1, round(box[3]))
    band = between(sheet.deep, mix(sheet.deep, sheet.tones[0], 0.55), (width, height))
    glow(band, (width * 0.85, height * 0.1), width * 0.35, sheet.tones[0], 0.7)
    glow(band, (width * 0.1, height), width * 0.25, sheet.tones[2], 0.35)
    sheet.image.paste(band, (0, 0))
    shown, name = readable(prompt)
    size = height * 0.25
    if size < 9:
        return
    face = font(round(size), name)
    lines = wrap(shown[:1].upper() + shown[1:] or "Untitled", face, width - gap * 2.5, 2)
    top = height * (0.58 if len(lines) == 1 else 0.42)
    for i, line in enumerate(lines):
        at = (gap * 1.25, top + i * size * 1.2)
        write(sheet.draw, at, line, face, (255, 255, 255), weight=size / 40)
    sheet.draw.rounded_rectangle(
        (gap * 1.25, height * 0.17, gap * 1.25 + size * 1.6, height * 0.17 + size * 0.12), size * 0.06, sheet.tones[1]
    )


def _shadows(sheet: Sheet, boxes: list[Box], unit: float) -> None:
    shrink = 8
    mask = Image.new("L", (sheet.image.width // shrink + 1, sheet.image.height // shrink + 1))
    draw = ImageDraw.Draw(mask)
    for x0, y0, x1, y1 in boxes:
        draw.rounded_rectangle(
            [v / shrink for v in (x0, y0 + unit * 0.008, x1, y1 + unit * 0.012)], unit * 0.02 / shrink, 70
        )
    soft = mask.filter(ImageFilter.GaussianBlur(unit * 0.012 / shrink)).resize(
        sheet.image.size, Image.Resampling.BICUBIC
    )
    sheet.image.paste(mix(_PAPER, sheet.deep, 0.75), (0, 0), ImageChops.multiply(soft, soft.point([220] * 256)))
    for box in boxes:
        sheet.draw.rounded_rectangle(box, unit * 0.02, CARD)
