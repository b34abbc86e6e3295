"""Text: a few readable paragraphs that quote the prompt and say that no model wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .medium import Media, dice

if TYPE_CHECKING:
    from random import Random

_OPENINGS = (
    "You asked for {quote}.",
    "The prompt was {quote}.",
    "Here is a stand-in for {quote}.",
)
_MIDDLES = (
    "Imagine the first lines setting the scene: who is there, what the light is like, and what is about to change.",
    "A real service would begin with one clear idea, turn it over twice, and leave the reader with a small surprise.",
    "The opening would be short. What comes next would be longer, and lead from the question to the reason for it.",
    "It would name three things worth knowing, put the most useful one first, and say plainly what is still unknown.",
    "Each paragraph would do one thing: set out the matter, give an example, and say what follows from it.",
)
_CLOSINGS = (
    "The same prompt and seed give this same text again; another seed gives another.",
    "Ask again with another seed, and the words change; ask with the same one, and they do not.",
    "Everything around this text is real: the job, its states, the file and its record. The words are a stand-in.",
)
_QUOTED = 400  # characters of the prompt


def text(prompt: str, seed: int) -> Media:
    """Return plain UTF-8 text of a title line and three paragraphs."""
    rng = dice("text", prompt, seed)
    shown = " ".join(prompt.encode("utf-8", "replace").decode().split())
    quote = f'"{shown[:_QUOTED]}…"' if len(shown) > _QUOTED else f'"{shown}"' if shown else "an empty prompt"
    first, second = _two(rng, _MIDDLES)
    paragraphs = [
        "[SANDBOX] This is sample text from the genstep sandbox; no model wrote it.",
        f"{_one(rng, _OPENINGS).format(quote=quote)} {first}",
        second,
        _one(rng, _CLOSINGS),
    ]
    return Media(("\n\n".join(paragraphs) + "\n").encode(), "text/plain", ".txt")


def _one(rng: Random, choices: tuple[str, ...]) -> str:
    return choices[int(rng.random() * len(choices))]


def _two(rng: Random, choices: tuple[str, ...]) -> tuple[str, str]:
    first = int(rng.random() * len(choices))
    second = (first + 1 + int(rng.random() * (len(choices) - 1))) % len(choices)
    return choices[first], choices[second]
