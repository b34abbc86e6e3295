"""The money path at its edges: odd input, maps that end early, money that was certainly not spent, what is kept."""

from __future__ import annotations

import asyncio
import gc
import http.server
import sqlite3
import threading

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep import errors, plugins
from genstep.ledger import Ledger
from genstep.models import HttpOptions
from genstep.testing import run_virtual
from genstep.transport.http import RealHttp, Request


class BuggyToy(toy.Toy):
    slug = "buggytoy"

    def price(self, request):
        if request.prompt == "bad":
            raise RuntimeError("a bug of the plug-in")
        return 5.0

    def group(self, request):
        return None


class HintToy(toy.Toy):
    slug = "hinttoy"

    def error(self, call, reply):
        error = super().error(call, reply)
        if error is not None:
            error.hint = {"plain", "no JSON"}
        return error


@pytest.fixture(autouse=True)
def _more_toys(toys):
    for provider in (BuggyToy, HintToy):
        plugins.registry().found.setdefault(provider.slug, provider)


def spooled(world):
    return [path.name for path in (world.folder / "spool").glob("*")]


# -- what is handed in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", ["a fox", b"a fox", {"prompt": "a fox", "n": 2}, genstep.GenerationRequest("x"), None])
def test_map_refuses_a_single_request_rather_than_buying_its_letters(world, one):
    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.InvalidRequest, match="put it in a list"):
                [outcome async for outcome in client.map(one)]

    run_virtual(work())
    assert world.paid() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_credits", float("nan")), ("max_credits", "5"), ("max_credits", -1), ("timeout", "5"), ("timeout", -1)],
)
def test_a_ceiling_or_timeout_that_is_no_number_is_refused(world, field, value):
    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.InvalidRequest, match=field):
                await client.generate("a fox", **{field: value})
            with pytest.raises(genstep.InvalidRequest, match=field):
                [outcome async for outcome in client.map(["a fox"], **{field: value})]

    run_virtual(work())
    assert world.paid() == 0


@pytest.mark.parametrize("fields", [{1: 2}, {"self": 1}])
def test_a_mapping_with_a_strange_name_is_refused_in_one_sentence(world, fields):
    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.InvalidRequest, match="no such field"):
                await client.generate(fields)

    run_virtual(work())


def test_a_ledger_url_is_refused_and_makes_no_folder_of_that_name(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    with pytest.raises(genstep.ConfigurationError, match="takes a path"):
        genstep.AsyncClient(world.account, ledger="mysql://u:fake@h/db")
    assert not list(world.folder.iterdir())


def test_a_ledger_of_a_newer_version_is_left_unlocked(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.db") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(genstep.ConfigurationError, match="newer genstep") as kept:
        Ledger(tmp_path / "ledger.db")
    other = sqlite3.connect(tmp_path / "ledger.db", timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.close()
    assert kept.value.args


# -- map --------------------------------------------------------------------------------------------------------------


def test_requests_that_are_equal_only_when_checked_are_told_apart(world):
    equal = [{"prompt": "a", "n": 2}, {"prompt": "a", "n": 2, "quality": "low"}]

    async def work():
        async with world.client() as client:
            return [outcome.id async for outcome in client.map(equal)]

    first = run_virtual(work())
    assert len(set(first)) == 2
    assert set(run_virtual(work())) == set(first)
    assert world.service.charged == [10, 10]


def test_a_bug_of_a_plugin_ends_map_even_while_nobody_looks(tmp_path):
    world = World(tmp_path, "buggytoy")

    async def work():
        async with world.client() as client:
            async for _ in client.map(["good", "bad"], concurrency=1):
                await asyncio.sleep(100)

    async def bounded():
        await asyncio.wait_for(work(), 10_000)

    with pytest.raises(RuntimeError, match="a bug of the plug-in"):
        run_virtual(bounded())


def test_a_map_that_was_broken_off_buys_nothing_more_when_the_client_closes(tmp_path, caplog):
    world = World(tmp_path, "blockingtoy")

    async def work():
        async with world.client() as client:
            outcomes = client.map([f"p{number}" for number in range(20)], concurrency=20)
            async for _ in outcomes:
                break
            await outcomes.aclose()
            return len(world.service.charged)

    sent = run_virtual(work())
    assert sent < 20
    assert len(world.service.charged) == sent
    gc.collect()
    assert not caplog.records


# -- money that was certainly not spent -------------------------------------------------------------------------------


def request_to(port):
    return Request("POST", f"https://127.0.0.1:{port}/x", content=b"{}")


def test_http_that_cannot_be_set_up_is_no_uncertain_payment(tmp_path):
    authorities = tmp_path / "ca.pem"
    authorities.write_text("no certificate")
    with pytest.raises(genstep.ConfigurationError, match="HTTP cannot be set up") as refused:
        asyncio.run(RealHttp(HttpOptions(verify=str(authorities)), tls=True).send(request_to(9), fresh=True))
    assert refused.value.charged is False


def test_a_proxy_that_refuses_to_connect_is_no_uncertain_payment():
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    async def through(port):
        http = RealHttp(HttpOptions(proxy=f"http://127.0.0.1:{port}"), tls=True)
        try:
            await http.send(request_to(9), fresh=True)
        finally:
            await http.aclose()

    with http.server.HTTPServer(("127.0.0.1", 0), Refusing) as proxy:
        thread = threading.Thread(target=proxy.handle_request)
        thread.start()
        with pytest.raises(genstep.NotSent, match="403"):
            asyncio.run(through(proxy.server_port))
        thread.join()


def test_the_credits_of_a_cancelled_sandbox_job_are_not_counted(tmp_path):
    account = genstep.Account(provider="sandbox", options={"folder": str(tmp_path / "jobs")})
    with genstep.Client(account, ledger=tmp_path / "ledger.db", output=tmp_path / "out") as client:
        job = client.cancel(client.submit("a fox", options={"seconds": 60}).id)
    assert (job.status, job.cost.charged, job.cost.refunded) == ("cancelled", 0, True)


# -- what is kept and what is not -------------------------------------------------------------------------------------


def test_an_error_that_knows_more_than_ours_is_kept_and_read_again(tmp_path):
    world = World(tmp_path, "hinttoy")
    world.service.script = [toy.answer({"m": "no"}, 402)]

    async def work():
        async with world.client() as client:
            with pytest.raises(genstep.InsufficientCredits) as refused:
                await client.generate("a fox")
            assert (await client.show(refused.value.job_id)).failures[0].status == 402

    run_virtual(work())
    assert errors.from_dict({"error": "NotFound", "message": "no", "hint": 1}).hint == 1


def test_a_deleted_job_stays_deleted_when_one_that_shared_its_call_is_fetched_again(world):
    async def work():
        async with world.client() as client:
            made = {one.request.prompt: one async for one in client.map(["secret", "b"])}
            await client.delete(made["secret"].id)
            made["b"].assets[0].path.unlink()
            world.service.jobs = {job: (0.0, files) for job, (_, files) in world.service.jobs.items()}
            assert (await client.generate("b")).assets[0].path.exists()

    run_virtual(work())
    assert len(list((world.folder / "out").glob("*.png"))) == 1


def test_no_reply_is_kept_longer_than_it_is_needed(world):
    async def work():
        async with world.client() as one:
            world.service.script = [toy.answer({"code": "BATCH", "limit": 2}, 403)]
            await one.generate("a fox", n=4)
            await one.cancel((await one.submit("a bear")).id)
            assert spooled(world) == []
            world.service.script = [toy.Reply(200, {}, b'{"your prompt": "a wolf"}')]
            with pytest.raises(genstep.SubmissionUncertain) as lost:
                await one.generate("a wolf")
            assert len(spooled(world)) == 1
            await one.delete(lost.value.job_id)

    run_virtual(work())
    assert spooled(world) == []


def test_a_result_that_nobody_has_any_more_says_how_to_buy_it_anew(world):
    async def work():
        async with world.client() as client:
            (await client.generate("a fox")).assets[0].path.unlink()
            world.service.poll_script = [toy.answer({}, 404)]
            with pytest.raises(genstep.AssetError, match="fresh=True"):
                await client.generate("a fox")

    run_virtual(work())
