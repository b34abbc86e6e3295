"""When to ask about which job: pure decisions about the next poll."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genstep.provider import Timing

#: until durations are known well, the first poll is never later than this many seconds
LATEST_FIRST = 30.0
#: how many jobs must have been seen for that
KNOWN_WELL = 5
#: how many jobs the prior counts for
_PRIOR = 3
_Q05, _Q95, _Q98, _Q99 = -1.6449, 1.6449, 2.0537, 2.3263
#: how much longer each gap after the 98 % quantile is than the one before
_GROWTH = 1.1
#: polls that are left out, because the gaps that ``Timing.gap`` bounds notice sooner than the theory's
_SPARED = 0.03


@dataclass(frozen=True, slots=True)
class Durations:
    """What the ledger learned of a kind and model: how many jobs, and mean and sum of squared deviations of the
    logarithm of their seconds."""

    jobs: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def after(self, seconds: float) -> Durations:
        """These with one more job, by Welford's rule."""
        value, jobs = math.log(max(seconds, 0.01)), self.jobs + 1
        mean = self.mean + (value - self.mean) / jobs
        return Durations(jobs, mean, self.squares + (value - self.mean) * (value - mean))

    def believed(self, prior: Timing) -> Timing:
        """The timing that follows from these and the document's, which counts for as much as a few jobs."""
        if not self.jobs:
            return prior
        first, weight = math.log(prior.median), _PRIOR + self.jobs
        mean = (_PRIOR * first + self.jobs * self.mean) / weight
        apart = _PRIOR * self.jobs / weight * (self.mean - first) ** 2
        variance = (_PRIOR * prior.sigma**2 + self.squares + apart) / weight
        return replace(prior, median=math.exp(mean), sigma=min(max(math.sqrt(variance), 0.05), 2.0))


@dataclass(slots=True)
class Schedule:
    """The polls of one job: the first at the 5 % quantile of its duration, then at the usual gap, shorter where jobs
    end most often, and growing only after the 98 % quantile. Growing gaps before that are slow exactly when jobs
    finish; asking early asks in vain.

    A job of a test server on this machine (``local``) says nothing about the service's durations: it is asked at once,
    then at gaps that grow up to the usual one. A job whose end a webhook will tell (``hooked``) is asked about only
    where that must have been lost: at the 95 % and the 99 % quantile, then more and more rarely. ``known`` is how many
    jobs the timing was learned from.
    """

    timing: Timing
    submitted_at: float
    interval: float | None = None
    local: bool = False
    hooked: bool = False
    known: int = 0
    kind: str = ""
    model: str | None = None
    polls: int = 0
    gap: float = 0.0
    prior: Timing | None = None

    def believe(self, learned: Durations | None) -> None:
        """Go by what was learned of such jobs by now, beside the timing that this began with."""
        if learned is not None and learned.jobs != self.known:
            self.prior = self.prior or self.timing
            self.timing, self.known = learned.believed(self.prior), learned.jobs

    def next(self, now: float) -> float:
        """Seconds from ``now`` until the next poll is due."""
        age = max(0.0, now - self.submitted_at)
        timing = self.timing
        if self.interval is not None:
            self.gap = self.interval
        elif self.local:
            self.gap = min(max(self.gap * 1.5, 0.1), timing.gap)
        elif self.hooked:
            return self._fallback(age)
        elif self.polls == 0:
            self.gap = timing.gap
            self.polls = 1
            first = timing.median * math.exp(_Q05 * timing.sigma)
            if self.known < KNOWN_WELL:
                first = min(first, LATEST_FIRST)
            return max(0.0, first - age) or min(timing.gap, timing.least)
        elif age > timing.median * math.exp(_Q98 * timing.sigma):
            self.gap = min(self.gap * _GROWTH, timing.most)
        else:
            self.gap = best_gap(timing, round(age))
        self.polls += 1
        return max(self.gap, 0.0 if self.local or self.interval else timing.least)

    def _fallback(self, age: float) -> float:
        """The polls of a job whose webhook did not come."""
        for number, quantile in enumerate((_Q95, _Q99)):
            due = self.timing.median * math.exp(quantile * self.timing.sigma)
            if self.polls <= number and age < due:
                self.polls, self.gap = number + 1, self.timing.most
                return due - age
        self.polls, self.gap = 3, max(self.gap * 1.5, self.timing.most)
        return self.gap


@lru_cache(4096)
def best_gap(timing: Timing, age: int) -> float:
    """Seconds to the next poll of a job that has run for ``age``: at most the usual gap, and shorter in inverse
    proportion to the square root of the hazard.

    Of all schedules with as many polls this one notices soonest (Keller 1974, "Optimum checking schedules"); their
    number is the one with which the mean latency is that of a loop at the usual gap: half of it.
    """
    gap = timing.gap
    for _ in range(2):
        hazard = _hazard(timing, age + gap / 2)
        polls = (1 - _SPARED) * _spread(timing.sigma) * math.sqrt(timing.median * timing.sigma * hazard)
        gap = timing.gap / max(1.0, polls)
    return gap


def _hazard(timing: Timing, age: float) -> float:
    """How often a lognormal job of this age ends, a second."""
    z = math.log(age / timing.median) / timing.sigma
    # far out, where density and survival are no numbers any more, their ratio is z
    ratio = z if z > 6 else _density(z) / _survival(z)
    return max(ratio, 1e-9) / (timing.sigma * age)


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _survival(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


@lru_cache(256)
def _spread(sigma: float) -> float:
    """The integral of the square root of density times survival over all durations, for a median of 1 / ``sigma``."""
    step = 0.1
    points = (step * number for number in range(-60, 61))
    return step * sum(math.sqrt(_density(z) * _survival(z)) * math.exp(sigma * z / 2) for z in points)
