"""The clock that all waiting of the sandbox server goes through, so that tests can drive it in virtual time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the server needs of time: the Unix time in seconds, and a way to let seconds pass."""

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def stamp(seconds: float) -> str:
    """Return a Unix time as the documents write it, e.g. ``2025-01-09T12:00:00Z`` (whole seconds, UTC)."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
