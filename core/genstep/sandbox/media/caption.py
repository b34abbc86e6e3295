"""The words on a picture: the prompt in a band of frosted glass, and the small badge that says SANDBOX."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .canvas import Step, shape_mask

if TYPE_CHECKING:
    from .palette import Colour

BADGE = "SANDBOX"
_MOST = 600  # characters of a prompt that are looked at
# Looked for in the system's font folders, and only for letters that Pillow's own font lacks.
_SYSTEM_FONTS = (
    "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf", "msyh.ttc",
    "YuGothM.ttc", "malgun.ttf", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc",
)  # fmt: skip
_PLAIN = str.maketrans({"—": "-", "–": "-", "−": "-", "‐": "-", "‑": "-", "\u00a0": " ", "→": ">"})  # noqa: RUF001

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=64)
def font(size: int, name: str = "") -> Font:
    """Return a font of `size` pixels: Pillow's own, or a system font by file name (OSError where there is none)."""
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _drawn(character: str, name: str) -> bool:
    face = font(24, name)
    return bytes(face.getmask(character)) != bytes(face.getmask("\uffff"))


@lru_cache(maxsize=256)
def readable(text: str) -> tuple[str, str]:
    """Return the text as it can be drawn, and the font for it ('' for Pillow's own)."""
    kept = "".join(" " if unicodedata.category(c) in _BLANK else c for c in text[:_MOST])
    kept = " ".join(unicodedata.normalize("NFC", kept).translate(_PLAIN).split())
    strange = {c for c in kept if not c.isascii() and not _drawn(c, "")}
    letters = {c for c in strange if unicodedata.category(c)[0] in "LMN"}
    chosen = ""
    if letters:
        found = [
            (sum(_drawn(c, name) for c in letters), -i, name) for i, name in enumerate(_SYSTEM_FONTS) if _there(name)
        ]
        most = max(found, default=(0, 0, ""))
        chosen = most[2] if most[0] else ""
    if not chosen and letters:
        kept = "".join(c for c in unicodedata.normalize("NFKD", kept) if not unicodedata.combining(c))
    kept = "".join(c for c in kept if (c.isascii() and not chosen) or _drawn(c, chosen))
    return " ".join(kept.split()), chosen


_BLANK = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}


def _there(name: str) -> bool:
    try:
        font(24, name)
    except OSError:
        return False
    return True


def wrap(text: str, face: Font, width: float, most: int) -> list[str]:
    """Return at most `most` lines no wider than `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if face.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while face.getlength(line) > width and len(lines) < most:
            cut = next((n for n in range(len(line) - 1, 0, -1) if face.getlength(line[:n]) <= width), 1)
            lines.append(line[:cut])
            line = line[cut:]
        if len(lines) >= most:
            break
    if line and len(lines) < most:
        return [*lines, line]
    if line or len(lines) > most:
        lines = lines[:most]
        last = lines[-1]
        while last and face.getlength(last + "…") > width:
            last = last[:-1]
        lines[-1] = last.rstrip(" ,.;:-") + "…"
    return lines


def write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, face: Font, ink: int | Colour, anchor: str = "lm",
    weight: float = 0.0,
) -> None:  # fmt: skip
    """Write one line; a `weight` above 0 makes it bolder by that many pixels."""
    for x in (at[0], at[0] + weight) if weight else (at[0],):
        draw.text((x, at[1]), text, font=face, fill=ink, anchor=anchor)


def rounded(size: tuple[int, int], radius: float) -> Image.Image:
    """Return an antialiased mask of a rectangle with round corners."""

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        box = (0, 0, size[0] * scale - 1, size[1] * scale - 1)
        canvas.rounded_rectangle(box, radius * scale, fill=255)

    return shape_mask(size, draw)


def badge(width: int, height: int) -> Step:
    """Return the step that puts the badge SANDBOX into the upper right corner, smaller on the smallest frames."""
    side = min(height, width * 1.2)
    size = max(7, round(min(side, 0.6 * width) * 0.030))
    face = font(size)
    gap = size * 0.16
    long = sum(face.getlength(letter) + gap for letter in BADGE) - gap
    pad = size * 0.85
    box = (round(long + pad * 2 + size * 0.95), round(size * 2.1))
    if box[0] > width or box[1] > height:
        pad, gap = 2, 0
        long = sum(face.getlength(letter) for letter in BADGE)
        box = (min(width, round(long + pad * 2)), min(height, round(size * 1.4)))
    roomy = gap > 0
    margin = round(max(2, min(width, height) * 0.028)) if roomy else 0
    at = (width - margin - box[0], margin)
    glass = rounded(box, box[1] / 2 if roomy else 1)
    ink = Image.new("L", box)
    draw = ImageDraw.Draw(ink)
    x, middle = pad, box[1] / 2
    if roomy:
        dot = size * 0.24
        draw.ellipse((x, middle - dot, x + dot * 2, middle + dot), fill=255)
        x += size * 0.95
    for letter in BADGE:
        write(draw, (x, middle + size * 0.02), letter, face, 255, weight=size / 45)
        x += face.getlength(letter) + gap
    return lambda frame, _t: _on_glass(frame, at, glass, ink, 0.55, (255, 255, 255))


def caption(text: str, width: int, height: int, accent: Colour) -> Step | None:
    """Return the step that shows `text` at the foot of a frame; None where the frame is too small or the text empty."""
    shown, name = readable(text)
    if not shown and text.strip():
        shown, name = "(no font on this machine has the letters of the prompt)", ""
    if not shown or width < 96 or height < 72:
        return None
    size = max(11, round(min(width * 1.15, height * 1.45, (width * height) ** 0.5) * 0.036))
    face = font(size, name)
    margin, pad = round(min(width, height) * 0.035), round(size * 0.95)
    bar = max(2, round(size * 0.12))
    room = width - 2 * margin - 2 * pad - bar * 4
    most = 2 if width >= height else 3
    lines = wrap(shown, face, room, most)
    step = round(size * 1.34)
    wide = min(room, max(face.getlength(line) for line in lines))
    box = (round(wide + 2 * pad + bar * 4), step * len(lines) + round(pad * 1.25))
    if box[1] > height * 0.45:
        return None
    at = (margin, height - margin - box[1])
    glass = rounded(box, min(box[1] / 2, size * 0.6))
    ink = Image.new("L", box)
    draw = ImageDraw.Draw(ink)
    for i, line in enumerate(lines):
        draw.text(
            (pad + bar * 4, box[1] / 2 + step * (i - (len(lines) - 1) / 2)), line, font=face, fill=255, anchor="lm"
        )
    mark = rounded((bar, max(2, round(box[1] - pad * 1.25))), bar / 2)

    def paint(frame: Image.Image, _t: float) -> None:
        _on_glass(frame, at, glass, ink, 0.5, (255, 255, 255))
        x, y = at[0] + pad, at[1] + (box[1] - mark.height) // 2
        frame.paste(accent, (x, y, x + mark.width, y + mark.height), mark)

    return paint


def _on_glass(
    frame: Image.Image, at: tuple[int, int], glass: Image.Image, ink: Image.Image, shade: float, colour: Colour
) -> None:
    # Frosted glass: what is behind, blurred at a small size, and darkened.
    region = (at[0], at[1], at[0] + glass.width, at[1] + glass.height)
    behind = frame.crop(region)
    small = (max(2, glass.width // 12), max(2, glass.height // 12))
    behind = behind.resize(small, Image.Resampling.BOX).filter(ImageFilter.BoxBlur(1))
    behind = behind.resize(glass.size, Image.Resampling.BICUBIC)
    behind = Image.blend(behind, Image.new("RGB", glass.size, (8, 10, 24)), shade)
    behind.paste(colour, (0, 0), ink)
    frame.paste(behind, region, glass)
