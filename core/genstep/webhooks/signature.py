"""The signature of webhook deliveries: sign, verify, and what a verified one tells (document 003, "Webhooks").

The signature is HMAC-SHA256 in hex over ``"{t}.{body}"``. The document's sample checks ``JSON.stringify`` of the parsed
body, so a body that was rewritten on its way is also tried in that form; the raw bytes come first. Stateless: that a
delivery is a repeat is for the ledger to know.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genstep import foreign
from genstep.errors import WebhookRejected
from genstep.webhooks.stringify import parse, stringify

HEADER = "X-Webhook-Signature"
#: the longest body that is read, in bytes
MAX_BODY = 1024 * 1024
MAX_HEADER = 4096


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A delivery whose signature and time are right. What it leaves out, or has in another type, is '' or None.

    ``event`` such as "generation.completed"; ``id`` the service's job; ``t`` and the times in Unix seconds; ``data``
    the job's record as it came, ``payload`` the whole body.
    """

    event: str
    id: str
    kind: str | None
    status: str | None
    prompt: str | None
    output_urls: tuple[str, ...]
    created_at: float | None
    completed_at: float | None
    t: int
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)


def sign(body: bytes, secret: str, *, now: float | None = None) -> str:
    """The value of the signature header for ``body`` sent at ``now`` (Unix seconds, the present if None)."""
    t = str(int(time.time() if now is None else now))
    return f"t={t},v1={_digest(secret, t, body)}"


def verify(
    body: bytes, header: str | None, secret: str, *, now: float | None = None, tolerance: int = 300
) -> WebhookEvent:
    """The event that ``body`` tells of, or :class:`WebhookRejected` with the reason.

    ``header`` may hold several ``v1``, of which one must fit (a secret that is being changed). ``t`` may be off by at
    most ``tolerance`` seconds, both ways. Signatures are compared in constant time.
    """
    if not secret:
        raise WebhookRejected("webhook: no secret to check it with; set the account's webhook_secret")
    if len(body) > MAX_BODY:
        raise WebhookRejected(f"webhook: the body is longer than {MAX_BODY} bytes")
    t, signatures = _parse(header)
    off = math.floor(time.time() if now is None else now) - int(t)
    if abs(off) > tolerance:
        raise WebhookRejected(
            f"webhook: its time is {abs(off)} s {'ago' if off > 0 else 'ahead'}, and {tolerance} s are allowed; "
            "it is a replay, or one of the two clocks is wrong"
        )
    payload = parse(body)
    if not _fits(signatures, _digest(secret, t, body)):
        rewritten = None if payload is None else stringify(payload)
        if rewritten is None or not _fits(signatures, _digest(secret, t, rewritten)):
            raise WebhookRejected("webhook: the signature does not fit; is the account's webhook_secret the right one?")
        # what was signed is what is read
        payload = parse(rewritten)
    if not isinstance(payload, dict):
        raise WebhookRejected("webhook: the signature fits, but the body is no JSON object")
    return _event(payload, int(t))


def _event(payload: dict[str, Any], t: int) -> WebhookEvent:
    data = foreign.table(payload.get("data"))
    urls = data.get("output_url")
    links = [foreign.url(link) for link in (urls if isinstance(urls, list) else [urls])]
    return WebhookEvent(
        event=foreign.text(payload.get("event")) or "",
        id=foreign.identifier(data.get("id")) or "",
        kind=foreign.text(data.get("type")),
        status=foreign.text(data.get("status")),
        prompt=foreign.text(data.get("prompt")),
        output_urls=tuple(link for link in links if link is not None),
        created_at=foreign.moment(data.get("created_at")),
        completed_at=foreign.moment(data.get("completed_at")),
        t=t,
        data=data,
        payload=payload,
    )


def _digest(secret: str, t: str, body: bytes) -> str:
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, t.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()


def _fits(signatures: list[str], expected: str) -> bool:
    """Whether one of them is the expected one; all are compared, so that time tells nothing."""
    return sum(hmac.compare_digest(signature, expected) for signature in signatures) > 0


def _parse(header: str | None) -> tuple[str, list[str]]:
    """``t`` as it is written, and every well-formed ``v1``, out of ``t=…,v1=…``."""
    if not header:
        raise WebhookRejected(f"webhook: no {HEADER} header")
    if len(header) > MAX_HEADER:
        raise WebhookRejected(f"webhook: the {HEADER} header is longer than {MAX_HEADER} characters")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value.lower() for name, _, value in pairs if name == "v1" and re.fullmatch("[0-9a-fA-F]{64}", value)]
    if len(times) != 1 or not re.fullmatch("[0-9]{1,12}", times[0]) or not signatures:
        raise WebhookRejected(f"webhook: the {HEADER} header is not t=<Unix seconds>,v1=<64 hex digits>")
    return times[0], signatures
