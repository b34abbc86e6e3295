"""Waiting cheaply: one list for many jobs, one client of several that asks, durations learned, webhooks, fallbacks."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.core import toy, toy_world
from tests.money.world import World, run_virtual

import genstep
from genstep import webhooks
from genstep.ledger import Ledger


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))


async def many(world, client, number):
    jobs = [client.generate(f"fox {i}", model=MODELS[world.slug]) for i in range(number)]
    return await asyncio.gather(*jobs)


MODELS = {"aivisualstudio": None, "imaginelab": "seedream-5.0-lite"}


@pytest.mark.parametrize("slug", ["aivisualstudio", "imaginelab"])
def test_one_list_answers_for_many_jobs(slug, tmp_path):
    async def work():
        world = World(tmp_path, slug)
        async with world.client() as client:
            made = await many(world, client, 40)
        return made, world.count("list"), world.count("record", "status")

    made, lists, singles = run_virtual(work())
    assert all(one.status == "completed" and one.assets for one in made)
    assert lists + singles < 0.5 * 40
    assert lists


def test_a_job_that_comes_just_when_the_last_one_has_ended_is_waited_for_too(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        async with world.client() as client:
            life = client._session.life
            usual = life.db

            async def slow(method, *values, **named):
                if method.__name__ == "unlease":
                    await world.clock.sleep(100)
                return await usual(method, *values, **named)

            life.db = slow
            await client.generate("fox 0")
            return await client.generate("fox 1", timeout=600)

    assert run_virtual(work()).status == "completed"


def test_a_list_from_old_to_new_is_read_near_its_end(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio", settings={"order": "oldest"})
        async with world.client() as client:
            await many(world, client, 150)
            before = world.count("list", "record")
            made = await asyncio.gather(*(client.generate(f"late fox {i}") for i in range(30)))
        return made, world.count("list", "record") - before

    made, requests = run_virtual(work())
    assert all(one.status == "completed" for one in made)
    assert requests < 30


def test_a_list_that_may_not_be_read_costs_nothing_but_more_requests(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        world.control.fault("status", "aivisualstudio", endpoint="list", status=404, body="{}", times=None)
        async with world.client() as client:
            made = await many(world, client, 5)
        return made, world.count("list"), world.count("record")

    made, lists, singles = run_virtual(work())
    assert all(one.status == "completed" for one in made)
    assert lists == 1
    assert singles >= 5


def test_jobs_that_the_list_does_not_show_are_asked_about_singly(tmp_path):
    async def work():
        world = World(tmp_path, "imaginelab", settings={"page_size": 3})
        async with world.client() as client:
            made = await many(world, client, 8)
        return made, world.count("status")

    made, singles = run_virtual(work())
    assert all(one.status == "completed" for one in made)
    assert singles


def test_of_two_clients_on_one_ledger_one_asks_and_both_get_their_own_files(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        async with world.client(output="one") as one, world.client(output="two") as two:
            jobs = [await client.submit(f"fox {i}") for i, client in enumerate([one, one, two, two])]
            made = await asyncio.gather(
                *(client.wait(job.id) for job, client in zip(jobs, [one, one, two, two], strict=True))
            )
        return made, world.count("list", "record")

    made, requests = run_virtual(work())
    assert [asset.path.parent.name for one in made for asset in one.assets] == ["one", "one", "two", "two"]
    alone = run_virtual(_alone(tmp_path / "alone"))
    assert requests <= alone + 3


async def _alone(folder):
    folder.mkdir()
    world = World(folder, "aivisualstudio")
    async with world.client() as client:
        await many(world, client, 4)
    return world.count("list", "record")


def test_where_the_one_that_asks_is_closed_another_goes_on(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        first, second = world.client(), world.client()
        mine = await first.submit("a fox")
        await world.clock.sleep(1)
        waiting = asyncio.create_task(second.generate("a bear"))
        await world.clock.sleep(1)
        await first.aclose()
        made = await waiting
        again = await second.wait(mine.id)
        await second.aclose()
        return made, again

    made, again = run_virtual(work())
    assert (made.status, again.status) == ("completed", "completed")


def test_durations_are_learned_and_save_requests(tmp_path):
    async def work():
        world = World(tmp_path, "conceptviz")
        counts = []
        async with world.client() as client:
            for i in range(12):
                before = world.count("task")
                await client.generate(f"fox {i}")
                counts.append(world.count("task") - before)
        return counts

    run_virtual(work())
    ledger = Ledger(tmp_path / "ledger.db")
    try:
        learned = ledger.durations("conceptviz", "image", None)
    finally:
        ledger.close()
    assert learned.jobs == 12
    assert 10 < learned.believed(genstep.Timing()).median < 120


def test_what_ended_processes_left_is_taken_up_at_the_next_start(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        async with world.client() as first:
            job = await first.submit("a fox")
        async with world.client() as second:
            await second.generate("a bear")
            await world.clock.sleep(600)
            return await second.status(job.id, ask=False)

    assert run_virtual(work()).status == "completed"


def test_a_wait_that_is_cancelled_cancels_no_job_and_another_wait_gets_it(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio")
        async with world.client() as client:
            job = await client.submit("a fox")
            waiting = asyncio.create_task(client.wait(job.id))
            await world.clock.sleep(1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            with pytest.raises(genstep.WaitTimeout):
                await client.wait(job.id, timeout=1)
            return await client.wait(job.id), world.control.submits("aivisualstudio")

    made, submits = run_virtual(work())
    assert (made.status, submits) == ("completed", 1)


HOOKED = {"webhook_url": "https://hooks.example/in", "webhook_secret": "whsec_fake_for_tests"}


@pytest.mark.parametrize("receiver", ["the same client", "another client"])
def test_a_verified_webhook_settles_its_job_without_a_request(receiver, tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio", **HOOKED)
        world.control.fault("none", "aivisualstudio", times=None)
        async with world.client() as client, world.client() as other:
            job = await client.submit("a fox")
            waiting = asyncio.create_task(client.wait(job.id))
            service_id = job.provider_job_ids[0]
            state = genstep.Running()
            while isinstance(state, genstep.Running):
                await world.clock.sleep(1)
                state = await client._session.life.transport.run(client.provider.poll(service_id))
            before, began = world.count("record", "list"), world.clock.monotonic()
            data = {"id": service_id, "type": "image", "status": "completed", "output_url": state.outputs[0].url}
            body = json.dumps({"event": "generation.completed", "data": data}).encode()
            signature = webhooks.sign(body, HOOKED["webhook_secret"], now=world.clock.time())
            await (client if receiver == "the same client" else other).deliver(body, signature)
            made = await waiting
            return made, world.count("record", "list") - before, world.clock.monotonic() - began

    made, requests, noticed = run_virtual(work())
    assert made.status == "completed"
    assert requests == 0
    assert noticed < 3


def test_a_webhook_that_never_comes_delays_a_job_and_loses_none(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio", **HOOKED)
        world.control.fault("none", "aivisualstudio", times=None)
        async with world.client() as client:
            made = await client.generate("a fox")
        return made, world.count("record", "list")

    made, requests = run_virtual(work())
    assert made.status == "completed"
    assert requests <= 3


def test_a_reply_that_a_killed_process_left_goes_at_the_next_start(tmp_path):
    async def work():
        world = World(tmp_path, "conceptviz")
        async with world.client() as client:
            made = await client.generate("a fox")
            life = client._session.life
            [call] = await client._session.on_ledger(lambda ledger: ledger.calls(made.id))
            life.spool.keep(call.id, genstep.provider.Reply(200, {}, b"{}"))
            assert life.spool.holds(call.id)
        async with world.client() as client:
            await client.generate("a bear")
            return client._session.life.spool.calls()

    assert run_virtual(work()) == []


def test_where_webhooks_tell_the_end_submits_get_the_whole_rate_limit(tmp_path):
    async def work(**hooks):
        world = World(tmp_path / ("hooked" if hooks else "polled"), "aivisualstudio", **hooks)
        world.folder.mkdir()
        async with world.client() as client:
            await asyncio.gather(*(client.submit(f"fox {i}") for i in range(60)))
            return world.clock.monotonic()

    assert run_virtual(work(**HOOKED)) < 5
    assert run_virtual(work()) > 30, "one request of the window is kept for status"


def test_a_client_that_does_not_poll_is_woken_only_when_something_has_changed(tmp_path):
    async def work():
        world = World(tmp_path, "imaginelab")
        world.control.fault("status", "imaginelab", endpoint="list", status=404, body="{}", times=None)
        async with world.client() as one, world.client() as two:
            model = {"kind": "video", "model": "sandbox-video"}
            await one.submit("a fox", **model)
            first = asyncio.create_task(one.generate("a bear", **model))
            await world.clock.sleep(1)
            job = await two.submit("an owl", **model)
            life = two._session.life
            told, seen, tell, states = [], set(), life.tell, life.ledger.states

            def listen(call):
                told.append(call)
                tell(call)

            def read(*whose):
                found = states(*whose)
                seen.update(found.values())
                return found

            life.tell, life.ledger.states = listen, read
            await asyncio.gather(two.wait(job.id), first)
        return len(told), len(seen)

    told, values = run_virtual(work())
    assert values > 3, "the service says how far it is"
    assert told <= values + 2


def test_jobs_far_back_in_a_long_list_are_found_in_it_or_asked_about_alone(tmp_path):
    async def work():
        world = World(tmp_path, "aivisualstudio", settings={"per_minute": 100_000})
        async with world.client() as client:
            jobs = [await client.submit(f"fox {i}") for i in range(4)]
            other = World(tmp_path / "other", "aivisualstudio")
            other.folder.mkdir()
            other.app, other.clock = world.app, world.clock
            async with other.client() as stranger:
                for i in range(200):
                    await stranger.submit(f"bear {i}")
                before = world.count("list", "record")
                made = await asyncio.gather(*(client.wait(job.id) for job in jobs))
        return made, world.count("list", "record") - before

    made, requests = run_virtual(work())
    assert all(one.status == "completed" for one in made)
    assert requests < 30


@pytest.mark.parametrize("asked", ["1800", "86400"])
def test_a_job_that_is_done_is_noticed_within_five_minutes_whatever_pause_was_asked_for(tmp_path, monkeypatch, asked):
    toy_world.set_up(monkeypatch, tmp_path)
    world = toy_world.World(tmp_path)
    world.service.poll_script = [toy.answer({}, 429, **{"retry-after": asked})]

    async def work():
        async with world.client() as client:
            await client.generate("a fox")
        return world.clock.monotonic()

    first_poll = 30
    assert run_virtual(work()) < first_poll + 300 + 30
