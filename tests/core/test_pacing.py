"""Asking no faster than the account may: documented limits, what headers say, Retry-After in all its forms."""

import asyncio
import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import toy
from tests.core.toy_world import World, set_up

from genstep import errors
from genstep.ledger import Ledger
from genstep.ledger.pace import SharedPace
from genstep.pace import Pace, take, told
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
            await pacer.learn(*headers)
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
        await pacer.learn(429, {"retry-after": "1800"})
        with pytest.raises(errors.RateLimited) as limited:
            await pacer.slot(paid=True, deadline=clock.monotonic() + 60)
        return limited.value.retry_after, clock.monotonic()

    assert run_virtual(work()) == (1800, 0)


# -- pauses that make no sense ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["nan", "1e300", "-5", "-1e300", "inf", "", "Fri, 99 Foo 2026", "0"])
def test_a_pause_that_is_no_pause_stops_nobody(asked):
    assert pace(Rate(100, 60), 1, headers=(429, {"retry-after": asked})) == [0]
    assert pace(None, 1, paid=True, headers=(429, {"retry-after": asked})) == [0]


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 9999 23:59:59 GMT", "86400", "999999999"])
def test_a_status_request_is_sent_after_five_minutes_whatever_was_asked_for(asked, caplog):
    assert pace(None, 2, headers=(429, {"retry-after": asked})) == [300, 600]
    assert "status is asked now" in caplog.text


def test_a_window_that_never_ends_holds_a_status_request_no_longer_either():
    never = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    assert pace(Rate(60, 60), 1, headers=(200, never)) == [300]


def test_a_paid_call_is_parked_for_an_hour_at_most():
    assert pace(None, 1, paid=True, headers=(429, {"retry-after": "86400"})) == [3600]


# -- who goes first ---------------------------------------------------------------------------------------------------


def test_submits_leave_as_many_requests_as_the_watcher_asks_for_and_still_get_one():
    def turns(reserved):
        clock = VirtualClock()

        async def work():
            pacer = Pacer(clock, Rate(10, 60))
            pacer.reserved = lambda: reserved
            await asyncio.gather(*(pacer.slot(paid=True) for _ in range(8)))
            return clock.monotonic()

        return run_virtual(work())

    assert [turns(reserved) for reserved in (0, 2, 3, 6, 500)] == [0, 0, 60, 60, 7 * 60]


def test_submits_go_in_the_order_in_which_they_came_and_status_does_not_stand_behind_them():
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, Rate(2, 60))
        order = []

        async def submit(number):
            await pacer.slot(paid=True)
            order.append((number, clock.monotonic()))

        waiting = [asyncio.create_task(submit(number)) for number in range(5)]
        await asyncio.sleep(1)
        await pacer.slot(paid=False)
        asked = clock.monotonic()
        await asyncio.gather(*waiting)
        return order, asked

    assert run_virtual(work()) == ([(number, 60.0 * number) for number in range(5)], 1)


def test_a_submit_that_is_cancelled_in_the_queue_holds_up_nobody():
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, Rate(2, 60))
        waiting = [asyncio.create_task(pacer.slot(paid=True)) for _ in range(4)]
        await asyncio.sleep(1)
        waiting[1].cancel()
        waiting[2].cancel()
        await waiting[3]
        return clock.monotonic()

    assert run_virtual(work()) == 60


def test_behind_a_queue_a_submit_with_no_time_is_refused_at_once():
    clock = VirtualClock()

    async def work():
        pacer = Pacer(clock, Rate(2, 60))
        await pacer.slot(paid=True)
        first = asyncio.create_task(pacer.slot(paid=True))
        await asyncio.sleep(1)
        with pytest.raises(errors.RateLimited):
            await pacer.slot(paid=True, deadline=clock.monotonic() + 10)
        refused = clock.monotonic()
        await first
        return refused

    assert run_virtual(work()) == 1


# -- one budget for all processes -------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path):
    """Two ledgers on one file, as two processes have them, and a maker of pacers."""
    books = [Ledger(tmp_path / "ledger.db") for _ in range(2)]

    def make(clock, number, rate, *, name="studio", **options):
        async def db(method, *values):
            return method(*values)

        shared = SharedPace(books[number], db, clock, name, "toy")
        return Pacer(clock, rate, shared=shared, **options)

    yield make
    for book in books:
        book.close()


class Window:
    """A service that allows ``limit`` requests from one fixed moment to the next."""

    def __init__(self, clock, limit, seconds, offset):
        self.clock, self.limit, self.seconds, self.offset = clock, limit, seconds, offset
        self.seen = {}
        self.refused = 0

    def take(self):
        now = self.clock.time()
        number = int((now + self.offset) // self.seconds)
        ends = (number + 1) * self.seconds - self.offset
        known = {"date": formatdate(now, usegmt=True), "x-ratelimit-reset": str(math.ceil(ends))}
        if self.seen.get(number, 0) >= self.limit:
            self.refused += 1
            return 429, {**known, "x-ratelimit-remaining": "0"}
        self.seen[number] = self.seen.get(number, 0) + 1
        return 200, {**known, "x-ratelimit-remaining": str(self.limit - self.seen[number])}


@pytest.mark.parametrize("offset", [0, 17.25, 59.5])
def test_two_processes_keep_one_limit_together_and_submits_never_starve_status(two, offset):
    clock = VirtualClock()

    async def work():
        service = Window(clock, 20, 60, offset)
        late = []

        async def submits(pacer):
            for _ in range(60):
                await pacer.slot(paid=True)
                await pacer.learn(*service.take())

        async def status(pacer):
            for _ in range(12):
                await asyncio.sleep(25)
                asked = clock.monotonic()
                await pacer.slot(paid=False)
                late.append(clock.monotonic() - asked)
                await pacer.learn(*service.take())

        pacers = [two(clock, number, Rate(20, 60), reserved=6) for number in range(2)]
        await asyncio.gather(*(job(pacer) for pacer in pacers for job in (submits, status)))
        return service, late, clock.monotonic()

    service, late, end = run_virtual(work())
    assert service.refused == 0
    assert max(service.seen.values()) <= 20
    assert max(late) <= 1.5, "a whole second is all that a clock in seconds can hide"
    assert end <= 10 * 61.5


def test_what_one_process_hears_of_a_limit_or_a_pause_holds_for_the_other(two):
    clock = VirtualClock()

    async def work():
        one, other = two(clock, 0, Rate(100, 3600)), two(clock, 1, Rate(100, 3600))
        await one.slot(paid=False)
        await one.learn(200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "40"})
        await other.slot(paid=False)
        await other.slot(paid=False)
        assert clock.monotonic() == pytest.approx(40)
        await other.learn(429, {"retry-after": "100"})
        await one.slot(paid=True)
        return clock.monotonic()

    assert run_virtual(work()) == pytest.approx(140)


def test_without_a_known_limit_a_pause_is_shared_and_another_account_is_left_alone(two):
    clock = VirtualClock()

    async def work():
        one, other, stranger = two(clock, 0, None), two(clock, 1, None), two(clock, 1, None, name="elsewhere")
        await one.slot(paid=True)
        await one.learn(429, {"retry-after": "30"})
        await stranger.slot(paid=True)
        alone = clock.monotonic()
        await other.slot(paid=False)
        return alone, clock.monotonic()

    assert run_virtual(work()) == (0, pytest.approx(30))


def test_a_new_process_goes_on_where_the_window_stands(two):
    clock = VirtualClock()

    async def work():
        first = two(clock, 0, Rate(5, 60))
        for _ in range(4):
            await first.slot(paid=True)
        with pytest.raises(errors.RateLimited):
            await two(clock, 1, Rate(5, 60)).slot(paid=True, deadline=clock.monotonic() + 30)
        blocking = two(clock, 1, Rate(5, 60), reserved=0)
        await blocking.slot(paid=True)
        return clock.monotonic(), round(blocking.until_reset())

    assert run_virtual(work()) == (0, 60)


# -- the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "said", "now_known"),
    [
        (Pace(40, 1060), (30, 1060), (30, 1060)),
        (Pace(40, 1060), (50, 1060), (40, 1060)),  # ours are on their way
        (Pace(40, 1060), (50, 1020), (40, 1020)),  # our end was a guess
        (Pace(40, 1020), (59, 1070), (59, 1070)),  # their window is a new one already
        (Pace(40, 1060), (59, 1060.6), (40, 1060.6)),
        (Pace(40, 1060), (59, 1059.5), (40, 1060)),
        (Pace(0, 990), (7, 1010), (7, 1010)),
        (Pace(40, 1060), (3, 999), (40, 1060)),  # of a window that is over
        (Pace(None, 0), (-4, 1010), (0, 1010)),
        (Pace(None, 0), (10**14, 1010), (1_000_000, 1010)),
    ],
)
def test_what_a_service_tells_is_joined_with_what_we_know(known, said, now_known):
    joined = told(known, 1000, *said, Rate(60, 60))
    assert (joined.remaining, joined.reset_at) == now_known


@given(
    moves=st.lists(st.tuples(st.floats(0, 40), st.booleans()), min_size=1, max_size=80),
    kept=st.integers(0, 12),
    limit=st.integers(1, 10),
)
def test_no_window_gives_out_more_than_the_limit_and_waiting_as_told_always_helps(moves, kept, limit):
    pace, now, rate, taken = Pace(), 1000.0, Rate(limit, 60), {}
    for pause, paid in moves:
        now += pause
        pace, wait = take(pace, now, rate, kept if paid else 0)
        if wait:
            now += wait
            pace, wait = take(pace, now, rate, kept if paid else 0)
        assert wait == 0
        taken[pace.reset_at] = taken.get(pace.reset_at, 0) + 1
    assert max(taken.values()) <= limit


# -- through the client -----------------------------------------------------------------------------------------------


def test_a_pause_that_one_client_is_told_holds_for_another_on_its_ledger(tmp_path, monkeypatch):
    set_up(monkeypatch, tmp_path)
    world = World(tmp_path)
    world.service.script = [toy.answer({}, 429, **{"retry-after": "30"})]

    async def work():
        async with world.client() as one, world.client() as other:
            first = asyncio.create_task(one.submit("a fox"))
            await asyncio.sleep(1)
            assert len(world.service.seen) == 1
            await other.submit("a bear")
            paused = world.clock.monotonic()
            await first
        return paused

    assert run_virtual(work()) == pytest.approx(30, abs=1)
    assert len(world.service.charged) == 2
