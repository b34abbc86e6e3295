"""The table of faults: each that the sandbox server knows, at each moment, against each verb of each service.

A cell runs in virtual time on a service and a ledger of its own; :func:`run` says what was wrong, in sentences.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.money.in_memory import InMemory, OneOfEach

import genstep
from genstep.errors import GenstepError
from genstep.sandbox.server import App, Control
from genstep.testing import VirtualClock, run_virtual

#: no real host; being the account's own, it is fetched from like a public one
BASE = "https://10.0.0.1"
HOOK = "https://hooks.example/genstep"
SECRET = "whsec_fakefakefake"
LONG = 10_000.0
MEDIA = OneOfEach()
ACCOUNTS: dict[str, dict[str, Any]] = {
    "conceptviz": {"api_key": "cvk_fakefakefake"},
    "nanobanana": {"api_key": "fakefakefake", "options": {"price": {"image": 4, "video": 10}}},
    "imaginelab": {"username": "faults@example.com", "password": "fake-but-long"},
    "aivisualstudio": {"api_key": "avs_live_fakefake", "webhook_secret": SECRET},
    "imageapi": {"api_key": "sk_fakefakefake"},
}
#: what such a service takes for one picture
EACH = {"aivisualstudio": 5.0}
ASKED: dict[str, dict[str, Any]] = {
    "conceptviz": {},
    "nanobanana": {},
    "imaginelab": {"model": "seedream-5.0-lite"},
    "aivisualstudio": {"output_format": "png"},
    "imageapi": {"width": 256, "height": 256},
}
#: what says by its status that nothing was done; after it was done, it would be a lie that nobody can see through
REFUSALS = ("status 429", "status 425", "status 409", "redirect")
LAST_WORDS = ("html 200", "garbage", "redirect", "status 303", "status 408", "status 409", "status 425", "status 429")
BLOCKING = ("nanobanana", "imageapi")
STATUSES = (500, 502, 503, 504, 429, 408, 425, 409, 303)
#: what goes wrong with a request
REQUEST_FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"kind": "refuse"},
    "refuse bare": {"kind": "refuse", "bare": True},
    "drop": {"kind": "drop"},
    "late": {"kind": "late", "seconds": 20.0},
    "too late": {"kind": "late", "seconds": LONG},
    "cut": {"kind": "cut"},
    "cut at 0": {"kind": "cut", "bytes": 0},
    "drip": {"kind": "drip", "seconds": 2.0},
    "html": {"kind": "html"},
    "html 200": {"kind": "html", "status": 200},
    "garbage": {"kind": "garbage"},
    "redirect": {"kind": "redirect", "location": "https://192.0.2.1/steal"},
    **{f"status {status}": {"kind": "status", "status": status} for status in STATUSES},
}
#: what goes wrong with a job
JOB_FAULTS: dict[str, dict[str, Any]] = {
    "fail": {"kind": "fail"},
    "fail, kept": {"kind": "fail", "refund": False},
    "reject": {"kind": "reject"},
    "stuck": {"kind": "stuck"},
    "hold": {"kind": "hold"},
    "slow": {"kind": "slow"},
    "word": {"kind": "word", "body": "pondering"},
}
WEBHOOK_FAULTS: dict[str, dict[str, Any]] = {
    kind: {"kind": kind, "seconds": 700.0} for kind in ("duplicate", "forged", "old", "none", "delayed")
}
PAID = ("generate", "submit", "map")
#: verbs of a job that was accepted before the fault
AFTER = ("wait", "download")
FREE = {
    "conceptviz": ("balance", "estimate"),
    "nanobanana": ("balance", "estimate", "history"),
    "imaginelab": ("balance", "estimate", "history", "models", "whoami", "delete"),
    "aivisualstudio": (
        *("balance", "estimate", "history", "models"),
        *("list_webhooks", "create_webhook", "update_webhook", "delete_webhook"),
    ),
    "imageapi": ("balance", "estimate", "models", "health", "enhance", "build_prompt"),
}
#: free verbs that may not be done twice: a lost answer is an error
ONCE_ONLY = ("create_webhook", "update_webhook", "enhance", "build_prompt")


@dataclass(frozen=True)
class Cell:
    """One fault of one service: ``when`` it strikes, and whether ``ever`` again."""

    slug: str
    verb: str
    fault: str
    when: str = "before"
    ever: bool = False

    def __str__(self) -> str:
        return f"{self.slug}-{self.verb}-{self.fault}-{self.when}{'-ever' if self.ever else ''}".replace(" ", "_")


def cells() -> Iterator[Cell]:
    """Every cell of the table."""
    for slug in ACCOUNTS:
        for verb, fault in itertools.product((*PAID, *AFTER, *FREE[slug]), REQUEST_FAULTS):
            if verb == "wait" and slug in BLOCKING:
                continue  # its paid call is the wait
            paid = verb in PAID
            for when in ("before", "during", "after") if paid else ("before", "after"):
                if not (paid and when != "before" and fault in REFUSALS):
                    yield from (Cell(slug, verb, fault, when, ever) for ever in (False, True))
        for verb, fault in itertools.product(PAID, JOB_FAULTS):
            # its document says that an item that failed costs nothing
            if (slug, fault) != ("imageapi", "fail, kept"):
                yield Cell(slug, verb, fault)
    for fault, ever in itertools.product(WEBHOOK_FAULTS, (False, True)):
        yield Cell("aivisualstudio", "webhook", fault, ever=ever)


@dataclass
class World:
    """One service and one ledger; ``client()`` is a new process."""

    cell: Cell
    folder: Path
    wrong: list[str] = field(default_factory=list)
    hooked: genstep.AsyncClient | None = None

    async def open(self) -> None:
        self.clock = VirtualClock()
        self.app = App(
            clock=self.clock,
            base=BASE,
            makers=MEDIA,
            long_side=48,
            send=self._deliver,
            webhook_secret=SECRET,
            webhook_hosts=frozenset({"hooks.example"}),
            link_seconds=1e6,
            token_seconds=1e6,
        )
        self.control = Control(self.app)
        self._context = copy_context()

    def client(self) -> genstep.AsyncClient:
        slug = self.cell.slug
        return genstep.AsyncClient(
            genstep.Account(provider=slug, base_url=f"{BASE}/{slug}", **ACCOUNTS[slug]),
            ledger=self.folder / "ledger.db",
            output=self.folder / "out",
            _clock=self.clock,
            _network=lambda _: InMemory(self.app, self.clock, self._context),
        )

    async def _deliver(self, _url: str, headers: dict[str, str], body: bytes) -> int:
        try:
            if self.hooked is not None:
                await self.hooked.deliver(body, headers["X-Webhook-Signature"])
        except genstep.WebhookRejected:
            return 400
        return 200

    def strike(self) -> None:
        """Set the cell's fault."""
        cell = self.cell
        known = REQUEST_FAULTS | JOB_FAULTS | WEBHOOK_FAULTS
        details: dict[str, Any] = {**known[cell.fault], "times": None if cell.ever else 1}
        if cell.fault in REQUEST_FAULTS:
            details["when"] = cell.when
        if cell.verb in PAID and cell.fault in REQUEST_FAULTS:
            details["method"] = "POST"
        self.control.fault(slug="assets" if cell.verb == "download" else cell.slug, **details)

    async def attempt(self, work: Awaitable[Any], *, must: bool = False) -> Any:
        """What a verb comes to: a value, or an error of the tree; anything else is wrong."""
        try:
            return await work
        except GenstepError as error:
            if must:
                self.wrong.append(f"it had to work: {type(error).__name__}: {error}")
            return error
        except Exception as error:  # noqa: BLE001
            self.wrong.append(f"{type(error).__name__} came out: {error}")
            return error


def run(cell: Cell, folder: Path) -> list[str]:
    """What was wrong in a cell: an empty list where all was as it has to be."""
    world = World(cell, folder)
    run_virtual(_run(world))
    return world.wrong


async def _run(world: World) -> None:
    await world.open()
    verb = world.cell.verb
    try:
        if verb in PAID:
            await _paid(world)
        elif verb in AFTER:
            await _accepted(world)
        elif verb == "webhook":
            await _webhook(world)
        else:
            await _free(world)
    finally:
        await world.app.close()


# -- paid verbs -------------------------------------------------------------------------------------------------------


async def _paid(world: World) -> None:
    cell, fields = world.cell, ASKED[world.cell.slug]
    many = 3 if cell.verb == "map" else 1
    async with world.client() as client:
        world.strike()
        if cell.verb == "map":

            async def mapped() -> None:
                async for outcome in client.map([{"prompt": f"fox {n}", **fields} for n in range(many)]):
                    if not isinstance(outcome, (genstep.Generation, GenstepError)):
                        world.wrong.append(f"map yielded {outcome!r}")

            await world.attempt(mapped())
        elif cell.verb == "submit":
            job = await world.attempt(client.submit("fox 0", **fields))
            if isinstance(job, genstep.Job):
                await world.attempt(client.wait(job.id))
        else:
            made = await world.attempt(client.generate("fox 0", **fields))
            if cell.fault in ("drip", "late", "slow") and not isinstance(made, genstep.Generation):
                world.wrong.append(f"slow is not wrong, and yet: {made!r}")
    await _reckon(world, many)


async def _reckon(world: World, many: int) -> None:
    """When the fault is over a new process resumes all, and the books have to agree with the service's."""
    control, cell = world.control, world.cell
    control.clear()
    control.release()
    async with world.client() as client:
        await asyncio.sleep(LONG)
        for job in await client.jobs():
            if job.status not in ("completed", "failed", "cancelled"):
                await world.attempt(client.resume(job.id))
        jobs = await client.jobs()
        calls = {call.id: call for job in jobs for call in client._session.ledger.calls(job.id)}.values()
        listed = client.provider.capabilities.history
    world.app.state.settle()
    spent, submits = control.spent(cell.slug), control.submits(cell.slug)
    if submits > many:
        world.wrong.append(f"{submits} paid requests were accepted for {many} wished for")
    # a service that never says its price, neither before nor after, was paid what it was paid
    prices = {call.id: call.estimated if call.charged is None else call.charged for call in calls}
    unsaid = [call for call in calls if prices[call.id] is None and not call.refunded and call.state != "intent"]
    rows = [(call, prices[call.id] or 0.0) for call in calls if not call.refunded]
    sure = sum(money for call, money in rows if call.state == "saved")
    perhaps = sum(money for call, money in rows if call.state in ("uncertain", "failed"))
    perhaps += sum(EACH[cell.slug] for _ in unsaid)
    if not sure - 1e-9 <= spent <= sure + perhaps + 1e-9:
        states = [(call.state, call.refunded, call.charged, call.estimated) for call in calls]
        world.wrong.append(
            f"the service took {spent:g}; in the ledger {sure:g} for sure, {perhaps:g} perhaps: {states}"
        )
    for call in calls:
        if call.state not in ("saved", "failed", "uncertain", "cancelled"):
            world.wrong.append(f"a call is left {call.state}")
        found = listed and spent and cell.fault in REQUEST_FAULTS and cell.fault != "too late"
        if call.state == "uncertain" and found and many == 1:
            world.wrong.append("the service lists the job, and yet it stays uncertain")


async def _accepted(world: World) -> None:
    """The fault strikes after the service has taken the job: nothing may be lost any more."""
    async with world.client() as client:
        job = await world.attempt(client.submit("fox 0", **ASKED[world.cell.slug]), must=True)
        world.strike()
        if isinstance(job, genstep.Job):
            made = await world.attempt(client.wait(job.id))
            patient = not world.cell.ever and world.cell.verb == "wait" and world.cell.fault != "status 409"
            if patient and not isinstance(made, genstep.Generation):
                world.wrong.append(f"one fault after the job was taken, and it is lost: {made!r}")
    await _reckon(world, 1)
    async with world.client() as client:
        # where the paid reply is all that there is, an answer that says that its file is not there is the last word
        final = client.provider.capabilities.blocking and world.cell.fault in LAST_WORDS
        if [job.status for job in await client.jobs()] != ["completed"] and not final:
            world.wrong.append("what was paid for was not saved in the end")


async def _webhook(world: World) -> None:
    async with world.client() as client:
        world.hooked = client
        await world.attempt(client.create_webhook(HOOK), must=True)
        world.strike()
        await world.attempt(client.generate("fox 0", **ASKED[world.cell.slug]), must=True)
        await asyncio.sleep(LONG)
        world.hooked = None
    await _reckon(world, 1)


# -- free verbs -------------------------------------------------------------------------------------------------------


async def _free(world: World) -> None:
    cell, control = world.cell, world.control
    async with world.client() as client:
        if cell.verb in ("history", "delete"):
            await world.attempt(client.generate("fox 0", **ASKED[cell.slug]), must=True)
        hook = None
        if cell.verb in ("update_webhook", "delete_webhook", "list_webhooks"):
            hook = await world.attempt(client.create_webhook(HOOK), must=True)
        work = _verb(client, cell.verb, hook)
        # what deletes or makes cannot be done beforehand, to compare with
        repeatable = cell.verb not in ("delete", "delete_webhook", "create_webhook", "update_webhook")
        expected = await world.attempt(work(), must=True) if repeatable else None
        before = control.spent(cell.slug), control.submits(cell.slug)
        world.strike()
        began = world.clock.monotonic()
        found = await world.attempt(work())
        if world.clock.monotonic() - began > 1000:
            world.wrong.append(f"it took {world.clock.monotonic() - began:.0f} s")
        once = not cell.ever and cell.verb not in ONCE_ONLY and cell.verb != "health"
        # a conflict is the service's last word on a free call too
        final = cell.fault == "status 409"
        if once and not final and isinstance(found, GenstepError):
            world.wrong.append(f"one fault, and the answer did not come: {type(found).__name__}: {found}")
        if (
            repeatable
            and not isinstance(found, Exception)
            and cell.verb != "health"
            and _plain(found) != _plain(expected)
        ):
            world.wrong.append(f"the answer is another one: {found!r}, and not {expected!r}")
        if (control.spent(cell.slug), control.submits(cell.slug)) != before:
            world.wrong.append("a free verb was charged")


def _plain(value: Any) -> Any:
    return (value.amount, value.unit) if isinstance(value, genstep.Balance) else value


def _verb(client: genstep.AsyncClient, verb: str, hook: Any) -> Callable[[], Awaitable[Any]]:
    fields = ASKED[client.provider.slug]

    async def history() -> list[Any]:
        return [item.id async for item in client.history()]

    async def delete() -> None:
        await client.delete((await client.jobs())[0].id, remote=True)

    verbs: dict[str, Callable[[], Awaitable[Any]]] = {
        "estimate": lambda: client.estimate("fox 0", **fields),
        "history": history,
        "delete": delete,
        "enhance": lambda: client.enhance("a fox"),
        "build_prompt": lambda: client.build_prompt(subject="a fox"),
        "create_webhook": lambda: client.create_webhook(HOOK),
        "update_webhook": lambda: client.update_webhook(hook.id, url=f"{HOOK}/2"),
        "delete_webhook": lambda: client.delete_webhook(hook.id),
    }
    return verbs.get(verb) or getattr(client, verb)
