"""A gentle babble that follows the words of a prompt: vowels sung by a train of pulses, consonants of soft noise."""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING

from .audio import sound
from .medium import Media, dice

if TYPE_CHECKING:
    from random import Random

RATE = 24_000
CAP = 20.0  # seconds, where no duration is asked for
# Centre and strength of the first formants, in Hz; each dies away within its bandwidth.
_VOWELS = {
    "a": ((750, 1.0), (1200, 0.55), (2600, 0.18)),
    "e": ((480, 1.0), (1900, 0.40), (2600, 0.22)),
    "i": ((300, 1.0), (2300, 0.30), (3000, 0.20)),
    "o": ((480, 1.0), (880, 0.60), (2500, 0.10)),
    "u": ((330, 1.0), (800, 0.35), (2300, 0.06)),
    "m": ((260, 0.9), (1100, 0.08), (2200, 0.03)),
}
_WIDTHS = (80, 110, 170)  # Hz
_HISS, _STOP = frozenset("szfcxhvj"), frozenset("ptkbdgq")
_SYLLABLE = re.compile(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?|[^aeiouy]+")


@dataclass(frozen=True, slots=True)
class _Sound:
    """A stretch of speech: a vowel, 'm', or '' for silence or hiss; its length in seconds; how loud and high it is."""

    vowel: str
    seconds: float
    loud: float = 1.0
    lift: float = 0.0
    hiss: float = 0.0


def voice(prompt: str, seed: int, seconds: float | None, output_format: str) -> Media:
    """Return mono speech-like sound, as long as asked for, or as the words take (at most CAP seconds)."""
    rng = dice("voice", prompt, seed)
    plan = _plan(prompt, rng)
    natural = sum(part.seconds for part in plan) + 0.3
    wanted = min(CAP, max(1.0, natural)) if seconds is None else seconds
    count = max(1, round(wanted * RATE))
    out = array("d", bytes(8 * (count + RATE)))
    base = rng.uniform(105, 215)
    brightness = 0.92 + 0.18 * (base - 105) / 110
    responses = {name: _response(formants, brightness) for name, formants in _VOWELS.items()}
    noises = [array("d", _noise(rng, bright)) for bright in (0.35, 0.75)]
    at = round(0.08 * RATE)
    last = "a"
    spoken = 0.0
    while at < count:
        for part in plan:
            length = round(part.seconds * RATE)
            if part.hiss:
                _breathe(out, noises[part.hiss > 0.5], at, length, part.loud, count)
            elif part.vowel:
                pitch = base * (1 + part.lift - 0.10 * min(1.0, spoken / max(1.0, natural)))
                _sing(out, at, length, (responses[last], responses[part.vowel]), pitch, part, rng, count)
                last = part.vowel
            at += length
            spoken += part.seconds
            if at >= count:
                break
        at += round(0.45 * RATE)
        spoken = 0.0
        if seconds is None:
            break
    del out[count:]
    fade = min(count, RATE // 25)
    for i in range(fade):
        out[count - 1 - i] *= i / fade
    return sound([out], RATE, output_format, 0.5)


def _plan(prompt: str, rng: Random) -> list[_Sound]:
    # What is said: for each syllable a consonant and a vowel; pauses between words and longer ones at stops.
    plan: list[_Sound] = []
    for token in re.findall(r"\w+|[.,;:!?]+", prompt.lower()[:1500]) or ["hm"]:
        if not token[0].isalnum() and token[0] != "_":
            plan.append(_Sound("", 0.16 if token[0] == "," else 0.32))
            continue
        syllables = _SYLLABLE.findall(token)
        for index, syllable in enumerate(syllables[:8]):
            stress = 0.13 if index == 0 and len(token) > 3 else rng.uniform(-0.05, 0.04)
            onset = syllable[0]
            if onset in _HISS:
                plan.append(_Sound("", rng.uniform(0.06, 0.09), 0.16, hiss=0.9 if onset in "szcx" else 0.3))
            elif onset in _STOP:
                plan += [_Sound("", 0.035), _Sound("", 0.018, 0.22, hiss=0.9 if onset in "ptkq" else 0.3)]
            elif onset not in "aeiouy":
                plan.append(_Sound("m", rng.uniform(0.05, 0.075), 0.5, stress))
            vowels = [letter for letter in syllable if letter in "aeiouy"]
            vowel = vowels[0].replace("y", "i") if vowels else "aeiou"[ord(onset) % 5]
            plan.append(_Sound(vowel, rng.uniform(0.11, 0.17) * (1.25 if stress > 0.1 else 1), 1.0, stress))
            if syllable[-1] in "nmlr":
                plan.append(_Sound("m", 0.06, 0.45, stress - 0.03))
        plan.append(_Sound("", rng.uniform(0.03, 0.07)))
    return plan


def _response(formants: tuple[tuple[int, float], ...], brightness: float) -> array[float]:
    # What one pulse of the glottis rings in the mouth: a sum of dying sines, with a soft start.
    values = array("d")
    for n in range(360):
        t = n / RATE
        ring = sum(
            strength * math.exp(-math.pi * width * t) * math.sin(math.tau * centre * brightness * t)
            for (centre, strength), width in zip(formants, _WIDTHS, strict=True)
        )
        values.append(ring * min(1.0, n / 18) * min(1.0, (360 - n) / 60))
    return values


def _noise(rng: Random, bright: float) -> list[float]:
    values: list[float] = []
    low = 0.0
    for byte in rng.randbytes(RATE // 4):
        white = byte / 127.5 - 1
        low += (white - low) * 0.35
        values.append((white - low) * bright + low * (1 - bright))
    return values


def _sing(
    out: array[float], at: int, length: int, rings: tuple[array[float], array[float]], pitch: float, part: _Sound,
    rng: Random, count: int,
) -> None:  # fmt: skip
    position = float(at)
    phase = rng.uniform(0, math.tau)
    while position < at + length and position < count:
        share = (position - at) / length
        glide = min(1.0, share * 3.2)
        loud = part.loud * min(1.0, share * 6 + 0.25) * min(1.0, (1 - share) * 4 + 0.12)
        a, b = loud * (1 - glide), loud * glide
        start = int(position)
        ring = [a * x + b * y for x, y in zip(*rings, strict=True)]
        end = start + len(ring)
        out[start:end] = array("d", map(add, out[start:end], ring))
        bend = 1 + 0.015 * math.sin(phase + share * length / RATE * 34) - 0.06 * share
        position += RATE / (pitch * bend)


def _breathe(out: array[float], noise: array[float], at: int, length: int, loud: float, count: int) -> None:
    length = min(length, count - at, len(noise))
    for i in range(length):
        out[at + i] += noise[i] * loud * math.sin(math.pi * (i + 0.5) / length)
