"""Several processes on one ledger: who has a row, who polls, who lives, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.core.test_ledger import buy
from tests.core.test_ledger import request as bought

from genstep.ledger import Ledger, owner, place

CALLS = 30
OPENS = "import sys; from genstep.ledger import Ledger; book = Ledger(sys.argv[1]); print(book.owner, flush=True);"
WAITS = "sys.stdin.readline();"
CLAIMS = f"print(*(n for n in range({CALLS}) if book.claim(f'c{{n}}', 1.0) is not None), flush=True);"
LEASES = "print(book.lease('studio', 'toy', 1.0), flush=True);"
SENDS = """
from genstep.errors import BudgetExceeded
for number in numbers:
    try:
        book.sending(f"c{number}", book.claim(f"c{number}", 1000.0), 1000.0, ceiling=60)
        print(number)
    except BudgetExceeded:
        print("refused")
"""


@contextmanager
def processes(where: str, *codes: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Each with the ledger open, and waiting for a line before it goes on."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, "-c", code, where], **pipes) for code in codes]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def ledger(ledger_where):
    book = Ledger(ledger_where)
    yield book
    book.close()


def test_of_several_processes_exactly_one_gets_each_row(ledger, ledger_where):
    for number in range(CALLS):
        buy(ledger, bought(number), f"c{number}")
        ledger.release(f"c{number}", 1)
    with processes(ledger_where, *[OPENS + WAITS + CLAIMS + WAITS] * 3) as three:
        for process in three:
            process.stdout.readline()
        for process in three:
            go(process)
        taken = [number for process in three for number in process.stdout.readline().split()]
        assert sorted(map(int, taken)) == list(range(CALLS))
        assert ledger.claim("c0", 2.0) is None, "its owner lives"
    assert ledger.claim("c0", 3.0) == 3


def test_what_a_killed_process_had_is_taken_and_what_a_living_one_has_is_not(ledger, ledger_where):
    for number in range(CALLS):
        buy(ledger, bought(number), f"c{number}")
        ledger.release(f"c{number}", 1)
    with processes(ledger_where, OPENS + CLAIMS + WAITS) as (process,):
        name = process.stdout.readline().strip()
        process.stdout.readline()
        assert ledger.alive(name)
        assert {ledger.claim(f"c{number}", 1.0) for number in range(CALLS)} == {None}
        process.kill()
        process.wait()
        assert not ledger.alive(name)
        assert {ledger.claim(f"c{number}", 1.0) for number in range(CALLS)} == {3}


def test_of_several_processes_one_polls(ledger_where):
    with processes(ledger_where, *[OPENS + WAITS + LEASES + WAITS] * 3) as three:
        for process in three:
            process.stdout.readline()
        for process in three:
            go(process)
        assert sorted(process.stdout.readline().strip() for process in three) == ["False", "False", "True"]


def test_several_processes_keep_one_ceiling(ledger, ledger_where):
    for number in range(CALLS):
        buy(ledger, bought(number), f"c{number}")
        ledger.release(f"c{number}", 1)
    halves = ["numbers = range(15)", "numbers = range(15, 30)"]
    with processes(ledger_where, *[OPENS + WAITS + half + SENDS for half in halves]) as two:
        for process in two:
            process.stdout.readline()
        for process in two:
            go(process)
        refused = sum(process.communicate(timeout=60)[0].count("refused") for process in two)
    assert refused == CALLS - 12
    assert ledger.spent_today("studio", "toy", 1000.0) == 60


# -- one process, several clients -------------------------------------------------------------------------------------


def test_one_client_polls_until_it_waits_no_more(ledger, ledger_where):
    other = Ledger(ledger_where)
    assert ledger.lease("studio", "toy", 0.0)
    assert not other.lease("studio", "toy", 1.0)
    ledger.unlease("studio", "toy")
    assert other.lease("studio", "toy", 2.0)
    other.close()
    assert ledger.lease("studio", "toy", 3.0)


def test_a_client_that_holds_the_lease_and_polls_no_more_gives_way(ledger, ledger_where):
    other = Ledger(ledger_where)
    assert ledger.lease("studio", "toy", 0.0)
    assert other.lease("studio", "toy", 31.0)
    assert not ledger.lease("studio", "toy", 32.0)
    other.close()


def test_a_closed_client_gives_its_rows_back(ledger, ledger_where):
    other = Ledger(ledger_where)
    buy(other, bought(), "c1")
    other.sending("c1", 1, 1001.0)
    assert ledger.claim("c1", 1002.0) is None
    other.close()
    assert ledger.claim("c1", 1003.0) == 2


# -- where a process cannot be looked at ------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(ledger):
    """The name of a client of this ledger that is not of this machine's processes, with the age of its last sign."""

    def named(boot: str, namespace: str, age: float | None) -> str:
        name = f"{1}:{2}:{boot}:{namespace}:abcdef01"
        with ledger._change() as db:
            db.execute("DELETE FROM owners WHERE owner = ?", (name,))
            if age is not None:
                db.execute(f"INSERT INTO owners (owner, seen_at) VALUES (?, {ledger._db.clock} - ?)", (name, age))
        return name

    return named


HOST, CONTAINER = ("boot-of-another-machine", "4026531836"), (owner._boot(), "1")


def test_a_client_in_another_container_lives_while_it_gives_signs(ledger, elsewhere):
    beats = ledger._db.beat, ledger._db.unseen
    assert [ledger.alive(elsewhere(*CONTAINER, age)) for age in (0.0, *beats, None)] == [True, True, False, False]


def test_a_client_on_another_machine_lives_while_it_gives_signs_where_machines_share_the_ledger(ledger, elsewhere):
    shared = place.ledger_place(ledger.place.url or ledger.path).path is None
    beats = ledger._db.beat, ledger._db.unseen
    alive = [ledger.alive(elsewhere(*HOST, age)) for age in (0.0, *beats, None)]
    # a file is of one machine, so another boot is its past
    assert alive == ([True, True, False, False] if shared else [False] * 4)


def test_a_row_of_a_client_elsewhere_is_taken_when_its_signs_end(ledger, elsewhere):
    buy(ledger, bought(), "c1")
    name = elsewhere(*CONTAINER, 0.0)
    with ledger._change() as db:
        db.execute("UPDATE calls SET owner = ?, state = 'sending'", (name,))
    assert ledger.claim("c1", 1001.0) is None
    assert ledger.orphans("studio", "toy") == []
    elsewhere(*CONTAINER, ledger._db.unseen + 1.0)
    assert [call.id for call in ledger.orphans("studio", "toy")] == ["c1"]
    assert ledger.claim("c1", 1002.0) == 2


def test_a_client_gives_signs_also_while_the_ledger_is_locked(ledger, ledger_where):
    other = Ledger(ledger_where)
    aged = f"UPDATE owners SET seen_at = {ledger._db.clock} - 1000"
    with ledger._change() as db:
        db.execute(aged)
    with ledger._change() as db:
        if ledger._db.shared:  # a file's signs come from its one connection, and its lock is held for milliseconds
            other._give_sign()
            found = db.execute(
                f"SELECT seen_at > {ledger._db.clock} - 10 AS new FROM owners WHERE owner = ?", (other.owner,)
            )
            assert found.fetchone()["new"]
    other._give_sign()
    found = ledger._all(f"SELECT owner FROM owners WHERE seen_at > {ledger._db.clock} - 10")
    assert [row["owner"] for row in found] == [other.owner]
    other.close()


def test_many_rows_of_clients_elsewhere_are_looked_at_with_one_question(ledger, elsewhere, monkeypatch):
    for number in range(CALLS):
        buy(ledger, bought(number), f"c{number}")
    name = elsewhere(*CONTAINER, 0.0)
    with ledger._change() as db:
        db.execute("UPDATE calls SET owner = '', waiter = ?, state = 'submitted'", (name,))
    asked, execute = [], ledger._db.execute
    monkeypatch.setattr(ledger._db, "execute", lambda sql, values=(): asked.append(sql) or execute(sql, values))
    assert len(ledger.others("studio", "toy", ledger.owner)) == CALLS
    assert sum("FROM owners" in sql for sql in asked) == 1
