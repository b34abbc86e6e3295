"""What one contract test works at: a provider, an account, a network that is watched, a clock that does not dawdle."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from genstep import guard, plugins
from genstep.accounts import LOOPBACK, Account
from genstep.client import AsyncClient, orders
from genstep.models import GenerationRequest, HttpOptions
from genstep.provider import Accepted, Provider, Reply, Running, State, Submitted
from genstep.testing.clock import VirtualClock, run_virtual
from genstep.testing.fast_clock import FastClock
from genstep.testing.flow import Tape, taped
from genstep.testing.network import Watched, lost
from genstep.testing.service import FakeService, Replies
from genstep.transport import Transport
from genstep.transport.http import Http, RealHttp

if TYPE_CHECKING:
    import pytest

T = TypeVar("T")
#: a job at a test server that is asked about more often than this never ends
MOST_POLLS = 3000
#: where the names of hosts lead when there is no network
SOMEWHERE = "93.184.216.34"

_inside: ContextVar[bool] = ContextVar("inside a paid verb", default=False)


class NotedClock(VirtualClock):
    """Virtual time that remembers the pauses that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


@dataclass
class Bought:
    """One purchase, flow by flow: the prepared request, what submit made of it, and every poll until the end."""

    request: GenerationRequest
    submitted: Submitted
    tape: Tape
    polls: list[tuple[State, Tape]] = field(default_factory=list)

    @property
    def end(self) -> Any:
        """How it ended: what the last poll said, or the paid call itself."""
        return self.polls[-1][0] if self.polls else self.submitted


class Bench:
    """See the module. With ``replies`` all is in memory and in virtual time; else the account's own test server."""

    def __init__(
        self,
        account: Account,
        kind: type[Provider] | None,
        replies: Replies | None,
        folder: Path,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.account = account
        self.kind = kind or plugins.load(account.provider)
        self.folder = folder
        self.coroutine = inspect.iscoroutinefunction(self.kind.submit)
        base_url = account.base_url or self.kind.base_url
        self.live = replies is None
        if self.live and not self.coroutine:
            host = urlsplit(base_url or "").hostname
            assert host in LOOPBACK, (
                "the contract buys things: the account needs the base_url of a test server on this machine, or else "
                "the class needs replies"
            )
        self.clock: FastClock | NotedClock = FastClock() if self.live else NotedClock()
        self._fake = None
        if replies is not None:
            self._fake = FakeService(replies, self.transport(_nowhere()).base_url)
            patch.setattr(guard, "resolve", partial(guard.resolve, lookup=_somewhere))
        self.network = Watched(self._fake or _nowhere())
        self._verbs, self._breaks = 0, False
        if self.coroutine:
            for name in ("submit", "submit_batch"):
                if getattr(self.kind, name) is not None:
                    patch.setattr(self.kind, name, self._counted(getattr(self.kind, name)))

    def provider(self) -> Provider:
        """A new object of the provider, as a new process would make it."""
        return self.kind(self.account)

    @property
    def purchases(self) -> int:
        """How many paid calls went out; of a coroutine, how often it was run."""
        return self._verbs if self.coroutine else len(self.network.paid)

    def prepared(self, fields: Mapping[str, Any]) -> GenerationRequest:
        """The request as submit gets it: checked, defaults filled in, in the service's own terms."""
        return orders.prepare(orders.build(fields, {}), self.provider())

    def run(self, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Run ``work`` with a client of the account, as a process of its own on one ledger."""

        async def whole() -> T:
            async with AsyncClient(
                self.account,
                ledger=self.folder / "ledger.db",
                output=self.folder / "out",
                _clock=self.clock,
                _network=lambda _: self._connected(),
            ) as client:
                return await work(client)

        return asyncio.run(whole()) if self.live else run_virtual(whole())

    def on_the_line(self, work: Callable[[Transport], Awaitable[T]]) -> T:
        """Run ``work`` on the account's line to its service, without ledger and store."""

        async def whole() -> T:
            http = self._connected()
            try:
                return await work(self.transport(http))
            finally:
                await http.aclose()

        return asyncio.run(whole()) if self.live else run_virtual(whole())

    def transport(self, http: Http) -> Transport:
        return Transport(self.account, self.provider(), http, self.clock)

    def buy(self, fields: Mapping[str, Any]) -> Bought:
        """Buy one thing by the provider's flows alone, and keep what they said and heard."""
        provider, request = self.provider(), self.prepared(fields)
        if self._fake is not None:
            self._fake.kind = request.kind

        async def whole(line: Transport) -> Bought:
            tape: Tape = []
            verb: Any = provider.submit(request)
            submitted = await line.run(verb if self.coroutine else taped(verb, tape), paid=_Noted())
            bought = Bought(request, submitted, tape)
            while isinstance(submitted, Accepted) and len(bought.polls) < MOST_POLLS:
                tape = []
                poll: Any = provider.poll(submitted.job_id)
                state = await line.run(poll if inspect.isawaitable(poll) else taped(poll, tape))
                bought.polls.append((state, tape))
                if not isinstance(state, Running):
                    break
                await self.clock.sleep(0.5)
            return bought

        return self.on_the_line(whole)

    def ask(self, verb: Any) -> tuple[Any, Tape]:
        """The result of a free verb, and what was said; the tape of a coroutine is empty."""
        tape: Tape = []
        made = self.on_the_line(lambda line: line.run(verb if inspect.isawaitable(verb) else taped(verb, tape)))
        return made, tape

    def lose(self) -> None:
        """Let the service take the next paid call, and its answer be lost."""
        self.network.paid_steps = [lost]
        self._breaks = True

    def expects(self, kind: str) -> None:
        """Say which kind a file without a telling name is, where the service is a list of replies."""
        if self._fake is not None:
            self._fake.kind = kind

    def _connected(self) -> Watched:
        if self._fake is None:
            base_url = self.account.base_url or self.kind.base_url or ""
            self.network.inner = RealHttp(HttpOptions(timeout=20.0), tls=not base_url.startswith("http://"))
        return self.network

    def _counted(self, verb: Any) -> Any:
        async def counted(provider: Provider, asked: Any) -> Any:
            # one verb may call the other
            if _inside.get():
                return await verb(provider, asked)
            self._verbs += 1
            token = _inside.set(True)
            try:
                made = await verb(provider, asked)
            finally:
                _inside.reset(token)
            if self._breaks:
                self._breaks = False
                raise ConnectionError("the connection broke")
            return made

        return counted


class _Noted:
    """The owner of a paid call that keeps no ledger."""

    async def sending(self) -> None:
        """Nothing to write down."""

    async def not_taken(self) -> None:
        """Nothing to write down."""

    async def received(self, reply: Reply, *before: Reply) -> None:
        """Nothing to write down."""

    def accepted(self) -> None:
        """Nothing to write down."""


def _nowhere() -> FakeService:
    return FakeService((), "")


async def _somewhere(*_: object) -> list[str]:
    return [SOMEWHERE]
