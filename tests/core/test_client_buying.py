"""The client over a toy service in memory, in virtual time: bought once, kept, answered again, refused."""

from __future__ import annotations

import asyncio
import inspect
import json

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep.testing import run_virtual

pytestmark = pytest.mark.usefixtures("toys")


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


def test_the_key_is_sent_to_the_service_and_nowhere_else(world):
    async def work():
        async with world.client() as client:
            await client.generate("a fox")

    run_virtual(work())
    assert {headers["Authorization"] for headers in world.service.headers} == {"Bearer toy_fake_key"}
    assert world.service.downloads
    assert not any("Authorization" in headers for _, headers in world.service.downloads)


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
