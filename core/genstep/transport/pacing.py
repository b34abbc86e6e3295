"""How fast an account may ask: its documented limit, what its replies' headers say, and our own ceiling."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from genstep.errors import RateLimited
from genstep.pace import Pace, paused, take, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstep.clock import Clock
    from genstep.provider import Rate

log = logging.getLogger("genstep.http")

#: for services that document no limit
DEFAULT_PER_SECOND = 5.0
DEFAULT_OPEN_SUBMITS = 8
#: seconds after which a status request is sent whatever pause was asked for: the pause may be absurd, or over
PATIENCE = 300.0
#: seconds that a pause lasts at most, and a window where no longer one is documented: nothing is parked for a day
LONGEST = 3600.0
#: no pause that a service asks for is longer
_MONTH = 31 * 86400.0


class Shared(Protocol):
    """A rate budget that other processes draw from too; see :mod:`genstep.pace`. All times are seconds from now."""

    async def take(self, rate: Rate | None, kept: int) -> tuple[float, float]: ...

    async def told(self, remaining: int, seconds: float, rate: Rate | None) -> None: ...

    async def paused(self, seconds: float) -> None: ...


class Own:
    """The rate budget of one client alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pace = Pace(reset_at=-math.inf, blocked_until=-math.inf)

    async def take(self, rate: Rate | None, kept: int) -> tuple[float, float]:
        now = self._clock.monotonic()
        pace, wait = take(self._pace, now, rate, kept)
        self._pace = self._pace if wait > 0 else pace
        return wait, max(self._pace.reset_at - now, 0.0)

    async def told(self, remaining: int, seconds: float, rate: Rate | None) -> None:
        now = self._clock.monotonic()
        self._pace = told(self._pace, now, remaining, now + seconds, rate)

    async def paused(self, seconds: float) -> None:
        self._pace = paused(self._pace, self._clock.monotonic() + seconds)


class Pacer:
    """One account's request budget: a window that headers correct, and a smooth ceiling for status requests.

    ``reserved`` says how many requests of a window are kept for status, so that submits never starve it; submits go in
    the order in which they came. ``shared`` is the budget of all processes; without it, this client's own.
    """

    def __init__(
        self,
        clock: Clock,
        rate: Rate | None,
        *,
        per_second: float | None = None,
        open_submits: int = DEFAULT_OPEN_SUBMITS,
        shared: Shared | None = None,
        reserved: int = 1,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._budget = shared or Own(clock)
        self._gap = 1.0 / per_second if per_second else (0.0 if rate else 1.0 / DEFAULT_PER_SECOND)
        self._next = self._reset = self._asked = self._first = -math.inf
        self._queue = asyncio.Lock()
        self.reserved: Callable[[], int] = lambda: reserved
        self.submits = asyncio.Semaphore(open_submits)

    def until_reset(self) -> float:
        """Seconds until the window ends, as far as this client has seen; 0.0 where no limit is known."""
        return max(self._reset - self._clock.monotonic(), 0.0)

    @property
    def queued(self) -> bool:
        """Whether a paid call waits for its turn."""
        return self._queue.locked()

    async def slot(self, *, paid: bool, deadline: float | None = None) -> None:
        """Wait for a turn; :class:`RateLimited` at once where the turn would come after ``deadline`` (monotonic)."""
        await (self._submit(deadline) if paid else self._status(deadline))

    async def _submit(self, deadline: float | None) -> None:
        if self._queue.locked():
            self._in_time(self._first - self._clock.monotonic(), deadline)
        async with self._queue:
            while (wait := await self._take(self.reserved())) > 0:
                now = self._clock.monotonic()
                self._in_time(wait, now + LONGEST if deadline is None else deadline)
                self._first = now + wait
                await self._sleep(wait)

    async def _status(self, deadline: float | None) -> None:
        began = self._clock.monotonic()
        turn = max(began, self._next)
        self._in_time(turn - began, deadline)
        self._next = turn + self._gap
        if turn > began:
            await self._sleep(turn - began)
        while (wait := await self._take(0)) > 0:
            now = self._clock.monotonic()
            patience = max(began, self._asked) + PATIENCE - now
            if patience <= 0:
                self._asked = now
                log.warning(
                    "the rate limit asks for %.0f s more; status is asked now, to see if that still holds", wait
                )
                return
            self._in_time(min(wait, patience), deadline)
            await self._sleep(min(wait, patience))

    async def _take(self, kept: int) -> float:
        wait, left = await self._budget.take(self._rate, kept)
        self._reset = self._clock.monotonic() + left
        return wait

    async def _sleep(self, seconds: float) -> None:
        # Unix time has no finer grain: a wait that rounds to nothing would never end
        await self._clock.sleep(max(seconds, 0.001))

    def _in_time(self, wait: float, deadline: float | None) -> None:
        if deadline is not None and wait > 0 and self._clock.monotonic() + wait > deadline:
            raise RateLimited(
                f"the rate limit allows the next request in {wait:.0f} s, past the timeout; try again then",
                retry_after=wait,
                charged=False,
            )

    async def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Believe what a reply says: ``X-RateLimit-Remaining`` and ``-Reset``, ``Retry-After`` of a 429."""
        now = self._clock.time()
        remaining, reset = _number(headers.get("x-ratelimit-remaining")), seconds_until_reset(headers, now)
        if remaining is not None and reset is not None:
            longest = max(LONGEST, self._rate.window if self._rate else 0.0)
            await self._budget.told(int(remaining), min(reset, longest), self._rate)
        if status == 429:
            pause = retry_after(headers, now)
            if pause is None and reset is not None and not remaining:
                pause = reset
            if pause is not None:
                await self.pause(pause)

    async def pause(self, seconds: float) -> None:
        """The service wants no request for so long; after an hour it is asked again, and a pause that is no number is
        none."""
        if 0 < seconds < math.inf:
            await self._budget.paused(min(seconds, LONGEST))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for: seconds, or a date (taken against the reply's own ``Date``)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    seconds = _number(text)
    if seconds is None:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - server_time(headers, now)
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, min(seconds, _MONTH))


def seconds_until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the window ends: Unix time against the reply's ``Date``, or seconds, told apart by size."""
    value = _number(headers.get("x-ratelimit-reset"))
    if value is None:
        return None
    if value > 1e11:
        value /= 1000.0
    left = value - server_time(headers, now) if value > 1e8 else value
    return max(0.0, min(left, _MONTH))


def server_time(headers: Mapping[str, str], now: float) -> float:
    """The service's own clock, by the reply's ``Date``; ours where it says none."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return now


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) < 1e15 else None
