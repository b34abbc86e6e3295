"""One cell of the table of faults: a service, a ledger and a client in virtual time, and what has to be true then.

:func:`run` says what was wrong, in sentences. Whatever the fault, in every cell of a paid verb: no request is accepted
twice, the ledger's sum is the service's, no call is left open, what the service lists is found, nothing but errors of
the tree comes out, and who asks again later pays for nothing that is paid.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.money.faults import AFTER, ASKED, EACH, HOOK, LONG, PAID, REQUEST_FAULTS, Cell
from tests.money.faults_free import free
from tests.money.faults_world import World

import genstep
from genstep.errors import GenstepError
from genstep.testing import run_virtual

#: what takes its time, and no harm
HARMLESS = ("drip", "late", "slow")


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
            await free(world)
    finally:
        await world.app.close()


# -- paid verbs -------------------------------------------------------------------------------------------------------


async def _paid(world: World) -> None:
    cell, fields = world.cell, ASKED[world.cell.slug]
    many = 3 if cell.verb == "map" else 1
    async with world.client() as client:
        world.strike()
        if cell.verb == "map":
            made = await _mapped(world, client, many)
        elif cell.verb == "submit":
            job = await world.attempt(client.submit("fox 0", **fields))
            made = [await world.attempt(client.wait(job.id)) if isinstance(job, genstep.Job) else job]
        else:
            made = [await world.attempt(client.generate("fox 0", **fields))]
        patient = cell.fault in HARMLESS or (cell.fault == "busy" and not cell.ever)
        if patient and not all(isinstance(one, genstep.Generation) for one in made):
            world.wrong.append(f"nothing was wrong with it, and yet: {made!r}")
    await _reckon(world, many)
    await _ask_again(world, many)


async def _mapped(world: World, client: genstep.AsyncClient, many: int) -> list[Any]:
    async def mapped() -> list[Any]:
        wanted = [{"prompt": f"fox {n}", **ASKED[world.cell.slug]} for n in range(many)]
        return [outcome async for outcome in client.map(wanted)]

    outcomes = await world.attempt(mapped())
    if not isinstance(outcomes, list) or len(outcomes) != many:
        world.wrong.append(f"map gave {outcomes!r} for {many} requests")
        return []
    world.wrong += [
        f"map yielded {one!r}" for one in outcomes if not isinstance(one, (genstep.Generation, GenstepError))
    ]
    return outcomes


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
        calls = await _calls(client)
        listed = client.provider.capabilities.history
    world.app.state.settle()
    spent, submits = control.spent(cell.slug), control.submits(cell.slug)
    if submits > many:
        world.wrong.append(f"{submits} paid requests were accepted for {many} wished for")
    # a service that never says its price, neither before nor after, was paid what it was paid
    prices = {call.id: call.estimated if call.charged is None else call.charged for call in calls}
    unsaid = [call for call in calls if prices[call.id] is None and not call.refunded and call.state != "intent"]
    rows = [(call, prices[call.id] or 0.0) for call in calls if not call.refunded]
    sure = sum(money for call, money in rows if call.state == "saved" or call.refunded is False)
    perhaps = sum(money for call, money in rows if call.state in ("uncertain", "failed") and call.refunded is None)
    perhaps += sum(EACH[cell.slug] for _ in unsaid)
    if not sure - 1e-9 <= spent <= sure + perhaps + 1e-9:
        states = [(call.state, call.refunded, call.charged, call.estimated) for call in calls]
        world.wrong.append(
            f"the service took {spent:g}; in the ledger {sure:g} for sure, {perhaps:g} perhaps: {states}"
        )
    # taken hours after it was sent, when nobody can tell any more whose it is
    hours_later = cell.fault == "too late" and cell.when != "after"
    for call in calls:
        if call.state not in ("saved", "failed", "uncertain", "cancelled"):
            world.wrong.append(f"a call is left {call.state}")
        found = listed and spent and cell.fault in REQUEST_FAULTS and not hours_later
        if call.state == "uncertain" and found and submits == len(calls):
            world.wrong.append("the service lists the job, and yet it stays uncertain")


async def _calls(client: genstep.AsyncClient) -> list[Any]:
    ledger = client._session.ledger
    return list({call.id: call for job in await client.jobs() for call in ledger.calls(job.id)}.values())


async def _ask_again(world: World, many: int) -> None:
    """Who asks for the same gets what was paid for, or hears that it is perhaps paid; it is not bought again."""
    control, cell, fields = world.control, world.cell, ASKED[world.cell.slug]
    before = control.spent(cell.slug), control.submits(cell.slug)
    async with world.client() as client:
        states = {call.state for call in await _calls(client)}
        failures = [why for job in await client.jobs() for why in (await client.show(job.id)).failures]
        # what the service refused, or gave back, may be bought
        paid_for = all(isinstance(why, (genstep.AssetError, genstep.SubmissionUncertain)) for why in failures)
        if cell.verb == "map":
            outcomes = await _mapped(world, client, many)
        else:
            outcomes = [await world.attempt(client.generate("fox 0", **fields))]
        wrong = [one for one in outcomes if not isinstance(one, (genstep.Generation, genstep.SubmissionUncertain))]
        if wrong:
            world.wrong.append(f"the fault is over, and asked again it is {wrong[0]!r}")
        lost = any(isinstance(one, genstep.SubmissionUncertain) for one in outcomes)
        if lost and "uncertain" not in states:
            world.wrong.append(f"asked again it is lost: {outcomes!r}")
    if paid_for and (control.spent(cell.slug), control.submits(cell.slug)) != before:
        world.wrong.append("it was bought again")


async def _accepted(world: World) -> None:
    """The fault strikes after the service has taken the job: nothing may be lost any more."""
    cell = world.cell
    async with world.client() as client:
        job = await world.attempt(client.submit("fox 0", **ASKED[cell.slug]), must=True)
        world.strike()
        if isinstance(job, genstep.Job):
            made = await world.attempt(client.wait(job.id))
            if (not cell.ever or cell.fault in HARMLESS) and not isinstance(made, genstep.Generation):
                world.wrong.append(f"one fault after the job was taken, and it is lost: {made!r}")
    await _reckon(world, 1)
    await _ask_again(world, 1)
    async with world.client() as client:
        if [job.status for job in await client.jobs()] != ["completed"]:
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
    await _ask_again(world, 1)
