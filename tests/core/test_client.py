"""The client over a toy service in memory, in virtual time: bought once, kept, answered again, refused, lost."""

from __future__ import annotations

import asyncio
import inspect
import json
from pathlib import Path

import pytest
from tests.core import toy

import genstep
from genstep import guard
from genstep.testing import VirtualClock, run_virtual


@pytest.fixture(autouse=True)
def _toy(monkeypatch, tmp_path):
    toy.register()
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))

    async def anywhere(url, **_):
        return guard.Target("https", "toy.example", 443, ("203.0.113.7",), url.split("toy.example", 1)[1])

    monkeypatch.setattr(guard, "resolve", anywhere)


class World:
    """A client, its service and its folder; ``again`` is a new process with the same ledger."""

    def __init__(self, folder: Path, provider: str = "toy", **account):
        self.clock = VirtualClock()
        self.folder = folder
        self.service = toy.Service(self.clock)
        self.account = genstep.Account(provider=provider, api_key="toy_fake_key", **account)

    def client(self) -> genstep.AsyncClient:
        return genstep.AsyncClient(
            self.account,
            ledger=self.folder / "ledger.db",
            output=self.folder / "out",
            _clock=self.clock,
            _network=lambda _: self.service,
        )

    def paid(self) -> int:
        return sum(method == "POST" for method, _ in self.service.seen)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_generate_submits_waits_and_saves(world):
    told = []

    async def work():
        async with world.client() as client:
            return await client.generate("a fox", n=2, on_progress=told.append)

    made = run_virtual(work())
    assert made.status == "completed"
    assert [asset.media_type for asset in made.assets] == ["image/png", "image/png"]
    assert all(asset.path.read_bytes().startswith(b"\x89PNG") for asset in made.assets)
    assert (made.cost.charged, made.cost.unit, made.cost.balance) == (10.0, "credits", 90.0)
    assert made.job_ids == ("job1",)
    assert not made.from_cache
    assert {job.status for job in told} >= {"processing", "completed"}
    assert world.paid() == 1


def test_the_same_request_is_answered_from_the_ledger_even_by_a_new_process(world):
    async def once(**fields):
        async with world.client() as client:
            return await client.generate("a fox", **fields)

    first = run_virtual(once())
    again = run_virtual(once())
    assert again.from_cache
    assert again.id == first.id
    assert [a.path for a in again.assets] == [a.path for a in first.assets]
    assert world.paid() == 1
    assert not run_virtual(once(fresh=True)).from_cache
    assert not run_virtual(once(key="another")).from_cache
    assert not run_virtual(once(quality="high")).from_cache
    assert world.paid() == 4
    assert run_virtual(once(quality="low")).from_cache, "the documented default spelled out is the same request"


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


def test_concurrent_identical_requests_pay_once(world):
    async def work():
        async with world.client() as client:
            return await asyncio.gather(*(client.generate("a fox") for _ in range(5)))

    made = run_virtual(work())
    assert len({one.id for one in made}) == 1
    assert world.paid() == 1


def test_a_large_n_is_split_into_the_batches_that_the_service_takes(world):
    async def work():
        async with world.client() as client:
            return await client.generate("a fox", n=10)

    made = run_virtual(work())
    assert len(made.assets) == 10
    assert world.service.charged == [20, 20, 10]
    assert made.cost.charged == 50


def test_a_plan_that_takes_less_is_split_smaller_and_remembered(world):
    world.service.script = [toy.answer({"code": "BATCH", "limit": 2}, 403)]

    async def work():
        async with world.client() as client:
            first = await client.generate("a fox", n=4)
            await client.generate("a bear", n=4)
            return first

    made = run_virtual(work())
    assert len(made.assets) == 4
    assert world.service.charged == [10, 10, 10, 10]
    assert made.cost.charged == 20


@pytest.mark.parametrize(
    ("script", "error", "sent"),
    [
        ([toy.answer({"m": "no"}, 401)], genstep.AuthenticationError, 1),
        ([toy.answer({"m": "no"}, 402)], genstep.InsufficientCredits, 1),
        ([toy.answer({"m": "no"}, 403)], genstep.PermissionDenied, 1),
        ([toy.answer({"m": "no"}, 400)], genstep.InvalidRequest, 1),
        ([toy.answer({"code": "REFUNDED"}, 500)], genstep.GenerationFailed, 1),
        ([toy.answer({}, 301, location="https://elsewhere.example/")], genstep.GenstepError, 1),
        ([toy.not_sent] * 5, genstep.NotSent, 5),
    ],
)
def test_a_refusal_is_raised_costs_nothing_and_is_no_answer_for_the_next_time(world, script, error, sent):
    world.service.script = list(script)

    async def work():
        async with world.client() as client:
            with pytest.raises(error) as refused:
                await client.generate("a fox")
            assert refused.value.job_id
            assert (await client.jobs())[0].cost.charged == 0
            return await client.generate("a fox")

    assert run_virtual(work()).status == "completed"
    assert world.paid() == sent + 1
    assert len(world.service.charged) == 1


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


def test_rate_limits_are_waited_for_or_refused_at_once(world):
    world.service.script = [toy.answer({}, 429, **{"retry-after": "30"})]

    async def patient():
        async with world.client() as client:
            began = world.clock.monotonic()
            await client.generate("a fox", timeout=600)
            return world.clock.monotonic() - began

    assert run_virtual(patient()) >= 30
    world.service.script = [toy.answer({}, 429, **{"retry-after": "30"})]

    async def hasty():
        async with world.client() as client:
            with pytest.raises(genstep.RateLimited) as limited:
                await client.generate("a bear", timeout=10)
            assert world.clock.monotonic() < 1
            return limited.value.job_id

    assert run_virtual(hasty())
    assert len(world.service.charged) == 1


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


def test_map_uses_the_services_batches_and_yields_every_outcome(world):
    prompts = ["a", "b", "c", "d", "e", {"prompt": "f", "quality": "high"}, "a", {"prompt": "g", "steps": 3}]

    async def work():
        async with world.client() as client:
            return [outcome async for outcome in client.map(prompts, concurrency=2)]

    outcomes = run_virtual(work())
    made = [one for one in outcomes if isinstance(one, genstep.Generation)]
    refused = [one for one in outcomes if not isinstance(one, genstep.Generation)]
    assert sorted(one.request.prompt for one in made) == ["a", "a", "b", "c", "d", "e", "f"]
    assert [(type(one), one.index) for one in refused] == [(genstep.InvalidRequest, 7)]
    assert sorted(world.service.charged) == [5, 10, 20]
    assert sum(one.cost.charged for one in made) == 35

    async def again():
        async with world.client() as client:
            return [outcome async for outcome in client.map(prompts[:7])]

    assert all(one.from_cache for one in run_virtual(again()))


def test_map_keeps_its_ceiling(world):
    async def work():
        async with world.client() as client:
            return [outcome async for outcome in client.map([f"p{i}" for i in range(8)], max_credits=30)]

    outcomes = run_virtual(work())
    assert sum(isinstance(one, genstep.Generation) for one in outcomes) == 4
    assert sum(isinstance(one, genstep.BudgetExceeded) for one in outcomes) == 4
    assert sum(world.service.charged) == 20


def test_ceilings_refuse_before_anything_is_sent(world, tmp_path):
    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.BudgetExceeded, match="nothing was sent") as refused:
                await client.generate("a fox", n=3, max_credits=10)
            return refused.value

    error = run_virtual(work())
    assert (error.required, error.available) == (15, 10)
    daily = World(tmp_path / "daily", daily_credits=12)

    async def day():
        async with daily.client() as client:
            await client.generate("one")
            await client.generate("two")
            with pytest.raises(genstep.BudgetExceeded):
                await client.generate("three")

    run_virtual(day())
    assert daily.paid() == 2
    assert world.paid() == 0


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


def test_the_key_is_sent_to_the_service_and_nowhere_else(world):
    async def work():
        async with world.client() as client:
            await client.generate("a fox")

    run_virtual(work())
    assert {headers["Authorization"] for headers in world.service.headers} == {"Bearer toy_fake_key"}
    assert world.service.downloads
    assert not any("Authorization" in headers for _, headers in world.service.downloads)


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


def test_a_sidecar_describes_the_picture_and_holds_no_secret(world):
    async def work():
        async with world.client() as client:
            return await client.generate("a fox")

    asset = run_virtual(work()).assets[0]
    described = json.loads(asset.path.with_name(asset.path.name + ".json").read_text())
    assert described["prompt"] == "a fox"
    assert described["provider"] == "toy"
    assert "toy_fake_key" not in json.dumps(described)


def test_every_verb_exists_blocking_and_awaitable():
    def verbs(kind):
        return {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_")}

    blocking, awaitable = verbs(genstep.Client), verbs(genstep.AsyncClient)
    assert set(blocking) - {"close"} == set(awaitable) - {"aclose"}
    for name, verb in blocking.items():
        if callable(verb) and name in awaitable:
            ours, theirs = inspect.signature(verb).parameters, inspect.signature(awaitable[name]).parameters
            assert list(ours) == list(theirs), name
            assert [p.default for p in ours.values()] == [p.default for p in theirs.values()], name


def test_what_a_call_cost_is_read_from_the_balance_where_no_other_call_had_a_part_in_it(world):
    lefts = iter([90, 86, 80, 70, 61])

    def silent(service, request):
        service.charged.append(5.0)
        number = f"job{len(service.charged)}"
        service.jobs[number] = (service.clock.time(), [f"{number}-0"])
        return toy.answer({"id": number, "credits": None, "left": next(lefts)})

    world.service.script = [silent] * 5

    async def work():
        async with world.client() as client:
            one = [await client.generate("a"), await client.generate("b")]
            both = await asyncio.gather(client.generate("c"), client.generate("d"))
            return [made.cost.charged for made in (*one, *both, await client.generate("e"))]

    costs = run_virtual(work())
    assert costs[:2] == [None, 4]
    assert None in costs[2:4]


def test_items_that_a_success_refused_for_rate_are_sent_again_alone(tmp_path):
    world = World(tmp_path, "batchtoy")

    async def work():
        async with world.client() as client:
            return await client.generate("a fox", n=3)

    made = run_virtual(work())
    assert len(made.assets) == 3
    assert not made.failures
    assert [json.loads(body)["items"] for body in world.service.bodies] == [3, 1]
