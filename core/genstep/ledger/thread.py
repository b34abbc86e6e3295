"""The one thread on which a client reads and writes its ledger; what waits for it is done in one go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
#: calls in one go: handing over costs as much as a call itself, and those who wait behind it see it end
AT_ONCE = 50

Work = tuple["asyncio.Future[Any]", Callable[[], Any]]


class LedgerThread:
    """Runs ledger methods one after the other, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="genstep-ledger")
        self._waiting: deque[Work] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False

    async def run(self, method: Callable[..., T], *values: Any, **named: Any) -> T:
        """What the method returns or raises. A cancelled wait leaves it to finish, where it has begun."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # what was asked for in a loop that has ended is waited for by nobody
            self._loop, self._busy = loop, False
            self._waiting.clear()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append((done, partial(method, *values, **named)))
        if not self._busy:
            self._next(loop)
        return await done

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        some: list[Work] = []
        while self._waiting and len(some) < AT_ONCE:
            one = self._waiting.popleft()
            if not one[0].done():
                some.append(one)
        self._busy = bool(some)
        if some:
            ended = loop.run_in_executor(self._pool, _run, [work for _, work in some])
            ended.add_done_callback(partial(self._hand_out, loop, some))

    def _hand_out(
        self, loop: asyncio.AbstractEventLoop, some: Sequence[Work], ended: asyncio.Future[list[Any]]
    ) -> None:
        if ended.cancelled():
            for done, _ in some:
                done.cancel()
            return
        for (done, _), (result, error) in zip(some, ended.result(), strict=True):
            if done.done():
                continue
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)
        if loop is self._loop:
            self._next(loop)


def _run(work: Sequence[Callable[[], Any]]) -> list[tuple[Any, BaseException | None]]:
    found: list[tuple[Any, BaseException | None]] = []
    for one in work:
        try:
            found.append((one(), None))
        except BaseException as error:  # noqa: BLE001  (handed to who waits for it)
            found.append((None, error))
    return found
