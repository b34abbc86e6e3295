"""When the next poll is due: late at first, then steady, slower only for stragglers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstep.provider import Timing
from genstep.watcher import LATEST_FIRST, Schedule

USUAL = Timing(median=52, sigma=0.43, gap=5, least=3)


def polls(schedule: Schedule, until: float) -> list[float]:
    now, times = 0.0, []
    while now < until:
        now += schedule.next(now)
        times.append(now)
    return times


def test_the_first_poll_waits_for_the_5_percent_quantile_then_the_gap_is_steady():
    times = polls(Schedule(USUAL, 0.0), 100)
    assert times[0] == pytest.approx(25.6, abs=0.1)
    assert {round(b - a, 6) for a, b in pairwise(times)} == {5.0}


def test_stragglers_are_asked_less_and_less_often_but_never_rarer_than_the_limit():
    times = polls(Schedule(USUAL, 0.0), 1000)
    gaps = [b - a for a, b in pairwise(times) if a > 130]
    assert gaps == sorted(gaps)
    assert max(gaps) == USUAL.most


def test_a_slow_kind_is_first_asked_after_30_seconds_at_the_latest():
    assert Schedule(Timing(median=900, sigma=0.3), 0.0).next(0.0) == LATEST_FIRST


def test_a_job_that_was_sent_long_ago_is_asked_soon():
    assert Schedule(USUAL, 0.0).next(500.0) <= USUAL.gap


def test_an_interval_of_the_account_is_kept_to():
    assert polls(Schedule(USUAL, 0.0, interval=0.5), 2) == [0.5, 1.0, 1.5, 2.0]


def test_a_test_server_on_this_machine_is_asked_at_once():
    times = polls(Schedule(USUAL, 0.0, local=True), 60)
    assert times[0] <= 0.2
    assert times[-1] - times[-2] == pytest.approx(USUAL.gap)


@given(
    st.builds(
        Timing,
        median=st.floats(0.1, 1e4),
        sigma=st.floats(0.01, 2),
        gap=st.floats(0.5, 60),
        least=st.floats(0.1, 5),
        most=st.floats(5, 120),
    ),
    st.lists(st.floats(0, 500), max_size=20),
)
def test_a_poll_is_always_due_some_time_and_never_at_once_for_ever(timing, steps):
    schedule, now = Schedule(timing, 0.0), 0.0
    for step in steps:
        wait = schedule.next(now)
        assert 0 < wait <= max(LATEST_FIRST, timing.gap, timing.most)
        now += wait + step
