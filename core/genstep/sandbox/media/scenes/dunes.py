"""Desert dunes in long light, each with a lit and a shaded side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from genstep.sandbox.media.canvas import Point, Stage, Step, between, fade_down, layer, polygon_mask
from genstep.sandbox.media.land import WHITE, clouds, hills, ridge, sky, stars, sun, waves
from genstep.sandbox.media.palette import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PALETTES = ("desert", "sunset", "rose", "autumn", "dawn")
WORDS = "desert dune dunes sand canyon mars oasis savanna safari egypt pyramid sahara"
HINTS = "camel west western lion lizard"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the nearest dune."""
    rng, palette = stage.rng, stage.palette
    horizon = rng.uniform(0.50, 0.58)
    light = (stage.width * rng.uniform(0.2, 0.8), stage.height * (horizon - rng.uniform(0.12, 0.26)))
    yield sky(stage, horizon, light, 1.0)
    if palette.dark:
        yield stars(stage, horizon)
    yield clouds(stage, 0.05, horizon * 0.8, rng.uniform(0.1, 0.35))
    yield sun(stage, light, stage.unit * rng.uniform(0.05, 0.08), stage.height * 0.05)
    mesa = [min(0.8, max(0.0, v * 1.6 - 0.5)) for v in ridge(rng, 300, 0.5)]
    far = mix(palette.haze, palette.horizon, 0.25)
    yield from hills(
        stage, mesa, horizon + 0.01, stage.unit * 0.13, (far, mix(far, palette.horizon, 0.5)), 0.1, horizon + 0.06
    )
    count = 5
    for i in range(count):
        yield from _dune(stage, horizon, i / (count - 1), light[0])


def _dune(stage: Stage, horizon: float, share: float, light: float) -> Iterator[Step]:
    rng, palette = stage.rng, stage.palette
    base = horizon + 0.015 + (0.90 - horizon) * share**1.15
    rise = stage.unit * (0.05 + 0.13 * share)
    top = int(stage.height * base - rise)
    height = max(4, stage.height - top)
    length = 240
    line = waves(rng, length, stage.wide / stage.unit * rng.uniform(0.38, 0.55))
    crest: list[Point] = [(i * stage.wide / (length - 1), rise * (1 - v)) for i, v in enumerate(line)]
    mask = polygon_mask((stage.wide, height), [(-2.0, height + 2.0), *crest, (stage.wide + 2.0, height + 2.0)])
    sand = mix(mix(palette.haze, palette.horizon, 0.35), mix(palette.haze, palette.near, 0.55), share)
    lit = between(mix(sand, WHITE, 0.16), mix(sand, palette.near, 0.12), (stage.wide, height), 0.7)
    shade = between(mix(sand, palette.near, 0.45), mix(sand, palette.near, 0.20), (stage.wide, height), 0.9)
    peaks = [i for i in range(8, length - 8) if line[i] == max(line[i - 8 : i + 9]) and line[i] > 0.35]
    away = 1 if light < stage.width / 2 else -1
    for peak in peaks:
        outline = _lee(crest, peak, away, height, rng.uniform(0.6, 1.4))
        if max(y for _, y in outline[: len(outline) - 60]) - crest[peak][1] < rise * 0.4:
            continue
        lit.paste(shade, (0, 0), fade_down(polygon_mask((stage.wide, height), outline), 0.1, 0.2 + rise * 2.6 / height))
    yield layer(lit, mask, (-stage.bleed, top), (-stage.bleed * (0.15 + 0.8 * share), 0))


def _lee(crest: list[Point], peak: int, away: int, height: float, bend: float) -> list[Point]:
    # From the peak along the crest to the next valley; both ends then flow down to the viewer in one sweep.
    along = [crest[peak]]
    i = peak + away
    while 0 <= i < len(crest) and crest[i][1] >= crest[i - away][1]:
        along.append(crest[i])
        i += away
    reach = abs(along[-1][0] - along[0][0])

    def flow(start: Point, sweep: float, sway: float) -> list[Point]:
        steps = [k / 30 for k in range(1, 31)]
        return [
            (
                start[0] + away * reach * (sweep * t**1.4 + sway * bend * math.sin(math.tau * t) * (1 - t) ** 0.5),
                start[1] + (height - start[1]) * t**1.15,
            )
            for t in steps
        ]

    return [*along, *flow(along[-1], 2.4, 0.0), *reversed(flow(along[0], 0.55, 0.20))]
