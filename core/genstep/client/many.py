"""``map``: many requests, in as few paid calls as the service allows, some at a time, outcomes as they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genstep.client import orders
from genstep.client.buying import at_least_0
from genstep.errors import BudgetExceeded, GenstepError, InvalidRequest
from genstep.models import Generation, GenerationRequest

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


def as_list(requests: Any) -> list[Prompt]:
    """The requests, taken in once. A single one is refused: its letters or fields are iterable too, and cost money."""
    if isinstance(requests, (str, bytes, Mapping, GenerationRequest)) or not isinstance(requests, Iterable):
        raise InvalidRequest(
            f"requests: a list of prompts or requests, not one {type(requests).__name__}; put it in a list",
            field="requests",
        )
    return list(requests)


async def run_many(
    client: AsyncClient,
    requests: Sequence[Prompt],
    concurrency: object,
    max_credits: float | None,
    key: str,
    fresh: bool,
    timeout: float | None,
) -> AsyncGenerator[Outcome, None]:
    """Yield one outcome a request; an error carries ``index``, its request's place in what was given."""
    if not isinstance(concurrency, int) or concurrency < 1:
        raise InvalidRequest(f"concurrency: a whole number from 1, not {concurrency!r}", field="concurrency")
    at_least_0("max_credits", max_credits)
    at_least_0("timeout", timeout)
    outcomes: asyncio.Queue[Outcome | Exception] = asyncio.Queue()
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

    async def told(members: list[tuple[int, orders.Order]]) -> None:
        try:
            await chunk(members)
        except Exception as bug:  # noqa: BLE001  (it is raised below, rather than an outcome waited for in vain)
            outcomes.put_nowait(bug)

    tasks = [asyncio.create_task(told(members)) for members in await _chunks(client, ready, fresh)]
    try:
        for _ in requests:
            outcome = await outcomes.get()
            if not isinstance(outcome, (Generation, GenstepError)):
                raise outcome
            yield outcome
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _check(
    client: AsyncClient, requests: Sequence[Prompt], key: str
) -> tuple[list[tuple[int, orders.Order]], list[GenstepError]]:
    """Check all before the first is sent; what is the same purchase again gets a key by its occurrence."""
    seen: Counter[str] = Counter()
    ready, refused = [], []
    for index, given in enumerate(requests):
        try:
            request = orders.build(given, {})
            one = await client._order(request, key)
            same = one.row.fingerprint
            ready.append((index, await client._order(request, f"{key}#{seen[same]}") if seen[same] else one))
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


def _at(error: GenstepError, index: int) -> GenstepError:
    from copy import copy

    own = copy(error)
    own.index = index
    return own
