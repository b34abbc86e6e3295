"""Connections to a ledger's server that end: made anew between transactions, and never taken for a commit."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.core.line import Line
from tests.core.toy_world import World, set_up
from tests.postgres import PASSWORD

import genstep
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger, postgres
from genstep.testing import run_virtual

pytestmark = pytest.mark.slow

ADD = "INSERT INTO account_facts (account, name, value, seen_at) VALUES ('studio', ?, '1', 0)"


@pytest.fixture
def ledger(postgres_url):
    book = Ledger(postgres_url)
    yield book
    book.close()


def end_all(server):
    """The server ends all sessions but the one that says so, as an administrator or a restart does."""
    server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'genstep'")


def wait_for_the_end(server, column, value):
    """Return when the server has ended the sessions of this description."""
    with psycopg.connect(server.url, autocommit=True) as watcher:
        while watcher.execute(f"SELECT 1 FROM pg_stat_activity WHERE {column} = %s", [value]).fetchone():
            pass


def learned(ledger):
    return [ledger.fact("studio", name) for name in ("one", "two", "three")]


# -- between transactions ---------------------------------------------------------------------------------------------


def test_a_connection_that_ended_between_transactions_is_made_anew(ledger, postgres_server):
    ledger.learn("studio", "one", 1, 0.0)
    end_all(postgres_server)
    assert ledger.fact("studio", "one") == 1
    end_all(postgres_server)
    ledger.learn("studio", "two", 2, 0.0)
    assert learned(ledger) == [1, 2, None]


def test_a_connection_that_the_server_ended_for_idling_is_made_anew(postgres_server, postgres_url):
    name = f"idler{os.getpid()}"
    ledger = Ledger(f"{postgres_url}%20-cidle_session_timeout%3D20&application_name={name}")
    try:
        wait_for_the_end(postgres_server, "application_name", name)
        ledger.learn("studio", "one", 1, 0.0)
        assert ledger.fact("studio", "one") == 1
    finally:
        ledger.close()


def test_a_server_that_restarts_is_waited_for(ledger, postgres_server):
    ledger.learn("studio", "one", 1, 0.0)
    postgres_server.stop()
    back = threading.Thread(target=postgres_server.start)
    back.start()
    try:
        ledger.learn("studio", "two", 2, 0.0)
    finally:
        back.join()
    assert learned(ledger) == [1, 2, None]


def test_a_server_that_stays_away_is_an_error_that_says_nothing_untrue(ledger, postgres_server, monkeypatch):
    monkeypatch.setattr(postgres, "RETURN", 0.2)
    postgres_server.stop()
    try:
        with pytest.raises(ConfigurationError, match="cannot be used any more: the server cannot be reached") as gone:
            ledger.learn("studio", "one", 1, 0.0)
        # it may be the answer to a paid call that could not be written down
        assert "nothing was sent" not in str(gone.value)
    finally:
        postgres_server.start()
    ledger.learn("studio", "two", 2, 0.0)
    assert learned(ledger) == [None, 2, None]


def test_closing_waits_for_no_server(postgres_url, postgres_server, monkeypatch):
    def never(_seconds: float) -> None:
        raise AssertionError("it waited")

    ledger = Ledger(postgres_url)
    postgres_server.stop()
    try:
        monkeypatch.setattr(postgres.time, "sleep", never)
        ledger.close()
    finally:
        monkeypatch.undo()
        postgres_server.start()


# -- in the middle of one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before a statement", "before the commit"])
def test_a_transaction_whose_connection_ends_changes_nothing(ledger, postgres_server, when):
    def change() -> None:
        with ledger._change() as db:
            db.execute(ADD, ("one",))
            end_all(postgres_server)
            if when == "before a statement":
                db.execute(ADD, ("two",))

    with pytest.raises(ConfigurationError, match="connection"):
        change()
    ledger.learn("studio", "three", 3, 0.0)
    assert learned(ledger) == [None, None, 3]


def test_a_transaction_that_idles_for_longer_than_the_server_allows_is_an_error_and_changes_nothing(
    postgres_server, postgres_url
):
    ledger = Ledger(f"{postgres_url}%20-cidle_in_transaction_session_timeout%3D20")

    def change() -> None:
        with ledger._change() as db:
            db.execute(ADD, ("one",))
            wait_for_the_end(postgres_server, "pid", ledger._db._db.info.backend_pid)

    try:
        with pytest.raises(ConfigurationError, match="was lost"):
            change()
        ledger.learn("studio", "two", 2, 0.0)
        assert learned(ledger) == [None, 2, None]
    finally:
        ledger.close()


# -- in the commit ----------------------------------------------------------------------------------------------------


@pytest.fixture
def line(postgres_server) -> Iterator[Line]:
    made = Line(postgres_server.port)
    yield made
    made.close()


def through(line: Line, server: Any, url: str) -> str:
    return url.replace(f":{server.port}/", f":{line.port}/")


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_is_lost_is_not_assumed_in_either_way(line, postgres_server, postgres_url, arrives):
    ledger = Ledger(through(line, postgres_server, postgres_url))
    try:
        ledger.learn("studio", "one", 1, 0.0)
        line.cut, line.arrives = line.commits + 1, arrives
        with pytest.raises(ConfigurationError, match=r"nobody knows whether it was.*not paid twice"):
            ledger.learn("studio", "two", 2, 0.0)
        assert learned(ledger) == [1, 2 if arrives else None, None]
    finally:
        ledger.close()


@pytest.mark.parametrize(("kind", "arrives"), [("toy", True), ("toy", False), ("blockingtoy", True)])
def test_whichever_commit_of_a_generation_is_lost_it_is_paid_once_and_had(
    line, postgres_server, postgres_url, monkeypatch, tmp_path, kind, arrives
):
    set_up(monkeypatch, tmp_path)
    world = World(tmp_path, kind)

    async def work(prompt: str) -> genstep.Generation:
        where = through(line, postgres_server, postgres_url)
        options = {"_clock": world.clock, "_network": lambda _: world.service}
        async with genstep.AsyncClient(world.account, ledger=where, output=tmp_path / "out", **options) as client:
            return await client.generate(prompt)

    async def insisting(prompt: str) -> genstep.Generation | None:
        """What came of it in the end; its user asks again when told that the ledger is in trouble."""
        for _ in range(5):
            try:
                return await work(prompt)
            except ConfigurationError as error:
                told.append(str(error))
        return None

    async def all_of_them() -> int:
        for number in range(1, 100):
            line.commits, line.cut, line.arrives = 0, number, arrives
            made = await insisting(f"fox {number}")
            assert made is not None, told
            assert made.assets[0].path.exists()
            assert len(world.service.charged) == number
            if line.commits < number:
                break  # it took no more of them
        return number

    told: list[str] = []
    assert run_virtual(all_of_them()) > 5
    assert all("nobody knows whether it was" in one for one in told)


# -- forks ------------------------------------------------------------------------------------------------------------


def _child(ledger: Ledger, url: str, results: Any) -> None:
    """Uses its parent's ledger, which is none of its own, then one of its own; then ends like any process."""
    try:
        ledger.fact("studio", "one")
    except ConfigurationError as error:
        results.put(str(error))
    own = Ledger(url)
    own.learn("studio", "two", 2, 0.0)
    results.put(own.fact("studio", "one"))
    own.close()
    ledger.close()
    gc.collect()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own_and_does_not_harm_its_parents(ledger, postgres_url):
    ledger.learn("studio", "one", 1, 0.0)
    backend = ledger._db._db.info.backend_pid
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_child, args=(ledger, postgres_url, results))
    child.start()
    told, found = results.get(timeout=30), results.get(timeout=30)
    child.join(30)
    assert child.exitcode == 0
    assert "is closed; make a new client" in told
    assert found == 1
    assert ledger.fact("studio", "two") == 2
    assert ledger._db._db.info.backend_pid == backend, "the parent's connection outlived the child"
    assert PASSWORD not in told
