"""``map``: many requests, in as few paid calls as the service allows, some at a time, outcomes as they come."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from genstep.client import orders
from genstep.errors import BudgetExceeded, GenstepError, InvalidRequest
from genstep.models import Generation

if TYPE_CHECKING:
    from genstep.client.buying import Prompt
    from genstep.client.verbs import AsyncClient

Outcome = Generation | GenstepError


class _Purse:
    """What a map may still spend; estimates are taken before a call is sent."""

    def __init__(self, left: float | None) -> None:
        self.left = left

    def take(self, price: float | None, unit: str) -> None:
        if self.left is None:
            return
        if price is None:
            raise BudgetExceeded(
                "max_credits: the price is not known before paying; set the account's option price, or leave it out",
                charged=False,
            )
        if price > self.left + 1e-9:
            raise BudgetExceeded(
                f"max_credits: {self.left:g} {unit} left and {price:g} needed; nothing was sent for this one",
                required=price,
                available=self.left,
                charged=False,
            )
        self.left -= price


async def run_many(
    client: AsyncClient,
    requests: Sequence[Prompt],
    concurrency: int,
    max_credits: float | None,
    key: str,
    fresh: bool,
    timeout: float | None,
) -> AsyncIterator[Outcome]:
    """Yield one outcome a request; an error carries ``index``, its request's place in what was given."""
    if concurrency < 1:
        raise InvalidRequest(f"concurrency: a whole number from 1, not {concurrency}", field="concurrency")
    outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
    ready, refused = await _check(client, requests, key)
    for error in refused:
        outcomes.put_nowait(error)
    purse, turns = _Purse(max_credits), asyncio.Semaphore(concurrency)

    async def chunk(members: list[tuple[int, orders.Order]]) -> None:
        async with turns:
            deadline = client._deadline(timeout)
            try:
                known = await _known(client, members, fresh)
                new = [one for _, one in members if one.row.fingerprint not in known]
                if new:
                    request = new[0].request
                    together = request if len(new) == 1 else request.with_fields(n=len(new))
                    asked = await client._ask_price(together) if max_credits is not None else None
                    purse.take(asked.amount if asked else None, client.provider.unit)
                opened = await client._open(
                    [one for _, one in members], fresh=fresh, max_credits=None, deadline=deadline
                )
            except GenstepError as error:
                for index, _ in members:
                    outcomes.put_nowait(_at(error, index))
                return

            async def one(index: int, which: int) -> None:
                try:
                    outcomes.put_nowait(await client._finish(opened[which], deadline, None))
                except GenstepError as error:
                    outcomes.put_nowait(_at(error, index))

            await asyncio.gather(*(one(index, which) for which, (index, _) in enumerate(members)))

    tasks = [asyncio.create_task(chunk(members)) for members in await _chunks(client, ready, fresh)]
    try:
        for _ in requests:
            yield await _next(outcomes, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _check(
    client: AsyncClient, requests: Sequence[Prompt], key: str
) -> tuple[list[tuple[int, orders.Order]], list[GenstepError]]:
    """Check all before the first is sent; equal requests get a key by their occurrence."""
    seen: Counter[str] = Counter()
    ready, refused = [], []
    for index, given in enumerate(requests):
        try:
            request = orders.build(given, {})
            same = json.dumps(request.canonical(), sort_keys=True, default=str)
            own_key = f"{key}#{seen[same]}" if seen[same] else key
            ready.append((index, await client._order(request, own_key)))
            seen[same] += 1
        except GenstepError as error:
            refused.append(_at(error, index))
    return ready, refused


async def _known(client: AsyncClient, members: Sequence[tuple[int, orders.Order]], fresh: bool) -> set[str]:
    """The fingerprints among these that the ledger answers already."""
    if fresh:
        return set()
    prints = [one.row.fingerprint for _, one in members]
    return await client._session.on_ledger(lambda ledger: ledger.answered(prints))


async def _chunks(
    client: AsyncClient, ready: list[tuple[int, orders.Order]], fresh: bool
) -> list[list[tuple[int, orders.Order]]]:
    """Requests that may share a paid call, in groups of what one call carries; the rest by themselves."""
    provider = client.provider
    known = await _known(client, ready, fresh)
    limit = await client._limits([one for _, one in ready])
    chunks: list[list[tuple[int, orders.Order]]] = []
    open_chunk: dict[object, list[tuple[int, orders.Order]]] = {}
    for index, one in ready:
        shared = provider.group(one.request) if provider.submit_batch is not None and one.request.n == 1 else None
        if shared is None or one.row.fingerprint in known:
            chunks.append([(index, one)])
            continue
        members = open_chunk.get(shared)
        if members is None or len(members) >= limit(one.request):
            members = open_chunk[shared] = []
            chunks.append(members)
        members.append((index, one))
    return chunks


async def _next(outcomes: asyncio.Queue[Outcome], tasks: Sequence[asyncio.Task[None]]) -> Outcome:
    """The next outcome; a bug in a chunk is raised rather than waited for in vain."""
    if not outcomes.empty():
        return outcomes.get_nowait()
    getter = asyncio.ensure_future(outcomes.get())
    pending = {getter, *(task for task in tasks if not task.done())}
    while not getter.done():
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {getter}:
            pending.discard(task)
            if not task.cancelled() and task.exception() is not None:
                getter.cancel()
                raise task.exception()  # type: ignore[misc]
    return getter.result()


def _at(error: GenstepError, index: int) -> GenstepError:
    from copy import copy

    own = copy(error)
    own.index = index
    return own
