"""Closing, waiting and sharing: several clients, waiters and jobs at once, and what is left when one goes away."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep.testing import run_virtual

pytestmark = pytest.mark.usefixtures("toys")


# -- closing ----------------------------------------------------------------------------------------------------------


def test_closing_ends_a_wait_with_the_jobs_id_and_another_client_goes_on(world):
    async def work():
        client = world.client()
        waiting = asyncio.create_task(client.generate("a fox"))
        await asyncio.sleep(5)
        await client.aclose()
        await client.aclose()
        with pytest.raises(genstep.WaitTimeout, match="closed") as closed:
            await waiting
        with pytest.raises(genstep.ConfigurationError, match="closed"):
            await client.generate("a bear")
        async with world.client() as later:
            return await later.wait(closed.value.job_id)

    assert run_virtual(work()).status == "completed"
    assert world.paid() == 1


def test_a_call_that_still_waits_for_its_rate_is_not_sent_by_closing(world):
    world.service.script = [toy.answer({}, 429, **{"retry-after": "600"})]

    async def work():
        async with world.client() as client:
            stopped = asyncio.create_task(client.generate("a fox"))
            await asyncio.sleep(5)
            stopped.cancel()
        assert world.clock.monotonic() < 10
        assert world.service.charged == []
        async with world.client() as client:
            (job,) = await client.jobs()
            assert job.status == "pending"
            return await client.resume(job.id)

    assert run_virtual(work()).status == "completed"
    assert len(world.service.charged) == 1


def test_cancelling_a_call_that_waits_for_its_rate_frees_all_at_once(world):
    world.service.script = [toy.answer({}, 429, **{"retry-after": "600"})]

    async def work():
        async with world.client() as client:
            waiting = asyncio.create_task(client.generate("a fox"))
            await asyncio.sleep(5)
            job = await client.cancel((await client.jobs())[0].id)
            with pytest.raises(genstep.GenerationFailed, match="cancelled"):
                await waiting
        assert world.clock.monotonic() < 10
        return job

    job = run_virtual(work())
    assert (job.status, job.cost.charged) == ("cancelled", 0)
    assert world.service.charged == []


def test_closing_while_a_file_comes_in_loses_nothing_and_says_nothing(world, caplog):
    class Slow(toy.File):
        async def chunks(self):
            await asyncio.sleep(50)
            yield self.data

    world.service.download_script = [Slow(toy.PNG)]

    async def work():
        client = world.client()
        waiting = asyncio.create_task(client.generate("a fox"))
        await asyncio.sleep(60)
        assert world.service.downloads
        await client.aclose()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(100)
        async with world.client() as later:
            return await later.generate("a fox")

    assert run_virtual(work()).status == "completed"
    gc.collect()
    assert not caplog.records
    assert world.paid() == 1


def test_what_a_blocking_service_made_is_saved_even_where_nobody_waits(tmp_path):
    world = World(tmp_path, "blockingtoy")

    async def work():
        async with world.client() as client:
            return (await client.submit("a fox")).id

    job_id = run_virtual(work())
    assert len(world.service.downloads) == 1

    async def later():
        async with world.client() as client:
            return (await client.status(job_id)).status

    assert run_virtual(later()) == "completed"


# -- several who wait, several clients --------------------------------------------------------------------------------


def test_each_who_waits_for_a_shared_call_gets_an_error_of_its_own(world):
    async def work():
        async with world.client() as client:
            ids = [outcome.job_id async for outcome in client.map(["a", "b"], timeout=1)]
            world.service.poll_script = [toy.answer({}, 403)]
            return ids, await asyncio.gather(*(client.wait(one) for one in ids), return_exceptions=True)

    ids, problems = run_virtual(work())
    assert world.paid() == 1
    assert [type(problem) for problem in problems] == [genstep.PermissionDenied] * 2
    assert [problem.job_id for problem in problems] == ids


def test_a_poll_that_fails_when_nobody_waits_any_more_says_nothing(world, caplog):
    world.service.poll_script = [toy.answer({}, 403)]

    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.WaitTimeout):
                await client.generate("a fox", timeout=1)
            await asyncio.sleep(1000)
            return await client.generate("a fox")

    assert run_virtual(work()).status == "completed"
    gc.collect()
    assert not caplog.records


def test_a_job_is_finished_by_another_client_while_the_one_that_sent_it_lives(world):
    async def work():
        async with world.client() as sender, world.client() as other:
            job = await sender.submit("a fox")
            return await other.wait(job.id, timeout=600)

    assert run_virtual(work()).status == "completed"


def test_an_uncertain_job_is_settled_by_another_client_while_the_one_that_sent_it_lives(world):
    world.service.script = [toy.lost]

    async def work():
        async with world.client() as sender, world.client() as other:
            with pytest.raises(genstep.SubmissionUncertain) as lost:
                await sender.generate("a fox")
            with pytest.raises(genstep.NotFound):
                await other.resume(lost.value.job_id, claim="job9")
            with pytest.raises(genstep.GenerationFailed, match="not charged"):
                await sender.resume(lost.value.job_id, charged=False)

    world.service.poll_script = [toy.answer({}, 404)]
    run_virtual(work())


def test_one_name_for_two_providers_mixes_neither_money_nor_jobs(tmp_path):
    first = World(tmp_path, name="studio")
    second = World(tmp_path, "blockingtoy", name="studio", daily_credits=8)
    second.clock = second.service.clock = first.clock

    async def work():
        async with first.client() as client:
            job = await client.submit("a fox")
            await client.wait(job.id)
        async with second.client() as client:
            assert (await client.balance()).amount is None
            assert (await client.generate("a fox")).status == "completed"
            with pytest.raises(genstep.ConfigurationError, match="of toy, which is not set up here"):
                await client.wait(job.id)

    run_virtual(work())


def test_a_client_opens_its_ledger_once_however_it_is_first_used(world, monkeypatch):
    from genstep.client import session

    both, opened = threading.Barrier(2), []

    class Slow(session.Ledger):
        def __init__(self, path):
            opened.append(self)
            try:
                both.wait(0.2)
            except threading.BrokenBarrierError:
                super().__init__(path)

    monkeypatch.setattr(session, "Ledger", Slow)

    async def work():
        async with world.client() as client:
            await asyncio.gather(client.jobs(), client.generate("a fox"))

    run_virtual(work())
    assert len(opened) == 1


def test_what_one_job_does_wakes_nobody_else(tmp_path):
    def reads(jobs):
        world = World(tmp_path / str(jobs), options={"requests_per_second": 1000, "open_submits": 100})
        world.service.duration = 120
        count = 0

        async def work():
            nonlocal count
            async with world.client() as client:
                real = client._session.db

                def counted(*values, **named):
                    nonlocal count
                    count += 1
                    return real(*values, **named)

                client._session.db = counted
                await asyncio.gather(*(client.generate(f"p{number}") for number in range(jobs)))

        run_virtual(work())
        return count / jobs

    assert reads(20) < 1.5 * reads(5)
