"""A free verb in the table of faults: it costs nothing, does nothing twice, and one fault does not keep its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.money.faults import ASKED, HOOK, ONCE_ONLY
from tests.money.faults_world import World

import genstep
from genstep.errors import GenstepError


async def free(world: World) -> None:
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
        # "unreachable" is health's own answer
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
        if cell.verb == "create_webhook":
            control.clear()
            if len(hooks := await client.list_webhooks()) > 1:
                world.wrong.append(f"it was made twice: {hooks!r}")


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
