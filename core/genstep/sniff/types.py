"""Media types by magic bytes, the extension of each, and which kinds of generation each can answer."""

from __future__ import annotations

import codecs
import json
import re

#: how many bytes of a file decide its type
HEAD = 4096

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"glTF\x01\0\0\0", "model/gltf-binary"),
    (b"glTF\x02\0\0\0", "model/gltf-binary"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
)
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "audio/mp4"),
    b"qt  ": "video/quicktime",
}
_EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/bmp": ".bmp",
    "image/tiff": ".tiff",
    "image/svg+xml": ".svg",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "model/gltf-binary": ".glb",
    "model/gltf+json": ".gltf",
    "model/vnd.usdz+zip": ".usdz",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/html": ".html",
    "text/plain": ".txt",
}
_RASTER = {name for name in _EXTENSIONS if name.startswith("image/")} - {"image/svg+xml"}
_VIDEO = {name for name in _EXTENSIONS if name.startswith("video/")}
_AUDIO = {name for name in _EXTENSIONS if name.startswith("audio/")}
_KINDS = {
    "image": _RASTER,
    "infographic": _RASTER,
    "video": _VIDEO,
    "model3d": {"model/gltf-binary", "model/gltf+json", "model/vnd.usdz+zip", "application/zip"},
    # a video container may hold nothing but sound
    "voice": _AUDIO | _VIDEO,
    "music": _AUDIO | _VIDEO,
    "text": {"text/plain", "application/json"},
}
_MARKUP = {"text/html", "application/xml", "image/svg+xml"}

_PROLOGUE = re.compile(
    r"\s*(?:<\?.*?(?:\?>|\Z)|<!--.*?(?:-->|\Z)|<!doctype\s+(?!html)[^>\[]*(?:\[.*?\]\s*)?(?:>|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_ELEMENT = re.compile(r"\s*<(?:!doctype\s+)?([a-z][\w.-]*:)?([a-z][\w.-]*)", re.IGNORECASE)
_HTML = {"html", "head", "body", "title", "meta", "script", "style", "div", "p", "h1", "center", "table", "pre", "a"}
_JSON = re.compile(r"\s*(?:\{\s*(?:\"|\}|\Z)|\[\s*(?:[\"{\[\]]|-?\d|true|false|null|\Z))")
_GLTF = re.compile(r'"(?:accessors|bufferViews|buffers|meshes|nodes|scenes)"\s*:')
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def media_type(head: bytes) -> str | None:
    """The media type of a file that begins with ``head`` (its first :data:`HEAD` bytes), or None where unknown."""
    head = bytes(head[:HEAD])
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return _container(head) or _mpeg_audio(head) or _text(head)


def extension(media_type: str) -> str:
    """The file name's ending for a media type, with its dot; ".bin" for an unknown one."""
    return _EXTENSIONS.get(media_type, ".bin")


def fits(kind: str, media_type: str) -> bool:
    """Whether content of this type can be a result of ``kind``; a kind of a plug-in's own takes all but markup."""
    if kind in _KINDS:
        return media_type in _KINDS[kind]
    return media_type not in _MARKUP


def _container(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:1] == b"\0" and head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "video/quicktime"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[:4] == b"PK\x03\x04":
        name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        return "model/vnd.usdz+zip" if name.endswith((b".usd", b".usda", b".usdc")) else "application/zip"
    header = int.from_bytes(head[14:18], "little")
    if head[:2] == b"BM" and head[6:10] == bytes(4) and header in (12, 40, 52, 56, 64, 108, 124):
        return "image/bmp"
    return None


def _mpeg_audio(head: bytes) -> str | None:
    """An MPEG audio frame: eleven sync bits, then a version, layer, bit rate and sample rate that are not reserved."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0 and head[1] & 0xF0 == 0xF0:
        return "audio/aac" if head[2] >> 2 & 15 < 13 else None
    if version == 1 or layer not in (1, 2) or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3:
        return None
    return "audio/mpeg"


def _text(head: bytes) -> str | None:
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = head.decode("utf-16" if wide else "utf-8", "replace").lstrip("\ufeff")
    if text.lstrip().startswith("<"):
        name = _markup(text)
        if name:
            return name
    if _JSON.match(text) and (len(head) == HEAD or _parses(text)):
        return "model/gltf+json" if '"asset"' in text and _GLTF.search(text) else "application/json"
    if not head or _CONTROL.search(text):
        return None
    if not wide:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
        except UnicodeDecodeError:
            return None
    return "text/plain"


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _markup(text: str) -> str | None:
    rest = text
    while match := _PROLOGUE.match(rest):
        rest = rest[match.end() :]
    element = _ELEMENT.match(rest)
    if element is None:
        return "application/xml" if rest != text else None
    name = element[2].lower()
    if name == "svg":
        return "image/svg+xml"
    if name in _HTML:
        return "text/html"
    # "<Verse 1>" alone is a text; an element that is closed is XML
    closed = f"</{element[1] or ''}{element[2]}" in rest or "/>" in rest
    return "application/xml" if rest != text or closed else None
