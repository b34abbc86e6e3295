"""The client where something goes wrong: answers lost, waits ended, processes dead, downloads cut; nothing is lost."""

from __future__ import annotations

import asyncio

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep.client.spool import Spool
from genstep.testing import run_virtual

pytestmark = pytest.mark.usefixtures("toys")


def test_a_cached_answer_whose_file_is_gone_is_fetched_again_without_paying(world):
    async def once():
        async with world.client() as client:
            return await client.generate("a fox")

    first = run_virtual(once())
    world.service.jobs = {job: (0.0, files) for job, (_, files) in world.service.jobs.items()}
    first.assets[0].path.unlink()
    again = run_virtual(once())
    assert again.assets[0].path.exists()
    assert world.paid() == 1


@pytest.mark.parametrize(
    "step",
    [
        toy.lost,
        toy.answer({"m": "?"}, 500),
        toy.answer({"m": "?"}, 502),
        toy.answer({"m": "?"}, 503),
        toy.answer({"m": "?"}, 504),
        toy.answer({"m": "?"}, 408),
        toy.answer({"unexpected": 1}, 200),
        toy.Reply(200, {}, b"<html>all good</html>"),
        toy.Reply(200, {}, b'{"id": "jo'),
        toy.Reply(200, {}, b""),
    ],
)
def test_a_lost_answer_is_uncertain_and_never_sent_again_by_itself(world, step):
    world.service.script = [step]

    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.SubmissionUncertain) as first:
                await client.generate("a fox")
            with pytest.raises(genstep.SubmissionUncertain) as again:
                await client.generate("a fox")
            assert first.value.job_id == again.value.job_id
            assert (await client.status(first.value.job_id)).status == "uncertain"
            return first.value.job_id

    job_id = run_virtual(work())

    async def later():
        async with world.client() as client:
            with pytest.raises(genstep.SubmissionUncertain):
                await client.generate("a fox")
            with pytest.raises(genstep.GenerationFailed, match="not charged"):
                await client.resume(job_id, charged=False)
            return await client.generate("a fox")

    assert world.paid() == 1
    assert run_virtual(later()).status == "completed"
    assert world.paid() == 2


def test_an_uncertain_job_can_be_claimed_by_hand(world):
    world.service.script = [toy.lost]

    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.SubmissionUncertain) as lost:
                await client.generate("a fox")
            world.service.jobs["found"] = (0.0, ["found-0"])
            return await client.resume(lost.value.job_id, claim="found")

    made = run_virtual(work())
    assert made.job_ids == ("found",)
    assert made.assets[0].path.exists()
    assert world.paid() == 1


def test_a_timeout_keeps_the_job_and_another_process_finishes_it(world):
    async def impatient():
        async with world.client() as client:
            with pytest.raises(genstep.WaitTimeout) as late:
                await client.generate("a fox", timeout=10)
            return late.value.job_id

    job_id = run_virtual(impatient())

    async def later():
        async with world.client() as client:
            return await client.wait(job_id)

    assert run_virtual(later()).assets[0].path.exists()
    assert world.paid() == 1


def test_a_cancelled_wait_interrupts_no_paid_call(world):
    reached = asyncio.Event()

    async def slow():
        reached.set()
        await world.clock.sleep(20)

    world.service.before_reply = slow

    async def work():
        async with world.client() as client:
            task = asyncio.create_task(client.generate("a fox"))
            await reached.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return await client.generate("a fox")

    assert run_virtual(work()).status == "completed"
    assert world.paid() == 1


@pytest.mark.parametrize(
    ("kept", "status"),
    [
        (toy.Reply(502, {}, b"<html>"), "uncertain"),
        (toy.answer({}, 500), "uncertain"),
        (toy.answer({}, 429), "uncertain"),
        (toy.answer({"error": "slow down"}, 429), "failed"),
        (toy.answer({"code": "REFUNDED"}, 500), "failed"),
        (toy.answer({"nothing": "known"}), "uncertain"),
    ],
)
def test_a_kept_reply_is_judged_like_one_that_has_just_come(world, monkeypatch, kept, status):
    usual = genstep.ledger.Ledger._set

    def full(self, call, epoch, states, **values):
        if values.get("state") == "uncertain":
            raise genstep.ConfigurationError("the disk is full")
        return usual(self, call, epoch, states, **values)

    async def dies():
        async with world.client() as client:
            await client.generate("a fox", timeout=5)

    world.service.script = [toy.answer({}, 500)]
    with monkeypatch.context() as patch:
        patch.setattr(genstep.ledger.Ledger, "_set", full)
        with pytest.raises(genstep.GenstepError):
            run_virtual(dies())
    (reply,) = (world.folder / "spool").glob("*.reply")
    Spool(reply.parent).keep(reply.stem, kept)

    async def later():
        async with world.client() as client:
            job = (await client.jobs())[0]
            with pytest.raises(genstep.GenstepError):
                await client.resume(job.id)
            return await client.status(job.id)

    assert run_virtual(later()).status == status
    assert world.paid() == 1


def test_a_reply_that_was_half_written_when_its_process_was_killed_is_tidied_away(world):
    reached = asyncio.Event()

    async def slow():
        reached.set()
        await asyncio.sleep(50)

    world.service.before_reply = slow
    spool = world.folder / "spool"

    async def lives():
        async with world.client() as client, world.client() as other:
            buying = asyncio.create_task(client.generate("a fox"))
            await reached.wait()
            (open_call,) = client._session.life.paid
            spool.mkdir(exist_ok=True)
            for name in (open_call, "of-a-killed-one"):
                (spool / f"{name}.part").write_bytes(b"{")
            world.service.before_reply = None
            await other.generate("a second fox")
            left = sorted(path.name for path in spool.glob("*.part"))
            await buying
            return left, f"{open_call}.part"

    left, its_own = run_virtual(lives())
    assert left == [its_own], "what a living process writes is left alone"
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("provider", ["toy", "blockingtoy"])
def test_a_reply_that_a_kill_right_after_the_last_write_left_is_tidied_away(tmp_path, provider):
    world = World(tmp_path, provider)

    async def lives():
        async with world.client() as client:
            made = await client.generate("a fox")
            (call,) = await client._session.on_ledger(lambda ledger: ledger.calls(made.id))
        Spool(world.folder / "spool").keep(call.id, toy.answer({}))
        async with world.client() as client:
            await client.generate("a second fox")

    run_virtual(lives())
    assert list((world.folder / "spool").iterdir()) == []


def test_failed_polls_lose_no_job(world):
    world.service.poll_script = [
        toy.answer({}, 500),
        toy.Reply(502, {}, b"<html>"),
        toy.answer({}, 429),
        toy.Reply(200, {}, b"{"),
        toy.answer({"status": "aligning the planets"}),
        toy.answer({}, 404),
    ]

    async def work():
        async with world.client() as client:
            return await client.generate("a fox")

    assert run_virtual(work()).status == "completed"
    assert world.paid() == 1


def test_a_failed_job_says_so_with_its_refund(world):
    world.service.fail = True

    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.GenerationFailed) as failed:
                await client.generate("a fox")
            return failed.value

    error = run_virtual(work())
    assert error.refunded is True
    assert error.code == "BROKE"
    assert error.provider == "toy"


def test_cancel_and_delete(world):
    async def work():
        async with world.client() as client:
            job = await client.submit("a fox")
            assert job.status == "processing"
            assert job.provider_job_ids == ("job1",)
            with pytest.raises(genstep.InvalidRequest, match="still processing"):
                await client.delete(job.id)
            assert (await client.cancel(job.id)).status == "cancelled"
            made = await client.generate("a bear")
            path = made.assets[0].path
            await client.delete(made.id)
            assert not path.exists()
            assert not path.with_name(path.name + ".json").exists()
            return await client.show(made.id)

    kept = run_virtual(work())
    assert kept.request.prompt == ""
    assert kept.cost.charged == 5


def test_a_blocking_service_is_waited_for_in_the_background(tmp_path):
    world = World(tmp_path, "blockingtoy")

    async def work():
        async with world.client() as client:
            job = await client.submit("a fox")
            assert job.status in ("pending", "processing")
            with pytest.raises(genstep.WaitTimeout):
                await client.wait(job.id, timeout=5)
            joined = await client.generate("a fox")
            return job, joined

    job, made = run_virtual(work())
    assert made.id == job.id
    assert world.paid() == 1

    async def closed_early():
        async with world.client() as client:
            return await client.submit("a bear")

    job = run_virtual(closed_early())

    async def later():
        async with world.client() as client:
            return await client.wait(job.id)

    assert run_virtual(later()).assets, "closing the client waited for the paid call"
    assert world.paid() == 2


def test_a_process_that_dies_while_sending_leaves_an_uncertain_call(world, monkeypatch):
    async def die():
        client = world.client()
        taken = asyncio.Event()

        async def for_ever():
            taken.set()
            await asyncio.Event().wait()

        world.service.before_reply = for_ever
        task = asyncio.create_task(client.generate("a fox"))
        await taken.wait()
        task.cancel()
        client._session.ledger.close()

    run_virtual(die())
    world.service.before_reply = None

    async def later():
        async with world.client() as client:
            with pytest.raises(genstep.SubmissionUncertain):
                await client.generate("a fox")

    run_virtual(later())
    assert world.paid() == 1


def test_a_download_that_is_cut_is_fetched_again_and_an_error_page_is_no_picture(world):
    page = toy.File(b"<html><body>expired</body></html>", status=403, media_type="text/html")
    world.service.download_script = [toy.File(toy.PNG[:40], announced=len(toy.PNG))]

    async def work():
        async with world.client() as client:
            made = await client.generate("a fox")
            world.service.download_script = [page] * 10
            with pytest.raises(genstep.AssetError) as broken:
                await client.generate("a bear")
            world.service.download_script = []
            later = await client.resume(broken.value.job_id)
            return made, later

    made, later = run_virtual(work())
    assert made.assets[0].path.exists()
    assert later.assets[0].path.exists()
    assert world.paid() == 2
