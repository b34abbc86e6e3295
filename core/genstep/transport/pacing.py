"""How fast an account may ask: its documented limit, what its replies' headers say, and our own ceiling."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from genstep.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstep.clock import Clock
    from genstep.provider import Rate

#: for services that document no limit
DEFAULT_PER_SECOND = 5.0
DEFAULT_OPEN_SUBMITS = 8


class Pacer:
    """One account's request budget: a window that headers correct, and a smooth ceiling for status requests.

    One request of each window is kept for status, so that submits never starve it.
    """

    def __init__(
        self,
        clock: Clock,
        rate: Rate | None,
        *,
        per_second: float | None = None,
        open_submits: int = DEFAULT_OPEN_SUBMITS,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._gap = 1.0 / per_second if per_second else (0.0 if rate else 1.0 / DEFAULT_PER_SECOND)
        self._next = float("-inf")
        self._remaining: int | None = None
        self._reset = float("-inf")
        self._blocked = float("-inf")
        self.submits = asyncio.Semaphore(open_submits)

    async def slot(self, *, paid: bool, deadline: float | None = None) -> None:
        """Wait for a turn; :class:`RateLimited` at once where the turn would come after ``deadline`` (monotonic)."""
        while (wait := self._wait(paid)) > 0:
            if deadline is not None and self._clock.monotonic() + wait > deadline:
                raise RateLimited(
                    f"the rate limit allows the next request in {wait:.0f} s, past the timeout; try again then",
                    retry_after=wait,
                    charged=False,
                )
            await self._clock.sleep(wait)
        now = self._clock.monotonic()
        if not paid:
            self._next = max(now, self._next) + self._gap
        if self._remaining is not None:
            self._remaining -= 1

    def _wait(self, paid: bool) -> float:
        now = self._clock.monotonic()
        if self._rate is not None and now >= self._reset:
            self._remaining, self._reset = self._rate.limit, now + self._rate.window
        elif now >= self._reset:
            self._remaining = None
        waits = [self._blocked - now, 0.0]
        if self._remaining is not None and self._remaining <= (1 if paid and (self._rate or self._remaining) else 0):
            waits.append(self._reset - now)
        if not paid:
            waits.append(self._next - now)
        return max(waits)

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Believe what a reply says: ``X-RateLimit-Remaining`` and ``-Reset``, ``Retry-After`` of a 429 or 503."""
        now = self._clock.monotonic()
        remaining, reset = (
            _number(headers.get("x-ratelimit-remaining")),
            seconds_until_reset(headers, self._clock.time()),
        )
        if remaining is not None and reset is not None:
            self._remaining, self._reset = int(remaining), now + reset
        if status == 429:
            pause = retry_after(headers, self._clock.time())
            if pause is None and reset is not None and not remaining:
                pause = reset
            if pause is not None:
                self._blocked = max(self._blocked, now + pause)


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
    return max(0.0, min(seconds, 31 * 86400.0))


def seconds_until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the window ends: Unix time against the reply's ``Date``, or seconds, told apart by size."""
    value = _number(headers.get("x-ratelimit-reset"))
    if value is None:
        return None
    if value > 1e11:
        value /= 1000.0
    left = value - server_time(headers, now) if value > 1e8 else value
    return max(0.0, min(left, 31 * 86400.0))


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
