"""A day of many jobs at five services in virtual time, with faults everywhere and a kill now and then; then the books.

A kill drops every object of the client: no ``finally``, no drain and no tidy close can write to the ledger any more.
What stays is what stays after ``kill -9``: the ledger, the spool, the files, and the callers, who ask again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tests.money.in_memory import InMemory, OneOfEach
from tests.money.wishes import Wish, wishes

import genstep
from genstep.errors import AssetError, GenstepError, SubmissionUncertain, WaitTimeout
from genstep.ledger import owner
from genstep.sandbox.server import App, Control
from genstep.testing import VirtualClock, run_virtual

#: no real host; being the account's own, it is fetched from like a public one, and polled like one
BASE = "https://10.0.0.1"
MIDNIGHT = 1_800_057_600.0
EACH = 0.02
LATE, TOO_LATE = 20.0, 45.0
RELEASED_EVERY = 1800.0
ACCOUNTS: dict[str, dict[str, Any]] = {
    "conceptviz": {"api_key": "cvk_fakefakefake"},
    "nanobanana": {"api_key": "fakefakefake", "options": {"price": {"image": 4, "video": 10}}},
    "imaginelab": {"username": "day@example.com", "password": "fake-but-long"},
    "aivisualstudio": {"api_key": "avs_live_fakefake"},
    "imageapi": {"api_key": "sk_fakefakefake"},
}
RICH = {
    **{slug: {"credits": 10_000_000} for slug in ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio")},
    "imageapi": {"per_day": 1_000_000, "per_month": 1_000_000},
}
#: what goes wrong with requests, each with its own details; jobs fail, are refused, hang, crawl or say an odd word
REQUEST_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse"},
    {"kind": "drop"},
    {"kind": "drop", "when": "after"},
    {"kind": "late", "seconds": LATE},
    {"kind": "late", "when": "after", "seconds": TOO_LATE},
    {"kind": "cut"},
    {"kind": "html"},
    {"kind": "garbage", "when": "after"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429},
)
JOB_FAULTS = ("fail", "reject", "stuck", "slow", "word")

#: which tasks belong to the client, and fall with it
SIDE: ContextVar[str] = ContextVar("SIDE", default="driver")


@dataclass
class Day:
    """``jobs`` wishes over ``hours``, centred on a midnight (UTC); ``ceilings`` are daily credits by service."""

    folder: Path
    jobs: int
    hours: float
    seed: int = 1
    kills_an_hour: float = 2.0
    ceilings: dict[str, float] = field(default_factory=dict)
    #: prompts whose callers heard that a file is gone
    told: set[str] = field(default_factory=set)
    kills: int = 0
    virtual_hours: float = 0.0
    seconds: float = 0.0

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    def run(self) -> None:
        """Live through the day; its ``app``, ``wishes`` and ledger hold what came of it."""
        began = time.monotonic()
        run_virtual(self._run())
        self.seconds = time.monotonic() - began

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._fallen: WeakSet[asyncio.Task[Any]] = WeakSet()
        loop.set_task_factory(self._task)
        self.clock = VirtualClock(MIDNIGHT - self.hours * 1800)
        self.app = App(
            seed=self.seed, clock=self.clock, base=BASE, settings=RICH, long_side=48, makers=OneOfEach()
        )  # its clock is the loop's, so it is made on the loop
        self.control = Control(self.app)
        self._server = self._context("server")
        self._chance = random.Random(self.seed)
        self.wishes = wishes(self.jobs, self.hours * 3600, self.seed)
        self._set_faults()
        await self._live_and_die()
        self.control.clear()
        self.control.release()
        await self._clear_up()
        self.app.state.settle()
        self.virtual_hours = self.clock.monotonic() / 3600
        await self.app.close()

    # -- processes --------------------------------------------------------------------------------------------------

    async def _live_and_die(self) -> None:
        seconds = self.hours * 3600
        releasing = asyncio.create_task(self._release_now_and_then())
        kills = round(self.hours * self.kills_an_hour)
        for at in [*sorted(self._chance.uniform(0, seconds) for _ in range(kills)), seconds]:
            process = Process(self)
            now = self.clock.monotonic()
            for wish in self.wishes:
                if not wish.outcome and wish.at < at:
                    process.start(self._ask(process, wish, again=wish.at < now))
            await self.clock.sleep(at - now)
            await process.kill(self._fallen)
            self.kills += 1
        releasing.cancel()

    async def _clear_up(self) -> None:
        """The last process, without faults: every caller asks once more, then every job that is open is resumed."""
        process = Process(self)
        odd = [wish for wish in self.wishes if wish.outcome in ("", "uncertain", "AssetError")]
        await process.all(self._ask(process, wish, again=True) for wish in odd)
        for slug in ACCOUNTS:
            found = [job for job in await process.client(slug).jobs() if job.account == slug]
            left = [job for job in found if job.status in ("pending", "processing", "uncertain")]
            await process.all(self._resume(process.client(slug), job) for job in left)
        await process.close()

    async def _resume(self, client: genstep.AsyncClient, job: genstep.Job) -> None:
        with suppress(GenstepError):  # its row says what came of it
            try:
                self._tell(job.prompt, *(await client.resume(job.id)).failures)
            except AssetError as error:
                self._tell(job.prompt, error)

    def _tell(self, prompt: str, *errors: GenstepError) -> None:
        """Remember who heard that a file that was paid for cannot be had."""
        if any(isinstance(error, AssetError) for error in errors):
            self.told.add(prompt)

    async def _ask(self, process: Process, wish: Wish, *, again: bool) -> None:
        """One caller, as patient as a scheduler: it waits on after a timeout, and comes back after a passing fault."""

        def told(job: genstep.Job) -> None:
            wish.job = job.id

        await self.clock.sleep(wish.at - self.clock.monotonic())
        if not again:
            self._expire_something()
        client = process.client(wish.slug)
        last = ""
        for attempt in range(8):
            try:
                if wish.job and wish.by_id and (again or attempt):
                    made = await client.resume(wish.job, on_progress=told)
                else:
                    made = await client.generate(**wish.fields, on_progress=told)
                for error in made.failures:
                    if isinstance(error, AssetError):  # paid for, so it comes back for it
                        raise error
                wish.outcome = "saved"
                return
            except SubmissionUncertain:
                wish.outcome = "uncertain"
                return
            except (WaitTimeout, AssetError) as error:
                last = type(error).__name__
                self._tell(wish.fields["prompt"], error)
                await self.clock.sleep(60.0)
            except GenstepError as error:
                last = type(error).__name__
                if not wish.job or (await client.status(wish.job, ask=False)).status in ("failed", "completed"):
                    break
                await self.clock.sleep(60.0)
        wish.outcome = last

    # -- faults -----------------------------------------------------------------------------------------------------

    def _set_faults(self) -> None:
        for fault in REQUEST_FAULTS:
            self.control.fault(**fault, times=None, probability=EACH)
        for kind in JOB_FAULTS:
            self.control.fault(kind, times=None, probability=EACH)

    def _expire_something(self) -> None:
        if self._chance.random() < EACH:
            self.control.expire_links()
        if self._chance.random() < EACH:
            self.control.expire_tokens()

    async def _release_now_and_then(self) -> None:
        while True:
            await self.clock.sleep(RELEASED_EVERY)
            self.control.release()

    # -- whose task is whose ----------------------------------------------------------------------------------------

    def _context(self, side: str) -> Context:
        context = copy_context()
        context.run(SIDE.set, side)
        return context

    def _task(self, loop: Any, work: Any, *, context: Context | None = None) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context)
        if (SIDE.get() if context is None else context.get(SIDE)) == "client":
            self._fallen.add(task)
        return task


class Process:
    """What one process of the day holds: a client of each service, its threads, and everything that waits in it."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(8)
        self._loop.set_default_executor(self._threads)
        self._context = day._context("client")
        self._clients: dict[str, genstep.AsyncClient] = {}

    def client(self, slug: str) -> genstep.AsyncClient:
        if slug not in self._clients:
            day = self._day
            account = genstep.Account(
                provider=slug, base_url=f"{BASE}/{slug}", daily_credits=day.ceilings.get(slug), **ACCOUNTS[slug]
            )
            self._clients[slug] = genstep.AsyncClient(
                account,
                ledger=day.ledger,
                output=day.folder / "out",
                _clock=day.clock,
                _network=lambda _: InMemory(day.app, day.clock, day._server),
            )
        return self._clients[slug]

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._loop.create_task(work, context=self._context)

    async def all(self, works: Any) -> None:
        await asyncio.gather(*[self.start(work) for work in works])

    async def kill(self, tasks: WeakSet[asyncio.Task[Any]]) -> None:
        """Everything stops where it is; the ledger first, so that nothing that ends can write its last words."""
        for client in self._clients.values():
            ledger = client._session._ledger
            if ledger is not None:
                owner.retire(ledger.owner)
                ledger._closing.set()
                with ledger._signing, ledger._lock:
                    ledger._db.close()
        while left := [task for task in tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=0.0)
        for client in self._clients.values():
            client._session._thread._pool.shutdown(cancel_futures=True)
            if client._session._ledger is not None:
                client._session._ledger._signs.join()
        self._threads.shutdown()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
