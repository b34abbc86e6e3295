"""The life of a paid call after it was sent: followed until it ends, by polls and webhooks; settled by hand."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, TypeVar

from genstep.accounts import LOOPBACK
from genstep.client.saving import Saving
from genstep.errors import (
    GenerationFailed,
    GenstepError,
    InvalidRequest,
    NotFound,
    ProviderUnavailable,
    RateLimited,
)
from genstep.ledger import CallRow, LostClaim, Settled
from genstep.ledger.records import FINAL_STATES
from genstep.provider import Completed, Failed, Running, State
from genstep.watcher import Schedule

T = TypeVar("T")
log = logging.getLogger("genstep")

#: how often a job may be unknown to its service before we believe it
UNKNOWN_TIMES = 3


class Life(Saving):
    """All that one account's paid calls go through, from ``intent`` to ``saved``."""

    def __init__(self, *rooms: Any) -> None:
        super().__init__(*rooms)
        self._followed: dict[str, asyncio.Task[CallRow]] = {}
        self._nudged: dict[str, asyncio.Event] = {}

    # -- following ----------------------------------------------------------------------------------------------

    def follow(self, call: str) -> asyncio.Task[CallRow]:
        """The one task of this client that brings a call to its end; shared by all who wait."""
        task = self._followed.get(call)
        if task is None:
            task = asyncio.create_task(self._follow(call), name=f"genstep follows {call}")
            self._followed[call] = task
            task.add_done_callback(lambda _: self._followed.pop(call, None))
            task.add_done_callback(lambda _: self._nudged.pop(call, None))
            # those who wait raise its error; where nobody does any more, it is no bug
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _follow(self, call: str) -> CallRow:
        schedule: Schedule | None = None
        unknown = 0
        while True:
            row: CallRow = await self.db(self.ledger.call, call)
            if row.state in FINAL_STATES:
                return row
            if (task := self.paid.get(call)) is not None:
                await asyncio.wait({task})
            elif row.state in ("intent", "sending"):
                await self.recover(row)
            elif row.state == "completed":
                await self.save(row)
            else:
                schedule = schedule or await self._schedule(row)
                if await self._rest(row, schedule):
                    unknown = 0 if await self._poll(row, unknown) else unknown + 1

    async def _schedule(self, row: CallRow) -> Schedule:
        request = (await self.requests(row))[0]
        host = self.transport.base_url.split("//", 1)[-1].split("/", 1)[0]
        return Schedule(
            self.provider.timing_for(request),
            row.sent_at or row.created_at,
            interval=self.account.options.get("poll_interval"),
            local=host.rpartition(":")[0].strip("[]") in LOOPBACK or host in LOOPBACK,
        )

    async def _rest(self, row: CallRow, schedule: Schedule) -> bool:
        """Sleep until the next poll; False where a webhook came meanwhile and settled the job."""
        if await self._settled_by_webhook(row):
            return False
        nudge = self._nudged.setdefault(row.id, asyncio.Event())
        nudge.clear()
        sleep = asyncio.ensure_future(self.clock.sleep(schedule.next(self.clock.time())))
        woken = asyncio.ensure_future(nudge.wait())
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()
        return not await self._settled_by_webhook(row)

    def nudge(self, call: str) -> None:
        """Somebody says that the job has moved: look now."""
        if (event := self._nudged.get(call)) is not None:
            event.set()

    async def _settled_by_webhook(self, row: CallRow) -> bool:
        import json

        found = await self.db(self.ledger.delivery, row.provider, row.job_id or "")
        if found is None or not found[1]:
            return False
        event = self.provider.event(json.loads(found[0]))
        if event is None or isinstance(event[1], Running):
            return False
        return await self._take(row, event[1])

    async def _poll(self, row: CallRow, unknown: int) -> bool:
        """Ask once; a failed poll is not a failed job. False where the service does not know the job (yet)."""
        try:
            state = await self.transport.run(self.provider.poll(row.job_id or ""))
        except NotFound as error:
            if unknown + 1 >= UNKNOWN_TIMES:
                raise error
            return False
        except (ProviderUnavailable, RateLimited) as error:
            log.info("%s: a status request failed (%s); asking again", self.provider.slug, error)
            return True
        await self._take(row, state)
        return True

    async def _take(self, row: CallRow, state: State) -> bool:
        now = self.clock.time()
        try:
            if isinstance(state, Running):
                await self.db(self.ledger.progress, row.id, now, state.progress)
                self.tell(row.id)
                return False
            if isinstance(state, Completed):
                self.made[row.id] = state
                settled = Settled(state.credits, state.balance, None, None, state.request_id)
                await self.db(self.ledger.completed, row.id, None, now, settled)
            elif isinstance(state, Failed):
                error = GenerationFailed(
                    f"{self.provider.slug} could not make it: {state.message}",
                    refunded=state.refunded,
                    code=state.code,
                    provider=self.provider.slug,
                    charged=False if state.refunded else None,
                )
                await self.db(self.ledger.failed, row.id, None, now, error, refunded=state.refunded)
                self.spool.drop(row.id)
        except LostClaim:
            return True
        return True

    # -- by hand --------------------------------------------------------------------------------------------------

    async def ask(self, row: CallRow) -> None:
        """Ask the service once about a job, and write down what it says."""
        await self._take(row, await self.transport.run(self.provider.poll(row.job_id or "")))

    async def cancel(self, row: CallRow) -> str:
        """Cancel a call where that can be done; else a sentence that says what happens instead."""
        if row.state == "intent":
            with suppress(LostClaim):
                await self.db(self.ledger.cancelled, row.id, self.clock.time(), refunded=True)
                if row.id in self.unsent:
                    self.paid[row.id].cancel()
                self.tell(row.id)
                return ""
            row = await self.db(self.ledger.call, row.id)
        if row.state in FINAL_STATES or row.state == "completed":
            return ""
        if not self.provider.capabilities.cancel:
            return (
                f"{self.provider.slug} has no cancel: the job goes on there and is paid; it is kept here, "
                "and its result can be fetched with: genstep resume"
            )
        if row.job_id is None:
            return "its paid request is being sent just now; cancel it again in a moment"
        if not await self.transport.run(self.provider.cancel(row.job_id)):
            return f"{self.provider.slug} could not cancel it any more; its result can be fetched with: genstep resume"
        refunded: bool | None = None
        with suppress(GenstepError):
            state = await self.transport.run(self.provider.poll(row.job_id))
            refunded = state.refunded if isinstance(state, Failed) else None
        with suppress(LostClaim):
            await self.db(self.ledger.cancelled, row.id, self.clock.time(), refunded=refunded)
            self.spool.drop(row.id)
        self.tell(row.id)
        self.nudge(row.id)
        return ""

    async def settle(self, row: CallRow, claim: str | None, charged: bool | None) -> None:
        """Settle an uncertain call by hand: it became the service's job ``claim``, or it was or was not charged."""
        epoch = await self.db(self.ledger.claim, row.id, self.clock.time())
        if epoch is None:
            raise InvalidRequest(f"another process has the paid call {row.id} in hand; try again when it is done")
        try:
            await self._settle(row, epoch, claim, charged)
        finally:
            await self.db(self.ledger.release, row.id, epoch)

    async def _settle(self, row: CallRow, epoch: int, claim: str | None, charged: bool | None) -> None:
        now = self.clock.time()
        if claim is None:
            said = "was charged" if charged else "was not charged"
            error = GenerationFailed(
                f"settled by hand: it {said}", code="settled", refunded=not charged, charged=charged
            )
            await self.db(self.ledger.failed, row.id, epoch, now, error, refunded=not charged)
            self.spool.drop(row.id)
            return
        if self.provider.capabilities.blocking:
            raise InvalidRequest(
                f"{self.provider.slug} has no jobs to claim; say --charged or --not-charged instead", field="claim"
            )
        if (taken := await self.db(self.ledger.call_of_job, row.provider, claim)) is not None:
            raise InvalidRequest(
                f"the service's job {claim} belongs to the paid call {taken.id} already", field="claim"
            )
        await self.transport.run(self.provider.poll(claim))
        await self.db(self.ledger.accepted, row.id, epoch, now, Settled(job_id=claim))

    async def drain(self) -> None:
        """Wait for the paid calls under way, which nothing may cut off; what was not sent yet is not sent any more."""
        followers = list(self._followed.values())
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        while self.paid:
            for call, task in self.paid.items():
                if call in self.unsent and not task.cancelling():
                    task.cancel()
            await asyncio.wait(set(self.paid.values()), return_when=asyncio.FIRST_COMPLETED)
