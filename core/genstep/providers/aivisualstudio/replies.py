"""What AI Visual Studio's replies say: errors, the record of a job, models, webhooks. Odd types never raise here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from genstep import foreign
from genstep.errors import (
    AuthenticationError,
    GenstepError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
)
from genstep.models import HistoryItem, ModelInfo, Webhook
from genstep.provider import Call, Completed, Failed, Output, Reply, Running, State
from genstep.statuses import error_for_status

#: "Error Codes": what each code means, and what to do next
CODES: Mapping[str, tuple[type[GenstepError], str]] = {
    "missing_api_key": (AuthenticationError, "no key arrived; set the account's api_key"),
    "invalid_api_key": (AuthenticationError, "the key is wrong or revoked; make a new one in the dashboard"),
    "expired_api_key": (AuthenticationError, "the key has expired; make a new one in the dashboard"),
    "insufficient_scope": (PermissionDenied, "make a key that has the scope {scope}"),
    "ip_not_allowed": (PermissionDenied, "add this machine's address to the key's allow list"),
    "insufficient_credits": (InsufficientCredits, "buy credits, or choose a cheaper model"),
    "rate_limited": (RateLimited, "the limit is 60 requests a minute for one key; wait for its reset"),
    "invalid_request": (InvalidRequest, "the service refused the request; change that and send it again"),
    "not_found": (NotFound, "see what there is with: genstep {seen}"),
    "internal_error": (ProviderUnavailable, "a fault of the service"),
}
#: most entries of a list that is asked again and again
_RUNNING = Running(status="processing")
#: what else of a record stands in the history
_KEPT = ("model", "aspect_ratio", "output_format", "duration", "credits_charged", "completed_at")


def error(call: Call, reply: Reply, provider: str) -> GenstepError:
    """``{error: {code, message, details}}``: the code decides, and the status where the code is unknown."""
    body = foreign.table(reply.data.get("error"))
    code, details = foreign.text(body.get("code")), foreign.table(body.get("details"))
    said = foreign.reason(body or reply.data.get("error")) or reply.line() or f"HTTP {reply.status}"
    known: dict[str, Any] = {
        "provider": provider,
        "code": code,
        "request_id": foreign.text(reply.headers.get("x-request-id")),
    }
    row = CODES.get(code or "") or (CODES["rate_limited"] if reply.status == 429 else None)
    if row is None:
        return error_for_status(reply, said, **known)
    kind, advice = row
    if kind is RateLimited:
        known["retry_after"] = _wait(reply)
    if kind is InsufficientCredits:
        known["required"] = foreign.number(details.get("required"))
        known["available"] = foreign.number(details.get("available"))
    seen = "webhooks list" if call.path.startswith("/webhooks") else "history"
    advice = advice.format(scope=_scope(call, details), seen=seen)
    return kind(f"{said}; {advice}", status=reply.status, **known)


def _scope(call: Call, details: Mapping[str, Any]) -> str:
    """The scope that is missing: as the details say, else as the table "API Key Scopes" says for the call."""
    for key in ("required_scope", "missing_scope", "required", "scope"):
        value = details.get(key)
        names = [foreign.said(name) for name in (value if isinstance(value, list) else [value])]
        if any(names):
            return ", ".join(filter(None, names))
    if call.path.startswith("/generate/"):
        return "generate:" + call.path.rpartition("/")[2]
    return "webhooks" if call.path.startswith("/webhooks") else "read"


def _wait(reply: Reply) -> float | None:
    """Seconds until the reset: ``Retry-After``, else ``X-RateLimit-Reset`` (Unix time) against the reply's ``Date``."""
    asked, now = foreign.retry_after(reply.headers), foreign.sent_at(reply.headers)
    reset = reply.headers.get("x-ratelimit-reset", "").strip()
    if asked is not None or now is None or not (reset.isascii() and reset.isdecimal() and len(reset) < 12):
        return asked
    return max(0.0, int(reset) - now)


def record(reply: Reply) -> dict[str, Any]:
    """One record: the whole reply, or what it has under ``data``."""
    body = foreign.table(reply.json)
    return foreign.table(body.get("data")) or body


def state(record: Mapping[str, Any]) -> State | None:
    """How a job stands; None for a record that does not say. An unknown word is still running, under that word."""
    status = foreign.text(record.get("status"))
    if status is None:
        return None
    credits = foreign.number(record.get("credits_charged"))
    if status == "completed":
        outputs = tuple(Output(url=link) for link in _urls(record))
        done = foreign.moment(record.get("completed_at"))
        return Completed(outputs, credits=credits, completed_at=done) if outputs else None
    if status == "failed":
        # the document shows no failed record: neither where the reason stands, nor whether credits come back
        fields = ("error", "error_message", "message")
        why = next(filter(None, (foreign.reason(record.get(name)) for name in fields)), None)
        code = foreign.text(foreign.table(record.get("error")).get("code"))
        advice = "it gave no reason; change the prompt or the model before trying again"
        return Failed(why or advice, code=code, credits=credits)
    return Running(status=status)


def _urls(record: Mapping[str, Any]) -> list[str]:
    """``output_url``: one URL, or a list of them."""
    value = record.get("output_url")
    links = (foreign.url(link) for link in (value if isinstance(value, list) else [value]))
    return [link for link in links if link is not None]


def states(rows: Sequence[Mapping[str, Any]], jobs: Collection[str]) -> dict[str, State]:
    """How those of ``jobs`` that stand in a list are; what cannot be read says nothing."""
    known: dict[str, State] = {}
    for row in rows:
        job_id = foreign.identifier(row.get("id"))
        if job_id is not None and job_id in jobs:
            found = _RUNNING if row.get("status") == "processing" else state(row)
            if found is not None:
                known[job_id] = found
    return known


def item(row: Any) -> HistoryItem | None:
    """One entry of the list of past work; None without an id."""
    record = foreign.table(row)
    job_id = foreign.identifier(record.get("id"))
    if job_id is None:
        return None
    return HistoryItem(
        id=job_id,
        kind=foreign.text(record.get("type")),
        prompt=foreign.text(record.get("prompt")),
        status=foreign.text(record.get("status")),
        created_at=foreign.moment(record.get("created_at")),
        urls=tuple(_urls(record)),
        metadata={key: foreign.plain(record[key]) for key in _KEPT if key in record},
    )


def model(row: Any) -> ModelInfo | None:
    """One entry of the list of models; None without an id."""
    record = foreign.table(row)
    name = foreign.identifier(record.get("id"))
    if name is None:
        return None
    return ModelInfo(
        id=name,
        name=foreign.text(record.get("name")) or "",
        kind=foreign.text(record.get("type")),
        price=foreign.number(record.get("credits_per_generation")),
        description=foreign.text(record.get("description")) or "",
    )


def webhook(record: Mapping[str, Any], sent: Mapping[str, Any]) -> Webhook | None:
    """A registered webhook; what the record leaves out is as ``sent``. None without an id."""
    hook_id, events = foreign.identifier(record.get("id")), record.get("events")
    if hook_id is None:
        return None
    return Webhook(
        id=hook_id,
        url=foreign.url(record.get("url")) or sent.get("url", ""),
        events=tuple(map(str, events if isinstance(events, list) else sent.get("events", ()))),
        secret=foreign.text(record.get("secret")),
    )
