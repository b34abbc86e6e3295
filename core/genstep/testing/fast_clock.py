"""A real clock that runs faster: a client's pauses of seconds take milliseconds at a test server that is as fast."""

from __future__ import annotations

import asyncio
import time


class FastClock:
    """A :class:`genstep.clock.Clock` on which ``speed`` seconds pass in one; ``slept`` are the pauses asked for."""

    def __init__(self, speed: float = 20.0) -> None:
        self._speed = speed
        self._began = time.monotonic()
        self._start = time.time()
        self.slept: list[float] = []

    def time(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(max(0.0, seconds) / self._speed)
