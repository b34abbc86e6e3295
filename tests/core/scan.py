"""Looks for secrets in everything that a run wrote, in each form that a secret may take on its way there."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

# Fewer bytes than these of a secret's base64 would be found by chance.
_LEAST_CORE = 6


@dataclass(frozen=True)
class Hit:
    """Where a secret was found: the file, the form, and which of the secrets (never the secret itself)."""

    path: Path
    form: str
    secret: int
    offset: int


def scan(paths: Iterable[Path], secrets: Iterable[str]) -> list[Hit]:
    """Every form of every secret in the names and contents of files, and of all files below folders.

    Databases are read as the bytes that they are; what is gzipped in a file is looked into as well.
    """
    needles = [(number, form, needle) for number, secret in enumerate(secrets) for form, needle in forms(secret)]
    assert needles, "nothing to look for"
    hits = []
    for path in _files(paths):
        content = path.read_bytes()
        for inside, data in (("", content), ("name: ", str(path).encode()), *_unzipped(content)):
            hits += [
                Hit(path, inside + form, number, data.index(needle))
                for number, form, needle in needles
                if needle in data
            ]
    return hits


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each form, the same bytes only once."""
    seen = set()
    for name, needle in _forms(secret):
        if needle not in seen:
            seen.add(needle)
            yield name, needle


def _forms(secret: str) -> Iterator[tuple[str, bytes]]:
    raw = secret.encode()
    yield "raw", raw
    for shift in range(3):
        # the letters that all three neighbours leave as they are: whole groups of six bits of the secret
        bits = "".join(f"{byte:08b}" for byte in raw)[(6 - 8 * shift % 6) % 6 :]
        groups = [int(bits[at : at + 6], 2) for at in range(0, len(bits) - 5, 6)]
        if len(groups) >= _LEAST_CORE:
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
            yield f"base64 at {shift}", "".join((alphabet + "+/")[group] for group in groups).encode()
            yield f"base64url at {shift}", "".join((alphabet + "-_")[group] for group in groups).encode()
    yield "url", quote(secret, safe="").encode()
    yield "url, lower case", _lower(quote(secret, safe="")).encode()
    yield "form", quote_plus(secret).encode()
    yield "url, each byte", "".join(f"%{byte:02X}" for byte in raw).encode()
    yield "url, each byte in lower case", "".join(f"%{byte:02x}" for byte in raw).encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "json", json.dumps(secret)[1:-1].encode()
    yield "json, letters kept", json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    yield "json, slashes escaped", json.dumps(secret)[1:-1].replace("/", "\\/").encode()
    yield "json in json", json.dumps(json.dumps(secret))[3:-3].encode()
    yield "repr", repr(secret)[1:-1].encode()
    yield "utf-16-le", secret.encode("utf-16-le")
    yield "utf-16-be", secret.encode("utf-16-be")
    yield "base64 of base64", base64.b64encode(base64.b64encode(raw).rstrip(b"="))[: len(raw)]


def _lower(encoded: str) -> str:
    parts = encoded.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (below for below in sorted(path.rglob("*")) if below.is_file())
        elif path.is_file():
            yield path


def _unzipped(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What stands in gzip members, wherever they begin in the file."""
    at = content.find(b"\x1f\x8b\x08")
    while at >= 0:
        with suppress(zlib.error):
            yield "gzip: ", zlib.decompressobj(wbits=31).decompress(content[at:], 64 << 20)
        at = content.find(b"\x1f\x8b\x08", at + 1)
