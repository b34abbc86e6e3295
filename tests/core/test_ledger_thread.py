"""The ledger's own thread: in order, each with its own outcome, whatever becomes of those who wait."""

import asyncio
import threading

import pytest

from genstep.ledger.thread import LedgerThread


@pytest.fixture
def thread():
    one = LedgerThread()
    yield one
    one.close()


def test_calls_run_one_after_the_other_in_the_order_in_which_they_were_asked_for(thread):
    seen = []

    async def work():
        return await asyncio.gather(*(thread.run(lambda n: seen.append(n) or n * n, n) for n in range(200)))

    assert asyncio.run(work()) == [n * n for n in range(200)]
    assert seen == list(range(200))


def test_an_error_is_raised_to_the_one_who_asked_for_it_and_the_others_get_their_answers(thread):
    async def work():
        return await asyncio.gather(*(thread.run(divmod, 7, n) for n in (2, 0, 3)), return_exceptions=True)

    first, second, third = asyncio.run(work())
    assert (first, third) == ((3, 1), (2, 1))
    assert isinstance(second, ZeroDivisionError)


def test_what_has_begun_is_finished_and_what_has_not_begun_is_left_out_when_its_wait_is_cancelled(thread):
    go, done = threading.Event(), []

    def first():
        go.wait(5)
        done.append("first")

    async def work():
        waits = [asyncio.create_task(thread.run(first))]
        await asyncio.sleep(0)
        waits += [asyncio.create_task(thread.run(done.append, name)) for name in ("second", "third")]
        await asyncio.sleep(0)
        waits[0].cancel()
        waits[1].cancel()
        go.set()
        await waits[2]

    asyncio.run(work())
    assert done == ["first", "third"]


def test_a_new_event_loop_goes_on_where_another_was_ended_in_the_middle(thread):
    go, waiting = threading.Event(), []

    async def ended():
        waiting.append(asyncio.ensure_future(thread.run(go.wait, 5)))
        await asyncio.sleep(0)

    async def work():
        go.set()
        return await thread.run(sum, (1, 2))

    asyncio.run(ended())
    assert asyncio.run(work()) == 3
