"""The scenes of the sandbox's pictures, and the choice of one by the words of the prompt and the dice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genstep.sandbox.media import palette as moods
from genstep.sandbox.media.palette import Palette, mix
from genstep.sandbox.media.subjects import subject
from genstep.sandbox.media.weather import weather

from . import city, diagram, dunes, flow, forest, mountains, night, sea, space, winter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from genstep.sandbox.media.canvas import Stage, Step


@dataclass(frozen=True, slots=True)
class Scene:
    """One family of pictures: its painter, the moods that suit it, and the words that call for it."""

    paint: Callable[[Stage], Iterator[Step]]
    palettes: Sequence[str]
    words: frozenset[str]
    hints: frozenset[str]


SCENES: dict[str, Scene] = {
    module.__name__.rpartition(".")[2]: Scene(
        module.paint, module.PALETTES, frozenset(module.WORDS.split()), frozenset(module.HINTS.split())
    )
    for module in (mountains, sea, night, dunes, forest, city, space, flow, winter, diagram)
}
_MOODS = {
    "sunset": "sunset dusk evening fire lava warm",
    "dawn": "dawn sunrise morning pastel spring",
    "day": "day noon summer clear bright",
    "night": "night midnight moonlight dark",
    "aurora": "aurora arctic emerald",
    "autumn": "autumn fall golden october vintage",
    "forest": "green moss jungle",
    "mist": "fog foggy mist misty rain rainy smoke",
    "rose": "pink purple violet magenta romantic dream dreams",
    "tropic": "tropical tropic turquoise teal lagoon caribbean",
    "cosmos": "neon cosmic synthwave cyberpunk",
}


def choose(words: frozenset[str], rng: Random) -> tuple[str, Palette]:
    """Return the scene and the palette for the words of a prompt; where they say nothing, the dice do."""
    scores = {name: 2 * len(scene.words & words) + len(scene.hints & words) for name, scene in SCENES.items()}
    best = max(scores.values())
    names = [name for name, score in scores.items() if score == best and (best or name != "diagram")]
    name = names[int(rng.random() * len(names))]
    wanted = [mood for mood, calls in _MOODS.items() if words & frozenset(calls.split())]
    suiting = [mood for mood in wanted if mood in SCENES[name].palettes]
    options = suiting or wanted or SCENES[name].palettes
    return name, moods.PALETTES[options[int(rng.random() * len(options))]]


def compose(name: str, stage: Stage) -> Iterator[Step]:
    """Yield every step of a scene: the scene itself, the subject that the prompt names, and the weather."""
    yield from SCENES[name].paint(stage)
    palette = stage.palette
    snow = mix((255, 255, 255), palette.sky[3][1], 0.5 if palette.dark else 0.08)
    yield from subject(stage, snow if name == "winter" else mix(palette.near, palette.haze, 0.08))
    yield from weather(stage)
