"""PyAV, where it is installed: loaded when first needed, with the encoder for each format."""

from __future__ import annotations

from typing import Any

from .medium import MediaUnavailable

_ENCODERS = {
    "mp4": ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf"),
    "webm": ("libvpx-vp9", "libvpx"),
    "mp3": ("libmp3lame", "libshine"),
}


def missing(output_format: str) -> str | None:
    """Return what to do before `output_format` can be made, or None where it can be made now."""
    if output_format not in _ENCODERS:
        return None
    try:
        encoder(output_format)
    except MediaUnavailable as error:
        return str(error)
    return None


def load() -> Any:
    """Return the module `av`, or raise MediaUnavailable."""
    try:
        import av
    except ImportError as error:
        message = "making video and MP3 in the sandbox needs PyAV: pip install 'genstep[media]'"
        raise MediaUnavailable(message) from error
    return av


def encoder(output_format: str) -> str:
    """Return the name of the first encoder for a format that this PyAV has; MediaUnavailable where it has none."""
    known = load().codecs_available
    for name in _ENCODERS[output_format]:
        if name in known:
            return name
    advice = "the published wheels have one: pip install --force-reinstall 'genstep[media]'"
    message = f"this PyAV has no encoder for {output_format}; {advice}"
    raise MediaUnavailable(message)
