"""Misty mountains behind one another, often above a still lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstep.sandbox.media.land import clouds, hills, mist, pines, ridge, sky, stars, still_water, sun, waves
from genstep.sandbox.media.palette import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genstep.sandbox.media.canvas import Stage, Step

PALETTES = ("sunset", "dawn", "day", "night", "autumn", "mist", "rose", "forest", "winter")
WORDS = "mountain mountains hill hills valley peak peaks lake landscape river alps fog foggy mist misty volcano cliff"
HINTS = "island nature eagle goat train road"


def paint(stage: Stage) -> Iterator[Step]:
    """Yield the steps from the sky to the nearest pines."""
    rng, palette = stage.rng, stage.palette
    lake = rng.random() < 0.7
    horizon = rng.uniform(0.60, 0.66) if lake else rng.uniform(0.68, 0.74)
    light = (stage.width * rng.uniform(0.24, 0.76), stage.height * (horizon - rng.uniform(0.24, 0.36)))
    yield sky(stage, horizon, light)
    if palette.dark:
        yield stars(stage, horizon)
    yield clouds(stage, 0.04, horizon * 0.8, rng.uniform(0.15, 0.5))
    yield sun(stage, light, stage.unit * rng.uniform(0.035, 0.06), stage.height * 0.05)
    count = 4 if lake else 5
    for i in range(count):
        share = i / (count - 1)
        line = ridge(rng, 420, 0.50 + 0.04 * (1 - share))
        colour = mix(palette.haze, palette.near, share**1.25 * 0.86)
        foot = mix(palette.haze, palette.horizon, 0.55 - 0.4 * share)
        rise = stage.unit * (0.30 - 0.17 * share) * rng.uniform(0.85, 1.15)
        base = horizon - 0.05 + 0.05 * share if lake else horizon - 0.10 + 0.16 * share
        low = horizon + 0.004 if lake else 1.0
        yield from hills(stage, line, base, rise, (colour, mix(colour, foot, 0.75)), 0.15 + 0.4 * share, low)
        if 0 < i < count - 1:
            yield mist(stage, base + 0.01, 0.12, mix(palette.haze, palette.horizon, 0.6), 0.55, 0.5)
    if lake:
        yield still_water(stage, horizon, mix(palette.haze, palette.near, 0.35))
        yield mist(stage, horizon, 0.05, mix(palette.haze, palette.horizon, 0.7), 0.5, 0.7)
    side = rng.uniform(-0.35, 0.35)
    shore = [min(1.0, abs(2 * i / 199 - 1 + side) ** 1.4 * 0.85 + 0.22 * v) for i, v in enumerate(waves(rng, 200, 1.4))]
    front = mix(palette.near, (0, 0, 0), 0.15)
    yield from pines(stage, shore, 1.02, stage.unit * 0.15, (front, front), 0.95, stage.unit * 0.17, 0.8)
