"""Data URLs (RFC 2397): the bytes that stand in the URL itself."""

from __future__ import annotations

import base64
from urllib.parse import unquote_to_bytes


def decode(url: str, most: int) -> bytes:
    """The bytes of a ``data:`` URL, or ValueError: not one, broken base64, or more than ``most`` bytes."""
    head, comma, body = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        raise ValueError("it is no data URL")
    packed = head.lower().endswith(";base64")
    if len(body) > most * (2 if packed else 3) + 16:
        raise ValueError(f"it holds more than {most:,} bytes")
    data = unquote_to_bytes(body)
    if packed:
        text = b"".join(data.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if len(data) > most:
        raise ValueError(f"it holds more than {most:,} bytes")
    return data
