"""The mark of provenance in a picture: XMP that says that a model made it, put in without touching a pixel.

IPTC's digital source type ``trainedAlgorithmicMedia``, the tool that fetched it, and the prompt only on request. PNG,
JPEG and WebP; other types, malformed files, files that state a digital source type already, and files under a C2PA
manifest (which a change would break) stay as they are.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TypeAlias
from xml.sax.saxutils import quoteattr

from genstep.sniff.pictures import jpeg_segments, webp_canvas

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_JPEG_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_NAME = b"XML:com.adobe.xmp\0"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_END = re.compile(rb"</(?:[\w.-]+:)?RDF\s*>")
_ABOUT = re.compile(rb"""\babout\s*=\s*["']([^"'<&]*)["']""")
_MOST_XMP = 1 << 20

#: makes the packet from the one that is there, if any; None: leave the file alone
Packet: TypeAlias = Callable[[bytes | None], bytes | None]


def mark(data: bytes, media_type: str, *, tool: str = "genstep", prompt: str | None = None) -> bytes:
    """``data`` with its provenance stated; the very same object where there is nothing to do or nothing can be done."""

    def packet(existing: bytes | None) -> bytes | None:
        return _packet(existing, tool, prompt)

    insert = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp}.get(media_type)
    try:
        return insert(data, packet) or data if insert else data
    except (ValueError, IndexError, struct.error, zlib.error):
        return data


def _packet(existing: bytes | None, tool: str, prompt: str | None) -> bytes | None:
    """A packet of XMP; where one exists, our statements are added to it, none that it makes already."""
    existing = existing or b""
    if b"DigitalSourceType" in existing:
        return None
    known = {"Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE}
    if b"CreatorTool" not in existing:
        known["xmp:CreatorTool"] = tool
    if prompt and b"AIPromptInformation" not in existing:
        known["Iptc4xmpExt:AIPromptInformation"] = prompt
    said = " ".join(f"{name}={quoteattr(_NOT_XML.sub('', value))}" for name, value in known.items())
    about = _ABOUT.search(existing)
    statement = (
        f'<rdf:Description xmlns:rdf="{_RDF}" xmlns:xmp="{_XMP}" xmlns:Iptc4xmpExt="{_IPTC}"'
        f' rdf:about="{about[1].decode() if about else ""}" {said}/>'
    ).encode()
    if existing:
        end = _END.search(existing)
        return existing[: end.start()] + statement + existing[end.start() :] if end else None
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF}">{statement.decode()}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _png(data: bytes, packet: Packet) -> bytes | None:
    """An iTXt chunk before the pixels, in place of the one that is there (PNG, third edition, 11.3.3.4)."""
    place, first, existing = (33, 33), True, None
    for name, start, end in _png_chunks(data):
        if first and name != b"IHDR":
            raise ValueError("no PNG header")
        first = False
        if name == b"caBX":
            return None
        if name == b"iTXt" and data.startswith(_PNG_NAME, start + 8):
            place, existing = (start, end), _itxt(data[start + 8 + len(_PNG_NAME) : end - 4])
    text = packet(existing)
    if text is None:
        return None
    body = b"iTXt" + _PNG_NAME + bytes(4) + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    whole = memoryview(data)
    return b"".join((whole[: place[0]], chunk, whole[place[1] :]))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a PNG chunk is cut")
        yield name, at, end
        at = end


def _itxt(rest: bytes) -> bytes:
    """The text of an iTXt chunk, after its keyword: compression flag and method, language, translated keyword, text."""
    text = rest[2:].split(b"\0", 2)[2]
    if not rest[0]:
        return text
    unpacked = zlib.decompressobj().decompress(text, _MOST_XMP)
    if len(unpacked) == _MOST_XMP:
        raise ValueError("more XMP than is sane")
    return unpacked


def _jpeg(data: bytes, packet: Packet) -> bytes | None:
    """An APP1 segment after JFIF and Exif, in place of the one that is there (XMP specification, part 3, 1.1.3)."""
    place, existing, leading = (2, 2), None, True
    for marker, start, end in jpeg_segments(BytesIO(data)):
        if end > len(data):
            raise ValueError("a JPEG segment is cut")
        if marker == 0xEB and data.startswith(b"JP", start):
            return None
        if marker == 0xE1 and existing is None and data.startswith(_JPEG_NAME, start):
            place, existing = (start - 4, end), data[start + len(_JPEG_NAME) : end]
        leading = leading and (marker == 0xE0 or (marker == 0xE1 and data.startswith(b"Exif\0", start)))
        if leading:
            place = (end, end)
    text = packet(existing)
    if text is None or len(text) + len(_JPEG_NAME) + 2 > 0xFFFF:
        return None
    segment = struct.pack(">BBH", 0xFF, 0xE1, len(_JPEG_NAME) + len(text) + 2) + _JPEG_NAME + text
    return data[: place[0]] + segment + data[place[1] :]


def _webp(data: bytes, packet: Packet) -> bytes | None:
    """An XMP chunk at the end, and the extended header that announces it (RFC 9649, section 2.7)."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ValueError("a WebP is cut")
    chunks = list(_riff_chunks(data, end))
    names = [name for name, _ in chunks]
    if b"C2PA" in names:
        return None
    text = packet(chunks[names.index(b"XMP ")][1] if b"XMP " in names else None)
    if text is None:
        return None
    width, height, alpha = webp_canvas(data)
    if names[0] == b"VP8X":
        header = bytes([chunks[0][1][0] | 0x04]) + chunks[0][1][1:]
        chunks = chunks[1:]
    else:
        flags = 0x04 | (0x10 if alpha else 0)
        header = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    kept = [chunk for chunk in chunks if chunk[0] != b"XMP "]
    body = b"WEBP" + b"".join(_riff_chunk(*chunk) for chunk in [(b"VP8X", header), *kept, (b"XMP ", text)])
    return b"RIFF" + struct.pack("<I", len(body)) + body + data[end:]


def _riff_chunks(data: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > end:
            raise ValueError("a WebP chunk is cut")
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
