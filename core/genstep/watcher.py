"""When to ask about which job: pure decisions about the next poll."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genstep.provider import Timing

#: until durations are known well, the first poll is never later than this many seconds
LATEST_FIRST = 30.0
_Q05, _Q98 = -1.6449, 2.0537


@dataclass(slots=True)
class Schedule:
    """The polls of one job: the first at the 5 % quantile of its duration, then at a constant gap, growing only after
    the 98 % quantile. Growing gaps before that are slow exactly when jobs finish; asking early asks in vain.

    A job of a test server on this machine (``local``) says nothing about the service's durations: it is asked at once,
    then at gaps that grow up to the usual one.
    """

    timing: Timing
    submitted_at: float
    interval: float | None = None
    local: bool = False
    polls: int = 0
    gap: float = 0.0

    def next(self, now: float) -> float:
        """Seconds from ``now`` until the next poll is due."""
        age = max(0.0, now - self.submitted_at)
        timing = self.timing
        if self.interval is not None:
            self.gap = self.interval
        elif self.local:
            self.gap = min(max(self.gap * 1.5, 0.1), timing.gap)
        elif self.polls == 0:
            self.gap = timing.gap
            self.polls = 1
            first = min(timing.median * math.exp(_Q05 * timing.sigma), LATEST_FIRST)
            return max(0.0, first - age) or min(timing.gap, timing.least)
        elif age > timing.median * math.exp(_Q98 * timing.sigma):
            self.gap = min(self.gap * 1.5, timing.most)
        self.polls += 1
        return max(self.gap, 0.0 if self.local or self.interval else timing.least)
