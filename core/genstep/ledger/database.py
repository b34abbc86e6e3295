"""The ledger's file: opened, brought to the newest version, changed in short transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genstep.errors import ConfigurationError
from genstep.ledger import owner as owners
from genstep.ledger.schema import MIGRATIONS, VERSION

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_forking = threading.Lock()
_held: list[Database] = []


def ledger_file(where: str | os.PathLike[str]) -> Path:
    """The path of a ledger, or :class:`ConfigurationError`; a URL is not shown, for it may hold a password."""
    if "://" in str(where):
        raise ConfigurationError("ledger: the path of a file on a local disk, not a URL; see GENSTEP_LEDGER or ledger=")
    return Path(where)


class Database:
    """One SQLite file. No transaction spans any other I/O; a lock lets threads share the connection."""

    def __init__(self, path: str | Path) -> None:
        self.path = ledger_file(path)
        self.owner = owners.new()
        self._lock = threading.RLock()
        self._db = self._open()
        with _forking:
            _databases.add(self)

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = not self.path.exists()
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                if new:
                    self.path.chmod(0o600)
                self._prepare(db)
            except BaseException:
                db.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(
                f"the ledger {self.path} cannot be used ({error}); nothing was sent; "
                "repair it, or name another with ledger= or GENSTEP_LEDGER"
            ) from None
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ConfigurationError(
                f"the ledger {self.path} was written by a newer genstep (version {version}, and this one "
                f"knows {VERSION}); upgrade genstep, or name another ledger"
            )
        for number in range(version, VERSION):
            for statement in MIGRATIONS[number]:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")
        db.execute("COMMIT")

    def close(self) -> None:
        """Close, and let others take over what was not brought to its end."""
        owners.retire(self.owner)
        with self._lock:
            with suppress(sqlite3.Error):
                self._db.execute(
                    "UPDATE calls SET owner = '' WHERE owner = ? AND state IN ('intent', 'sending', 'completed')",
                    (self.owner,),
                )
            self._db.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise ConfigurationError(f"the ledger {self.path} cannot be written ({error})") from None
                raise

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def _hold() -> None:
    """Before a fork: no connection is in the middle of anything."""
    _forking.acquire()
    _held.extend(_databases)
    for database in _held:
        database._lock.acquire()


def _let_go() -> None:
    while _held:
        _held.pop()._lock.release()
    _forking.release()


def _drop() -> None:
    """In the child: an inherited connection counts locks that only the parent holds, and what a new one beside it
    wrote would be lost when the parent closes; so it goes."""
    for database in _held:
        database._db.close()
    _let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_drop)
