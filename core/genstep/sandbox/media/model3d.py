"""3D models: a low-poly gem, island, knot or crystal on a plinth that reads SANDBOX, as GLB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .medium import MARK, Media, dice, words_of
from .mesh import Mesh, glb
from .palette import Colour, mix, rgb
from .shapes import crystal, gem, island, knot

if TYPE_CHECKING:
    from .mesh import Vector

_TONES = (
    ("3fa7d6", "8e5bb5", "f2c14e"), ("e4572e", "f2a541", "7a2230"), ("2a9d8f", "9be28f", "1f4e79"),
    ("ff7d9c", "7b5cff", "ffd6c0"), ("06d6a0", "118ab2", "ffd166"),
)  # fmt: skip
_SLATE, _PALE = rgb("2b3042"), rgb("f4f1e8")
# Letters of five rows; each row is read as bits from the left.
_LETTERS = {
    "S": (0b111, 0b100, 0b111, 0b001, 0b111), "A": (0b010, 0b101, 0b111, 0b101, 0b101),
    "N": (0b1001, 0b1101, 0b1111, 0b1011, 0b1001), "D": (0b110, 0b101, 0b101, 0b101, 0b110),
    "B": (0b110, 0b101, 0b110, 0b101, 0b110), "O": (0b111, 0b101, 0b101, 0b101, 0b111),
    "X": (0b101, 0b101, 0b010, 0b101, 0b101),
}  # fmt: skip
_CALLS = {
    gem: words_of("gem diamond jewel ring ruby sapphire emerald glass crown treasure"),
    island: words_of("island mountain mountains terrain landscape hill forest tree castle house village world map"),
    knot: words_of("knot abstract sculpture logo torus loop ribbon art modern symbol"),
    crystal: words_of("crystal crystals ice rock rocks stone mineral cave magic quartz snow"),
}


def model(prompt: str, seed: int) -> Media:
    """Return a GLB model about 2 units high, standing at the origin; `asset.extras` hold the mark and the prompt."""
    rng = dice("model3d", prompt, seed)
    words = words_of(prompt)
    wanted = [shape for shape, calls in _CALLS.items() if words & calls] or list(_CALLS)
    shape = wanted[int(rng.random() * len(wanted))]
    tones = [rgb(code) for code in _TONES[int(rng.random() * len(_TONES))]]
    shown = prompt.encode("utf-8", "replace").decode()[:2000]
    data = glb(
        [shape(rng, tones), _plinth(tones[0])], {"generator": MARK, "sandbox": True, "prompt": shown, "seed": seed}
    )
    return Media(data, "model/gltf-binary", ".glb")


def _plinth(tone: Colour) -> Mesh:
    mesh = Mesh("SANDBOX plinth", rough=0.85)
    sides = 8
    rings: list[list[Vector]] = []
    corner = 1 / math.cos(math.pi / sides)
    angles = [math.tau * (k + 0.5) / sides for k in range(sides)]
    for radius, y in ((1.06, 0.0), (1.06, 0.30), (1.0, 0.36)):
        rings.append([(radius * corner * math.sin(a), y, radius * corner * math.cos(a)) for a in angles])
    mesh.face(rings[2], mix(_SLATE, _PALE, 0.12))
    mesh.face(rings[0][::-1], _SLATE)
    for low, high, colour in ((rings[0], rings[1], _SLATE), (rings[1], rings[2], tone)):
        for k in range(sides):
            n = (k + 1) % sides
            mesh.face([low[k], low[n], high[n], high[k]], colour)
    pixel = 0.027
    total = sum(max(row.bit_length() for row in _LETTERS[letter]) + 1 for letter in "SANDBOX") - 1
    x = -total * pixel / 2
    for letter in "SANDBOX":
        rows = _LETTERS[letter]
        wide = max(row.bit_length() for row in rows)
        for j, row in enumerate(rows):
            for i in range(wide):
                if row >> (wide - 1 - i) & 1:
                    y = 0.22 - j * pixel
                    mesh.box((x + i * pixel, y - pixel, 1.055), (x + (i + 1) * pixel, y, 1.085), _PALE)
        x += (wide + 1) * pixel
    return mesh
