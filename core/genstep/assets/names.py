"""File names: readable, and safe on every system."""

from __future__ import annotations

import re
import unicodedata

_MOST = 48


def stem_for(prompt: str, job_id: str, number: int) -> str:
    """A file name without extension, such as ``a-red-fox-in-the-snow-7k2m9q-1``.

    At most 48 ASCII letters, digits and hyphens of the prompt, then the job and the result's number. Since the job
    always follows, it is never empty and never a name that Windows keeps for itself.
    """
    return f"{slug(prompt) or 'generation'}-{slug(job_id) or 'job'}-{number}"


def slug(text: str) -> str:
    """``text`` in lower-case ASCII letters and digits, other runs as one hyphen; accents dropped, words kept whole."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    name = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    if len(name) <= _MOST:
        return name
    return (name[: _MOST + 1].rpartition("-")[0] or name[:_MOST]).strip("-")
