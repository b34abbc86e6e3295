"""Where deliveries arrive: the client's ASGI receiver behind a port of this machine, on the client's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from genstep.sandbox.server import Request, Response
from genstep.sandbox.server.clock import RealClock
from genstep.sandbox.server.http import Connections


@dataclass
class Mailbox:
    """``received`` are the bodies and signatures, ``statuses`` what the receiver answered."""

    url: str = ""
    app: Any = None
    received: list[tuple[bytes, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _answered: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    async def answered(self) -> int:
        """The status of the next delivery that was answered, once it was."""
        return await asyncio.wait_for(self._answered.get(), 20)

    async def handle(self, request: Request) -> Response:
        """One HTTP request, as an ASGI server would hand it on."""
        self.received.append((request.body, request.headers.get("x-webhook-signature", "")))
        sent: list[dict[str, Any]] = []
        messages = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        await self.app({"type": "http", "method": request.method, "headers": headers}, receive, send)
        self.statuses.append(sent[0]["status"])
        self._answered.put_nowait(sent[0]["status"])
        return Response(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]))


@asynccontextmanager
async def listening(mailbox: Mailbox) -> AsyncIterator[Mailbox]:
    """Take deliveries on a free port until the end of the block."""
    connections = Connections(mailbox.handle, RealClock(), sent=lambda *_: None, watched=lambda: False)
    listener = await asyncio.start_server(connections.serve, "127.0.0.1", 0)
    mailbox.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/webhooks"
    try:
        yield mailbox
    finally:
        listener.close()
        await connections.close()
