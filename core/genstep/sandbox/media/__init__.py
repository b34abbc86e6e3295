"""The sandbox's media makers: pictures, clips, models, sound and text, by kind, prompt, seed and parameters alone.

Everything they make is marked as sandbox work, so that it is not taken for a model's. `make` makes, `available` says
beforehand what is missing.
"""

from __future__ import annotations

from . import sizes
from .medium import Media, MediaUnavailable
from .sizes import size_for

__all__ = ["KINDS", "Media", "MediaUnavailable", "available", "make", "size_for", "thumbnail"]

_PICTURES = ("png", "jpeg", "jpg", "webp")
_SOUNDS = ("wav", "mp3")
# The formats of each kind; the first is the usual one.
KINDS: dict[str, tuple[str, ...]] = {
    "image": _PICTURES,
    "infographic": _PICTURES,
    "video": ("mp4", "webm"),
    "model3d": ("glb",),
    "voice": _SOUNDS,
    "music": _SOUNDS,
    "text": ("txt",),
}


def make(
    kind: str,
    prompt: str,
    *,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    aspect_ratio: str | None = None,
    output_format: str | None = None,
    duration: float | None = None,
    image: bytes | None = None,
    long_side: int | None = None,
) -> Media:
    """Return a medium of one of KINDS.

    `width` and `height` (pixels) win over `aspect_ratio` (W:H) by `long_side` (1024 pixels, video 1280); the sides of a
    video are made even. `duration` is in seconds, for video (4), voice (as the words take, at most 20) and music (6).
    `image` is a picture that an image or a video starts from. ValueError says which argument is wrong;
    MediaUnavailable says what to install.
    """
    chosen = _format(kind, output_format)
    if kind == "text":
        from .text import text

        return text(prompt, seed)
    if kind == "model3d":
        from .model3d import model

        return model(prompt, seed)
    if kind in ("voice", "music"):
        return _sound(kind, prompt, seed, duration, chosen)
    usual = {"image": ("1:1", 1024), "infographic": ("3:4", 1024), "video": ("16:9", 1280)}[kind]
    size = sizes.frame_size(width, height, aspect_ratio, long_side, usual)
    if kind == "video":
        from .video import clip

        return clip(prompt, seed, sizes.even(size), sizes.seconds(duration, 4.0), chosen, image)
    if kind == "infographic":
        from .infographic import infographic

        return infographic(prompt, seed, size, chosen)
    from .picture import still

    return still(prompt, seed, size, chosen, image)


def _sound(kind: str, prompt: str, seed: int, duration: float | None, output_format: str) -> Media:
    if kind == "voice":
        from .voice import voice

        return voice(prompt, seed, None if duration is None else sizes.seconds(duration, 0), output_format)
    from .music import USUAL, music

    return music(prompt, seed, sizes.seconds(duration, USUAL), output_format)


def available(kind: str, output_format: str | None = None) -> str | None:
    """Return what must be installed before a kind can be made in a format, or None where it can be made now."""
    from .libav import missing

    return missing(_format(kind, output_format))


def thumbnail(picture: bytes, side: int = 256) -> Media:
    """Return a JPEG of a picture that fits into a square of `side` pixels; ValueError where it cannot be read."""
    from .picture import thumbnail as small

    return small(picture, side)


def _format(kind: str, output_format: str | None) -> str:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; it is {kind!r}")
    chosen = (output_format or KINDS[kind][0]).lower()
    if chosen not in KINDS[kind]:
        raise ValueError(f"output_format of {kind} must be one of {', '.join(KINDS[kind])}; it is {output_format!r}")
    return chosen
