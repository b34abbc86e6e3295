"""How a request is bought: opened in the ledger, its paid calls started, followed to their end, answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genstep.client import orders, results
from genstep.client.asking import Asking
from genstep.errors import (
    BudgetExceeded,
    GenerationFailed,
    GenstepError,
    InvalidRequest,
    NotFound,
    SubmissionUncertain,
    WaitTimeout,
)
from genstep.ledger.records import FINAL_STATES
from genstep.models import Asset, Generation, GenerationRequest, Job

if TYPE_CHECKING:
    from genstep.ledger import Ledger, Opened, RequestRow
    from genstep.ledger.store import Planned

Prompt = str | GenerationRequest | Mapping[str, Any]
OnProgress = Callable[[Job], object]

#: no wait is endless: without a timeout of the caller's own, it ends after this many seconds, and the job is kept
DEFAULT_TIMEOUT = 3600.0


class Buying(Asking):
    """The inside of ``submit``, ``wait`` and ``generate``."""

    def _deadline(self, timeout: float | None) -> float:
        at_least_0("timeout", timeout)
        return self._session.clock.monotonic() + (DEFAULT_TIMEOUT if timeout is None else timeout)

    async def _row(self, job_id: str) -> RequestRow:
        found = await self._session.on_ledger(lambda ledger: ledger.find(job_id) if job_id else [])
        exact = [row for row in found if row.id == job_id]
        if len(exact or found) != 1:
            why = "is the beginning of several ids" if found else "is not in this ledger"
            raise NotFound(f"job {job_id!r} {why}; see: genstep jobs", job_id=job_id)
        return (exact or found)[0]

    async def _order(self, request: GenerationRequest, key: str) -> orders.Order:
        """Check a request; nothing is sent that costs money."""
        session = self._session
        ready = await self._prepared(request)
        base_url = session.life.transport.base_url
        return orders.order(ready, session.account, session.provider, base_url, key=key, now=session.clock.time())

    async def _open(
        self, wanted: list[orders.Order], *, fresh: bool, max_credits: float | None, deadline: float
    ) -> list[Opened]:
        """Write the rows of some orders, and start the paid calls for what the ledger cannot answer."""
        session = self._session
        session.check_open()
        at_least_0("max_credits", max_credits)
        if not session.store.checked:
            await asyncio.to_thread(session.store.check)
        if max_credits is not None or session.account.daily_credits is not None:
            wanted = [await self._priced(one) for one in wanted]
        made = {one.row.fingerprint: one for one in wanted}
        rows, now = [one.row for one in wanted], session.clock.time()
        planned: list[Planned] = []

        def write(ledger: Ledger) -> list[Opened]:
            plan = orders.planner(session.provider, made, self._learned(ledger, wanted), ledger.owner, now)
            if max_credits is not None:
                plan = self._bounded(plan, max_credits)

            def kept(opened: Sequence[Opened]) -> Sequence[Planned]:
                planned[:] = plan(opened)
                return planned

            return ledger.open(rows, kept, fresh=fresh)

        opened = await session.on_ledger(write)
        for one in opened:
            if not one.created:
                await self._look_again(one.row)
        items = {one.row.id: made[one.row.fingerprint].request.items() for one in opened}
        life = session.life
        await life.adopt()
        for call, members in planned:
            if not life.is_sending(call.id):
                life.send(call, [items[request][number] for request, number in members], deadline=deadline)
        return opened

    async def _prepared(self, request: GenerationRequest) -> GenerationRequest:
        try:
            if request.image is None:
                return orders.prepare(request, self._session.provider)
            return await asyncio.to_thread(orders.prepare, request, self._session.provider)
        except InvalidRequest as error:
            if error.field == "model" and request.model is None and self._session.provider.capabilities.models:
                with suppress(GenstepError):
                    names = ", ".join(model.id for model in await self.models(request.kind))
                    error.args = (f"{error.message}; it has: {names}",) if names else error.args
            raise

    async def _priced(self, one: orders.Order) -> orders.Order:
        """The order with its price, where a ceiling needs it and the service knows it: asked for once, not before each
        call, for a charge above it is learned (rule 8)."""
        if self.provider.price(one.request) is not None:
            return one
        request, prices = one.request.with_fields(n=1), self._session.prices
        about = json.dumps({**request.canonical(), "prompt": ""}, sort_keys=True)
        async with self._session.pricing:
            if prices.get(about) is None:
                prices[about] = (await self._ask_price(request)).amount
        return replace(one, each=prices[about])

    async def _limits(self, wanted: list[orders.Order]) -> Callable[[GenerationRequest], int]:
        """How many items a call may carry: what the provider declares, or less where the plan said so before."""
        return await self._session.on_ledger(lambda ledger: self._learned(ledger, wanted))

    def _learned(self, ledger: Ledger, wanted: list[orders.Order]) -> Callable[[GenerationRequest], int]:
        account, provider = self._session.account.name, self._session.provider
        learned = {kind: ledger.fact(account, f"batch:{kind}") for kind in {one.request.kind for one in wanted}}
        return lambda request: min(provider.batch(request), learned.get(request.kind) or 1_000_000)

    def _bounded(self, plan: Any, max_credits: float) -> Any:
        """The plan, refused where it would cost more than ``max_credits``, or nobody can say."""
        slug, unit = self._session.provider.slug, self._session.provider.unit

        def bounded(opened: Any) -> Any:
            calls = plan(opened)
            prices = [call.estimated for call, _ in calls]
            if any(price is None for price in prices):
                raise BudgetExceeded(
                    f"max_credits: {slug} does not say its price before paying, so a ceiling cannot be kept; "
                    "set the account's option price, or leave max_credits out",
                    charged=False,
                )
            if sum(prices) > max_credits + 1e-9:
                raise BudgetExceeded(
                    f"max_credits is {max_credits:g}, and this would cost {sum(prices):g} {unit}; nothing was sent",
                    required=sum(prices),
                    available=max_credits,
                    charged=False,
                )
            return calls

        return bounded

    async def _accepted(self, row: RequestRow, deadline: float) -> None:
        life = self._session.life_of(row)
        wait = life.started if life.provider.capabilities.blocking else life.sent
        for call in await self._session.look(lambda ledger: ledger.calls(row.id)):
            await self._until(asyncio.ensure_future(wait(call.id)), deadline)

    async def _found(self, row: RequestRow, deadline: float) -> None:
        """Return when the uncertain calls of a request were looked for in the service's list."""
        life = self._session.life_of(row)
        calls = await self._session.look(lambda ledger: ledger.calls(row.id))
        lost = [call.id for call in calls if call.state == "uncertain"]
        if lost:
            await self._until_any({life.follow(call) for call in lost}, deadline, life.changed(lost))

    async def _finish(self, opened: Opened, deadline: float, on_progress: OnProgress | None) -> Generation:
        """Follow all calls of a request to their end, and hand out what came of it."""
        row = opened.row
        life = self._session.life_of(row)
        await life.adopt()
        if opened.created and not opened.missing:
            await self._look_again(row)
        cached = not opened.created and not opened.missing
        if cached and (answer := await self._answer(row)) is not None:
            return answer
        told: tuple[Any, ...] = ()
        searched: set[str] = set()

        def look(ledger: Ledger) -> tuple[list[str], Job | None, Generation | None]:
            calls = ledger.calls(row.id)
            lost = {c.id for c in calls if c.state == "uncertain" and life.settles(c.id)} - searched
            still = [call.id for call in calls if call.state not in FINAL_STATES or call.id in lost]
            job = None if on_progress is None else results.job(ledger, row)
            return still, job, None if still else results.generation(ledger, row)

        # calls that were written just now are open
        still = list(opened.calls) if opened.created and on_progress is None else []
        while True:
            if not still:
                still, job, found = await self._session.look(look)
                if job is not None and on_progress and (seen := (job.status, job.progress, job.done)) != told:
                    told = seen
                    on_progress(job)
                if found is not None:
                    return self._made(row, found)
            # who is told nothing on the way need not look on the way
            moved = () if on_progress is None else (life.changed(still),)
            done = await self._until_any({life.follow(call) for call in still}, deadline, *moved)
            still = []
            for task in done:
                if task.cancelled():
                    raise self._still_running(row, "its client was closed")
                if task.exception() is not None:
                    raise self._at_job(task.exception(), row)
                searched.add(task.result().id)
            if not done and self._session.clock.monotonic() >= deadline:
                calls = await self._session.look(lambda ledger: ledger.calls(row.id))
                if all(call.state in FINAL_STATES for call in calls):
                    return await self._generation(row, from_cache=False)
                raise self._still_running(row, "time is up")

    def _still_running(self, row: RequestRow, why: str) -> WaitTimeout:
        return WaitTimeout(
            f"job {row.id} is still running, and {why}; it is kept: wait for it again, or run: genstep resume {row.id}",
            provider=row.provider,
            job_id=row.id,
        )

    async def _answer(self, row: RequestRow) -> Generation | None:
        """A complete request, from the ledger; its files are copied where another folder is asked for."""
        session = self._session
        found = await session.on_ledger(lambda ledger: results.generation(ledger, row, from_cache=True))
        if found.status != "completed" or found.failures:
            return None
        if not all([await asyncio.to_thread(session.store.exists, asset) for asset in found.assets]):
            now = session.clock.time()
            await session.on_ledger(lambda ledger: ledger.unsave(row.id, now))
            return None
        adopted = []
        for asset in found.assets:
            adopted.append(await session.store.adopt(asset, _stem(asset)))
            if adopted[-1].uri != asset.uri:
                # written down one by one: what is copied is found again by whoever deletes the job
                await session.db(session.ledger.copied, row.id, asset, adopted[-1])
        return replace(found, assets=tuple(adopted))

    async def _look_again(self, row: RequestRow) -> None:
        """What was made and could not be fetched is fetched once more, by all who ask for it from now on."""
        now = self._session.clock.time()
        await self._session.on_ledger(lambda ledger: ledger.unsave(row.id, now, unfetched=True))

    async def _generation(self, row: RequestRow, *, from_cache: bool) -> Generation:
        """The generation, or the error of its first item where nothing was made."""
        found = await self._session.look(lambda ledger: results.generation(ledger, row, from_cache=from_cache))
        return self._made(row, found)

    def _made(self, row: RequestRow, found: Generation) -> Generation:
        if found.status == "completed":
            return found
        for kind in (SubmissionUncertain, GenstepError):
            for problem in found.failures:
                if isinstance(problem, kind):
                    raise problem
        raise GenerationFailed(f"job {row.id} is {found.status}", job_id=row.id, provider=row.provider)

    def _at_job(self, error: BaseException | None, row: RequestRow) -> BaseException:
        """The error for one of those who wait; all of them get their own."""
        assert error is not None
        if isinstance(error, GenstepError):
            error = copy(error)
            error.job_id = row.id
        return error

    async def _until(self, waited: asyncio.Future[Any], deadline: float) -> None:
        try:
            await self._until_any({waited}, deadline)
        finally:
            waited.cancel()

    async def _until_any(self, tasks: set[Any], deadline: float, *wakes: Awaitable[None]) -> set[Any]:
        """Those of some tasks that are done before the deadline; ``wakes`` end it too. None of the tasks is
        cancelled."""
        clock = self._session.clock
        extra = {asyncio.ensure_future(one) for one in (clock.sleep(deadline - clock.monotonic()), *wakes)}
        try:
            done, _ = await asyncio.wait({*tasks, *extra}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in extra:
                one.cancel()
        return done - extra

    async def _settle(self, row: RequestRow, claim: str | None, charged: bool | None) -> None:
        if claim is not None and charged is not None:
            raise InvalidRequest("claim and charged exclude each other", field="claim")
        life = self._session.life_of(row)
        calls = await self._session.look(lambda ledger: ledger.calls(row.id))
        uncertain = [call for call in calls if call.state == "uncertain"]
        if not uncertain:
            raise InvalidRequest(f"job {row.id} is not uncertain, so there is nothing to settle", job_id=row.id)
        for call in uncertain[:1] if claim is not None else uncertain:
            await life.settle(call, claim, charged)


def at_least_0(name: str, value: object) -> None:
    """Refuse a timeout or ceiling that is no number, or below 0."""
    if value is not None and not (isinstance(value, (int, float)) and value >= 0):
        raise InvalidRequest(f"{name}: a number from 0 up, not {value!r}", field=name)


def _stem(asset: Asset) -> str:
    """The file name of a saved asset, without its ending."""
    return asset.uri.rsplit("/", 1)[-1].rsplit(".", 1)[0]
