"""Chance that a seed decides: job durations, media seeds, and whether a fault with a probability strikes."""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

_NORMAL = NormalDist()


def number(*parts: object) -> int:
    """Return an integer from 0 to 2**32 - 1 that only depends on `parts`."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")


def fraction(*parts: object) -> float:
    """Return a number between 0 and 1, never either, that only depends on `parts`."""
    return (number(*parts) + 0.5) / 2**32


def around(typical: float, spread: float, *parts: object) -> float:
    """Return a log-normal draw with the median `typical` and the log deviation `spread`."""
    return typical * math.exp(spread * _NORMAL.inv_cdf(fraction(*parts)))
