"""A ledger's file that cannot be used: full, read-only, damaged, locked or misplaced, said before anything is sent."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest
from tests.core import disks
from tests.core.test_ledger import buy
from tests.core.test_ledger import request as bought

import genstep
from genstep import config
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger, Settled, disk
from genstep.ledger.schema import VERSION


def refusal(path):
    """What a user is told; nothing was sent, and nothing is left open."""
    with pytest.raises(ConfigurationError) as refused:
        Ledger(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def grown(path, requests=40):
    """A ledger of several pages."""
    ledger = Ledger(path)
    for number in range(requests):
        buy(ledger, bought(number), f"c{number}")
        ledger.sending(f"c{number}", 1, 1000)
        ledger.accepted(f"c{number}", 1, 1001, Settled(charged=5, job_id=f"job{number}"))
    ledger.close()
    return path


# -- full -------------------------------------------------------------------------------------------------------------


def test_a_full_disk_holds_no_new_ledger(tmp_path):
    with disks.mounted(tmp_path / "disk") as folder, disks.full(folder):
        told = refusal(folder / "ledger.db")
    assert "its disk is full" in told
    assert "make room" in told


def test_where_files_may_not_grow_there_is_no_new_ledger(tmp_path):
    with disks.no_longer_files(8192):
        told = refusal(tmp_path / "ledger.db")
    assert "its disk is full, or failed" in told


@pytest.mark.parametrize("how", ["a full disk", "a limit on files"])
def test_a_disk_that_fills_up_later_changes_nothing_and_goes_on_when_there_is_room(tmp_path, how, request):
    if how == "a full disk":
        folder = request.getfixturevalue("small_disk")
        filled = disks.full(folder)
    else:
        folder, filled = tmp_path, disks.no_longer_files(4096)
    ledger = Ledger(folder / "ledger.db")

    def buy_many():
        for number in range(2, 2000):  # a file has room left in it
            buy(ledger, bought(number), f"c{number}")

    with filled, pytest.raises(ConfigurationError, match="cannot be written: its disk is full"):
        buy_many()
    known = ledger.requests()
    assert all(len(ledger.calls(row.id)) == 1 for row in known), "a request is there with its call, or not at all"
    buy(ledger, bought(5000), "c5000")
    assert len(ledger.requests()) == len(known) + 1
    ledger.close()


@pytest.fixture
def small_disk(tmp_path):
    with disks.mounted(tmp_path / "disk") as folder:
        yield folder


# -- not to be written ------------------------------------------------------------------------------------------------


def test_a_disk_that_is_mounted_for_reading_only(small_disk):
    path = grown(small_disk / "ledger.db", 3)
    disks.remount(small_disk, "ro")
    told = refusal(path)
    assert "this user may not write it or its folder" in told


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_or_folder_that_this_user_may_not_write(tmp_path, what):
    folder = tmp_path / "folder"
    path = grown(folder / "ledger.db")
    for each in folder.iterdir() if what == "file" else [folder]:
        each.chmod(0o400 if what == "file" else 0o500)
    try:
        assert "this user may not write it or its folder" in refusal(path)
    finally:
        folder.chmod(0o700)


# -- not a ledger -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_damaged_in_the_middle(tmp_path):
    path = grown(tmp_path / "ledger.db")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = b"\xa5" * 8192
    path.write_bytes(data)
    told = refusal(path)
    assert "it is damaged" in told
    assert "put a copy from before in its place" in told


def test_a_file_that_was_cut_off(tmp_path):
    path = grown(tmp_path / "ledger.db")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "it is damaged" in refusal(path)


@pytest.mark.parametrize("content", [b"this is no database, not at all" * 50, b"\x00" * 4096])
def test_a_file_of_something_else(tmp_path, content):
    (tmp_path / "l.db").write_bytes(content)
    assert "it is damaged, or no ledger" in refusal(tmp_path / "l.db")
    assert (tmp_path / "l.db").read_bytes() == content


def test_a_ledger_of_a_newer_version(tmp_path):
    path = grown(tmp_path / "ledger.db", 1)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    assert "newer genstep" in refusal(path)


def test_another_programs_database(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE requests (id INTEGER)")
    db.close()
    assert "requests already exists" in refusal(tmp_path / "other.db")


# -- not there --------------------------------------------------------------------------------------------------------


def test_a_folder(tmp_path):
    assert "it is a folder; name a file in it" in refusal(tmp_path)


@pytest.mark.parametrize("rest", ["", "/ledger.db"])
def test_links_that_lead_in_a_circle(tmp_path, rest):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    told = refusal(f"{tmp_path / 'a'}{rest}")
    assert ("lead in a circle" if not rest else "no folder") in told


def test_a_file_in_place_of_its_folder(tmp_path):
    (tmp_path / "file").touch()
    for rest in ("ledger.db", "deeper/ledger.db"):
        assert "a part of its path is no folder" in refusal(tmp_path / "file" / rest)


def test_a_link_to_a_ledger_that_is_yet_to_be_made(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    Ledger(tmp_path / "link.db").close()
    assert (tmp_path / "real.db").stat().st_mode & 0o077 == 0


def test_a_network_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(disk, "network_file_system", lambda path, mounts: "nfs4" if path.endswith("l.db") else None)
    told = refusal(tmp_path / "l.db")
    assert "network file system (nfs4)" in told
    assert "PostgreSQL URL" in told
    assert not (tmp_path / "l.db").exists()


@pytest.mark.parametrize("name", ["config_file", "home"])
def test_a_user_without_a_home(monkeypatch, tmp_path, name):
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "GENSTEP_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for a user whom the system lacks
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="no home folder; set GENSTEP_HOME"):
        getattr(config, name)()
    assert list(tmp_path.iterdir()) == []


# -- in use -----------------------------------------------------------------------------------------------------------


def test_a_file_that_another_program_keeps_locked(tmp_path):
    path = grown(tmp_path / "ledger.db", 1)
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, path], text=True, **pipes) as other:
        other.stdout.readline()
        with pytest.raises(ConfigurationError, match=r"has kept it locked for 0\.1 s; end that process"):
            Ledger(path, patience=0.1)
        other.communicate()
    Ledger(path, patience=0.1).close()


def test_nothing_is_sent_with_a_ledger_that_cannot_be_used(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    account = genstep.Account(provider="conceptviz", api_key="cvk_fakefakefake", base_url=sandbox.base("conceptviz"))
    (tmp_path / "l.db").write_bytes(b"\x00" * 4096)
    with genstep.Client(account, ledger=tmp_path / "l.db", output=tmp_path / "out") as client:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="nothing was sent"):
                client.generate("a fox")
    assert sandbox.control.submits("conceptviz") == 0
