"""Delivering webhooks: signed as document 003 says, tried again when refused, faulty on demand; a client of its own.

A delivery only goes to loopback and to hosts that the server was given; any other is noted as skipped.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.faults import Fault

HEADER = "X-Webhook-Signature"
PAUSES = (1.0, 5.0, 25.0)
TIMEOUT = 10.0
OLD_SECONDS = 600.0

Send = Callable[[str, dict[str, str], bytes], Awaitable[int]]


@dataclass(frozen=True)
class Delivery:
    """One attempt: `status` is the receiver's, 0 where there was no answer, -1 where the host is not allowed."""

    time: float
    slug: str
    job: str
    url: str
    event: str
    attempt: int
    status: int
    fault: str


def stringify(value: Any) -> bytes:
    """Return JSON as JavaScript's ``JSON.stringify`` writes it: no spaces, no escapes but for lone surrogates."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the header's value: ``t=<Unix s>,v1=<hex of HMAC-SHA256(secret, t + "." + body)>``."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class Deliveries:
    """All deliveries of the server, each with its own task; `log` keeps the last attempts."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.log: deque[Delivery] = deque(maxlen=10_000)

    def start(self, slug: str, job: str, url: str, secret: str, body: dict[str, Any]) -> None:
        """Deliver `body` to `url` from now on, with the fault that strikes it, if any."""
        fault = self._app.faults.webhook(slug)
        if fault is not None and fault.kind == "none":
            self._note(slug, job, url, body, 0, 0, fault)
            return
        for _ in range(2 if fault is not None and fault.kind == "duplicate" else 1):
            self._app.beside(self._deliver(slug, job, url, secret, body, fault))

    async def _deliver(
        self, slug: str, job: str, url: str, secret: str, body: dict[str, Any], fault: Fault | None
    ) -> None:
        if fault is not None and fault.kind == "delayed":
            await self._app.clock.sleep(fault.seconds)
        parts = urlsplit(url)
        if not (is_loopback(parts.hostname or "") or (parts.hostname or "") in self._app.webhook_hosts):
            self._note(slug, job, url, body, 1, -1, fault)
            return
        raw = stringify(body)
        for attempt, pause in enumerate((*PAUSES, None), 1):
            status = await self._once(url, secret, raw, fault)
            self._note(slug, job, url, body, attempt, status, fault)
            if status == 200 or pause is None:
                return
            await self._app.clock.sleep(pause / self._app.speed)

    async def _once(self, url: str, secret: str, raw: bytes, fault: Fault | None) -> int:
        now = self._app.clock.time()
        if fault is not None and fault.kind == "old":
            now -= max(fault.seconds, OLD_SECONDS)
        if fault is not None and fault.kind == "forged":
            secret = f"not {secret}"
        headers = {"Content-Type": "application/json", HEADER: signature(secret, int(now), raw)}
        try:
            return await self._app.send(url, headers, raw)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            return 0

    def _note(
        self, slug: str, job: str, url: str, body: dict[str, Any], attempt: int, status: int, fault: Fault | None
    ) -> None:
        plain = url.partition("?")[0]
        kind = fault.kind if fault else ""
        self.log.append(Delivery(self._app.clock.time(), slug, job, plain, body["event"], attempt, status, kind))


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """POST once over a connection of its own and return the status; redirects are not followed."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Connection: close"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    async with asyncio.timeout(TIMEOUT):
        context = ssl.create_default_context() if secure else None
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            await writer.drain()
            first = await reader.readline()
        finally:
            writer.close()
    words = first.split(b" ", 2)
    return int(words[1]) if len(words) > 1 else 0
