"""The watcher at work: one scheduler asks about all jobs that an account waits for, in as few requests as it can."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import math
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstep.errors import GenstepError, NotFound, ProviderUnavailable, RateLimited
from genstep.provider import Completed, Running, State

if TYPE_CHECKING:
    from genstep.client.life import Life
    from genstep.ledger import CallRow
    from genstep.watcher import Schedule

log = logging.getLogger("genstep")

#: how often a job may be unknown to its service before we believe it
UNKNOWN_TIMES = 3
#: seconds between looks into the ledger, for what other processes do
LOOK = 1.0
#: seconds between two lists, so that what they notice is 3 s old on average
LIST_GAP = 6.0
#: entries before the oldest job that a page must reach before we stop turning pages, in seconds (clocks differ)
SLACK = 60.0
#: single status requests under way at once
AT_ONCE = 8
#: after so many webhooks in a row that did not come, we stop waiting for them
MISSED = 3


@dataclass(slots=True, eq=False)
class Watched:
    """One job that somebody waits for: here (``done``), or in another process (None)."""

    row: CallRow
    schedule: Schedule
    done: asyncio.Future[None] | None
    due: float = 0.0
    asked: float = 0.0
    unknown: int = 0
    asking: bool = False
    #: an unverified webhook was heard, which is good for one look; ``urgent`` until that look
    hinted: bool = False
    urgent: bool = False
    #: the progress that the ledger has; -1 before the first
    progress: float | None = -1.0


class Watcher:
    """Who asks when: the client that holds the account's lease polls for all, the others read what it wrote."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._jobs: dict[str, Watched] = {}
        self._due: list[tuple[float, int, Watched]] = []
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._lists = life.provider.listing is not None
        self._list_errors = 0
        self._listed = float("-inf")
        self._start: Any = None
        self._missed = 0
        self._took: list[tuple[str, str | None, float]] = []
        self._looked = float("-inf")
        if not life.provider.capabilities.blocking:
            life.transport.pacer.reserved = self.reserved

    async def watch(self, row: CallRow) -> None:
        """Return when a job has moved on from running; the error of its service where asking is of no use."""
        watched = self._jobs.get(row.id)
        if watched is None or watched.done is None:
            life = self._life
            if row.waiter != life.ledger.owner:
                await life.db(life.ledger.waits, row.id)
            watched = await self._add(row, asyncio.get_running_loop().create_future())
        assert watched.done is not None
        try:
            await asyncio.shield(watched.done)
        except asyncio.CancelledError:
            self._jobs.pop(row.id, None)
            raise

    def nudge(self, call: str) -> None:
        """Somebody says that the job has moved: look now."""
        if (watched := self._jobs.get(call)) is not None:
            watched.hinted = watched.urgent = True
            self._plan(watched, self._life.clock.time())
            self._looked = float("-inf")
            self._wake.set()

    def reserved(self) -> int:
        """How many requests of the rate budget are kept for status until its window ends: what we plan to send."""
        if not self._jobs:
            return 1
        first = max(self._due[0][0] if self._due else 0.0, self._life.clock.time())
        left = self._life.transport.pacer.until_reset() - (first - self._life.clock.time())
        return max(1, int(left / self._gap())) if self._lists and len(self._jobs) > 1 else 1

    async def close(self) -> None:
        """Ask no more; who waits is told by the cancellation of their own wait."""
        tasks = [*self._asking, *((self._task,) if self._task else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the scheduler --------------------------------------------------------------------------------------------

    async def _add(self, row: CallRow, done: asyncio.Future[None] | None) -> Watched:
        schedule = await self._life.schedule(row)
        schedule.hooked = schedule.hooked and self._missed < MISSED
        watched = self._jobs[row.id] = Watched(row, schedule, done)
        now = self._life.clock.time()
        self._plan(watched, now + schedule.next(now))
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="genstep watcher")
            self._task.add_done_callback(self._note)
        return watched

    def _note(self, task: asyncio.Task[None]) -> None:
        """A bug of ours ends no wait in silence: all who wait raise it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            for watched in list(self._jobs.values()):
                self._end(watched, error)

    def _plan(self, watched: Watched, due: float) -> None:
        watched.due = due
        heapq.heappush(self._due, (due, next(self._count), watched))

    async def _run(self) -> None:
        life = self._life
        while self._jobs or self._took:
            self._wake.clear()
            await self._flush()
            now = life.clock.time()
            ours = await self._look(now)
            wait = LOOK
            if ours:
                await self._ask_due()
                first = self._due[0][0] if self._due else math.inf
                wait = max(0.001, min(first - life.clock.time(), self._patience()))
            if self._jobs and not self._wake.is_set():
                await self._sleep(wait)
        await life.db(life.ledger.unlease, life.account.name, life.provider.slug)

    async def _sleep(self, seconds: float) -> None:
        nap = asyncio.ensure_future(self._life.clock.sleep(seconds))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({nap, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            woken.cancel()

    def _patience(self) -> float:
        """Seconds until we look into the ledger again, where deliveries or other processes may have written."""
        return LOOK if self._hooked() else 2 * LOOK

    def _hooked(self) -> bool:
        return self._life.account.webhook_url is not None and self._life.provider.capabilities.webhooks

    async def _look(self, now: float) -> bool:
        """Take note of what other processes wrote; whether it is ours to ask the service."""
        life, ledger = self._life, self._life.ledger
        if now - self._looked < LOOK:
            return True
        key = (life.account.name, life.provider.slug)
        ours: bool = await life.db(ledger.lease, *key, now)
        self._looked = now if ours else float("-inf")
        if life.provider.capabilities.webhooks:
            for call, payload, verified in await life.db(ledger.delivered, *key):
                await self._delivered(call, payload, verified)
        if ours:
            for row in await life.db(ledger.others, *key, ledger.owner):
                if row.id not in self._jobs:
                    await self._add(row, None)
            return True
        running = await life.db(ledger.states, *key, ledger.owner)
        for watched in [one for one in self._jobs.values() if one.done is not None and one.row.id not in running]:
            self._end(watched)
        for call, progress in running.items():
            watched_ = self._jobs.get(call)
            if progress is not None and watched_ is not None:
                life.tell(call)
        return False

    async def _delivered(self, call: str, payload: str, verified: bool) -> None:
        """A verified webhook settles its job without a request; any other is a hint to ask."""
        watched = self._jobs.get(call)
        if watched is None:
            return
        event = self._life.provider.event(json.loads(payload)) if verified and payload else None
        if event is not None and not isinstance(event[1], Running):
            self._missed = 0
            await self._take(watched, event[1])
        elif not watched.hinted:
            watched.hinted = watched.urgent = True
            self._plan(watched, self._life.clock.time())

    # -- asking -----------------------------------------------------------------------------------------------------

    async def _ask_due(self) -> None:
        """Ask about what is due: by one list where there are several jobs, else one by one."""
        now = self._life.clock.time()
        due: list[Watched] = []
        while self._due and self._due[0][0] <= now + 1e-6:
            _, _, watched = heapq.heappop(self._due)
            if self._jobs.get(watched.row.id) is watched and watched.due <= now + 1e-6 and not watched.asking:
                due.append(watched)
        if not due:
            return
        if self._lists and len(self._jobs) > 1 and due[0].schedule.interval is None:
            next_list = self._listed + self._gap()
            if now < next_list and not any(one.urgent for one in due):
                for watched in due:
                    self._plan(watched, next_list)
                return
            self._listed = now
            self._begin(self._list(due))
        else:
            self._singly(due)

    def _singly(self, due: list[Watched]) -> None:
        for watched in due:
            if len(self._asking) >= AT_ONCE:
                self._plan(watched, self._life.clock.time() + 0.05)
            else:
                watched.asking = True
                self._begin(self._ask(watched))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(self._note)
        task.add_done_callback(lambda _: self._wake.set())

    def _gap(self) -> float:
        """Seconds between lists: the service's own limits, and the usual gap of a test server on this machine."""
        watched = next(iter(self._jobs.values()), None)
        if watched is None:
            return LIST_GAP
        schedule = watched.schedule
        return max(schedule.gap, 0.1) if schedule.local else max(LIST_GAP, schedule.timing.least)

    async def _list(self, due: list[Watched]) -> None:
        """One round of the service's list for all jobs; those due that it does not show are asked about singly."""
        life = self._life
        assert life.provider.listing is not None
        wanted = {one.row.job_id: one for one in self._jobs.values() if not one.asking}
        oldest = min((one.row.sent_at or one.row.created_at for one in wanted.values()), default=0.0) - SLACK
        cursor, pages, most = self._start, 0, 3 + len(wanted) // 20
        try:
            while wanted and pages < most:
                listing = await life.transport.run(life.provider.listing(cursor, len(wanted)))
                pages, cursor = pages + 1, listing.next
                if listing.start is not None:
                    self._start = listing.start
                await self._listed_states(wanted, listing.states)
                if cursor is None or (listing.oldest is not None and listing.oldest < oldest + life.transport.skew):
                    break
        except Exception as error:  # noqa: BLE001  (no list is needed to wait: the jobs are asked about one by one)
            self._list_errors += 1
            log.info("%s: its list could not be read (%s); asking job by job", life.provider.slug, error)
            # an outage passes; a list that may not be read, or reads otherwise than documented, is not asked again
            self._lists = isinstance(error, ProviderUnavailable | RateLimited) and self._list_errors < UNKNOWN_TIMES
        else:
            self._list_errors = 0
        self._singly([one for one in due if one.row.job_id in wanted and self._jobs.get(one.row.id) is one])

    async def _listed_states(self, wanted: dict[str | None, Watched], states: Mapping[str, State]) -> None:
        running: dict[str, float | None] = {}
        for job_id, state in states.items():
            watched = wanted.pop(job_id, None)
            if watched is None:
                continue
            watched.unknown, watched.urgent = 0, False
            if isinstance(state, Running):
                if watched.progress != state.progress:
                    running[watched.row.id] = watched.progress = state.progress
                self._again(watched)
            else:
                await self._take(watched, state)
        if running:
            await self._life.progress(running)

    def _again(self, watched: Watched) -> None:
        """The job still runs: plan the next request about it."""
        now = watched.asked = self._life.clock.time()
        if watched.due <= now + 1e-6:
            self._plan(watched, now + watched.schedule.next(now))

    async def _ask(self, watched: Watched) -> None:
        """Ask about one job; a failed request is not a failed job."""
        life, row = self._life, watched.row
        try:
            state = await life.transport.run(life.provider.poll(row.job_id or ""))
        except NotFound as error:
            watched.unknown += 1
            if watched.unknown >= UNKNOWN_TIMES:
                self._end(watched, error)
        except (ProviderUnavailable, RateLimited) as error:
            log.info("%s: a status request failed (%s); asking again", life.provider.slug, error)
        except Exception as error:  # noqa: BLE001  (who waits shall have it; the scheduler goes on)
            self._end(watched, error)
        else:
            watched.unknown, watched.urgent = 0, False
            if isinstance(state, Running):
                if watched.progress != state.progress:
                    watched.progress = state.progress
                    await life.progress({row.id: state.progress})
            else:
                self._missed += watched.schedule.hooked
                await self._take(watched, state)
        finally:
            watched.asking = False
            if self._jobs.get(row.id) is watched:
                self._again(watched)
                self._wake.set()

    async def _take(self, watched: Watched, state: State) -> None:
        """The job has ended: write it down, and wake those who wait."""
        life = self._life
        try:
            await life.take(watched.row, state, elsewhere=watched.done is None)
        except GenstepError as error:
            self._end(watched, error)
            return
        self._learn(watched, state)
        self._end(watched)

    def _learn(self, watched: Watched, state: State) -> None:
        """How long it took, for the ledger: to the second that the service says, else to the middle of our gap."""
        schedule, now = watched.schedule, self._life.clock.time()
        if schedule.local or not isinstance(state, Completed):
            return
        took = now - schedule.submitted_at
        said = None if state.completed_at is None else state.completed_at - self._life.transport.skew
        exact = None if said is None else said - schedule.submitted_at
        if exact is not None and 0 < exact <= took:
            took = exact
        elif watched.asked:
            took -= (now - watched.asked) / 2
        self._took.append((schedule.kind, schedule.model, took))

    async def _flush(self) -> None:
        if self._took:
            took, self._took = self._took, []
            await self._life.db(self._life.ledger.took, self._life.provider.slug, took)

    def _end(self, watched: Watched, error: BaseException | None = None) -> None:
        if self._jobs.get(watched.row.id) is watched:
            del self._jobs[watched.row.id]
        with suppress(asyncio.InvalidStateError):
            if watched.done is not None and not watched.done.done():
                if error is None:
                    watched.done.set_result(None)
                else:
                    watched.done.set_exception(error)
                    # where nobody waits any more it is no bug
                    watched.done.exception()
