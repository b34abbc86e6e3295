"""When a job is expected to end: schedules by what was learned of jobs like it, and what its end teaches."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING

from genstep.client import results
from genstep.provider import Completed
from genstep.watcher import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstep.client.searching import Searching
    from genstep.ledger import CallRow, RequestRow
    from genstep.provider import State
    from genstep.watcher import Durations


class Expecting:
    """The schedules of one account's jobs. What is learned is believed at once, and written down by ``flush``."""

    def __init__(self, life: Searching) -> None:
        self._life = life
        self._known: dict[tuple[str, str | None], Durations] = {}
        self._coming: list[tuple[CallRow, asyncio.Future[Schedule]]] = []
        self._joining: asyncio.Task[None] | None = None
        self.new: list[tuple[str, str | None, float]] = []

    async def schedule(self, row: CallRow) -> Schedule:
        """When to ask about a job that this client waits for from now on; those that come together are read at once."""
        scheduled: asyncio.Future[Schedule] = asyncio.get_running_loop().create_future()
        self._coming.append((row, scheduled))
        if self._joining is None or self._joining.done():
            # a task of its own: whoever began it may be cancelled, and the others go on
            self._joining = asyncio.create_task(self._join())
        return await scheduled

    async def _join(self) -> None:
        while self._coming:
            await asyncio.sleep(0)
            await self._join_some()

    async def _join_some(self) -> None:
        life, coming = self._life, self._coming
        self._coming = []
        rows = [row for row, _ in coming]
        try:
            if late := [row.id for row in rows if row.waiter != life.ledger.owner]:
                await life.db(life.ledger.waits, late)
            schedules = await self.schedules(rows)
        except Exception as error:  # noqa: BLE001  (who waits shall have it)
            for _, scheduled in coming:
                if not scheduled.done():
                    scheduled.set_exception(copy(error))
            return
        for (_, scheduled), schedule in zip(coming, schedules, strict=True):
            if not scheduled.done():
                scheduled.set_result(schedule)

    async def schedules(self, rows: Sequence[CallRow]) -> list[Schedule]:
        """When to ask about some jobs, by what the ledger has learned of their kinds and models."""
        life = self._life
        requests: list[RequestRow] = (
            await life.look(lambda ledger: ledger.asked([row.id for row in rows])) if rows else []
        )
        for kind, model in {(kept.kind, kept.model) for kept in requests} - self._known.keys():
            self._known[kind, model] = await life.db(life.ledger.durations, life.provider.slug, kind, model)
        schedules = [
            Schedule(
                life.provider.timing_for(results.request_of(kept)),
                row.sent_at or row.created_at,
                interval=life.account.options.get("poll_interval"),
                local=life.local,
                kind=kept.kind,
                model=kept.model,
            )
            for row, kept in zip(rows, requests, strict=True)
        ]
        for schedule in schedules:
            self.believe(schedule)
        return schedules

    def believe(self, schedule: Schedule) -> None:
        """Go by what is known by now."""
        schedule.believe(self._known[schedule.kind, schedule.model])

    def learn(self, schedule: Schedule, state: State, asked: float) -> None:
        """How long a job took: to the second that the service says, else to the middle of the gap since it was
        ``asked`` about (Unix seconds; 0.0 for never)."""
        life, now = self._life, self._life.clock.time()
        if schedule.local or not isinstance(state, Completed):
            return
        took = now - schedule.submitted_at
        said = None if state.completed_at is None else state.completed_at - life.transport.skew
        exact = None if said is None else said - schedule.submitted_at
        if exact is not None and 0 < exact <= took:
            took = exact
        elif asked:
            took -= (now - asked) / 2
        kind = (schedule.kind, schedule.model)
        self._known[kind] = self._known[kind].after(took)
        self.new.append((*kind, took))

    async def flush(self) -> None:
        """Write down what was learned, for all who use the ledger."""
        if self.new:
            new, self.new = self.new, []
            for kind, learned in (await self._life.db(self._life.ledger.took, self._life.provider.slug, new)).items():
                self._known[kind] = learned
