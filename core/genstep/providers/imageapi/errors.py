"""What ImageAPI's refusals mean (document 004, "Error responses"): whole replies, and single items inside a 200."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genstep import foreign
from genstep.errors import (
    AuthenticationError,
    BatchTooLarge,
    GenerationFailed,
    GenstepError,
    PermissionDenied,
    RateLimited,
)
from genstep.statuses import error_for_status

if TYPE_CHECKING:
    from genstep.provider import Call, Reply

SLUG = "imageapi"
#: a wait of more than this many seconds is for a daily or monthly quota, not for a rate
LONG_WAIT = 3600.0
_ITEMS = re.compile(r"\b(?:items?(?![\[.]\d)|batch)\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"\b(?:too|max|maximum|most|more|exceeds?|limit|limited|size|up to)\b", re.IGNORECASE)


def read_error(call: Call, reply: Reply) -> GenstepError | None:
    """The status decides; a 500 with the service's own JSON is a generation that was not made."""
    body = reply.data
    refused = body.get("success") is False
    by_item = isinstance(foreign.table(body.get("data")).get("results"), list)
    if reply.ok and (not refused or by_item):
        return None
    if call.path == "/health" and "status" in health_report(reply):
        return None
    said = foreign.said(body.get("error")) or foreign.said(body.get("message")) or reply.line()
    request_id = foreign.identifier(body.get("request_id"))
    known: dict[str, Any] = {"provider": SLUG, "request_id": request_id, "status": reply.status}
    quote = f"; quote {request_id} to its support" if request_id else ""
    if reply.status == 401:
        why = f"ImageAPI refused the key ({said}); make one under Dashboard > API Keys"
        return AuthenticationError(why, **known)
    if reply.status == 403:
        return PermissionDenied(f"the ImageAPI account is suspended or has no plan ({said}){quote}", **known)
    if reply.status == 429:
        return _limited(said, reply, known)
    if call.paid and (reply.ok or (reply.status == 500 and (refused or request_id))):
        return GenerationFailed(f"ImageAPI could not make it: {said}; try again{quote}", charged=False, **known)
    if _too_many(call, reply, said):
        return _batch_too_large(call, said, known)
    return error_for_status(reply, said, provider=SLUG, request_id=request_id)


def item_error(said: str) -> GenstepError:
    """The error of one item inside a 200, by its text: nothing was made for it, nothing was taken."""
    if _about_quota(said):
        return RateLimited(f"the plan's quota is used up: {said}", quota=True, provider=SLUG, charged=False)
    if re.search(r"rate.?limit|too many requests|concurren", said, re.IGNORECASE):
        return RateLimited(f"too many requests: {said}; try again later", provider=SLUG, charged=False)
    return GenerationFailed(f"ImageAPI could not make it: {said}; try again", provider=SLUG, charged=False)


def health_report(reply: Reply) -> dict[str, Any]:
    """The health report, bare or in ``data``; it may come with a 503."""
    body = reply.data
    inner = body.get("data")
    found: dict[str, Any] = foreign.plain(inner if isinstance(inner, dict) and "status" in inner else dict(body))
    return found


def _limited(said: str, reply: Reply, known: Mapping[str, Any]) -> RateLimited:
    """A rate or a quota: the larger of ``retry_after`` in the body and ``Retry-After`` in the header."""
    waits = (foreign.number(reply.data.get("retry_after")), foreign.retry_after(reply.headers))
    wait = max((each for each in waits if each is not None and each >= 0), default=None)
    quota = _about_quota(said) or (wait or 0.0) > LONG_WAIT
    advice = "take a larger plan, or wait for the next day or month" if quota else "try again later"
    return RateLimited(f"ImageAPI takes no more for now ({said}); {advice}", retry_after=wait, quota=quota, **known)


def _about_quota(said: str) -> bool:
    """Whether a text speaks of a quota alone; the document's own "Rate limit or quota exceeded" decides nothing."""
    quota = re.search(r"quota|monthly|daily|per (?:day|month)", said, re.IGNORECASE)
    return bool(quota) and not re.search(r"rate.?limit", said, re.IGNORECASE)


def _too_many(call: Call, reply: Reply, said: str) -> bool:
    """The document does not show this refusal: a 413, or a text about items or a batch and how many."""
    if not isinstance(call.json, dict) or "items" not in call.json:
        return False
    spoken = bool(_ITEMS.search(said) and _TOO_MANY.search(said))
    return reply.status == 413 or (reply.status in (400, 422) and spoken)


def _batch_too_large(call: Call, said: str, known: Mapping[str, Any]) -> BatchTooLarge:
    sent = len(call.json["items"])
    limits = [int(digits) for digits in re.findall(r"\b\d{1,4}\b", said) if 0 < int(digits) < sent]
    why = f"the ImageAPI workspace takes fewer items in one call ({said}); set the account's option batch"
    return BatchTooLarge(why, limit=limits[0] if limits else None, **known)
