"""Colours of the sandbox's pictures: moods with their sky, distance, foreground and light, and mixing of colours."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


def rgb(code: str) -> Colour:
    """Return the colour of six hexadecimal digits."""
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour `share` (0 to 1) of the way from `a` to `b`."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Palette:
    """One mood: sky from the zenith to the horizon, far and near land, the light in the sky, and two accents."""

    name: str
    sky: tuple[tuple[float, Colour], ...]
    haze: Colour
    near: Colour
    sun: Colour
    glow: Colour
    accent: Colour
    second: Colour
    dark: bool = False

    @property
    def horizon(self) -> Colour:
        """The colour of the sky at the horizon."""
        return self.sky[-1][1]


def _mood(name: str, sky: str, rest: str, dark: bool = False) -> Palette:
    colours = [rgb(code) for code in sky.split()]
    places = [(i / (len(colours) - 1)) ** 0.9 for i in range(len(colours))]
    haze, near, sun, glow, accent, second = (rgb(code) for code in rest.split())
    return Palette(name, tuple(zip(places, colours, strict=True)), haze, near, sun, glow, accent, second, dark)


# Each line: the sky downwards; then haze, near, sun, glow, accent, second accent.
PALETTES = {
    palette.name: palette
    for palette in (
        _mood("sunset", "241b4f 5a2a73 b5446e ee7f57 ffc978", "e98a6c 1a1030 fff1c9 ffb45e ff6f59 ffd166"),
        _mood("dawn", "5577b0 92a8d6 d9bcd6 f8cfc4 ffe9cc", "d8bcd0 2f3160 fff8ea ffd7a8 f28482 84a5d9"),
        _mood("day", "2b78bd 5ea6da 9fd0ec d7edf4 f4f7ee", "a9cde0 173f52 fffef4 fff2c2 f4a259 2a9d8f"),
        _mood("night", "050a22 0c1c45 1c3a72 3d609c 7f9cc4", "4c6b9f 050b1c f7f3df a9c1f0 ffd27d 6ea8fe", True),
        _mood("aurora", "030b1c 06203a 0c3a52 1a5a66 3f8a85", "26606b 02090f eefcf4 7dffd0 3dffb0 9a6bff", True),
        _mood("winter", "5f8fc4 93b8dd c3d8ec e9e4ee fdeee2", "c2d3e6 2c4a6b fffaf0 ffe3c4 d1495b 6fa8dc"),
        _mood("autumn", "45506e 8a6f7d cf8f6b f2b66a ffe3a6", "d79a63 3a1a17 fff3d0 ffc56b d9481f f2a541"),
        _mood("desert", "2f7a94 78b0b4 c9d3b8 f7d9a5 ffe8c2", "e6b283 6f2918 fff6dc ffd489 d1603d 2a7f8e"),
        _mood("forest", "2a6468 5f9c90 9fc8a8 d6e3b8 f6f3cf", "a9ccae 0b2722 fffbe0 fff0b0 e9c46a 2a9d8f"),
        _mood("mist", "6f8c9f 9db3bf c3d0d4 e0e5e2 f3f0e8", "bccacf 22343f fffdf5 fff4da e07a5f 81b29a"),
        _mood("rose", "31265c 6f4a8e b46fa6 ee9fae ffd6c0", "c986ae 1f1640 fff2e4 ffc1a6 ff7d9c 8ecae6"),
        _mood("tropic", "0b5f86 1f97ad 5cc9c2 b9e6cf fff2cf", "7fc9c0 06364a fffbe6 ffe9a8 ff8c61 06d6a0"),
        _mood("cosmos", "04030f 0b0824 17113c 241a52 33246a", "2d2360 05040f fff4e0 ff9ad5 7b5cff ff5ea8", True),
    )
}
