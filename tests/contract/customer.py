"""One customer of one service at the sandbox server: its client, what it sent, and what the server took for it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import genstep
from genstep.clock import Clock
from genstep.models import HttpOptions
from genstep.provider import Reply
from genstep.sandbox.server import SandboxServer
from genstep.testing import FastClock
from genstep.testing.network import Watched
from genstep.transport import Transport
from genstep.transport.http import RealHttp, Request

NUMBERS = count(1)
PREFIXES = {
    "conceptviz": "cvk_",
    "nanobanana": "",
    "imaginelab": "ilab_key_",
    "aivisualstudio": "avs_live_",
    "imageapi": "sk_",
}


class Customer:
    """``mark`` stands in the key, where the server takes it for a property of the account ("revoked", "readonly")."""

    def __init__(
        self,
        server: SandboxServer,
        slug: str,
        folder: Path,
        *,
        mark: str = "fake",
        clock: Clock | None = None,
        **account,
    ) -> None:
        self.server, self.slug, self.folder = server, slug, folder
        self.key = f"{PREFIXES[slug]}{mark}{next(NUMBERS):08}"
        secrets = {} if "password" in account else {"api_key": self.key}
        self.key = account.get("username", self.key)
        self.account = genstep.Account(provider=slug, **{"base_url": server.base(slug), **secrets, **account})
        self.clock = clock or FastClock()
        self.network = Watched(_http())

    # -- the client -----------------------------------------------------------------------------------------------

    def client(self) -> genstep.AsyncClient:
        """A client of this customer's ledger, watched."""
        return genstep.AsyncClient(
            self.account,
            ledger=self.folder / "ledger.db",
            output=self.folder / "out",
            _clock=self.clock,
            _network=self._connected,
        )

    def run(self, work: Callable[[genstep.AsyncClient], Awaitable[Any]]) -> Any:
        """Run ``work`` with a client, as a process of its own."""

        async def whole() -> Any:
            async with self.client() as client:
                return await work(client)

        return asyncio.run(whole())

    def ask(self, verb: str, *given: Any, **fields: Any) -> Any:
        """One verb of the client, by its name."""
        return self.run(lambda client: getattr(client, verb)(*given, **fields))

    def generate(self, *given: Any, **fields: Any) -> genstep.Generation:
        made: genstep.Generation = self.ask("generate", *given, **fields)
        return made

    def history(self, **filters: Any) -> list[genstep.HistoryItem]:
        async def work(client: genstep.AsyncClient) -> list[genstep.HistoryItem]:
            return [item async for item in client.history(**filters)]

        found: list[genstep.HistoryItem] = self.run(work)
        return found

    def map(self, requests: list[Any], **options: Any) -> list[Any]:
        async def work(client: genstep.AsyncClient) -> list[Any]:
            return [outcome async for outcome in client.map(requests, **options)]

        found: list[Any] = self.run(work)
        return found

    # -- below the client -----------------------------------------------------------------------------------------

    @property
    def provider(self) -> genstep.Provider:
        from genstep import plugins

        return plugins.load(self.slug)(self.account)

    def line(self, verb: Callable[[genstep.Provider], Any]) -> Any:
        """Run one verb of the provider on the line, past the checks of the client; a paid call is not written down."""

        async def whole() -> Any:
            inner = self._connected(self.account)
            line = Transport(self.account, self.provider, inner, self.clock)
            try:
                return await line.run(verb(self.provider), paid=_Unwritten())
            finally:
                await inner.aclose()

        return asyncio.run(whole())

    def raw(self, method: str, path: str, body: Any = None, *, key: bool = True, **headers: str) -> Reply:
        """One request by the standard library, as if no client of ours were there; ``path`` is below /api/v1."""
        parts = urlsplit(self.server.base(self.slug))
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        if key:
            sent["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, f"{parts.path}/api/v1{path}", content, sent)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    # -- what was sent --------------------------------------------------------------------------------------------

    @property
    def bodies(self) -> list[tuple[str, Any]]:
        """The path (below /api/v1) and the JSON of every paid request."""
        return [(path_of(sent), json.loads(sent.content or b"null")) for sent in self.network.paid]

    def asked(self, path: str) -> list[Request]:
        """The requests to a path below /api/v1."""
        return [sent for sent in self.network.sent if path_of(sent) == path]

    # -- the server -----------------------------------------------------------------------------------------------

    @property
    def spent(self) -> float:
        """What the server took from this customer, less what it gave back."""
        return self.server.control.spent(self.slug, self.key)

    @property
    def submits(self) -> int:
        """How many paid requests of this customer the server accepted."""
        return self.server.control.submits(self.slug, self.key)

    def set(self, **settings: Any) -> None:
        self.server.control.set(self.slug, self.key, **settings)

    def fault(self, kind: str, **details: Any) -> int:
        return self.server.control.fault(kind, self.slug, **details)

    def _connected(self, _: object) -> Watched:
        self.network.inner = _http()
        return self.network


def path_of(sent: Request) -> str:
    """A request's path below /api/v1."""
    return urlsplit(sent.url).path.partition("/api/v1")[2]


def _http() -> RealHttp:
    return RealHttp(HttpOptions(timeout=15.0), tls=False)


class _Unwritten:
    async def sending(self) -> None:
        pass

    async def not_taken(self) -> None:
        pass

    async def received(self, reply: Reply) -> None:
        pass

    def accepted(self) -> None:
        pass
