"""The ledger in a PostgreSQL database, which several machines share; psycopg is loaded with this module."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from genstep import redact
from genstep.errors import ConfigurationError
from genstep.ledger.engine import SIGN, TROUBLE, Cursor, Row, unusable

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.pq import TransactionStatus
    from psycopg.rows import dict_row
except ImportError:
    raise ConfigurationError(
        "a ledger on PostgreSQL needs psycopg: pip install 'genstep[postgres]'; nothing was sent"
    ) from None

if TYPE_CHECKING:
    from genstep.ledger.place import Place

#: the oldest version of the server that is taken; psycopg and the SQL go further back, our tests do not
OLDEST = 12
#: seconds for which a server that went away in the middle may take to come back, as it does in a restart
RETURN = 20.0
#: any number, but the same in every version: writers of one database wait for each other on it
LOCK = 0x67656E73746570
#: sent where the URL does not say otherwise: a server that is gone is noticed in seconds, not in hours
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "genstep",
}
_FULL = "the server has no free connection; raise its max_connections, or end other clients"
_STARTING = "the server is starting or stopping; try again in a moment"
_GONE = "the server cannot be reached; see that it runs, and that host and port of the URL are right"
#: what is wrong and what to do, by words of libpq's messages, which have no codes before there is a connection
_REFUSED = (
    (("starting up", "shutting down", "recovery mode", "administrator command"), _STARTING),
    (("resolve", "translate host"), "its host is not known; correct the host in the URL"),
    (("invalid response", "protocol"), "what answers there is no PostgreSQL server; correct host and port of the URL"),
    (("slots", "too many"), _FULL),
    (("password", "pg_hba", "authentication", "role"), "the server refused the URL's name or password; correct them"),
    (("database",), "the server has no such database, or this user may not enter it; make it with createdb"),
    (("ssl", "certificate"), "no safe connection could be made; see sslmode and the certificates of server and URL"),
)
#: the same by SQLSTATE, once there is a connection
_TROUBLE = {
    "42501": "this user of the server may not make or write its tables; grant CREATE on the schema, and the tables",
    "25006": "the server takes no writes (it is read-only, or a standby); name the primary server",
    "53100": "the server's disk is full; make room there, and try again",
    "53300": _FULL,
    "42P07": "another program has a table of the same name there; make a database for the ledger alone",
    "42P01": "a table of it is missing; put a backup in its place, or make a new database",
    "57014": "the server stopped a statement for the time it took; raise statement_timeout for this user",
    "3F000": "there is no schema that this user may use; make one with USAGE and CREATE for it, or correct search_path",
}
#: what the server says when it ends a session: shut down, crashed, starting, idle for longer than it allows
_ENDED = ("57P01", "57P02", "57P03", "57P05", "25P03")


class PostgreSQL:
    """One connection, opened anew where it was lost between transactions. ``patience``: seconds to wait for a lock."""

    shared = True
    beat, unseen = 3.0, 12.0
    clock = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
    errors: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, place: Place, patience: float) -> None:
        self._place, self._patience = place, patience
        self._signs: psycopg.Connection[Row] | None = None
        self._changing = self._ended = self._opened = False
        self.patient = True
        redact.install_log_filter(("psycopg",))
        self._db = self._connect()
        self._opened = True

    def _connect(self, until: float = 0.0) -> psycopg.Connection[Row]:
        """A new connection; a server that is away has ``until`` then, by the monotonic clock, to come back."""
        while not self._ended:
            try:
                db: psycopg.Connection[Row] = psycopg.connect(
                    _with_ours(self._place.url),
                    autocommit=True,
                    row_factory=dict_row,
                    # values are quoted here, so that the server takes them for what the column is, as SQLite does
                    cursor_factory=psycopg.ClientCursor,
                )
            except psycopg.Error as error:
                why = _refusal(error)
            else:
                why = _unfit(db)
                if not why:
                    return db
                db.close()
            # outside of the except clause: libpq's error may repeat the URL, and would be this one's context
            if why not in (_GONE, _STARTING) or time.monotonic() >= until:
                if not self._opened:
                    raise unusable(str(self._place), why)
                raise ConfigurationError(f"the ledger {self._place} cannot be used any more: {why}", code=TROUBLE)
            time.sleep(0.1)
        raise ConfigurationError(f"the ledger {self._place} is closed; make a new client")

    def _renew(self) -> None:
        self._db.close()
        self._db = self._connect(time.monotonic() + (RETURN if self.patient else 0.0))

    def _lost(self, error: BaseException) -> bool:
        """Whether there is no connection any more; libpq may notice it after the server's last word on it."""
        return self._db.closed or getattr(error, "sqlstate", None) in _ENDED

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        if self._db.closed and not self._changing:
            self._renew()
        try:
            return _execute(self._db, sql, values)
        except psycopg.OperationalError as error:
            # a read outside of a transaction may be asked twice; nothing is written there
            if self._changing or not self._lost(error):
                raise
        self._renew()
        return _execute(self._db, sql, values)

    def begin(self) -> None:
        # One writer at a time, as with SQLite's BEGIN IMMEDIATE: what a transaction reads (who owns a row, what is
        # left of a ceiling) is still so when it writes. A lock of rows would miss those that are yet to be written.
        # READ COMMITTED, for its snapshots are younger than the lock; and no commit may be lost with a server's crash.
        start = (
            "BEGIN ISOLATION LEVEL READ COMMITTED; "
            f"SET LOCAL lock_timeout = {round(self._patience * 1000)}; "
            f"SELECT pg_advisory_xact_lock({LOCK}), CASE WHEN current_setting('synchronous_commit') = 'off' "
            "THEN set_config('synchronous_commit', 'on', true) END"
        )
        self._changing = True
        try:
            _execute(self._db, start)
            return
        except psycopg.OperationalError as error:
            if not self._lost(error):
                raise
        self._renew()  # lost since the last transaction, and nothing was executed in this one
        _execute(self._db, start)

    def commit(self) -> None:
        try:
            _execute(self._db, "COMMIT")
        except psycopg.OperationalError as error:
            if not self._lost(error):
                raise
            raise ConfigurationError(
                f"the connection to the ledger {self._place} was lost while a change was being written, and nobody "
                "knows whether it was; see that the server runs, and ask for the same again: it is not paid twice",
                code=TROUBLE,
            ) from None
        self._changing = False

    def rollback(self) -> None:
        self._changing = False
        if self._db.closed or self._db.info.transaction_status == TransactionStatus.IDLE:
            return
        try:
            _execute(self._db, "ROLLBACK")
        except psycopg.Error:
            with suppress(psycopg.Error):
                self._db.close()

    def version(self) -> int:
        found = self.execute("SELECT to_regclass('genstep_ledger') IS NOT NULL AS there").fetchone()
        if not found["there"]:
            return 0
        rows = self.execute("SELECT version FROM genstep_ledger").fetchall()
        if len(rows) != 1:
            raise unusable(str(self._place), "its table genstep_ledger must have one row; restore it from a backup")
        return int(rows[0]["version"])

    def set_version(self, number: int) -> None:
        self.execute("CREATE TABLE IF NOT EXISTS genstep_ledger (version INTEGER NOT NULL)")
        self.execute("DELETE FROM genstep_ledger")
        self.execute("INSERT INTO genstep_ledger (version) VALUES (?)", (number,))

    def sign(self, owner: str) -> None:
        # on a connection of its own: the ledger's may be waiting for the lock longer than a sign may be late
        if self._signs is None or self._signs.closed:
            self._signs = self._connect()
        try:
            _execute(self._signs, SIGN.format(clock=self.clock), (owner,))
        except psycopg.OperationalError:
            self._signs.close()
            raise

    def trouble(self, error: BaseException) -> str:
        state = getattr(error, "sqlstate", None)
        if state == "55P03":
            return (
                f"another process has kept it locked for {self._patience:g} s; see pg_stat_activity on the server, end "
                "the session whose transaction is open, and try again"
            )
        if self._lost(error):
            return "the connection was lost, and nothing was changed; see that the server runs, and try again"
        known = _TROUBLE.get(state or "")
        return known or f"{_first_line(error)}; repair it, or name another with ledger= or GENSTEP_LEDGER"

    def close(self) -> None:
        self._ended = True
        for db in (self._db, self._signs):
            if db is not None:
                with suppress(psycopg.Error):
                    db.close()

    def abandon(self) -> None:
        self._ended = True
        # closing says good-bye to the server on a socket that the parent uses too; so another file is put in its
        # place first. Left open it would keep a dead parent's transaction, and with it the lock, alive.
        for db in (self._db, self._signs):
            if db is not None and not db.closed:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, db.pgconn.socket)
                os.close(nowhere)
                db.close()


def _execute(db: psycopg.Connection[Row], sql: str, values: Sequence[Any] = ()) -> Cursor:
    return db.execute(_marked(sql), [_plain(value) for value in values])


def _with_ours(url: str) -> str:
    """The URL with what we add to it, in a form that no traceback with locals shows."""
    said = conninfo_to_dict(url)
    return redact.Hidden(
        make_conninfo(url, client_encoding="utf8", **{k: v for k, v in _CONNECT.items() if k not in said})
    )


def _unfit(db: psycopg.Connection[Row]) -> str:
    """Why a server that let us in cannot hold a ledger; '' where it can."""
    version = db.info.server_version // 10000
    if version < OLDEST:
        return f"the server is PostgreSQL {version}; upgrade it to {OLDEST} or newer"
    encoding = db.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        return f"the database's encoding is {encoding} and cannot hold every text; make one with ENCODING 'UTF8'"
    return ""


@cache
def _marked(sql: str) -> bytes:
    """SQL with psycopg's marks in place of ``?``."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


def _plain(value: Any) -> Any:
    """A value as the columns take it: truth is a number, as on SQLite, and no text holds the character 0."""
    if isinstance(value, bool):
        return int(value)
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


def _refusal(error: psycopg.Error) -> str:
    """Why there is no connection; libpq's own words are not repeated, for they name the user."""
    text = re.sub('"[^"]*"', "", str(error)).lower()
    if isinstance(error, psycopg.ProgrammingError):
        return "the URL says something that PostgreSQL's library does not know; correct it"
    for words, why in _REFUSED:
        if any(word in text for word in words):
            return why
    return _GONE


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
