"""Asking no faster than the account may: documented limits, what headers say, Retry-After in all its forms."""

import asyncio
from email.utils import formatdate

import pytest

from genstep import errors
from genstep.provider import Rate
from genstep.testing import VirtualClock, run_virtual
from genstep.transport.pacing import Pacer, retry_after, seconds_until_reset

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 20}, None),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"retry-after": formatdate(NOW + 90, usegmt=True), "date": formatdate(NOW + 60, usegmt=True)}, 30),
        ({"retry-after": formatdate(NOW - 90, usegmt=True)}, 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers, seconds):
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": str(int(NOW + 30))}, 30),
        ({"x-ratelimit-reset": str(int(NOW + 30)), "date": formatdate(NOW + 10, usegmt=True)}, 20),
        ({"x-ratelimit-reset": str(int((NOW + 30) * 1000))}, 30),
        ({"x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-reset": "tomorrow"}, None),
        ({}, None),
    ],
)
def test_a_reset_is_unix_time_or_seconds_told_apart_by_size(headers, seconds):
    assert seconds_until_reset(headers, NOW) == seconds


def pace(rate, times, *, paid=False, headers=None, **options):
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, rate, **options)
        if headers:
            pacer.learn(*headers)
        turns = []
        for _ in range(times):
            await pacer.slot(paid=paid)
            turns.append(clock.monotonic())
        return turns

    return run_virtual(work())


def test_a_documented_limit_is_never_passed_in_any_window():
    turns = pace(Rate(10, 60), 35)
    assert all(sum(t <= u < t + 60 for u in turns) <= 10 for t in turns)


def test_a_service_without_a_limit_is_asked_five_times_a_second_at_most():
    assert pace(None, 11)[-1] == pytest.approx(2.0)


def test_what_the_headers_say_counts_more_than_our_own_count():
    turns = pace(Rate(60, 60), 3, headers=(200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "20"}))
    assert turns[0] == 0
    assert turns[1] == 20


def test_a_paid_call_leaves_one_request_for_status():
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, Rate(3, 60))
        await pacer.slot(paid=True)
        await pacer.slot(paid=True)
        third = asyncio.ensure_future(pacer.slot(paid=True))
        await pacer.slot(paid=False)
        asked = clock.monotonic()
        await third
        return asked, clock.monotonic()

    assert run_virtual(work()) == (0, 60)


def test_a_turn_past_the_deadline_is_refused_at_once():
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, Rate(100, 3600))
        pacer.learn(429, {"retry-after": "1800"})
        with pytest.raises(errors.RateLimited) as limited:
            await pacer.slot(paid=True, deadline=clock.monotonic() + 60)
        return limited.value.retry_after, clock.monotonic()

    assert run_virtual(work()) == (1800, 0)
