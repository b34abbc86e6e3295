"""Values out of foreign JSON and headers: of the right type, or None; nothing a service may send raises here."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from genstep import redact

if TYPE_CHECKING:
    from genstep.provider import Reply

T = TypeVar("T")
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+)(?:;[^,;]*)*;base64,", re.IGNORECASE)


def need(value: T | None, reply: Reply, what: str) -> T:
    """``value``, or :class:`UnreadableReply` that says ``what`` is wrong with the reply."""
    if value is None:
        raise reply.unreadable(what)
    return value


def table(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]] | None:
    """A JSON list of objects, what is no object left out; None for anything but a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else None


def listing(reply: Reply, *names: str) -> list[Any]:
    """The list that is the whole reply or stands under the first of ``names`` that there is; required."""
    value = reply.json
    if isinstance(value, dict):
        value = next((value[name] for name in names if name in value), None)
    return need(value if isinstance(value, list) else None, reply, "without a list")


def text(value: Any) -> str | None:
    """A string that says something, fit to be stored: without NUL and lone surrogates."""
    if not isinstance(value, str):
        return None
    found = value.encode("utf-8", "replace").decode().replace("\0", "")
    return found if found.strip() else None


def said(value: Any) -> str | None:
    """What a service says about an error, as one line without its full stop, short enough to be quoted."""
    words = text(value)
    if words is None:
        return None
    # whole secrets are found, so they go before the cut that would leave a part of one
    found = " ".join(redact.clean(words[:4000]).split()).rstrip(".")
    return (found if len(found) <= 300 else found[:299] + "…") or None


def flag(value: Any) -> bool | None:
    """True or False, and nothing that only looks like it."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """A finite number, as it was written (an int stays one)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: Any) -> int | None:
    """A whole number of at most 64 bits."""
    found = number(value)
    return int(found) if found is not None and found == int(found) and abs(found) < 2**64 else None


def identifier(value: Any) -> str | None:
    """An id that may stand in a path and a ledger: printable text or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = None if abs(value) >= 2**64 else str(value)
    found = text(value)
    if found is None or found != value or found != found.strip() or found in (".", "..") or len(found) > 500:
        return None
    return found if found.isprintable() else None


def url(value: Any) -> str | None:
    """An http or https URL with a host."""
    found = (text(value) or "").strip()
    try:
        parts = urlsplit(found)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return found if good else None


def moment(value: Any) -> float | None:
    """ISO 8601 (UTC where no zone is named) or Unix seconds, as Unix seconds."""
    if not isinstance(value, str):
        return number(value)
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def sent_at(headers: Mapping[str, str]) -> float | None:
    """The service's own time in Unix seconds, out of its ``Date`` header."""
    return _http_date(headers.get("date", ""))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that ``Retry-After`` asks for; its date form counts from the ``Date`` header of the same reply."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", asked):
        return float(asked)
    until, now = _http_date(asked), sent_at(headers)
    return max(0.0, until - now) if until is not None and now is not None else None


def plain(value: Any, depth: int = 8) -> Any:
    """Any JSON value, fit to be stored as metadata: texts and numbers as above, what is nested too deeply left out."""
    if isinstance(value, str):
        return text(value) or ""
    if isinstance(value, (dict, list)) and not depth:
        return None
    if isinstance(value, dict):
        return {plain(name): plain(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each, depth - 1) for each in value]
    return value if isinstance(value, bool) else number(value)


def picture(value: str) -> tuple[bytes, str] | None:
    """A base64 data URL of a picture as its bytes and media type; None where it is cut or malformed."""
    head = _DATA_URL.match(value)
    if head is None:
        return None
    try:
        data = base64.b64decode("".join(value[head.end() :].split()), validate=True)
    except ValueError:
        return None
    return (data, head[1].lower()) if data else None


def reason(value: Any) -> str | None:
    """What an error says, in one line: a text, an object that holds one, or a list as FastAPI writes it for 422.

    Only messages and the fields they speak of are taken, never the ``input`` (a prompt, a password) that it repeats.
    """
    if isinstance(value, list):
        pairs = [(place(entry), reason(table(entry) or text(entry))) for entry in value[:5]]
        return "; ".join(f"{where}: {why}" if where else why for where, why in pairs if why) or None
    row = table(value) or {"message": value}
    return next(filter(None, (said(row.get(key)) for key in ("message", "msg", "detail", "error", "code"))), None)


def place(entry: Any) -> str:
    """The field that one entry of a 422's list is about: its ``loc`` without "body"; '' where there is none."""
    where = table(entry).get("loc")
    return ".".join(filter(None, (said(part) for part in where if part != "body"))) if isinstance(where, list) else ""


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
