"""Drawing on Pillow images: dithered gradients, glows, soft noise, antialiased shapes, and steps that paint a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from .palette import Colour, Palette, mix

if TYPE_CHECKING:
    from random import Random

# A step paints on the frame at time t (0 at the start of a clip, 1 at its end; a still is painted at 0).
Step = Callable[[Image.Image, float], None]
Point = tuple[float, float]
_BAYER = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scene is painted for: the frame in pixels, its colours, its dice, the words asked for, and,
    for a clip, how far layers may drift sideways (pixels) and how long it lasts."""

    width: int
    height: int
    palette: Palette
    rng: Random
    words: frozenset[str] = frozenset()
    bleed: int = 0
    seconds: float = 0.0

    @property
    def unit(self) -> float:
        """The length that features are scaled by, in pixels: the height, bounded for very tall frames."""
        return min(self.height, self.width * 1.1)

    @property
    def wide(self) -> int:
        """The width of a layer that may drift: the frame and a bleed on both sides."""
        return self.width + 2 * self.bleed


def gradient(size: tuple[int, int], stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """Return a vertical gradient through `stops` (position 0 to 1, colour), dithered so that it does not band."""
    width, height = size
    rows = bytearray()
    last = len(stops) - 2
    index = 0
    for y in range(height):
        place = (y + 0.5) / height
        while index < last and place > stops[index + 1][0]:
            index += 1
        (start, above), (end, below) = stops[index], stops[index + 1]
        share = min(1.0, max(0.0, (place - start) / max(1e-6, end - start)))
        levels = [a + (b - a) * share for a, b in zip(above, below, strict=True)]
        for threshold in _BAYER[y & 3]:
            rows += bytes(min(255, int(level + (threshold + 0.5) / 16)) for level in levels)
    return _tiled(Image.frombytes("RGB", (4, height), bytes(rows)), width)


def _tiled(column: Image.Image, width: int) -> Image.Image:
    image = Image.new("RGB", (width, column.height))
    image.paste(column, (0, 0))
    done = column.width
    while done < width:
        image.paste(image.crop((0, 0, min(done, width - done), column.height)), (done, 0))
        done *= 2
    return image


@lru_cache(maxsize=8)
def _radial(power: float) -> Image.Image:
    # Pillow's own radial gradient is 0 in the middle and 178 where it touches the sides of its square.
    return Image.radial_gradient("L").point([int(255 * max(0.0, 1 - i / 178) ** power + 0.5) for i in range(256)])


def disc_of_light(radius: float, power: float = 1.6) -> Image.Image:
    """Return a soft round mask that fades from its middle to `radius` pixels."""
    side = max(2, round(radius * 2))
    return _radial(power).resize((side, side), Image.Resampling.BICUBIC)


def glow(frame: Image.Image, centre: Point, radius: float, colour: Colour, strength: float, power: float = 1.6) -> None:
    """Lay a soft round light of `colour` over the frame, `strength` from 0 to 1."""
    side = max(2.0, radius * 2)
    x, y = centre[0] - side / 2, centre[1] - side / 2
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(frame.width, int(x + side)), min(frame.height, int(y + side))
    if right <= left or bottom <= top:
        return
    # Only the part that the frame shows is made: a glow is often larger than the frame.
    source = _radial(power)
    scale = source.width / side
    box = ((left - x) * scale, (top - y) * scale, (right - x) * scale, (bottom - y) * scale)
    box = (max(0.0, box[0]), max(0.0, box[1]), min(source.width, box[2]), min(source.height, box[3]))
    mask = source.resize((right - left, bottom - top), Image.Resampling.BICUBIC, box)
    frame.paste(colour, (left, top, right, bottom), mask.point([int(level * strength) for level in range(256)]))


def soft_noise(size: tuple[int, int], rng: Random, cells: tuple[int, int], octaves: int = 3) -> Image.Image:
    """Return smooth noise (mode L, about 0 to 255, mean 128) whose largest features are `size / cells`."""
    width, height = size
    small = (min(width, 420), min(height, 420))
    total: Image.Image | None = None
    for octave in range(octaves):
        grid = (max(2, cells[0] << octave), max(2, cells[1] << octave))
        layer = Image.frombytes("L", grid, rng.randbytes(grid[0] * grid[1])).resize(small, Image.Resampling.BICUBIC)
        total = layer if total is None else Image.blend(total, layer, 0.5 ** (octave + 0.6))
    assert total is not None
    return total.resize(size, Image.Resampling.BICUBIC)


def curve(image: Image.Image, low: float, high: float, top: float = 255, power: float = 1.0) -> Image.Image:
    """Return the mask with levels below `low` at 0, above `high` at `top`, and a ramp of `power` between."""
    span = max(1e-6, high - low)
    return image.point([int(top * min(1.0, max(0.0, (level - low) / span)) ** power) for level in range(256)])


def shape_mask(size: tuple[int, int], draw: Callable[[ImageDraw.ImageDraw, int], None], scale: int = 2) -> Image.Image:
    """Return an antialiased mask: `draw` is called with a canvas `scale` times as large, and that scale."""
    if size[0] * size[1] < 200_000:
        scale = max(scale, 4)
    large = Image.new("L", (size[0] * scale, size[1] * scale))
    draw(ImageDraw.Draw(large), scale)
    return large.reduce(scale)


def polygon_mask(size: tuple[int, int], *outlines: Sequence[Point]) -> Image.Image:
    """Return the antialiased mask of polygons given in pixels."""

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        for outline in outlines:
            canvas.polygon([(x * scale, y * scale) for x, y in outline], fill=255)

    return shape_mask(size, draw)


def fade_down(mask: Image.Image, start: float, end: float, power: float = 1.0) -> Image.Image:
    """Return the mask scaled from full at its top to nothing at its bottom, over rows `start` to `end` (0 to 1)."""
    rows = range(mask.height)
    ramp = bytes(
        int(255 * (1 - min(1.0, max(0.0, (y / mask.height - start) / max(1e-6, end - start)))) ** power) for y in rows
    )
    return ImageChops.multiply(mask, Image.frombytes("L", (1, mask.height), ramp).resize(mask.size))


def moved(mask: Image.Image, x: int, y: int) -> Image.Image:
    """Return the mask moved by whole pixels, its sides drawn out; what comes in from above or below is empty."""
    result = Image.new("L", mask.size)
    result.paste(mask, (0, y))
    result.paste(mask, (x, y))
    return result


def layer(
    fill: Image.Image | Colour, mask: Image.Image, at: tuple[float, float], travel: tuple[float, float] = (0.0, 0.0)
) -> Step:
    """Return a step that pastes `fill` through `mask` at `at` pixels, moving by `travel` pixels over the clip."""
    filled = mask.getbbox()
    if filled and (filled[2] - filled[0]) * (filled[3] - filled[1]) < 0.9 * mask.width * mask.height:
        at = (at[0] + filled[0], at[1] + filled[1])
        fill = fill.crop(filled) if isinstance(fill, Image.Image) else fill
        mask = mask.crop(filled)

    def paint(frame: Image.Image, t: float) -> None:
        x, y = round(at[0] + travel[0] * t), round(at[1] + travel[1] * t)
        frame.paste(fill, (x, y, x + mask.width, y + mask.height), mask)

    return paint


def backdrop(picture: Image.Image) -> Step:
    """Return a step that covers the frame with a picture of its own size."""
    return lambda frame, _t: frame.paste(picture, (0, 0))


def between(above: Colour, below: Colour, size: tuple[int, int], power: float = 1.0) -> Image.Image:
    """Return a vertical gradient of two colours; a `power` above 1 keeps the first colour longer."""
    steps = 6
    return gradient(size, [(i / steps, mix(above, below, (i / steps) ** power)) for i in range(steps + 1)])
