"""The watcher at work: one scheduler asks about all jobs that an account waits for, in as few requests as it can."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import math
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from copy import copy
from typing import TYPE_CHECKING

from genstep.client.expecting import Expecting
from genstep.client.rounds import Rounds
from genstep.client.watched import Watched
from genstep.errors import GenstepError, InvalidRequest, NotFound, ProviderUnavailable, RateLimited
from genstep.provider import Running, State
from genstep.transport.pacing import PATIENCE

if TYPE_CHECKING:
    from genstep.client.life import Life
    from genstep.ledger import CallRow
    from genstep.watcher import Schedule

log = logging.getLogger("genstep")

#: how often a job may be unknown to its service, or a request about it refused, before we believe it
UNKNOWN_TIMES = 3
#: seconds between looks into the ledger, for what other processes do
LOOK = 1.0
#: seconds between two lists, so that what they notice is 3 s old on average
LIST_GAP = 6.0
#: single status requests under way at once
AT_ONCE = 8
#: after so many webhooks in a row that did not come, we stop waiting for them
MISSED = 3
#: seconds since the last webhook in which we believe that they arrive
HEARD = 60.0


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
        self._rounds = Rounds(life.provider, life.transport, life.clock)
        self._round: asyncio.Task[None] | None = None
        self._listed = float("-inf")
        self._interval = life.account.options.get("poll_interval")
        self._missed = 0
        self._heard = float("-inf")
        self._expecting = Expecting(life)
        self._looked = float("-inf")
        if not life.provider.capabilities.blocking:
            life.transport.pacer.reserved = self.reserved

    async def watch(self, row: CallRow) -> None:
        """Return when a job has moved on from running; the error of its service where asking is of no use."""
        watched = self._jobs.get(row.id)
        if watched is None or watched.done is None:
            schedule = await self._expecting.schedule(row)
            watched = self._add(row, schedule, asyncio.get_running_loop().create_future())
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
        if self._hooked() and self._missed < MISSED:
            return 0
        if not self._jobs:
            return 1
        now = self._life.clock.time()
        left = self._life.transport.pacer.until_reset() - max(self._due[0][0] - now if self._due else 0.0, 0.0)
        return max(1, int(left / self._gap())) if self._listing else 1

    async def close(self) -> None:
        """Ask no more; who waits is told by the cancellation of their own wait."""
        tasks = [*self._asking, *((self._task,) if self._task else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the scheduler --------------------------------------------------------------------------------------------

    def _add(self, row: CallRow, schedule: Schedule, done: asyncio.Future[None] | None) -> Watched:
        schedule.hooked = self._hooked() and self._missed < MISSED
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
        while True:
            await self._serve()
            # who buys one after the other keeps the lease between them
            self._wake.clear()
            await self._sleep(LOOK)
            if self._jobs:
                continue
            await life.db(life.ledger.unlease, life.account.name, life.provider.slug)
            self._looked = float("-inf")
            # a job that came while the lease was given back started no scheduler of its own
            if not self._jobs:
                return

    async def _serve(self) -> None:
        """Ask about jobs for as long as there are any."""
        life = self._life
        while self._jobs or self._expecting.new:
            self._wake.clear()
            await self._expecting.flush()
            now = life.clock.time()
            ours = await self._look(now)
            wait = LOOK
            if ours:
                wait = max(0.001, min(await self._ask_due(), self._patience()))
            if self._jobs and not self._wake.is_set():
                await self._sleep(wait)

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
            others: list[CallRow] = await life.look(lambda ledger: ledger.others(*key, ledger.owner))
            new = [row for row in others if row.id not in self._jobs]
            for row, schedule in zip(new, await self._expecting.schedules(new), strict=True):
                if row.id not in self._jobs:  # nobody here has come to wait for it meanwhile
                    self._add(row, schedule, None)
            return True
        running = await life.db(ledger.states, *key, ledger.owner)
        for watched in [one for one in self._jobs.values() if one.done is not None and one.row.id not in running]:
            self._end(watched)
        for call, progress in running.items():
            known = self._jobs.get(call)
            if known is not None and progress is not None and known.progress != progress:
                known.progress = progress
                life.tell(call)
        return False

    async def _delivered(self, call: str, payload: str, verified: bool) -> None:
        """A verified webhook settles its job without a request; any other is a hint to ask."""
        watched = self._jobs.get(call)
        if watched is None:
            return
        event = self._life.provider.event(json.loads(payload)) if verified and payload else None
        if event is not None and not isinstance(event[1], Running):
            self._missed, self._heard = 0, self._life.clock.time()
            await self._take([(watched, event[1])])
        elif not watched.hinted:
            watched.hinted = watched.urgent = True
            self._plan(watched, self._life.clock.time())

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def _listing(self) -> bool:
        """Whether one list answers for several jobs; an interval of the account's own is one of single requests."""
        return self._rounds.usable and len(self._jobs) > 1 and self._interval is None

    async def _ask_due(self) -> float:
        """Ask about what is due: by one list where there are several jobs, else one by one. The seconds until the next
        is due."""
        now = self._life.clock.time()
        if self._round is not None and not self._round.done():
            return math.inf
        due: list[Watched] = []
        while self._due and self._due[0][0] <= now + 1e-6:
            _, _, watched = heapq.heappop(self._due)
            if self._jobs.get(watched.row.id) is watched and watched.due <= now + 1e-6 and not watched.asking:
                due.append(watched)
        if due and self._can_wait(due, now):
            for watched in due:
                self._plan(watched, now + LIST_GAP)
        elif self._listing:
            self._singly([one for one in due if one.unlisted])
            self._list_next([one for one in due if not one.unlisted], now)
        else:
            self._singly(due)
        if self._round is not None and not self._round.done():
            return math.inf
        return self._due[0][0] - now if self._due else math.inf

    def _list_next(self, due: Sequence[Watched], now: float) -> None:
        """Ask for the list now, or plan it for when it may be asked for again."""
        next_list = self._listed + self._gap()
        if now < next_list and not any(one.urgent for one in due):
            for watched in due:
                self._plan(watched, next_list)
        elif due:
            self._listed = now
            self._round = self._begin(self._list(due))

    def _can_wait(self, due: Sequence[Watched], now: float) -> bool:
        """Whether submits go first: while webhooks arrive, one that seems to be missing is hardly ever lost."""
        if now - self._heard > HEARD or not self._life.transport.pacer.queued:
            return False
        return all(one.schedule.hooked and not one.urgent and now - one.schedule.submitted_at < PATIENCE for one in due)

    def _singly(self, due: list[Watched]) -> None:
        for watched in due:
            if len(self._asking) >= AT_ONCE:
                self._plan(watched, self._life.clock.time() + 0.05)
            else:
                watched.asking = True
                self._begin(self._ask(watched))

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(self._note)
        task.add_done_callback(lambda _: self._wake.set())
        return task

    def _gap(self) -> float:
        """Seconds between lists: the service's own limits, and the usual gap of a test server on this machine."""
        watched = next(iter(self._jobs.values()), None)
        if watched is None:
            return LIST_GAP
        schedule = watched.schedule
        return max(schedule.gap, 0.1) if schedule.local else max(LIST_GAP, schedule.timing.least)

    async def _list(self, due: Sequence[Watched]) -> None:
        """One round of the service's list, as far as it takes to see those due, for all jobs that it shows; those due
        that it does not show are asked about singly."""
        wanted = {one.row.job_id or "": one for one in self._jobs.values() if not one.asking}
        missing = {one.row.job_id for one in due}
        since = min(one.row.sent_at or one.row.created_at for one in due)
        async with aclosing(self._rounds.pages(wanted.keys(), len(due), since)) as pages:
            async for states in pages:
                missing -= states.keys()
                await self._listed_states(wanted, states)
                if not missing:
                    break
        unseen = [one for one in due if one.row.job_id in missing and self._jobs.get(one.row.id) is one]
        if self._rounds.limited:
            for watched in unseen:
                self._again(watched)
            return
        for watched in unseen:
            watched.unlisted = not self._rounds.failures
        self._singly(unseen)

    async def _listed_states(self, wanted: dict[str, Watched], states: Mapping[str, State]) -> None:
        running: dict[str, float | None] = {}
        ended: list[tuple[Watched, State]] = []
        for job_id, state in states.items():
            watched = wanted.pop(job_id, None)
            if watched is None or self._jobs.get(watched.row.id) is not watched:
                continue
            watched.unknown, watched.urgent, watched.unlisted = 0, False, False
            if isinstance(state, Running):
                if watched.progress != state.progress:
                    running[watched.row.id] = watched.progress = state.progress
                self._again(watched)
            else:
                self._missed += watched.schedule.hooked
                ended.append((watched, state))
        if running:
            await self._life.progress(running)
        if ended:
            await self._take(ended)

    def _again(self, watched: Watched) -> None:
        """The job still runs: plan the next request about it."""
        now = watched.asked = self._life.clock.time()
        if watched.due <= now + 1e-6:
            schedule = watched.schedule
            self._expecting.believe(schedule)
            schedule.hooked = schedule.hooked and self._missed < MISSED
            self._plan(watched, now + schedule.next(now))

    async def _ask(self, watched: Watched) -> None:
        """Ask about one job; a failed request is not a failed job."""
        life, row = self._life, watched.row
        try:
            # a pause is the pacer's business: it is kept to for so long, and then asked about
            patience = life.clock.monotonic() + PATIENCE
            state = await life.transport.run(life.provider.poll(row.job_id or ""), deadline=patience)
        except (NotFound, InvalidRequest) as error:
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
                await self._take([(watched, state)])
        finally:
            watched.asking = False
            if self._jobs.get(row.id) is watched:
                self._again(watched)
                self._wake.set()

    async def _take(self, ended: Sequence[tuple[Watched, State]]) -> None:
        """Jobs have ended: write it down, and wake those who wait."""
        try:
            await self._life.take([(one.row, state, one.done is None) for one, state in ended])
        except GenstepError as error:
            for watched, _ in ended:
                self._end(watched, copy(error))
            return
        for watched, state in ended:
            self._expecting.learn(watched.schedule, state, watched.asked)
            self._end(watched)

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
