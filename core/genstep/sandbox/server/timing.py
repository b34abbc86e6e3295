"""How long a generation takes, in nominal seconds, within what the documents say of it; `--speed` divides it later."""

from __future__ import annotations

from genstep.sandbox.server import chance

# (typical, log deviation, least, most). ConceptViz: document 000, "30-90 seconds typical". Nanobanana: the
# `generation_time` of document 001's examples. The others state nothing, but for 15 s in document 003's webhook.
_TIMES: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("conceptviz", "image"): (50.0, 0.25, 30.0, 90.0),
    ("nanobanana", "image"): (2.45, 0.15, 1.5, 4.0),
    ("nanobanana", "video"): (32.45, 0.15, 20.0, 50.0),
    ("nanobanana", "model3d"): (45.678, 0.15, 30.0, 70.0),
    ("imaginelab", "text"): (4.0, 0.3, 2.0, 10.0),
    ("imaginelab", "voice"): (6.0, 0.3, 3.0, 15.0),
    ("imaginelab", "image"): (12.0, 0.3, 6.0, 30.0),
    ("imaginelab", "infographic"): (20.0, 0.3, 10.0, 50.0),
    ("imaginelab", "music"): (30.0, 0.3, 15.0, 75.0),
    ("imaginelab", "video"): (90.0, 0.3, 45.0, 220.0),
    ("aivisualstudio", "image"): (15.0, 0.25, 8.0, 30.0),
    ("aivisualstudio", "video"): (90.0, 0.25, 50.0, 180.0),
    ("imageapi", "image"): (3.0, 0.25, 1.5, 6.0),
}


def nominal(slug: str, kind: str, *parts: object) -> float:
    """Return the seconds that a job takes at speed 1; `parts` (seed, prompt, job's number) decide within the range."""
    typical, spread, least, most = _TIMES[slug, kind]
    return min(most, max(least, chance.around(typical, spread, slug, kind, *parts)))
