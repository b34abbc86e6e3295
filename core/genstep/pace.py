"""How a rate budget is counted: a window of requests, and a pause; plain arithmetic, in seconds of one clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genstep.provider import Rate

#: ends of a window that are at most this far apart are the same one, where its length is not known
_SAME = 5.0
#: a service's clock is read in whole seconds
_BLUR = 1.0
#: more than any service allows in a window, and still a number for every database
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """What an account may still send: ``remaining`` requests until ``reset_at`` (None: no limit is known), and none
    before ``blocked_until``."""

    remaining: int | None = None
    reset_at: float = 0.0
    blocked_until: float = 0.0


def take(pace: Pace, now: float, rate: Rate | None, kept: int) -> tuple[Pace, float]:
    """One request taken and 0.0, or nothing and the seconds to wait; ``kept`` requests are left for others.

    Where the limit is known, one request of a window can always be had by those who leave some.
    """
    if pace.blocked_until > now:
        return pace, pace.blocked_until - now
    if now >= pace.reset_at:
        pace = replace(pace, remaining=None)
        if rate is not None:
            pace = replace(pace, remaining=rate.limit, reset_at=now + rate.window)
    if pace.remaining is None:
        return pace, 0.0
    if pace.remaining <= (kept if rate is None else min(kept, rate.limit - 1)):
        return pace, max(pace.reset_at - now, 0.0)
    return replace(pace, remaining=pace.remaining - 1), 0.0


def told(pace: Pace, now: float, remaining: int, reset_at: float, rate: Rate | None) -> Pace:
    """The service says what is left until when; in the same window the smaller number counts, for requests of ours
    may be on their way. The end that we guessed gives way to the one that is told."""
    if reset_at <= now:
        return pace
    remaining = min(max(remaining, 0), _MOST)
    same = _SAME if rate is None else rate.window / 2
    if now >= pace.reset_at or pace.remaining is None or reset_at > pace.reset_at + same:
        return replace(pace, remaining=remaining, reset_at=reset_at)
    later = pace.reset_at if pace.reset_at - reset_at <= _BLUR else reset_at
    return replace(pace, remaining=min(remaining, pace.remaining), reset_at=max(later, reset_at))


def paused(pace: Pace, until: float) -> Pace:
    """The service wants nothing before ``until``; the longer of two pauses counts."""
    return replace(pace, blocked_until=max(pace.blocked_until, until))
