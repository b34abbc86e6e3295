"""The ASGI app that takes webhook deliveries and hands them to a client."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from genstep.errors import WebhookRejected
from genstep.webhooks.signature import HEADER, MAX_BODY

log = logging.getLogger("genstep.webhooks")
Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


class Deliverable(Protocol):
    """What the receiver needs of a client: :class:`genstep.AsyncClient` and :class:`genstep.Client` both have it."""

    def deliver(self, body: bytes, signature: str | None) -> Any:
        """Take one delivery into the ledger, or raise :class:`WebhookRejected`."""


def receiver(client: Deliverable) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI app that takes deliveries on any path: 200 taken (a repeat too), 401 refused, 405, 413.

    Anything else that goes wrong is the server's 500, so that the service may deliver again.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] != "http":
            raise RuntimeError(f"webhooks come by http, not by {scope['type']}")
        elif scope["method"] != "POST":
            await _answer(send, 405, "deliveries are posted", (b"allow", b"POST"))
        else:
            body = await _body(scope, receive)
            if body is None:
                await _answer(send, 413, "too long", (b"connection", b"close"))
                return
            headers = dict(scope["headers"])
            signature = headers.get(HEADER.lower().encode())
            try:
                await _deliver(client, body, None if signature is None else signature.decode("latin-1"))
            except WebhookRejected as rejected:
                # the reason is for our log: a stranger learns nothing
                log.info("%s", rejected)
                await _answer(send, 401, "invalid signature")
            else:
                await _answer(send, 200, "OK")

    return app


async def _deliver(client: Deliverable, body: bytes, signature: str | None) -> None:
    """A blocking client's ledger waits on a thread, not on the loop."""
    if inspect.iscoroutinefunction(client.deliver):
        await client.deliver(body, signature)
    else:
        import asyncio

        taken = await asyncio.to_thread(client.deliver, body, signature)
        if inspect.isawaitable(taken):
            await taken


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None where it is longer than allowed, or the peer hung up before its end."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > MAX_BODY:
            return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    content = text.encode("ascii")
    plain = (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    await send({"type": "http.response.body", "body": content})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
