"""Still pictures: a scene with its caption and badge, encoded as PNG, JPEG or WebP with the sandbox's mark inside."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from . import scenes
from .canvas import Stage, Step, gradient
from .caption import badge, caption
from .medium import MARK, Media, dice, words_of
from .palette import Palette, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}
_EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_LEAST = 64  # pixels
_SOFTWARE = 0x0131  # the EXIF tag


def still(prompt: str, seed: int, size: tuple[int, int], output_format: str, image: bytes | None = None) -> Media:
    """Return the picture of a prompt; with an input `image`, that picture in the prompt's colours."""
    frame = Image.new("RGB", size)
    for step in steps(prompt, seed, size, image):
        step(frame, 0.0)
    return encode(frame, output_format)


def steps(
    prompt: str, seed: int, size: tuple[int, int], image: bytes | None = None, bleed: int = 0, seconds: float = 0.0
) -> Iterator[Step]:
    """Yield what paints the picture, from the sky to the badge; `bleed` and `seconds` are for a clip."""
    words = words_of(prompt)
    rng = dice(prompt, seed)
    name, palette = scenes.choose(words, rng)
    if image is None:
        large = _roomy(size)
        scene = scenes.compose(name, Stage(*large, palette, rng, words, bleed, seconds))
        yield from scene if large == size else [_reduced(list(scene), large)]
    else:
        yield _given(open_picture(image), size, palette)
    words_below = caption(prompt, *size, palette.accent)
    if words_below:
        yield words_below
    yield badge(*size)


def _roomy(size: tuple[int, int]) -> tuple[int, int]:
    # The least size that a scene is painted at: its features are shares of the frame, and need some pixels.
    scale = max(1.0, _LEAST / min(size))
    if max(size) * scale > 4096:
        return max(_LEAST, size[0]), max(_LEAST, size[1])
    return round(size[0] * scale), round(size[1] * scale)


def _reduced(scene: list[Step], large: tuple[int, int]) -> Step:
    def paint(frame: Image.Image, t: float) -> None:
        canvas = Image.new("RGB", large)
        for step in scene:
            step(canvas, t)
        frame.paste(canvas.resize(frame.size, Image.Resampling.BOX), (0, 0))

    return paint


def open_picture(data: bytes) -> Image.Image:
    """Return a picture as RGB, upright; ValueError where Pillow cannot read it."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            upright = ImageOps.exif_transpose(opened)
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                ground = Image.new("RGBA", upright.size, "white")
                ground.alpha_composite(upright)
                upright = ground
            return upright.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("image is not a picture that can be read: give PNG, JPEG or WebP") from error


def _given(picture: Image.Image, size: tuple[int, int], palette: Palette) -> Step:
    # The input fills the frame, graded towards the palette, and grows slowly in a clip.
    wide = (round(size[0] * 1.15), round(size[1] * 1.15))
    base = ImageOps.fit(picture, wide, Image.Resampling.LANCZOS)
    colours = [(place, mix(colour, (255, 255, 255), 0.35)) for place, colour in palette.sky]
    base = Image.blend(base, gradient(wide, colours), 0.22)

    def paint(frame: Image.Image, t: float) -> None:
        x, y = (wide[0] - size[0]) / 2 * t, (wide[1] - size[1]) / 2 * t
        box = (x, y, wide[0] - x, wide[1] - y)
        frame.paste(base.resize(size, Image.Resampling.BILINEAR, box), (0, 0))

    return paint


def encode(frame: Image.Image, output_format: str) -> Media:
    """Return the picture in one of FORMATS, marked as made by the sandbox."""
    kind = FORMATS[output_format]
    out = io.BytesIO()
    if kind == "png":
        mark = PngInfo()
        mark.add_text("Software", MARK)
        frame.save(out, "PNG", pnginfo=mark, compress_level=4)
    else:
        exif = Image.Exif()
        exif[_SOFTWARE] = MARK
        if kind == "jpeg":
            frame.save(out, "JPEG", quality=92, exif=exif, comment=MARK)
        else:
            frame.save(out, "WEBP", quality=88, method=1, exif=exif)
    return Media(out.getvalue(), f"image/{kind}", _EXTENSIONS[kind], frame.width, frame.height)


def thumbnail(picture: bytes, side: int = 256) -> Media:
    """Return a JPEG of a picture that fits into a square of `side` pixels; a smaller picture keeps its size."""
    small = open_picture(picture)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return encode(small, "jpeg")
