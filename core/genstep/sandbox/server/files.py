"""How an object store answers for one file: whole, a range, not modified, or an error page in XML."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from genstep.sandbox.server.messages import Request, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.assets import Made

XML = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message></Error>
"""


def refusal(status: int, code: str, message: str) -> Response:
    """Return an error as object stores send it, which is no JSON of any API."""
    return Response.text(XML.format(code=code, message=message), status, "application/xml")


def whole_or_range(request: Request, made: Made) -> Response:
    """Return 200, 206 with one range, 304 for a known ETag, or 416. A HEAD has the same headers."""
    data = made.data
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"Content-Type": made.media_type, "ETag": etag, "Accept-Ranges": "bytes"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(304, b"", {"ETag": etag})
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", etag) != etag:
        return Response(200, data, headers)
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", asked.strip())
    if match is None or not (match[1] or match[2]):
        return Response(200, data, headers)  # several ranges or another unit: RFC 9110 lets a server send the whole
    first, last = _bounds(match[1], match[2], len(data))
    if first > last or first >= len(data):
        return Response(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(206, data[first : last + 1], headers)


def _bounds(start: str, end: str, size: int) -> tuple[int, int]:
    if not start:
        return max(0, size - int(end)), size - 1
    return int(start), min(int(end), size - 1) if end else size - 1
