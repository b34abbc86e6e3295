"""A short piece of music: chords, a plucked arpeggio, a bass and a few bells, in a key and a mood of the prompt."""

from __future__ import annotations

import math
from array import array
from itertools import repeat
from operator import add, mul
from typing import TYPE_CHECKING

from .audio import sound
from .medium import Media, dice, words_of

if TYPE_CHECKING:
    from random import Random

RATE = 44_100
USUAL = 6.0  # seconds
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
# Chords by the step of the scale that they stand on; each goes home to the first.
_PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 5, 4), (5, 3, 0, 4), (0, 4, 5, 3), (0, 2, 3, 4))
_PATTERNS = ((0, 1, 2, 3, 2, 1, 2, 1), (0, 2, 1, 3, 2, 3, 1, 2), (0, 1, 2, 1, 3, 1, 2, 1), (3, 2, 1, 0, 1, 2, 3, 2))
_SAD = words_of(
    "sad dark melancholy rain rainy lonely night minor horror tense mystery mysterious winter storm goodbye"
)
_CALM = words_of("calm slow ambient sleep soft gentle relaxing meditation lullaby peaceful piano")
_LIVELY = words_of("fast upbeat happy dance energetic party rock techno house funk cheerful epic pop")
_TABLE = 4096


def music(prompt: str, seed: int, seconds: float, output_format: str) -> Media:
    """Return stereo music that fills `seconds` with whole bars, and ends on the home chord."""
    rng = dice("music", prompt, seed)
    words = words_of(prompt)
    scale = _MINOR if words & _SAD or (rng.random() < 0.35 and not words & _LIVELY) else _MAJOR
    root = 45 + int(rng.random() * 12)
    progression = _PROGRESSIONS[int(rng.random() * len(_PROGRESSIONS))]
    pace = 3.2 if words & _CALM else 1.8 if words & _LIVELY else 2.4
    bars = max(1, round(seconds / pace))
    count = max(1, round(seconds * RATE))
    bar = count / bars
    band = _Band(rng, root, scale, bar)
    left, right = array("f", bytes(4 * count)), array("f", bytes(4 * count))
    for index in range(bars):
        step = 0 if index == bars - 1 else progression[index % len(progression)]
        start = round(index * bar)
        for channel, part in zip((left, right), band.bar(step, index % 2), strict=True):
            end = min(count, start + len(part))
            channel[start:end] = array("f", map(add, channel[start:end], part))
    for channel in (left, right):
        _fade(channel, min(count // 3, RATE // 2))
    return sound([left, right], RATE, output_format, 0.7)


def _fade(channel: array[float], length: int) -> None:
    count = len(channel)
    for i in range(length):
        channel[count - 1 - i] *= (i / length) ** 1.5


class _Band:
    """The instruments; a bar is played once for each chord and variation, and a note once for each pitch."""

    def __init__(self, rng: Random, root: int, scale: tuple[int, ...], bar: float) -> None:
        self.root, self.scale, self.bar_length = root, scale, bar
        self.pattern = _PATTERNS[int(rng.random() * len(_PATTERNS))]
        self.bells = [(rng.random() < 0.55, int(rng.random() * 5)) for _ in range(16)]
        self.pluck = _wave((1.0, 0.42, 0.22, 0.10, 0.06, 0.03))
        self.pad = _wave((1.0, 0.30, 0.12, 0.05))
        self.bell = _wave((1.0, 0.0, 0.35, 0.0, 0.0, 0.12))
        self.bass = _wave((1.0, 0.45, 0.10))
        self._notes: dict[tuple[str, int], array[float]] = {}
        self._bars: dict[tuple[int, int], tuple[array[float], array[float]]] = {}

    def bar(self, step: int, variation: int) -> tuple[array[float], array[float]]:
        """Return the left and right samples of a bar over the chord on `step`, with what rings on after it."""
        key = (step, variation)
        if key not in self._bars:
            length = int(self.bar_length) + RATE
            channels = (array("f", bytes(4 * length)), array("f", bytes(4 * length)))
            eighth = self.bar_length / 8
            chord = [step, step + 2, step + 4, step + 7]
            for i, degree in enumerate(chord[:3]):
                self._play(channels, 0, self._note("pad", degree), 0.11, 0.25 + 0.25 * i)
            self._play(channels, 0, self._note("bass", step - 7), 0.30, 0.5)
            self._play(channels, round(eighth * 5), self._note("bass", step - 7), 0.16, 0.5)
            for i, place in enumerate(self.pattern):
                loud = 0.30 if i % 4 == 0 else 0.21
                self._play(
                    channels, round(i * eighth), self._note("pluck", chord[place] + 7), loud, 0.3 + 0.4 * (i % 2)
                )
            for i in (0, 3, 6):
                rings, high = self.bells[(i + 5 * variation + step) % len(self.bells)]
                if rings:
                    self._play(
                        channels, round(i * eighth), self._note("bell", step + 14 + (0, 2, 4, 7, 4)[high]), 0.12, 0.65
                    )
            self._bars[key] = channels
        return self._bars[key]

    def _play(
        self, channels: tuple[array[float], array[float]], start: int, note: array[float], loud: float, pan: float
    ) -> None:
        for channel, share in zip(channels, (math.cos(pan * math.pi / 2), math.sin(pan * math.pi / 2)), strict=True):
            end = min(len(channel), start + len(note))
            scaled = map(mul, note, repeat(loud * share, end - start))
            channel[start:end] = array("f", map(add, channel[start:end], scaled))

    def _note(self, instrument: str, degree: int) -> array[float]:
        key = (instrument, degree)
        if key not in self._notes:
            octave, place = divmod(degree, len(self.scale))
            pitch = 440 * 2 ** ((self.root + 12 * octave + self.scale[place] - 57) / 12)
            table, length, attack, decay = {
                "pad": (self.pad, int(self.bar_length + RATE * 0.5), 0.35, 0.0),
                "bass": (self.bass, int(RATE * 0.9), 0.02, 2.6),
                "pluck": (self.pluck, int(RATE * 0.8), 0.006, 5.0),
                "bell": (self.bell, int(RATE * 0.95), 0.004, 3.4),
            }[instrument]
            self._notes[key] = _tone(table, pitch, length, attack, decay)
        return self._notes[key]


def _wave(harmonics: tuple[float, ...]) -> list[float]:
    return [
        sum(strength * math.sin(math.tau * (k + 1) * i / _TABLE) for k, strength in enumerate(harmonics))
        for i in range(_TABLE)
    ]


def _tone(table: list[float], pitch: float, length: int, attack: float, decay: float) -> array[float]:
    # The phase is a whole number of 1/65536 of a turn, so that one shift finds the place in the table.
    step = round(pitch / RATE * _TABLE * 65536)
    wrap = _TABLE * 65536
    tone = array("f", [table[(i * step % wrap) >> 16] for i in range(length)])
    return array("f", map(mul, tone, _envelope(length, attack, decay)))


def _envelope(length: int, attack: float, decay: float) -> array[float]:
    rise, release = max(1, int(attack * RATE)), max(1, min(length // 3, int(0.35 * RATE)))
    shape = array("f", [1.0]) * length
    keep = math.exp(-decay / RATE)
    level = 1.0
    for i in range(length):
        shape[i] = level
        level *= keep
    for i in range(min(rise, length)):
        shape[i] *= i / rise
    for i in range(release):
        shape[length - 1 - i] *= i / release
    return shape
