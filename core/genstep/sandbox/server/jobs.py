"""Taking a paid call: charge it, decide how its job goes, and let blocking services wait for the end."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from genstep.sandbox.server import chance
from genstep.sandbox.server.state import Job
from genstep.sandbox.server.timing import nominal

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.calls import Call

PENDING_SECONDS = 2.0
log = logging.getLogger(__name__)


class Jobs:
    """The jobs of all services; one asyncio event for each that somebody waits for."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: dict[Job, asyncio.Event] = {}
        app.state.finishing.append(self._finished)

    def submit(
        self, call: Call, id: str, kind: str, fields: dict[str, Any], price: int, *, refunds: bool = True
    ) -> Job:
        """Charge the call's account and start a job; `fields` hold the request, with ``prompt``.

        A job that a ``reject`` fault strikes has failed, and been refunded, when this returns: `job.rejected`.
        """
        app = self._app
        now = app.clock.time()
        duration = nominal(call.slug, kind, app.seed, fields.get("prompt"), len(call.customer.jobs)) / app.speed
        job = Job(
            id=id,
            account=call.customer,
            kind=kind,
            fields=fields,
            price=price,
            created=now,
            starts=now + min(PENDING_SECONDS / app.speed, duration / 4),
            due=now + duration,
            refunds=refunds,
        )
        missing = app.makers.available(kind)
        if missing is not None:
            log.warning("the sandbox fails this %s job: %s", kind, missing)
            job.fails = True
        self._go_wrong(job)
        if not call.jobs:
            app.state.submits[call.slug, call.customer.digest] += 1
        call.jobs.append(job)
        app.state.add(job)
        if job.rejected:
            app.state.settle()
        return job

    def accepted(self, call: Call) -> None:
        """Say that the call was taken and charged; call it once, after its last :meth:`submit`."""
        call.accepted.set()
        self._app.event("accepted", call)

    async def finish(self, jobs: Iterable[Job]) -> None:
        """Return when all of these have ended, however long they are held."""
        for job in jobs:
            if job.finished is None:
                event = self._waiting.setdefault(job, asyncio.Event())
                self.watch(job)
                await event.wait()

    def watch(self, job: Job) -> None:
        """See to it that the job ends on time even if nobody asks; async jobs that nobody listens for need none."""
        if not math.isinf(job.due):
            self._app.beside(self._end_on_time(job.due))

    def change(self, job: Job, due: float) -> None:
        """Let a job end at another time, for the control."""
        self._app.state.reschedule(job, due)
        self._app.state.settle()
        if job.finished is None:
            self.watch(job)

    def abandon(self) -> None:
        """Let go everyone who waits: the server is being reset."""
        for job, event in self._waiting.items():
            job.fails, job.finished = True, self._app.clock.time()
            event.set()
        self._waiting.clear()

    async def _end_on_time(self, due: float) -> None:
        clock = self._app.clock
        while (left := due - clock.time()) > 0:
            await clock.sleep(left)
        self._app.state.settle()

    def _finished(self, job: Job) -> None:
        event = self._waiting.pop(job, None)
        if event is not None:
            event.set()

    def _go_wrong(self, job: Job) -> None:
        for fault in self._app.faults.job(job.account.slug, job.kind):
            if fault.kind in ("fail", "reject"):
                job.fails, job.refunds = True, job.refunds and fault.refund
            if fault.kind == "reject":
                job.rejected, job.due = True, job.created
            elif fault.kind in ("stuck", "hold"):
                job.due = math.inf
            elif fault.kind == "slow":
                job.due = job.created + (job.due - job.created) * fault.factor
            elif fault.kind == "word":
                job.word = fault.body or "queued"


def times_asked(job: Job) -> int:
    """How often the account had asked for the same before, so that copies differ as a service's own would."""
    earlier = job.account.jobs[: job.account.jobs.index(job)]
    return sum(other.fields == job.fields and other.kind == job.kind for other in earlier)


def media_seed(app: App, *parts: object) -> int:
    """Return the seed of a picture: the same server seed and the same request give the same picture."""
    return chance.number(app.seed, "media", *parts)
