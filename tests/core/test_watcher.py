"""When the next poll is due: late at first, then steady, slower only for stragglers."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstep.provider import Timing
from genstep.watcher import LATEST_FIRST, Durations, Schedule

USUAL = Timing(median=52, sigma=0.43, gap=5, least=3)


def polls(schedule: Schedule, until: float) -> list[float]:
    now, times = 0.0, []
    while now < until:
        now += schedule.next(now)
        times.append(now)
    return times


def test_the_first_poll_waits_for_the_5_percent_quantile_then_the_gap_is_the_usual_one_or_shorter():
    times = polls(Schedule(USUAL, 0.0), 100)
    assert times[0] == pytest.approx(25.6, abs=0.1)
    gaps = [b - a for a, b in pairwise(times)]
    assert all(USUAL.least <= gap <= USUAL.gap for gap in gaps)
    assert gaps[0] > gaps[-1], "a job of 90 s ends any moment; one of 26 s hardly ever"


@pytest.mark.parametrize(
    ("belief", "takes", "share"),
    [
        (USUAL, lambda chance: chance.lognormvariate(math.log(52), 0.43), 2 / 3),
        (USUAL, lambda chance: chance.uniform(30, 90), 2 / 3),
        (USUAL, lambda chance: chance.lognormvariate(math.log(75), 0.3), 0.8),
        (Timing(median=60, sigma=0.12, least=3), lambda chance: chance.lognormvariate(math.log(60), 0.12), 2 / 3),
    ],
    ids=["as believed", "30 to 90 s", "slower than believed", "well known"],
)
def test_a_job_alone_is_noticed_as_soon_as_by_a_fixed_loop_with_a_third_fewer_requests(belief, takes, share):
    chance = random.Random(1)
    jobs = [takes(chance) for _ in range(2000)]

    def cost(asked_at):
        asked = [next((number, time - job) for number, time in enumerate(asked_at, 1) if time >= job) for job in jobs]
        return [sum(each) / len(jobs) for each in zip(*asked, strict=True)]

    requests, late = cost(polls(Schedule(belief, 0.0, known=5), 1000))
    fixed_requests, fixed_late = cost([5.0 * number for number in range(200)])
    assert requests <= fixed_requests * share
    assert late <= fixed_late
    assert requests * late <= fixed_requests * fixed_late * 2 / 3


def test_stragglers_are_asked_less_and_less_often_but_never_rarer_than_the_limit():
    times = polls(Schedule(USUAL, 0.0), 1000)
    gaps = [round(b - a, 6) for a, b in pairwise(times) if a > 130]
    assert gaps == sorted(gaps)
    assert max(gaps) == USUAL.most


def test_a_slow_kind_is_first_asked_after_30_seconds_at_the_latest():
    assert Schedule(Timing(median=900, sigma=0.3), 0.0).next(0.0) == LATEST_FIRST


def test_a_job_that_was_sent_long_ago_is_asked_soon():
    assert Schedule(USUAL, 0.0).next(500.0) <= USUAL.gap


def test_a_job_that_runs_is_asked_about_by_what_others_like_it_have_taught_meanwhile():
    quick = Timing(median=5, sigma=0.3)
    schedule, learned = Schedule(quick, 0.0), Durations()
    schedule.next(0.0)
    for _ in range(40):
        learned = learned.after(60.0)
    before = schedule.next(40.0)
    schedule.believe(learned)
    assert schedule.timing == learned.believed(quick)
    assert schedule.next(40.0) <= quick.gap < before, "40 s is no longer late"


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
