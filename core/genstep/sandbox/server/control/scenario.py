"""The scenario control: what happened (accounts, charges, requests, deliveries), and what shall happen (faults, jobs).

Every method may be called from any thread; it runs on the server's own, between two requests.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from genstep.sandbox.server.faults import Fault, described
from genstep.sandbox.server.imaginelab.service import ImagineLab

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App, Event, Logged
    from genstep.sandbox.server.assets import AssetRequest
    from genstep.sandbox.server.state import Account, Charge, Job
    from genstep.sandbox.server.webhooks import Delivery

T = TypeVar("T")
CONTROL_SECONDS = 30.0


class Control:
    """What tests and the control pages see and change; `key` is the API key, or an ImagineLab e-mail, in full."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop, on the current thread, answers the requests."""
        self._loop, self._thread = loop, threading.get_ident()

    def detach(self) -> None:
        """Run what is asked for on the caller's thread from now on: the server has ended."""
        self._loop = None

    def _run(self, work: Callable[[], T]) -> T:
        if self._loop is None or self._thread == threading.get_ident():
            return work()

        async def on_loop() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(CONTROL_SECONDS)

    # -- what happened ----------------------------------------------------------------------------------------------

    def accounts(self, slug: str | None = None) -> list[dict[str, Any]]:
        """Accounts with ``id, slug, label`` (the key, masked), ``credits, unit, settings, jobs`` (a count)."""

        def work() -> list[dict[str, Any]]:
            self.app.state.settle()
            accounts = self.app.state.accounts.values()
            return [self._shown(account) for account in accounts if slug in (None, account.slug)]

        return self._run(work)

    def charges(self, slug: str | None = None, key: str | None = None) -> list[Charge]:
        """Bookings, oldest first; one with ``refund`` gave back what another took."""

        def work() -> list[Charge]:
            self.app.state.settle()
            account = self._id(slug, key)
            charges = self.app.state.charges
            return [c for c in charges if slug in (None, c.slug) and account in (None, c.account)]

        return self._run(work)

    def spent(self, slug: str | None = None, key: str | None = None) -> int:
        """What was taken, less what was given back."""
        return sum(-charge.amount if charge.refund else charge.amount for charge in self.charges(slug, key))

    def submits(self, slug: str | None = None, key: str | None = None) -> int:
        """How many paid requests were accepted, whatever became of them."""

        def work() -> int:
            found = self.app.state.find(slug, key) if slug and key else None
            if key is not None and found is None:
                return 0
            digest = found.digest if found else None
            counts = self.app.state.submits.items()
            return sum(n for (s, d), n in counts if slug in (None, s) and digest in (None, d))

        return self._run(work)

    def requests(
        self, slug: str | None = None, *, endpoint: str | None = None, method: str | None = None
    ) -> list[Logged]:
        """The last requests to the services and the files (``slug="assets"``), oldest first."""

        def fits(line: Logged) -> bool:
            return slug in (None, line.slug) and endpoint in (None, line.endpoint) and method in (None, line.method)

        return self._run(lambda: [line for line in self.app.requests if fits(line)])

    def count(self, slug: str, endpoint: str | None = None) -> int:
        """How many requests there were since the start, also those that the log has dropped."""
        counts = self.app.counts
        return self._run(lambda: sum(n for (s, e), n in counts.items() if s == slug and endpoint in (None, e)))

    def jobs(self, slug: str | None = None) -> list[dict[str, Any]]:
        """Jobs with ``id, slug, account, kind, status, price, refunded``, oldest first."""

        def work() -> list[dict[str, Any]]:
            self.app.state.settle()
            return [self._job_shown(job) for (s, _), job in self.app.state.jobs.items() if slug in (None, s)]

        return self._run(work)

    def deliveries(self, job: str | None = None) -> list[Delivery]:
        """Attempts to deliver a webhook, oldest first."""
        return self._run(lambda: [d for d in self.app.deliveries.log if job in (None, d.job)])

    def asset_requests(self) -> list[AssetRequest]:
        """Requests for files, each with the Authorization header it came with (masked), which should be None."""
        return self._run(lambda: list(self.app.assets.requests))

    # -- what shall happen ------------------------------------------------------------------------------------------

    def fault(self, kind: str, slug: str | None = None, **details: Any) -> int:
        """Add a fault (see :class:`Fault` for kinds and details) and return its id."""
        return self._run(lambda: self.app.faults.add(Fault(kind, slug, **details)).id)

    def clear(self, id: int | None = None) -> None:
        """Take back one fault, or all."""
        self._run(lambda: self.app.faults.clear(id))

    def faults(self) -> list[dict[str, Any]]:
        """The faults that can still strike."""
        return self._run(lambda: [described(fault) for fault in self.app.faults.active()])

    def on_event(self, hook: Callable[[Event], None] | None) -> None:
        """Call `hook` on the server's thread at ``received``, ``accepted``, ``half`` and ``sent``; None ends it."""

        def work() -> None:
            self.app.on_event = hook

        self._run(work)

    def hold(self, job: str) -> None:
        """Let a job that has not ended go on until :meth:`release`."""
        self._run(lambda: self.app.jobs.change(self._job(job), math.inf))

    def release(self, job: str | None = None) -> None:
        """End a job now, as it was going to end; without a job, all that are held or stuck."""
        self._run(lambda: self._end(job))

    def fail(self, job: str, *, refund: bool = True) -> None:
        """Let a job fail now."""

        def work() -> None:
            found = self._job(job)
            found.fails, found.refunds = True, refund
            self.app.jobs.change(found, self.app.clock.time())

        self._run(work)

    def set_credits(self, slug: str, credits: int, key: str | None = None) -> None:
        """Set what an account holds (opened where it is new), or, without a key, all accounts and new ones."""
        self.set(slug, key, credits=credits)

    def set(self, slug: str, key: str | None = None, **settings: Any) -> None:
        """Change settings of an account (opened where it is new), or, without a key, of all accounts and new ones."""

        def work() -> None:
            self.app.check_settings(slug, settings)
            if key is None:
                self.app.settings.setdefault(slug, {}).update(settings)
                accounts = [a for a in self.app.state.accounts.values() if a.slug == slug]
            else:
                accounts = [self.app.services[slug].open_account(key)]
            for account in accounts:
                given = dict(settings)
                account.credits = given.pop("credits", account.credits)
                account.settings.update(given)

        self._run(work)

    def webhook_secret(self, slug: str, key: str) -> str:
        """The secret that signs deliveries to a request's own ``webhook_url``."""
        return self._run(lambda: self.app.services[slug].open_account(key).webhook_secret)

    def expire_tokens(self) -> int:
        """End every login token of ImagineLab; return how many there were."""

        def work() -> int:
            service = self.app.services["imaginelab"]
            assert isinstance(service, ImagineLab)
            return service.logins.expire()

        return self._run(work)

    def expire_links(self) -> None:
        """Let every file link that was given out so far answer 403, for good."""
        self._run(self.app.assets.expire_all)

    def reset(self) -> None:
        """Forget all accounts, jobs, charges, faults and logs, and what :meth:`set` changed for new accounts."""
        self._run(self.app.reset)

    def state(self) -> dict[str, Any]:
        """Everything that the control page shows, as JSON can carry it; keys are masked."""

        def work() -> dict[str, Any]:
            return {
                "speed": self.app.speed,
                "seed": self.app.seed,
                "services": {slug: f"{self.app.base}/{slug}" for slug in self.app.services},
                "accounts": self.accounts(),
                "charges": [asdict(charge) for charge in self.charges()[-100:]],
                "jobs": self.jobs()[-100:],
                "requests": [asdict(line) for line in list(self.app.requests)[-100:]],
                "faults": self.faults(),
                "deliveries": [asdict(delivery) for delivery in list(self.app.deliveries.log)[-50:]],
            }

        return self._run(work)

    def _shown(self, account: Account) -> dict[str, Any]:
        service = self.app.services[account.slug]
        return {
            "id": account.id,
            "slug": account.slug,
            "label": account.label,
            "credits": service.balance(account),
            "unit": service.unit,
            "settings": dict(account.settings),
            "jobs": len(account.jobs),
        }

    def _job_shown(self, job: Job) -> dict[str, Any]:
        return {
            "id": job.id,
            "slug": job.account.slug,
            "account": job.account.id,
            "kind": job.kind,
            "status": job.status(self.app.clock.time()),
            "held": job.finished is None and math.isinf(job.due),
            "price": job.price,
            "refunded": job.refunded,
        }

    def _id(self, slug: str | None, key: str | None) -> str | None:
        if key is None:
            return None
        account = self.app.state.find(slug or "", key)
        return account.id if account else ""

    def _job(self, id: str) -> Job:
        found = [job for (_, known), job in self.app.state.jobs.items() if known == str(id)]
        if not found:
            raise LookupError(f"no job has the id {id!r}")
        return found[0]

    def _end(self, job: str | None) -> None:
        if job is not None:
            self.app.jobs.change(self._job(job), self.app.clock.time())
            return
        for found in list(self.app.state.jobs.values()):
            if found.finished is None and math.isinf(found.due):
                self.app.jobs.change(found, self.app.clock.time())
