"""The clock that is handed in: real time here, virtual time in tests."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """``time`` is Unix seconds, ``monotonic`` never jumps, ``sleep`` waits seconds without blocking the loop."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(max(0.0, seconds))
