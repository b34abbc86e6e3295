"""The ledger on a real PostgreSQL server: the same records, the same refusals, and errors that say what to do."""

from __future__ import annotations

import psycopg
import pytest

import genstep
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger
from genstep.ledger.schema import VERSION
from genstep.sandbox.server import SandboxServer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))


def test_a_generation_is_bought_once_and_answered_to_another_client(postgres_url, tmp_path):
    with SandboxServer(speed=200, long_side=64) as server:
        account = genstep.Account(
            provider="conceptviz",
            api_key="cvk_fakefakefake",
            base_url=server.base("conceptviz"),
            allowed_hosts=(server.asset_url.split("//")[1],),
        )
        made = []
        for _ in range(2):
            with genstep.Client(account, ledger=postgres_url, output=tmp_path / "out") as client:
                made.append(client.generate("a fox"))
        assert server.control.submits("conceptviz") == 1
    assert [one.from_cache for one in made] == [False, True]
    assert made[1].assets[0].sha256 == made[0].assets[0].sha256


def test_one_client_polls_until_it_waits_no_more(postgres_url):
    one, two = Ledger(postgres_url), Ledger(postgres_url)
    try:
        assert one.lease("studio", "toy", 0.0)
        assert not two.lease("studio", "toy", 1.0)
        one.unlease("studio", "toy")
        assert two.lease("studio", "toy", 2.0)
        two.close()
        assert one.lease("studio", "toy", 3.0)
    finally:
        one.close()
        two.close()


def test_a_client_that_holds_the_lease_and_polls_no_more_gives_way(postgres_url):
    one, two = Ledger(postgres_url), Ledger(postgres_url)
    try:
        assert one.lease("studio", "toy", 0.0)
        assert two.lease("studio", "toy", 31.0)
        assert not one.lease("studio", "toy", 32.0)
    finally:
        one.close()
        two.close()


def test_a_ledger_of_a_newer_version_is_refused(postgres_url):
    Ledger(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute(f"UPDATE genstep_ledger SET version = {VERSION + 1}")
    with pytest.raises(ConfigurationError, match="newer"):
        Ledger(postgres_url)


def test_a_server_that_takes_no_writes_is_refused(postgres_url):
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(ConfigurationError) as refused:
        Ledger(postgres_url)
    assert "read-only" in str(refused.value)


def test_a_database_that_is_not_there_is_named_without_a_password(postgres_url):
    wrong = postgres_url.replace("genstep@", "genstep:fake_pw_in_test@") + "_missing"
    with pytest.raises(ConfigurationError) as refused:
        Ledger(wrong)
    assert "_missing" in str(refused.value)
    assert "fake_pw_in_test" not in str(refused.value)


def test_a_connection_that_was_killed_is_made_again(postgres_url):
    ledger = Ledger(postgres_url)
    try:
        ledger.learn("studio", "one", 1, 0.0)
        with psycopg.connect(postgres_url, autocommit=True) as db:
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        ledger.learn("studio", "two", 2, 0.0)
        assert (ledger.fact("studio", "one"), ledger.fact("studio", "two")) == (1, 2)
    finally:
        ledger.close()
