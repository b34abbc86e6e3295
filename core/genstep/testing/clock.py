"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else can run."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualClock:
    """A :class:`genstep.clock.Clock` on a loop of :func:`run_virtual`; Unix time starts at ``start``."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._start = start

    def time(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class _VirtualSelector(selectors.DefaultSelector):
    """Waits for real only while threads have work in hand; else time jumps by what the loop would have slept."""

    now = 0.0
    in_threads = 0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if self.in_threads or timeout is None:
            return super().select(1.0 if self.in_threads else timeout)
        self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.in_threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self._virtual.in_threads -= 1


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time: hours pass in milliseconds, in order, without a sleep."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
