"""What a client is made of, put together when first used: account, provider, transport, ledger, store."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from genstep import config, plugins, redact
from genstep.accounts import Account, check_account
from genstep.assets import AssetStore
from genstep.client.life import Life
from genstep.client.spool import Spool
from genstep.clock import Clock, SystemClock
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger, Place, RequestRow, ledger_place
from genstep.ledger.pace import SharedPace
from genstep.ledger.thread import LedgerThread
from genstep.models import HttpOptions
from genstep.transport import Transport
from genstep.transport.http import RealHttp

if TYPE_CHECKING:
    from genstep.provider import Provider
    from genstep.transport.http import Http

T = TypeVar("T")
log = logging.getLogger("genstep")


class Session:
    """The rooms of one client, wired. ``network`` is the seam for tests: it makes an account's :class:`Http`."""

    def __init__(
        self,
        account: Account | str | None,
        ledger: str | os.PathLike[str] | None,
        output: str | os.PathLike[str] | None,
        http: HttpOptions | None,
        clock: Clock | None = None,
        network: Callable[[Account], Http] | None = None,
    ) -> None:
        resolved = config.resolve_account(account)
        self.account = resolved.account
        self.why = resolved.why
        self.is_sandbox = resolved.sandbox
        if resolved.sandbox and account is None:
            say_sandbox(resolved.why)
        self.provider = provider_of(self.account)
        self.clock = clock or SystemClock()
        self.store = AssetStore(output)
        self._http = http or HttpOptions()
        self._network = network
        self._where = ledger_place(config.default_ledger() if ledger is None else ledger)
        #: what one item costs, as the service said it when it was asked, by all of a request but its prompt
        self.prices: dict[str, float | None] = {}
        self.pricing = asyncio.Lock()
        self._ledger: Ledger | None = None
        self._opening = threading.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = LedgerThread()
        self._lives: dict[tuple[str, str], Life] = {}
        self._https: list[Http] = []

    @property
    def ledger(self) -> Ledger:
        with self._opening:
            if self._ledger is None:
                self._ledger = Ledger(self._where)
            return self._ledger

    def check_open(self) -> None:
        """Nothing is bought through a client that is being closed."""
        if self._closing is not None:
            raise ConfigurationError("the client is closed; make a new one")

    async def db(self, method: Callable[..., T], *values: Any, **named: Any) -> T:
        """Run a ledger method on the one ledger thread; a cancelled wait leaves it to finish."""
        if self._closed:
            self.check_open()
        return await self._thread.run(method, *values, **named)

    async def on_ledger(self, work: Callable[[Ledger], T]) -> T:
        return await self.db(lambda: work(self.ledger))

    async def look(self, work: Callable[[Ledger], T]) -> T:
        """Read a little in the ledger: at once where nothing can hold it up, else on the ledger thread."""
        if self._ledger is not None and self._closing is None:
            with self._ledger.idle() as idle:
                if idle:
                    return work(self._ledger)
        return await self.on_ledger(work)

    @property
    def life(self) -> Life:
        """The life of this client's own account."""
        return self._life(self.account, self.provider)

    def life_of(self, row: RequestRow) -> Life:
        """The life of the account that a ledger row belongs to, found by its name where it is not ours."""
        if (row.account, row.provider) == (self.account.name, self.provider.slug):
            return self.life
        known = self._lives.get((row.account, row.provider))
        if known is not None:
            return known
        try:
            account = config.resolve_account(row.account).account
            if account.provider != row.provider:
                raise ConfigurationError(f"the account of that name is one of {account.provider}")
        except ConfigurationError as error:
            raise ConfigurationError(
                f"job {row.id} belongs to the account {row.account!r} of {row.provider}, "
                f"which is not set up here: {error}",
                job_id=row.id,
            ) from None
        return self._life(account, provider_of(account))

    def _life(self, account: Account, provider: Provider) -> Life:
        life = self._lives.get((account.name, provider.slug))
        if life is None:
            http = self._network(account) if self._network else self._real(account, provider)
            self._https.append(http)
            pace = SharedPace(self.ledger, self.db, self.clock, account.name, provider.slug, look=self.look)
            transport = Transport(account, provider, http, self.clock, pace)
            spool = Spool(spool_folder(self._where))
            life = Life(account, provider, transport, self.ledger, self.db, self.look, self.store, spool, self.clock)
            self._lives[account.name, provider.slug] = life
        return life

    def _real(self, account: Account, provider: Provider) -> Http:
        base = account.base_url or provider.base_url or ""
        return RealHttp(self._http, tls=not base.startswith("http://"))

    async def aclose(self) -> None:
        """Wait for open paid calls, then let everything go, once; an interrupt ends only the wait for that."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        for life in list(self._lives.values()):
            await life.drain()
        for http in self._https:
            await http.aclose()
        if self._ledger is not None:
            await self.db(self._ledger.close)
        self._closed = True
        self._thread.close()


def spool_folder(where: Place) -> Path:
    """Where replies are kept until they are saved: beside the ledger's file; of a server's ledger in our own home."""
    return where.path.parent / "spool" if where.path is not None else config.home() / f"spool-{where.key}"


@cache
def say_sandbox(why: str) -> None:
    """Once a process: nobody shall take the sandbox's pictures for a service's."""
    log.warning("%s", why[:1].upper() + why[1:])


def provider_of(account: Account) -> Provider:
    """The provider object of a checked account; its secrets are registered for redaction."""
    provider = plugins.load(account.provider)
    check_account(account, provider)
    for secret in account.secrets():
        redact.register_secret(secret)
    redact.install_log_filter()
    return provider(account)
