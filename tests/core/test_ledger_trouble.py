"""A ledger that fails in the middle of a generation: whichever write it is, what was paid for is had in the end."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import pytest
from tests.core import disks
from tests.core.command import QUICK, Command
from tests.core.toy_world import World, set_up

import genstep
from genstep.client import session
from genstep.client.spool import Spool
from genstep.errors import ConfigurationError, GenstepError, SubmissionUncertain
from genstep.ledger import Ledger
from genstep.ledger.sqlite import SQLite
from genstep.testing import run_virtual

FOR_LONG = 10**9


@pytest.fixture(params=["toy", "blockingtoy"])
def world(request, monkeypatch, tmp_path):
    set_up(monkeypatch, tmp_path)
    return World(tmp_path, request.param)


class Full:
    """SQLite's commits as on a disk that is full from commit ``start`` on, for ``length`` of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.start = self.length = self.seen = 0
        commit = SQLite.commit

        def fails(engine: SQLite) -> None:
            self.seen += 1
            if self.start <= self.seen < self.start + self.length:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            commit(engine)

        monkeypatch.setattr(SQLite, "commit", fails)


async def _generate(world, prompt):
    async with world.client() as client:
        return await client.generate(prompt, timeout=300)


@pytest.mark.parametrize("length", [1, 2, FOR_LONG])
def test_whichever_write_fails_it_is_paid_once_and_had(world, monkeypatch, length):
    full = Full(monkeypatch)

    async def all_of_them() -> int:
        for number in range(1, 100):
            full.seen, full.start, full.length = 0, number, length
            made, told = None, []
            for _ in range(4):
                try:
                    made = await _generate(world, f"fox {number}")
                    break
                except GenstepError as error:
                    told.append(error)
                    full.length = 0 if length == FOR_LONG else full.length
            assert made is not None, told
            assert all("its disk is full" in str(error) for error in told)
            assert made.assets[0].path.exists()
            assert len(world.service.charged) == number, told
            if full.seen < number:
                break  # it took no more of them
        return number

    assert run_virtual(all_of_them()) > 5


# -- on a real disk, which holds the kept replies too -----------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    with disks.mounted(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
def filling(monkeypatch, disk):
    """Fill the disk when a method is first called, until ``close``."""
    with contextlib.ExitStack() as filled:

        def at(owner: type, name: str) -> contextlib.ExitStack:
            method, calls = getattr(owner, name), []

            def first_fills(*values: object, **named: object) -> object:
                if not calls:
                    filled.enter_context(disks.full(disk))
                calls.append(name)
                return method(*values, **named)

            monkeypatch.setattr(owner, name, first_fills)
            return filled

        yield at


def on_disk(world, disk):
    seams = {"_clock": world.clock, "_network": lambda _: world.service}
    return genstep.AsyncClient(world.account, ledger=disk / "ledger.db", output=world.folder / "out", **seams)


@pytest.mark.parametrize("moment", ["open", "sending"])
def test_a_disk_that_is_full_before_the_paid_call_costs_nothing(world, disk, filling, moment):
    full = filling(Ledger, moment)

    async def work():
        async with on_disk(world, disk) as client:
            with pytest.raises(ConfigurationError, match="disk is full") as told:
                await client.generate("a fox", timeout=300)
            assert world.service.charged == []
            full.close()
            made = await client.generate("a fox", timeout=300)
            assert told.value.job_id in (None, made.id)
            return made

    assert run_virtual(work()).assets[0].path.exists()
    assert len(world.service.charged) == 1


def test_on_a_disk_with_hardly_any_room_nothing_is_sent(world, disk):
    async def work():
        async with on_disk(world, disk) as client:
            await client.jobs()
            left = shutil.disk_usage(disk).free - 500_000
            (disk / "other").write_bytes(b"x" * left)
            with pytest.raises(ConfigurationError, match=r"bytes are left on its disk; make room.*nothing was sent"):
                await client.generate("a fox", timeout=300)

    run_virtual(work())
    assert world.service.charged == []


def test_where_no_reply_could_be_kept_nothing_is_sent_though_the_ledger_is_elsewhere(world, disk, monkeypatch):
    (disk / "spool").mkdir()
    disks.remount(disk, "ro")
    monkeypatch.setattr(session, "spool_folder", lambda _: disk / "spool")

    async def work():
        async with world.client() as client:
            with pytest.raises(
                ConfigurationError, match=r"replies of paid calls are kept.*may not write it.*nothing was sent"
            ):
                await client.generate("a fox", timeout=300)

    run_virtual(work())
    assert world.service.charged == []


@pytest.mark.parametrize("moment", ["the reply", "the answer", "saved"])
def test_a_disk_that_fills_up_after_the_paid_call_loses_nothing(world, disk, filling, moment):
    blocking = world.account.provider == "blockingtoy"
    answer = (Ledger, "completed" if blocking else "accepted")
    full = filling(*{"the reply": (Spool, "_write"), "the answer": answer, "saved": (Ledger, "saved")}[moment])

    async def work():
        async with on_disk(world, disk) as client:
            with pytest.raises(ConfigurationError, match="disk is full") as told:
                await client.generate("a fox", timeout=300)
            assert len(world.service.charged) == 1
            if moment != "saved":
                assert "took the paid call" in str(told.value)
                assert blocking or "as its job job1" in str(told.value)
            full.close()
            if moment == "the reply":  # kept in memory, and on disk when the client is closed
                assert list(disk.glob("spool/*")) == []
        async with on_disk(world, disk) as client:
            return await client.resume(told.value.job_id)

    made = run_virtual(work())
    assert made.assets[0].path.exists()
    assert len(world.service.charged) == 1


def test_a_reply_that_no_disk_took_is_perhaps_charged_when_its_process_is_gone(world, disk, filling):
    full = filling(Spool, "_write")

    async def work():
        async with on_disk(world, disk) as client:
            with pytest.raises(ConfigurationError) as told:
                await client.generate("a fox", timeout=300)
        full.close()
        async with on_disk(world, disk) as client:
            with pytest.raises(SubmissionUncertain, match="perhaps charged"):
                await client.resume(told.value.job_id)
            if world.account.provider == "toy":  # its job was named by the error
                return await client.resume(told.value.job_id, claim="job1")
            with pytest.raises(SubmissionUncertain):
                await client.generate("a fox")
        return None

    made = run_virtual(work())
    assert made is None or made.assets[0].path.exists()
    assert len(world.service.charged) == 1


def test_the_command_line_says_how_to_go_on(tmp_path, monkeypatch, capfd):
    command = Command(tmp_path, monkeypatch, capfd)
    fails = Full(monkeypatch)
    resumed = 0
    for number in (1, 3, 4, 5):
        fails.seen, fails.start, fails.length = 0, number, 10**9
        ran = command("generate", *QUICK, f"fox {number}")
        fails.length = 0
        assert ran.code == 2
        assert "its disk is full" in " ".join(ran.err.split())
        for job in (row for row in command("jobs", "--json").objects if row["status"] in ("pending", "processing")):
            assert f"go on with: genstep resume {job['id']}" in " ".join(ran.err.split())
            assert command("resume", job["id"]).code == 0
            resumed += 1
    assert resumed >= 2
