"""A ledger of the first version: brought to the newest with all that is in it, by one of many, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.core.test_ledger import buy
from tests.core.test_ledger import request as bought
from tests.core.toy_world import World, set_up

import genstep
from genstep import errors
from genstep.ledger import Ledger, Settled, database, ledger_place
from genstep.ledger.schema import MIGRATIONS, VERSION
from genstep.testing import run_virtual

#: the tables of version 1, and what version 2 added to one of them
TABLES = ("requests", "calls", "items", "assets", "account_facts", "deliveries")
ADDED = ("waiter", "found")
STATES = ["intent", "sending", "submitted", "processing", "completed", "saved", "failed", "cancelled", "uncertain"]
OPENS = "import sys; from genstep.ledger import Ledger; sys.stdin.readline(); book = Ledger(sys.argv[1]);"


def engine_of(where: str) -> Any:
    return database._open(ledger_place(where), 30.0)


def as_version_1(where: str, source: Ledger) -> None:
    """A ledger as version 1 left it, with what is in another."""
    db = engine_of(where)
    db.begin()
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    for table in TABLES:
        for row in source._all(f"SELECT * FROM {table}"):
            values = {name: value for name, value in row.items() if name not in ADDED}
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
    db.set_version(1)
    db.commit()
    db.close()


def content(where: str) -> dict[str, Any]:
    """The version, and all rows as version 1 knew them, whatever the version is; nothing is migrated."""
    db = engine_of(where)
    try:
        db.begin()
        found: dict[str, Any] = {"version": db.version()}
        for table in TABLES:
            rows = [dict(row) for row in db.execute(f"SELECT * FROM {table}").fetchall()]
            known = [{name: value for name, value in row.items() if name not in ADDED} for row in rows]
            found[table] = sorted(known, key=repr)
        db.rollback()
        return found
    finally:
        db.close()


def in_every_state(book: Ledger) -> None:
    """A call in each state, a webhook's delivery, and what was learned of an account."""
    book.learn("studio", "batch:image", 3, 1000.0)
    for number, state in enumerate(STATES):
        call = f"c-{state}"
        buy(book, bought(number), call)
        if state in ("intent", "cancelled"):
            book.cancelled(call, 1001.0, refunded=True) if state == "cancelled" else None
            continue
        book.sending(call, 1, 1001.0)
        if state == "uncertain":
            book.uncertain(call, 1, 1002.0, errors.SubmissionUncertain("lost"))
        elif state == "failed":
            book.failed(call, 1, 1002.0, errors.GenerationFailed("no", refunded=True), refunded=True)
        elif state != "sending":
            book.accepted(call, 1, 1002.0, Settled(charged=5, balance=90, job_id=f"job-{state}"))
        if state == "processing":
            book.progress(1003.0, {call: 0.5})
        elif state in ("completed", "saved"):
            book.completed(call, None, 1003.0, Settled())
        if state == "saved":
            book.saved(call, book.claim(call, 1004.0), 1004.0, [])
    book.deliver("toy", "done", "job-submitted", '{"a": 1}', verified=True, now=1005.0)


@pytest.fixture
def old(ledger_where, tmp_path):
    """A ledger of version 1 with a call in every state; its owners are gone."""
    source = Ledger(tmp_path / "source.db")
    in_every_state(source)
    as_version_1(ledger_where, source)
    source.close()
    return ledger_where


def test_all_that_was_in_it_is_there_afterwards(old):
    before = content(old)
    book = Ledger(old)
    try:
        assert content(old) == {**before, "version": VERSION}
        calls = [book.call(f"c-{state}") for state in STATES]
        assert [call.state for call in calls] == STATES
        assert all((call.waiter, call.found) == ("", None) for call in calls)
        assert book.spent_today("studio", "toy", 1010.0) == 30, "all but the refunded, and those never sent"
        assert book.fact("studio", "batch:image") == 3
        assert book.delivered("studio", "toy") == [("c-submitted", '{"a": 1}', True)]
        taken_up = {call.id for call in book.orphans("studio", "toy")}
        assert taken_up == {f"c-{state}" for state in ("sending", "submitted", "processing", "completed", "uncertain")}
    finally:
        book.close()


def test_a_client_goes_on_where_the_old_version_stopped(ledger_where, monkeypatch, tmp_path):
    set_up(monkeypatch, tmp_path)
    world = World(tmp_path)
    seams = {"_clock": world.clock, "_network": lambda _: world.service}

    async def work():
        async with world.client() as client:
            saved = await client.generate("a saved fox")
            world.service.duration = 200.0
            running = await client.submit("a running fox")
            as_version_1(ledger_where, client._session.ledger)
        async with genstep.AsyncClient(world.account, ledger=ledger_where, output=tmp_path / "out", **seams) as client:
            again = await client.generate("a saved fox")
            assert (again.from_cache, again.assets[0].sha256) == (True, saved.assets[0].sha256)
            done = await client.resume(running.id, timeout=10_000)
            assert done.assets[0].path.exists()
            assert {job.status for job in await client.jobs()} == {"completed"}

    run_virtual(work())
    assert len(world.service.charged) == 2


def test_several_processes_migrate_it_once(old):
    before = content(old)
    start = [sys.executable, "-c", OPENS + "print(len(book.requests())); book.close()", old]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(start, **pipes) for _ in range(4)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert said == [str(len(STATES))] * 4
    assert content(old) == {**before, "version": VERSION}


#: the ledger's process is killed before a statement of the migration, or around its commit
KILLS = """
import os, signal, sys
from genstep.ledger import Ledger, database
at, seen = sys.argv[2], 0

def doomed(place, patience, open=database._open):
    engine = open(place, patience)
    execute, commit = engine.execute, engine.commit
    def counted(sql, values=()):
        global seen
        seen += sql.startswith(("ALTER", "CREATE TABLE", "CREATE INDEX"))
        if at == str(seen):
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, values)
    def last():
        if at == "before the commit":
            os.kill(os.getpid(), signal.SIGKILL)
        commit()
        os.kill(os.getpid(), signal.SIGKILL)
    engine.execute, engine.commit = counted, last
    return engine

database._open = doomed
Ledger(sys.argv[1])
"""


@pytest.mark.parametrize("at", ["1", "3", "6", "before the commit", "after the commit"])
def test_a_migration_that_is_killed_is_made_whole_or_not_at_all(old, at):
    before = content(old)
    killed = subprocess.run([sys.executable, "-c", KILLS, old, at], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert content(old) == {**before, "version": VERSION if at == "after the commit" else 1}
    book = Ledger(old)
    book.learn("studio", "still", "used", 0.0)
    assert [book.call(f"c-{state}").state for state in STATES] == STATES
    book.close()
