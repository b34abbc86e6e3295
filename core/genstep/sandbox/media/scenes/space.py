"""Deep space: clouds of glowing gas, stars, and a ringed planet in the light of a near sun."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from genstep.sandbox.media.canvas import (
    Stage,
    Step,
    backdrop,
    between,
    curve,
    disc_of_light,
    glow,
    gradient,
    layer,
    shape_mask,
    soft_noise,
)
from genstep.sandbox.media.land import WHITE, stars
from genstep.sandbox.media.palette import Colour, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("cosmos", "aurora", "night")
WORDS = "space galaxy planet planets astronaut cosmos cosmic nebula universe alien orbit saturn comet asteroid"
HINTS = "rocket spaceship moon star stars robot future"
_GASES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((124, 58, 237), (236, 72, 153), (56, 189, 248)),
    ((20, 160, 190), (90, 80, 230), (250, 180, 120)),
    ((220, 80, 90), (250, 160, 90), (110, 60, 200)),
)


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the gas to the planet and its moon."""
    rng, palette = stage.rng, stage.palette
    size = (stage.width, stage.height)
    sky = gradient(size, [(0, palette.sky[0][1]), (1, mix(palette.sky[1][1], palette.sky[2][1], 0.5))])
    gases = _GASES[int(rng.random() * len(_GASES))]
    scale = min(1.0, 420 / max(size))  # gas is soft: it is made small
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    for i, gas in enumerate(gases):
        cells = (max(2, round(2.4 * stage.width / stage.unit)), max(2, round(2.4 * stage.height / stage.unit)))
        cloud = curve(soft_noise(small, rng, cells, 5), 112 + 6 * i, 200, (215, 190, 130)[i], 1.4)
        place = (stage.width * rng.uniform(0.2, 0.8), stage.height * rng.uniform(0.15, 0.7))
        spot = _spot(small, (place[0] * scale, place[1] * scale), stage.unit * 0.95 * scale)
        sky.paste(gas, (0, 0), ImageChops.multiply(cloud, spot).resize(size, Image.Resampling.BICUBIC))
        glow(sky, place, stage.unit * 0.55, gas, 0.34)
    yield backdrop(sky)
    yield stars(stage, 1.6, 2.0)
    radius = stage.unit * rng.uniform(0.19, 0.26)
    centre = (stage.width * rng.uniform(0.34, 0.66), stage.height * rng.uniform(0.36, 0.46))
    yield from _planet(stage, centre, radius, gases)
    side = -1 if centre[0] > stage.width / 2 else 1
    moon = (
        centre[0] + side * radius * rng.uniform(1.3, 1.9),
        centre[1] + radius * rng.uniform(1.05, 1.35) * (-1 if centre[1] > stage.height * 0.42 else 1),
    )
    yield _ball(stage, moon, radius * 0.2, (mix(WHITE, gases[2], 0.35), mix(WHITE, gases[0], 0.6)), stage.unit * 0.03)


def _spot(size: tuple[int, int], centre: tuple[float, float], radius: float) -> Image.Image:
    mask = Image.new("L", size)
    light = disc_of_light(radius, 1.1)
    mask.paste(light, (round(centre[0] - light.width / 2), round(centre[1] - light.height / 2)))
    return mask


def _ball(
    stage: Stage, centre: tuple[float, float], radius: float, colours: tuple[Colour, Colour], drift: float
) -> Step:
    # Bands of cloud, lit from the upper left: the shade is a radial gradient that is not centred.
    side = math.ceil(radius * 2)
    fill = between(colours[0], colours[1], (side, side))
    bands = soft_noise((side, side), stage.rng, (2, 7), 3)
    fill.paste(mix(colours[0], WHITE, 0.45), (0, 0), curve(bands, 135, 200, 150))
    fill.paste(mix(colours[1], (0, 0, 0), 0.45), (0, 0), curve(ImageChops.invert(bands), 140, 205, 120))
    light = disc_of_light(radius * 1.75, 0.75)
    shade = ImageChops.invert(light.crop((0, 0, light.width, light.height)))
    start = int(light.width / 2 - radius * 0.62)
    shade = shade.crop((start, start, start + side, start + side))
    fill.paste((6, 4, 22), (0, 0), curve(shade, 70, 190, 246, 0.9))

    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        canvas.ellipse((0, 0, side * scale - 1, side * scale - 1), fill=255)

    return layer(
        fill, shape_mask((side, side), draw), (centre[0] - side / 2, centre[1] - side / 2), (-drift, drift * 0.2)
    )


def _planet(
    stage: Stage, centre: tuple[float, float], radius: float, gases: tuple[Colour, Colour, Colour]
) -> Iterator[Step]:
    tilt = stage.rng.uniform(-24, -12) if stage.rng.random() < 0.5 else stage.rng.uniform(12, 24)
    side = math.ceil(radius * 5)
    halo = disc_of_light(radius * 1.6, 1.4).point([v * 2 // 5 for v in range(256)])
    drift = stage.unit * 0.05
    yield layer(gases[1], halo, (centre[0] - halo.width / 2, centre[1] - halo.height / 2), (-drift, drift * 0.2))
    front = _ring(side, radius, tilt)
    back = front.copy()
    upper = Image.new("L", (side, side))
    ImageDraw.Draw(upper).rectangle((0, 0, side, side // 2), fill=255)
    upper = upper.rotate(tilt, Image.Resampling.BICUBIC)
    back = ImageChops.multiply(front, upper)
    front = ImageChops.multiply(front, ImageChops.invert(upper))
    at = (centre[0] - side / 2, centre[1] - side / 2)
    dust = mix(gases[2], WHITE, 0.55)
    yield layer(dust, back, at, (-drift, drift * 0.2))
    yield _ball(stage, centre, radius, (mix(gases[0], WHITE, 0.18), mix(gases[1], WHITE, 0.1)), drift)
    yield layer(dust, front, at, (-drift, drift * 0.2))


def _ring(side: int, radius: float, tilt: float) -> Image.Image:
    def draw(canvas: ImageDraw.ImageDraw, scale: int) -> None:
        middle = side * scale / 2
        for reach, level in ((2.22, 60), (2.08, 150), (1.86, 40), (1.80, 190), (1.58, 120), (1.42, 50), (1.34, 0)):
            wide, high = radius * reach * scale, radius * reach * scale * 0.27
            canvas.ellipse((middle - wide, middle - high, middle + wide, middle + high), fill=level)

    return shape_mask((side, side), draw).rotate(tilt, Image.Resampling.BICUBIC)
