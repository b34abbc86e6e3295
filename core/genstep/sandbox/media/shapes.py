"""The low-poly things of the 3D models: a gem, an island, a knot and a cluster of crystals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .mesh import Mesh, Vector, cross, dot, minus, unit
from .palette import Colour, mix, rgb

if TYPE_CHECKING:
    from random import Random

_PALE = rgb("f4f1e8")


def gem(rng: Random, tones: list[Colour]) -> Mesh:
    """Return a cut gem, standing on its point."""
    mesh = Mesh("gem", metallic=0.15, rough=0.12)
    sides = 8 + 2 * int(rng.random() * 3)
    wide, table = rng.uniform(0.72, 0.82), rng.uniform(0.52, 0.6)
    girdle, top, point = 1.25 + rng.uniform(0, 0.1), 1.65 + rng.uniform(0, 0.1), 0.42

    def ring(radius: float, y: float, turn: float) -> list[Vector]:
        angles = [math.tau * (k + turn) / sides for k in range(sides)]
        return [(radius * math.sin(a), y, radius * math.cos(a)) for a in angles]

    crown, mid, belt = (
        ring(wide * table, top, 0.5),
        ring(wide * 0.86, (girdle + top * 1.4) / 2.4, 0.0),
        ring(wide, girdle, 0.5),
    )
    lower = ring(wide * 0.55, (girdle + point) / 2 - 0.02, 0.0)
    mesh.face(crown, mix(tones[0], _PALE, 0.55))
    for k in range(sides):
        n = (k + 1) % sides

        def tint(share: float, k: int = k) -> Colour:
            return mix(
                mix(tones[0], tones[1], 0.5 + 0.5 * math.sin(math.tau * k / sides)), _PALE, share + 0.22 * rng.random()
            )

        mesh.face([crown[k], mid[n], crown[n]], tint(0.35))
        mesh.face([crown[k], mid[k], belt[k], mid[n]], tint(0.12))
        mesh.face([mid[n], belt[k], belt[n]], tint(0.22))
        mesh.face([belt[k], lower[n], belt[n]], tint(0.02))
        mesh.face([belt[k], lower[k], (0.0, point, 0.0), lower[n]], tint(0.0))
    return mesh


def island(rng: Random, tones: list[Colour]) -> Mesh:
    """Return an island with a beach, woods and a peak."""
    mesh = Mesh("island", rough=0.9)
    cells = 22
    bumps = [
        (rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.25, 0.9), rng.uniform(0.1, 0.26))
        for _ in range(7)
    ]
    half = 0.92
    peak = 0.0
    grid: list[list[Vector]] = []
    for j in range(cells + 1):
        row: list[Vector] = []
        for i in range(cells + 1):
            edge = i in (0, cells) or j in (0, cells)
            u, v = 2 * i / cells - 1, 2 * j / cells - 1
            x, z = half * u * math.sqrt(1 - v * v / 2), half * v * math.sqrt(1 - u * u / 2)
            if not edge:
                x, z = x + rng.uniform(-0.018, 0.018), z + rng.uniform(-0.018, 0.018)
            away = max(0.0, 1 - (x * x + z * z) / half**2 * 1.15)
            height = sum(h * math.exp(-((x - a) ** 2 + (z - b) ** 2) / s / 0.35) for a, b, h, s in bumps) * away
            peak = max(peak, height)
            row.append((x, height + (0 if edge else rng.uniform(0, 0.03)), z))
        grid.append(row)
    scale = rng.uniform(0.55, 0.75) / max(peak, 0.1)
    grid = [[(x, 0.46 + y * scale, z) for x, y, z in row] for row in grid]
    sea, sand, grass, rock, snow = rgb("3a9bd0"), rgb("ecd9a0"), rgb("6fae5c"), rgb("7d7a80"), rgb("fbfbff")
    for j in range(cells):
        for i in range(cells):
            a, b, c, d = grid[j][i], grid[j + 1][i], grid[j + 1][i + 1], grid[j][i + 1]
            for corners in ([a, b, c], [a, c, d]):
                level = sum(corner[1] for corner in corners) / 3 - 0.46
                steep = unit(cross(minus(corners[1], corners[0]), minus(corners[2], corners[0])))[1]
                colour = sea if level < 0.035 else sand if level < 0.10 else snow if level > 0.50 else grass
                if level > 0.12 and steep < 0.58:
                    colour = mix(rock, tones[2], 0.15)
                mesh.face(corners, mix(colour, (20, 24, 40), 0.10 * rng.random()))
                if colour == grass and rng.random() < 0.22:
                    _tree(mesh, corners[0], rng.uniform(0.09, 0.16), mix(rgb("2f6b46"), tones[2], 0.25 * rng.random()))
    rim = [*grid[0], *(row[-1] for row in grid[1:]), *grid[-1][-2::-1], *(row[0] for row in grid[-2:0:-1])]
    for k, here in enumerate(rim):
        after = rim[(k + 1) % len(rim)]
        mesh.face(
            [here, after, (after[0] * 0.98, 0.36, after[2] * 0.98), (here[0] * 0.98, 0.36, here[2] * 0.98)],
            mix(sea, (10, 14, 40), 0.35),
        )
    return mesh


def _tree(mesh: Mesh, foot: Vector, tall: float, colour: Colour) -> None:
    x, y, z = foot
    for low, wide in ((0.15, 0.30), (0.5, 0.22)):
        ring = [
            (x + tall * wide * math.sin(a), y + tall * low, z + tall * wide * math.cos(a))
            for a in (math.tau * k / 5 for k in range(5))
        ]
        for k in range(5):
            mesh.face([ring[k], ring[(k + 1) % 5], (x, y + tall * (low + 0.6), z)], mix(colour, _PALE, 0.06 * k))


def knot(rng: Random, tones: list[Colour]) -> Mesh:
    """Return a torus knot."""
    mesh = Mesh("torus knot", metallic=0.25, rough=0.3)
    p, q = ((2, 3), (3, 2), (2, 5), (3, 4))[int(rng.random() * 4)]
    around, sides, thick = 150, 9, 0.135

    def centre(t: float) -> Vector:
        r = 0.50 + 0.20 * math.cos(q * t)
        return r * math.cos(p * t), 1.15 + r * math.sin(p * t), 0.26 * math.sin(q * t)

    rings: list[list[Vector]] = []
    for k in range(around):
        t = math.tau * k / around
        here, ahead = centre(t), centre(t + 0.001)
        along = unit(minus(ahead, here))
        out = unit(cross(along, unit(cross((here[0], here[1] - 1.15, here[2]), along))))
        side = cross(along, out)
        ring: list[Vector] = []
        for s in range(sides):
            a = math.tau * s / sides
            x, y, z = (here[i] + thick * (math.cos(a) * out[i] + math.sin(a) * side[i]) for i in range(3))
            ring.append((x, y, z))
        rings.append(ring)
    for k in range(around):
        here_ring, next_ring = rings[k], rings[(k + 1) % around]
        share = 0.5 + 0.5 * math.sin(math.tau * k / around)
        for s in range(sides):
            n = (s + 1) % sides
            colour = mix(mix(tones[0], tones[1], share), tones[2], 0.25 * rng.random())
            mesh.face([here_ring[s], here_ring[n], next_ring[n], next_ring[s]], colour)
    return mesh


def crystal(rng: Random, tones: list[Colour]) -> Mesh:
    """Return a cluster of crystals."""
    mesh = Mesh("crystals", metallic=0.1, rough=0.18)
    _spire(mesh, rng, (0.0, 0.34, 0.0), (0.0, 1.0, 0.0), (0.24, 1.55), mix(tones[0], tones[2], 0.15))
    for index in range(8):
        angle, lean, root = (
            math.tau * (index + rng.uniform(-0.3, 0.3)) / 8,
            rng.uniform(0.25, 0.6),
            rng.uniform(0.18, 0.42),
        )
        x, z = math.cos(angle), math.sin(angle)
        size = (rng.uniform(0.10, 0.19), rng.uniform(0.55, 1.15))
        tone = mix(tones[index % 2], tones[2], 0.3 * rng.random())
        _spire(mesh, rng, (x * root, 0.34, z * root), unit((x * lean, 1.0, z * lean)), size, tone)
    return mesh


def _spire(mesh: Mesh, rng: Random, base: Vector, axis: Vector, size: tuple[float, float], tone: Colour) -> None:
    # One crystal: a six-sided column that widens a little and ends in a point.
    thick, tall = size
    across = unit(cross(axis, (0.3, 0.1, 1.0)))
    other = cross(across, axis)

    def place(radius: float, corner: int, up: float) -> Vector:
        c, s = radius * math.cos(math.tau * corner / 6), radius * math.sin(math.tau * corner / 6)
        x, y, z = (base[i] + axis[i] * up + c * across[i] + s * other[i] for i in range(3))
        return x, y, z

    low, high = [place(thick * 0.8, k, 0) for k in range(6)], [place(thick, k, tall * 0.78) for k in range(6)]
    for k in range(6):
        n = (k + 1) % 6
        glint = mix(tone, _PALE, 0.08 + 0.40 * rng.random())
        for corners in ([low[k], low[n], high[n], high[k]], [high[k], high[n], place(0, 0, tall)]):
            mesh.face(_outwards(corners, base, axis), glint)
    mesh.face(_outwards(low, place(0, 0, tall * 0.4), axis), tone)


def _outwards(corners: list[Vector], base: Vector, axis: Vector) -> list[Vector]:
    # A face of a convex crystal looks away from the crystal's axis, or from its middle where the axis pierces it.
    normal = cross(minus(corners[1], corners[0]), minus(corners[-1], corners[0]))
    count = len(corners)
    centre = (
        sum(c[0] for c in corners) / count,
        sum(c[1] for c in corners) / count,
        sum(c[2] for c in corners) / count,
    )
    out = minus(centre, base)
    along = dot(out, axis)
    away = minus(out, (along * axis[0], along * axis[1], along * axis[2]))
    return corners if dot(normal, away if dot(away, away) > 1e-9 else out) > 0 else corners[::-1]
