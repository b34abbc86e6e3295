"""``AsyncClient``: the verbs, in terms of the rooms below; every surface is a skin over these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Self

from genstep.client import orders, results
from genstep.client.buying import Buying, OnProgress, Prompt
from genstep.client.session import Session
from genstep.errors import GenstepError, InvalidRequest, NotFound
from genstep.ledger import Opened
from genstep.models import TERMINAL, Generation, HttpOptions, Job

if TYPE_CHECKING:
    import os

    from genstep.accounts import Account
    from genstep.clock import Clock
    from genstep.transport.http import Http


class AsyncClient(Buying):
    """One account's client. ``account``: a configured name, an :class:`Account`, or None for the default.

    ``ledger`` is a file on a local disk, or the URL of a PostgreSQL database (``genstep[postgres]``), which several
    machines may share; ``output`` is a folder or an fsspec URL. Both default to what ``genstep doctor`` shows.

    On a shared ledger any machine goes on with what another submitted, and finds what it saved where ``output`` is
    shared, too. The raw reply of a paid call, kept until its results are saved, stays on the machine that got it.
    """

    def __init__(
        self,
        account: str | Account | None = None,
        *,
        ledger: str | os.PathLike[str] | None = None,
        output: str | os.PathLike[str] | None = None,
        http: HttpOptions | None = None,
        _clock: Clock | None = None,
        _network: Callable[[Account], Http] | None = None,
    ) -> None:
        self._session = Session(account, ledger, output, http, _clock, _network)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close; a paid call under way is waited for, since its answer was paid for."""
        await self._session.aclose()

    # -- buying -------------------------------------------------------------------------------------------------

    async def generate(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        on_progress: OnProgress | None = None,
        **fields: Any,
    ) -> Generation:
        """Submit, wait and save; ``timeout`` in seconds, ``max_credits`` in the account's unit.

        An identical request (same fields and ``key``) that was paid for and saved is answered from the ledger, unless
        ``fresh``. Raises :class:`WaitTimeout` with the job's id when time is up; the job is kept.
        """
        deadline = self._deadline(timeout)
        order = await self._order(orders.build(prompt, fields), key)
        opened = await self._open([order], fresh=fresh, max_credits=max_credits, deadline=deadline)
        return await self._finish(opened[0], deadline, on_progress)

    async def submit(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        on_progress: OnProgress | None = None,
        **fields: Any,
    ) -> Job:
        """Return when the service has accepted the job; where the paid call is the wait, when it is on its way."""
        deadline = self._deadline(timeout)
        order = await self._order(orders.build(prompt, fields), key)
        opened = (await self._open([order], fresh=fresh, max_credits=max_credits, deadline=deadline))[0]
        await self._accepted(opened.row, deadline)
        job = await self.status(opened.row.id, ask=False)
        if on_progress is not None:
            on_progress(job)
        if job.status == "uncertain" and self._session.life_of(opened.row).searches:
            # found in the service's list, or not: the answer to that is what the caller waits for
            await self._found(opened.row, deadline)
            job = await self.status(opened.row.id, ask=False)
        if job.status in ("failed", "uncertain"):
            await self._generation(opened.row, from_cache=False)
        return job

    async def wait(
        self, job_id: str, *, timeout: float | None = None, on_progress: OnProgress | None = None
    ) -> Generation:
        """Wait for a job of the ledger, whoever started it, and save its results."""
        row = await self._row(job_id)
        return await self._finish(Opened(row, True, ()), self._deadline(timeout), on_progress)

    async def resume(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        claim: str | None = None,
        charged: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> Generation:
        """Go on with a job after a timeout or a crash. An uncertain one is settled by hand: ``claim`` names the
        service's job that it became, ``charged`` says whether the money was taken; it then counts as failed."""
        row = await self._row(job_id)
        if claim is not None or charged is not None:
            await self._settle(row, claim, charged)
        return await self.wait(row.id, timeout=timeout, on_progress=on_progress)

    async def map(
        self,
        requests: Any,
        *,
        concurrency: int = 8,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Generation | GenstepError]:
        """Many requests, in the service's own batch form where it has one; outcomes in order of completion.

        Equal requests are told apart by their occurrence. A request that cannot be made yields its error; the others
        go on. ``max_credits`` bounds the whole map, ``timeout`` each request.
        """
        from genstep.client.many import as_list, run_many

        outcomes = run_many(self, as_list(requests), concurrency, max_credits, key, fresh, timeout)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome

    # -- what the ledger knows ------------------------------------------------------------------------------------

    async def status(self, job_id: str, *, ask: bool = True) -> Job:
        """The job as it stands; with ``ask`` the service is asked once where it is not done."""
        row = await self._row(job_id)
        job = await self._session.on_ledger(lambda ledger: results.job(ledger, row))
        if ask and job.status == "processing":
            life = self._session.life_of(row)
            for call in await self._session.on_ledger(lambda ledger: ledger.calls(row.id)):
                if call.state in ("submitted", "processing"):
                    await life.ask(call)
            job = await self._session.on_ledger(lambda ledger: results.job(ledger, row))
        return job

    async def jobs(
        self, status: str | None = None, since: float | None = None, *, limit: int | None = None
    ) -> list[Job]:
        """What the ledger knows, newest first; ``since`` in Unix seconds."""

        def read(ledger: Any) -> list[Job]:
            found = (results.job(ledger, row) for row in ledger.requests(since=since))
            wanted = [job for job in found if status is None or job.status == status]
            return wanted[:limit]

        return await self._session.on_ledger(read)

    async def show(self, job_id: str) -> Generation:
        """All that the ledger holds of a job, without asking the service."""
        row = await self._row(job_id)
        return await self._session.on_ledger(lambda ledger: results.generation(ledger, row))

    async def cancel(self, job_id: str) -> Job:
        """Cancel where the service can; else the job is kept and ``message`` of what comes back says so."""
        row = await self._row(job_id)
        life = self._session.life_of(row)
        message = ""
        for call in await self._session.on_ledger(lambda ledger: ledger.calls(row.id)):
            message = await life.cancel(call) or message
        return await self._session.on_ledger(lambda ledger: results.job(ledger, row, message=message))

    async def delete(self, job_id: str, *, remote: bool = False) -> None:
        """Remove prompt, inputs and files of a finished job; with ``remote`` at the service too, where it can."""
        row = await self._row(job_id)
        job = await self.status(row.id, ask=False)
        if job.status not in TERMINAL:
            raise InvalidRequest(f"job {row.id} is still {job.status}; wait for it, or cancel it first", job_id=row.id)
        if remote:
            life = self._session.life_of(row)
            self._needs("delete", life)
            for service_id in job.provider_job_ids:
                with suppress(NotFound):
                    await life.transport.run(life.provider.delete(service_id))
        kept = await self._session.on_ledger(lambda ledger: [a for _, a in ledger.assets(row.id)])
        for data in kept:
            for asset in (*results.copies_of(data), results.asset_of(data)):
                await asyncio.to_thread(self._session.store.remove, asset)
        life = self._session.life_of(row)
        for call in await self._session.on_ledger(lambda ledger: ledger.calls(row.id)):
            life.spool.drop(call.id)
        await self._session.on_ledger(lambda ledger: ledger.forget(row.id))

    async def purge(self, older_than: float) -> int:
        """Delete all finished jobs that were made more than ``older_than`` seconds ago; how many it were."""
        limit = self._session.clock.time() - older_than
        gone = 0
        for job in await self.jobs():
            if job.created_at < limit and job.status in ("completed", "failed", "cancelled"):
                await self.delete(job.id)
                gone += 1
        return gone
