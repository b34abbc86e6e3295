"""The figures that a prompt may name (a fox, a cabin, a balloon, a rocket), as coloured outlines, and their drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageChops

from .canvas import Point, polygon_mask
from .palette import rgb

# A part is a colour and the outline of a shape, in units of the figure's height; y grows upwards from the ground.
Part = tuple[str, Sequence[Point]]


def _both(points: Sequence[Point]) -> list[Point]:
    # A right half from top to bottom, closed by its mirror image.
    return [*points, *((-x, y) for x, y in reversed(points) if x > 0)]


def _ball(x: float, y: float, wide: float, high: float) -> list[Point]:
    return [(x + wide * math.cos(a), y + high * math.sin(a)) for a in (math.tau * k / 16 for k in range(16))]


def _pair(code: str, points: Sequence[Point]) -> list[Part]:
    return [(code, points), (code, [(-x, y) for x, y in points])]


# fmt: off
_FUR, _DARK, _PALE = "d9622b", "2b1a1d", "fff6ea"
_FOX: list[Part] = [
    ("c14f1f", [(0.10, 0.0), (0.42, 0.0), (0.58, 0.12), (0.60, 0.30), (0.50, 0.46), (0.52, 0.30), (0.42, 0.20),
                (0.16, 0.16)]),
    (_PALE, [(0.50, 0.47), (0.60, 0.34), (0.605, 0.24), (0.555, 0.25), (0.525, 0.33)]),
    (_FUR, _both([(0.0, 0.66), (0.13, 0.58), (0.17, 0.44), (0.24, 0.26), (0.27, 0.10), (0.22, 0.0)])),
    *_pair("c14f1f", [(0.10, 0.30), (0.20, 0.26), (0.26, 0.12), (0.22, 0.0), (0.09, 0.0), (0.12, 0.12)]),
    (_PALE, _both([(0.0, 0.60), (0.10, 0.56), (0.115, 0.44), (0.06, 0.33), (0.0, 0.24)])),
    *_pair(_DARK, [(0.015, 0.20), (0.085, 0.22), (0.095, 0.04), (0.10, 0.0), (0.01, 0.0)]),
    *_pair(_FUR, [(0.08, 0.82), (0.16, 0.93), (0.225, 1.02), (0.245, 0.90), (0.225, 0.76)]),
    *_pair(_DARK, [(0.14, 0.86), (0.18, 0.93), (0.212, 0.97), (0.218, 0.89), (0.20, 0.81)]),
    (_FUR, _both([(0.0, 0.88), (0.12, 0.86), (0.22, 0.77), (0.285, 0.665), (0.19, 0.60), (0.08, 0.535), (0.0, 0.515)])),
    *_pair(_PALE, [(0.285, 0.665), (0.21, 0.70), (0.11, 0.685), (0.05, 0.60), (0.03, 0.53), (0.10, 0.545),
                   (0.20, 0.60)]),
    (_DARK, _ball(0.0, 0.535, 0.034, 0.026)),
    (_DARK, _ball(0.098, 0.715, 0.022, 0.030)),
    (_DARK, _ball(-0.098, 0.715, 0.022, 0.030)),
    ("ffffff", _ball(0.105, 0.725, 0.007, 0.009)),
    ("ffffff", _ball(-0.091, 0.725, 0.007, 0.009)),
]
_CABIN: list[Part] = [
    ("3b2a2a", [(0.22, 0.62), (0.22, 0.98), (0.33, 0.98), (0.33, 0.50)]),
    ("6b4630", [(-0.46, 0.0), (-0.46, 0.46), (0.46, 0.46), (0.46, 0.0)]),
    ("5a3a28", [(-0.46, 0.10), (-0.46, 0.13), (0.46, 0.13), (0.46, 0.10)]),
    ("5a3a28", [(-0.46, 0.24), (-0.46, 0.27), (0.46, 0.27), (0.46, 0.24)]),
    ("5a3a28", [(-0.46, 0.37), (-0.46, 0.40), (0.46, 0.40), (0.46, 0.37)]),
    ("7d533a", [(-0.52, 0.46), (0.0, 0.93), (0.52, 0.46)]),
    ("2f2226", [(-0.62, 0.36), (0.0, 0.92), (0.62, 0.36), (0.62, 0.44), (0.0, 1.0), (-0.62, 0.44)]),
    ("3b2a2a", [(-0.10, 0.0), (-0.10, 0.34), (0.10, 0.34), (0.10, 0.0)]),
    ("ffd98a", [(-0.36, 0.15), (-0.36, 0.34), (-0.19, 0.34), (-0.19, 0.15)]),
    ("ffd98a", [(0.19, 0.15), (0.19, 0.34), (0.36, 0.34), (0.36, 0.15)]),
    ("ffd98a", [(-0.09, 0.50), (-0.09, 0.66), (0.09, 0.66), (0.09, 0.50)]),
    ("6b4630", [(-0.012, 0.50), (-0.012, 0.66), (0.012, 0.66), (0.012, 0.50)]),
    ("6b4630", [(-0.282, 0.15), (-0.282, 0.34), (-0.268, 0.34), (-0.268, 0.15)]),
    ("6b4630", [(0.268, 0.15), (0.268, 0.34), (0.282, 0.34), (0.282, 0.15)]),
]
_ENVELOPE = [
    (0.0, 1.0),
    (0.20, 0.97),
    (0.34, 0.85),
    (0.385, 0.70),
    (0.33, 0.52),
    (0.20, 0.36),
    (0.10, 0.255),
    (0.0, 0.25),
]
_BALLOON: list[Part] = [
    *_pair("4a3428", [(-0.085, 0.245), (-0.07, 0.135), (-0.06, 0.135), (-0.075, 0.245)]),
    ("e4572e", _both(_ENVELOPE)),
    ("f6c667", _both([(x * 0.80, y) for x, y in _ENVELOPE])),
    ("e4572e", _both([(x * 0.52, y) for x, y in _ENVELOPE])),
    ("fff3dd", _both([(x * 0.20, y) for x, y in _ENVELOPE])),
    ("b23a1c", [(-0.105, 0.265), (0.105, 0.265), (0.085, 0.235), (-0.085, 0.235)]),
    ("8a5a3a", [(-0.075, 0.14), (0.075, 0.14), (0.062, 0.02), (-0.062, 0.02)]),
    ("5f3c26", [(-0.082, 0.155), (0.082, 0.155), (0.080, 0.125), (-0.080, 0.125)]),
]
_ROCKET: list[Part] = [
    ("ff9f3f", [(-0.085, 0.20), (-0.06, 0.08), (0.0, -0.07), (0.06, 0.08), (0.085, 0.20)]),
    ("ffe08a", [(-0.05, 0.20), (-0.03, 0.11), (0.0, 0.03), (0.03, 0.11), (0.05, 0.20)]),
    *_pair("c8364a", [(0.12, 0.50), (0.22, 0.38), (0.27, 0.20), (0.26, 0.13), (0.13, 0.25)]),
    ("3a4258", [(-0.10, 0.25), (0.10, 0.25), (0.08, 0.185), (-0.08, 0.185)]),
    ("eef1f8", _both([(0.0, 1.0), (0.08, 0.90), (0.145, 0.74), (0.17, 0.55), (0.155, 0.38), (0.11, 0.24),
                      (0.0, 0.235)])),
    ("cfd6e6", [(0.03, 0.95), (0.08, 0.90), (0.145, 0.74), (0.17, 0.55), (0.155, 0.38), (0.11, 0.24), (0.055, 0.236),
                (0.09, 0.40), (0.10, 0.58), (0.08, 0.78)]),
    ("c8364a", _both([(0.0, 1.0), (0.08, 0.90), (0.118, 0.81), (0.06, 0.795), (0.0, 0.79)])),
    ("3a4258", _ball(0.0, 0.62, 0.078, 0.078)),
    ("8fd3f4", _ball(0.0, 0.62, 0.054, 0.054)),
    ("dff5ff", _ball(-0.018, 0.64, 0.018, 0.018)),
    ("a82a3e", [(-0.016, 0.42), (0.016, 0.42), (0.020, 0.14), (-0.020, 0.14)]),
]
# fmt: on

# The words that stand for a figure; whether its outlines are smoothed; its parts; whether it flies.
FIGURES: tuple[tuple[frozenset[str], bool, Sequence[Part], bool], ...] = (
    (frozenset({"fox", "foxes", "vixen"}), True, _FOX, False),
    (frozenset({"cabin", "house", "hut", "cottage", "home"}), False, _CABIN, False),
    (frozenset({"balloon", "balloons", "airship"}), True, _BALLOON, True),
    (frozenset({"rocket", "spaceship", "spacecraft", "starship", "shuttle"}), True, _ROCKET, True),
)


def _smooth(points: Sequence[Point], steps: int = 6) -> list[Point]:
    # A closed Catmull-Rom curve of low tension: it passes through every point, and keeps tips pointed.
    result: list[Point] = []
    count = len(points)
    for i in range(count):
        p0, p1, p2, p3 = (points[(i + k - 1) % count] for k in range(4))
        for k in range(steps):
            t = k / steps
            weights = (
                0.35 * (-t + 2 * t * t - t**3),
                1 + (0.35 - 3) * t * t + (2 - 0.35) * t**3,
                0.35 * t + (3 - 0.7) * t * t + (0.35 - 2) * t**3,
                0.35 * (t**3 - t * t),
            )
            x, y = (sum(w * p[axis] for w, p in zip(weights, (p0, p1, p2, p3), strict=True)) for axis in (0, 1))
            result.append((x, y))
    return result


def figure(parts: Sequence[Part], smooth: bool, tall: float) -> tuple[Image.Image, Image.Image]:
    """Return the square picture and mask of a figure `tall` pixels high, whose foot is at 7/8 of their height."""
    side = max(4, math.ceil(tall * 1.3))
    picture, mask = Image.new("RGB", (side, side)), Image.new("L", (side, side))
    for code, points in parts:
        outline = _smooth(points) if smooth else points
        shape = polygon_mask((side, side), [(side / 2 + x * tall, side * 0.875 - y * tall) for x, y in outline])
        # Where nothing was painted yet the colour fills the whole edge, so that no dark rim is left around it.
        bare = ImageChops.subtract(shape.point([0, *[255] * 255]), mask)
        picture.paste(rgb(code), (0, 0), ImageChops.lighter(shape, bare))
        mask.paste(255, (0, 0), shape)
    return picture, mask
