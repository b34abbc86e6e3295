"""A ledger's URL that cannot be used is refused before anything is sent: what is wrong, what to do, and no secret."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.postgres import GUARDED, PASSWORD

import genstep
from genstep.errors import ConfigurationError
from genstep.ledger import Ledger, ledger_place
from genstep.ledger.schema import VERSION
from genstep.sandbox.server import SandboxServer

pytestmark = pytest.mark.slow


def refusal(url: str, caplog: pytest.LogCaptureFixture) -> str:
    """What a user is told, who gave a password with the URL; nowhere is the password shown."""
    place = ledger_place(url)
    caplog.set_level("DEBUG")
    with pytest.raises(ConfigurationError) as refused:
        Ledger(place)
    assert PASSWORD in url, "the test hides nothing"
    assert PASSWORD not in everything(refused.value) + caplog.text
    assert GUARDED not in str(refused.value)
    return str(refused.value)


def everything(error: BaseException | None) -> str:
    """All that a traceback with local variables shows of an error and of those before it."""
    lines: list[str] = []
    while error is not None:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        found.stack[:] = [frame for frame in found.stack if frame.filename != __file__]
        lines += [str(error), repr(error), *found.format(chain=False)]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that answers this to whatever it is told, connection after connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    first = connection.recv(4096)
                    if first[4:8] == struct.pack("!I", 80877103) and answer[:1] == b"R":  # "is TLS spoken here?"
                        connection.sendall(b"N")
                        connection.recv(4096)
                    connection.sendall(answer)
                    connection.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def said(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("!I", len(data) + 4) + data


# -- who and where ----------------------------------------------------------------------------------------------------


def test_a_wrong_password(postgres_server, postgres_url, caplog):
    wrong = postgres_server.guarded(postgres_url).replace(PASSWORD, PASSWORD + "-wrong")
    assert "refused the URL's name or password" in refusal(wrong, caplog)


def test_an_unknown_database(postgres_server, caplog):
    url = f"postgresql://genstep:{PASSWORD}@127.0.0.1:{postgres_server.port}/nowhere"
    told = refusal(url, caplog)
    assert f"postgresql://127.0.0.1:{postgres_server.port}/nowhere" in told
    assert "no such database" in told


def test_an_unknown_host(caplog):
    assert "host is not known" in refusal(f"postgresql://{GUARDED}:{PASSWORD}@nowhere.invalid/art", caplog)


def test_a_port_on_which_nobody_answers(caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "cannot be reached" in refusal(f"postgresql://{GUARDED}:{PASSWORD}@127.0.0.1:{port}/art", caplog)


def test_a_port_on_which_something_else_answers(caplog):
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        told = refusal(f"postgresql://{GUARDED}:{PASSWORD}@127.0.0.1:{port}/art", caplog)
    assert "no PostgreSQL server" in told


def test_a_server_that_is_too_old(caplog):
    parameters = {b"server_version": b"9.6.24", b"server_encoding": b"UTF8", b"client_encoding": b"UTF8"}
    hello = said(b"R", struct.pack("!I", 0))
    hello += b"".join(said(b"S", name + b"\0" + value + b"\0") for name, value in parameters.items())
    with answering(hello + said(b"Z", b"I")) as port:
        told = refusal(f"postgresql://{GUARDED}:{PASSWORD}@127.0.0.1:{port}/art", caplog)
    assert "is PostgreSQL 9; upgrade it to 12 or newer" in told


def test_a_setting_that_postgresqls_library_does_not_know(caplog):
    url = f"postgresql://{GUARDED}:{PASSWORD}@127.0.0.1/art?no_such_setting=1"
    assert "does not know" in refusal(url, caplog)


def test_a_database_that_cannot_hold_every_text(postgres_server, caplog):
    postgres_server.execute("CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = f"postgresql://genstep:{PASSWORD}@127.0.0.1:{postgres_server.port}/narrow"
    assert "encoding is LATIN1" in refusal(url, caplog)


def test_without_psycopg_the_extra_is_named(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "genstep.ledger.postgres", raising=False)
    assert "pip install 'genstep[postgres]'" in refusal(f"postgresql://{GUARDED}:{PASSWORD}@127.0.0.1/art", caplog)


def test_a_server_without_a_free_connection(postgres_server, postgres_url, caplog):
    postgres_server.execute("ALTER ROLE guarded CONNECTION LIMIT 0")
    try:
        assert "no free connection" in refusal(postgres_server.guarded(postgres_url), caplog)
    finally:
        postgres_server.execute("ALTER ROLE guarded CONNECTION LIMIT -1")


# -- what the user may do there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("SELECT 1", "no schema that this user may use"),
        ("GRANT USAGE ON SCHEMA {schema} TO guarded", "grant CREATE on the schema"),
    ],
)
def test_a_user_who_may_make_no_tables(postgres_server, postgres_url, caplog, grant, told):
    postgres_server.execute(grant.format(schema=schema(postgres_url)))
    assert told in refusal(postgres_server.guarded(postgres_url), caplog)


def test_a_user_who_may_only_read(postgres_server, postgres_url, caplog):
    Ledger(postgres_url).close()
    name = schema(postgres_url)
    grant = f"GRANT USAGE ON SCHEMA {name} TO guarded", f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO guarded"
    postgres_server.execute(*grant)
    assert "may not make or write its tables" in refusal(postgres_server.guarded(postgres_url), caplog)


def test_a_user_with_all_that_is_needed_and_no_more(postgres_server, postgres_url):
    postgres_server.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema(postgres_url)} TO guarded")
    ledger = Ledger(postgres_server.guarded(postgres_url))
    ledger.learn("studio", "one", 1, 0.0)
    assert ledger.fact("studio", "one") == 1
    ledger.close()


def test_a_server_that_takes_no_writes(postgres_server, postgres_url, caplog):
    url = postgres_url.replace("genstep@", f"genstep:{PASSWORD}@") + "%20-cdefault_transaction_read_only%3Don"
    assert "read-only" in refusal(url, caplog)


def test_a_table_of_another_program(postgres_server, postgres_url, caplog):
    postgres_server.execute(f"CREATE TABLE {schema(postgres_url)}.requests (id INTEGER)")
    told = refusal(postgres_url.replace("genstep@", f"genstep:{PASSWORD}@"), caplog)
    assert "a database for the ledger alone" in told


def test_a_ledger_of_a_newer_version(postgres_server, postgres_url, caplog):
    Ledger(postgres_url).close()
    postgres_server.execute(f"UPDATE {schema(postgres_url)}.genstep_ledger SET version = {VERSION + 1}")
    assert "newer genstep" in refusal(postgres_url.replace("genstep@", f"genstep:{PASSWORD}@"), caplog)


def test_a_ledger_that_another_session_keeps_locked(postgres_url):
    one, two = Ledger(postgres_url), Ledger(postgres_url, patience=0.1)
    try:
        with one._change(), pytest.raises(ConfigurationError, match=r"locked for 0\.1 s; see pg_stat_activity"):
            two.learn("studio", "one", 1, 0.0)
        two.learn("studio", "one", 2, 0.0)
        assert one.fact("studio", "one") == 2
    finally:
        one.close()
        two.close()


# -- with a client ----------------------------------------------------------------------------------------------------


def test_a_generation_is_bought_once_and_answered_to_another_client(postgres_url, monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    with SandboxServer(speed=200, long_side=64) as server:
        account = on(server)
        made = []
        for _ in range(2):
            with genstep.Client(account, ledger=postgres_url, output=tmp_path / "out") as client:
                made.append(client.generate("a fox"))
        assert server.control.submits("conceptviz") == 1
    assert [one.from_cache for one in made] == [False, True]
    assert made[1].assets[0].sha256 == made[0].assets[0].sha256


def test_with_a_ledger_that_cannot_be_used_nothing_is_sent(postgres_server, postgres_url, monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    with (
        SandboxServer(speed=200, long_side=64) as server,
        genstep.Client(on(server), ledger=postgres_server.guarded(postgres_url), output=tmp_path / "out") as client,
    ):
        with pytest.raises(ConfigurationError, match="no schema that this user may use"):
            client.generate("a fox")
        assert server.control.submits("conceptviz") == 0


def on(server: SandboxServer) -> genstep.Account:
    asset_host = server.asset_url.split("//")[1]
    base_url, key = server.base("conceptviz"), "cvk_fakefakefake"
    return genstep.Account(provider="conceptviz", api_key=key, base_url=base_url, allowed_hosts=(asset_host,))


def schema(url: str) -> str:
    return url.rpartition("%3D")[2]


def test_the_ledgers_of_one_server_have_spools_of_their_own(monkeypatch, tmp_path):
    from genstep.client.session import spool_folder

    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path))
    urls = ("postgresql://a:obviously-fake@db/art", "postgresql://a:changed@db/art", "postgresql://a@db/other")
    one, same, other = (spool_folder(ledger_place(url)) for url in urls)
    assert one == same != other
    assert Path(one).parent == tmp_path
