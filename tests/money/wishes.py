"""What people ask for in a day: which service, which kind, and when; a few ask for what somebody asked before."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

#: the share of wishes that repeat an earlier one, which must not be paid for again
REPEATED = 0.03
#: small media: (weight, the service's price of it all, fields)
KINDS: dict[str, list[tuple[int, int, dict[str, Any]]]] = {
    "conceptviz": [(7, 1, {}), (2, 2, {"quality": "4k"}), (1, 2, {"n": 2})],
    "nanobanana": [(8, 4, {}), (1, 8, {"n": 2}), (1, 10, {"kind": "video", "duration": 1, "resolution": "360p"})],
    "imaginelab": [
        (6, 5, {"model": "seedream-5.0-lite"}),
        *[
            (1, price, {"kind": kind, "model": f"sandbox-{kind}"})
            for kind, price in {"text": 2, "voice": 3, "music": 8, "infographic": 10, "video": 15}.items()
        ],
    ],
    "aivisualstudio": [(8, 5, {"output_format": "png"}), (1, 450, {"kind": "video", "duration": 1})],
    "imageapi": [(8, 1, {"width": 256, "height": 256}), (2, 2, {"width": 256, "height": 256, "n": 2})],
}


@dataclass
class Wish:
    """One caller: ``at`` seconds after the start; ``job`` and ``outcome`` are what a scheduler would write down."""

    slug: str
    at: float
    price: int
    fields: dict[str, Any]
    #: after a crash this caller comes back with its job's id, and not with its request
    by_id: bool
    job: str = ""
    outcome: str = ""


def wishes(jobs: int, seconds: float, seed: int) -> list[Wish]:
    """So many callers of a Poisson process over a time, in order."""
    chance = random.Random(seed)
    found: list[Wish] = []
    for number, at in enumerate(sorted(chance.uniform(0, seconds) for _ in range(jobs))):
        slug = chance.choice(list(KINDS))
        earlier = [wish for wish in found[-200:] if wish.slug == slug]
        if earlier and chance.random() < REPEATED:
            same = chance.choice(earlier)
            price, fields = same.price, same.fields
        else:
            [(_, price, extra)] = chance.choices(KINDS[slug], [weight for weight, _, _ in KINDS[slug]])
            fields = {"prompt": f"number {number} of the day", **extra}
        found.append(Wish(slug, at, price, fields, by_id=chance.random() < 0.5))
    return found
