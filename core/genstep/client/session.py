"""What a client is made of, put together when first used: account, provider, transport, ledger, store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from genstep import config, plugins, redact
from genstep.accounts import Account, check_account
from genstep.assets import AssetStore
from genstep.client.life import Life
from genstep.client.spool import Spool
from genstep.clock import Clock, SystemClock
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger, RequestRow
from genstep.models import HttpOptions
from genstep.transport import Transport
from genstep.transport.http import RealHttp

if TYPE_CHECKING:
    import os

    from genstep.provider import Provider
    from genstep.transport.http import Http

T = TypeVar("T")


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
        self.provider = provider_of(self.account)
        self.clock = clock or SystemClock()
        self.store = AssetStore(output)
        self._http = http or HttpOptions()
        self._network = network
        self._where = Path(ledger) if ledger is not None else Path(config.default_ledger())
        self._ledger: Ledger | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="genstep-ledger")
        self._lives: dict[str, Life] = {}
        self._https: list[Http] = []

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._where)
        return self._ledger

    async def db(self, method: Callable[..., T], *values: Any, **named: Any) -> T:
        """Run a ledger method on the one ledger thread; a cancelled wait leaves it to finish."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: method(*values, **named))

    async def on_ledger(self, work: Callable[[Ledger], T]) -> T:
        return await self.db(lambda: work(self.ledger))

    @property
    def life(self) -> Life:
        """The life of this client's own account."""
        return self._life(self.account, self.provider)

    def life_of(self, row: RequestRow) -> Life:
        """The life of the account that a ledger row belongs to, found by its name where it is not ours."""
        if (row.account, row.provider) == (self.account.name, self.provider.slug):
            return self.life
        if row.account not in self._lives:
            try:
                account = config.resolve_account(row.account).account
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"job {row.id} belongs to the account {row.account!r} of {row.provider}, "
                    f"which is not set up here: {error}",
                    job_id=row.id,
                ) from None
            return self._life(account, provider_of(account))
        return self._lives[row.account]

    def _life(self, account: Account, provider: Provider) -> Life:
        life = self._lives.get(account.name)
        if life is None:
            http = self._network(account) if self._network else self._real(account, provider)
            self._https.append(http)
            transport = Transport(account, provider, http, self.clock)
            spool = Spool(self._where.parent / "spool")
            life = Life(account, provider, transport, self.ledger, self.db, self.store, spool, self.clock)
            self._lives[account.name] = life
        return life

    def _real(self, account: Account, provider: Provider) -> Http:
        base = account.base_url or provider.base_url or ""
        return RealHttp(self._http, tls=not base.startswith("http://"))

    async def aclose(self) -> None:
        """Wait for open paid calls, then let everything go."""
        for life in self._lives.values():
            await life.drain()
        for http in self._https:
            await http.aclose()
        if self._ledger is not None:
            await self.db(self._ledger.close)
        self._thread.shutdown(wait=False)


def provider_of(account: Account) -> Provider:
    """The provider object of a checked account; its secrets are registered for redaction first."""
    for secret in account.secrets():
        redact.register_secret(secret)
    redact.install_log_filter()
    provider = plugins.load(account.provider)
    check_account(account, provider)
    return provider(account)
