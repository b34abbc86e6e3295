"""The life of a paid call: followed until it ends, taken up after a crash, cancelled, settled by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from genstep.client import found
from genstep.client.searching import Searching
from genstep.client.watching import Watcher
from genstep.errors import GenerationFailed, GenstepError, InvalidRequest
from genstep.ledger import CallRow, LostClaim, Settled
from genstep.ledger.records import FINAL_STATES, item_state
from genstep.provider import Completed, Failed, Running, State

#: seconds for which an uncertain call is looked for again by itself, at the start of each client
LOOKED_FOR = 86400.0


class Life(Searching):
    """All that one account's paid calls go through, from ``intent`` to ``saved``."""

    def __init__(self, *rooms: Any) -> None:
        super().__init__(*rooms)
        self._followed: dict[str, asyncio.Task[CallRow]] = {}
        self._adopted = False
        self.watcher = Watcher(self)

    # -- following ----------------------------------------------------------------------------------------------

    def follow(self, call: str) -> asyncio.Task[CallRow]:
        """The one task of this client that brings a call to its end; shared by all who wait."""
        task = self._followed.get(call)
        if task is None:
            task = asyncio.create_task(self._follow(call), name=f"genstep follows {call}")
            self._followed[call] = task
            task.add_done_callback(lambda _: self._followed.pop(call, None))
            # those who wait raise its error; where nobody does any more, it is no bug
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _follow(self, call: str) -> CallRow:
        searched, trouble = False, None
        while True:
            if (task := self.paid.get(call)) is not None:
                await asyncio.wait({task})
                trouble = None if task.cancelled() else task.exception()
            row: CallRow = await self.look(lambda ledger: ledger.call(call))
            if row.state == "uncertain" and not searched and await asyncio.to_thread(self.settles, call):
                searched = True
                await self.search(row)
            elif row.state in FINAL_STATES:
                return row
            elif row.state in ("intent", "sending"):
                if trouble is not None and row.state == "intent":
                    raise trouble  # it was not sent, for the ledger could not be written; it is no use to try at once
                # where it was begun while the row was read, it is waited for
                if not self.is_sending(call):
                    await self.recover(row)
            elif row.state == "completed":
                if await self.save(call):
                    return row
            else:
                await self.watcher.watch(row)
                if call in self.made and await self.save(call):
                    return row

    async def adopt(self) -> None:
        """Once a client: take up the account's paid calls that ended processes left behind. What was never sent
        stays unsent until somebody asks for it."""
        if self._adopted:
            return
        self._adopted = True
        await self._tidy()
        for row in await self.db(self.ledger.orphans, self.account.name, self.provider.slug):
            young = self.clock.time() - row.updated_at < LOOKED_FOR
            if row.state != "uncertain" or (young and await asyncio.to_thread(self.settles, row.id)):
                self.follow(row.id)

    async def _tidy(self) -> None:
        """A process that was killed right after its last write left a reply that nobody needs any more; one that was
        killed while it wrote, a part of one."""
        for call in await asyncio.to_thread(self.spool.calls):
            row = await self.db(self.ledger.known, call)
            if row is None or (row.account, row.provider) != (self.account.name, self.provider.slug):
                continue
            if row.state in ("failed", "cancelled") or (row.state == "saved" and await self._is_done(row)):
                self.spool.drop(call)
        for call in await asyncio.to_thread(self.spool.parts):
            row = await self.db(self.ledger.known, call)
            if row is None or row.state != "sending" or not await self.db(self.ledger.alive, row.owner):
                self.spool.drop_part(call)

    async def _is_done(self, row: CallRow) -> bool:
        """Whether nothing that a saved call made is to be had from its kept reply alone any more."""
        items = await self.db(self.ledger.items, call=row.id)
        return self._asks_again(row) or all(item_state(row.state, item.error) != "unfetched" for item in items)

    def nudge(self, call: str) -> None:
        """Somebody says that the job has moved: look now."""
        self.watcher.nudge(call)

    async def progress(self, seen: dict[str, float | None]) -> None:
        """Write down how far some calls are."""
        await self.db(self.ledger.progress, self.clock.time(), seen)
        for call in seen:
            self.tell(call)

    async def take(self, ended: Sequence[tuple[CallRow, State, bool]]) -> None:
        """Write down what the service says of some jobs, at once; True with each that a client in another process will
        save."""
        now = self.clock.time()
        running = {row.id: state.progress for row, state, _ in ended if isinstance(state, Running)}
        if running:
            await self.progress(running)
        changes = [self._change(row, state, elsewhere, now) for row, state, elsewhere in ended if row.id not in running]
        if changes:
            await self.db(self.ledger.together, changes)
        for row, state, _ in ended:
            if isinstance(state, Failed):
                self.spool.drop(row.id)

    def _change(self, row: CallRow, state: State, elsewhere: bool, now: float) -> Callable[[], None]:
        if isinstance(state, Completed):
            if not elsewhere:
                self.made[row.id] = state
            settled = Settled(state.credits, state.balance, None, None, state.request_id)
            kept = found.plain(state) if elsewhere else None
            return partial(self.ledger.completed, row.id, None, now, settled, found=kept)
        assert isinstance(state, Failed)
        error = GenerationFailed(
            f"{self.provider.slug} could not make it: {state.message}",
            refunded=state.refunded,
            code=state.code,
            provider=self.provider.slug,
            charged=False if state.refunded else None,
        )
        return partial(self.ledger.failed, row.id, None, now, error, refunded=state.refunded)

    # -- by hand --------------------------------------------------------------------------------------------------

    async def ask(self, row: CallRow) -> None:
        """Ask the service once about a job, and write down what it says."""
        await self.take([(row, await self.transport.run(self.provider.poll(row.job_id or "")), False)])

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
        if self.provider.capabilities.blocking and not self.searches:
            raise InvalidRequest(
                f"{self.provider.slug} has no jobs to claim; say --charged or --not-charged instead", field="claim"
            )
        if (taken := await self.db(self.ledger.call_of_job, row.provider, claim)) is not None:
            raise InvalidRequest(
                f"the service's job {claim} belongs to the paid call {taken.id} already", field="claim"
            )
        if self.provider.capabilities.blocking:
            await self.claim_by_hand(row, claim)
            return
        await self.transport.run(self.provider.poll(claim))
        await self.expect(row)
        await self.db(self.ledger.accepted, row.id, epoch, now, Settled(job_id=claim))

    async def drain(self) -> None:
        """Wait for the paid calls under way, which nothing may cut off; what was not sent yet is not sent any more."""
        await self.watcher.close()
        followers = list(self._followed.values())
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        while self.paid:
            for call, task in self.paid.items():
                if call in self.unsent and not task.cancelling():
                    task.cancel()
            await asyncio.wait(set(self.paid.values()), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(self.spool.keep_rest)
