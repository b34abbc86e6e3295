"""The ledger in one SQLite file: durable at each commit, one writer at a time, on a local disk."""

from __future__ import annotations

import errno
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from genstep.errors import ConfigurationError
from genstep.ledger.disk import on_network
from genstep.ledger.engine import SIGN, Row, unusable

#: bytes up to which a ledger is read whole when it is opened, which takes 2 ms for each 1,000 requests in it; damage in
#: a larger one shows where it is touched
CHECKED = 64 * 2**20
_DAMAGED = (
    "it is damaged, or no ledger ({error}); put a copy from before in its place, or move it away together with its "
    "-wal and -shm files, and look at the services' own lists for what was paid"
)
_WRITABLE = "this user may not write it or its folder ({error}); make both writable, or name another ledger"
_FULL = "its disk is full, or failed ({error}); make room, and try again"
#: what is wrong and what to do, by SQLite's primary result code
_TROUBLE = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_PERM: _WRITABLE,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
}
#: the same by the system's error number, for what happens before SQLite has the file
_PATH = {
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ELOOP: "its links lead in a circle; correct them, or name another",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of its path is no folder; correct the path"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _WRITABLE),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO), _FULL),
}
_OTHER = "{error}; repair it, or name another with ledger= or GENSTEP_LEDGER"


class SQLite:
    """One connection to one file; ``patience`` is how many seconds it waits for another process's transaction."""

    shared = False
    patient = True
    # pid and boot tell exactly who is dead; only of an owner in another container does the sign decide
    beat, unseen = 60.0, 300.0
    clock = "((julianday('now') - 2440587.5) * 86400.0)"
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path, patience: float) -> None:
        self._patience = patience
        network = on_network(path)
        if network is not None:
            raise ConfigurationError(
                f"the ledger {path} is on a network file system ({network}), where locks do not hold, so a job might "
                "be paid for twice; name a file on a local disk, or a PostgreSQL URL that all machines share "
                "(GENSTEP_LEDGER or ledger=)"
            )
        try:
            self._db = self._open(path)
        except self.errors as error:
            raise unusable(str(path), self.trouble(error)) from None

    def _open(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = _is_new(path)
        db = sqlite3.connect(path, timeout=self._patience, isolation_level=None, check_same_thread=False)
        try:
            if new:
                path.chmod(0o600)
            db.row_factory = _row
            self._write_ahead(db)
            if path.stat().st_size <= CHECKED:
                said = next(iter(db.execute("PRAGMA quick_check(1)").fetchone().values()))
                if said != "ok":
                    raise unusable(str(path), _DAMAGED.format(error=str(said).splitlines()[-1]))
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _write_ahead(self, db: sqlite3.Connection) -> None:
        """SQLite does not wait by itself where several processes switch a new file at once."""
        end = time.monotonic() + self._patience
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> sqlite3.Cursor:
        return self._db.execute(sql, values)

    def begin(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()["user_version"])

    def set_version(self, number: int) -> None:
        self._db.execute(f"PRAGMA user_version = {number}")

    def sign(self, owner: str) -> None:
        self._db.execute(SIGN.format(clock=self.clock), (owner,))

    def trouble(self, error: BaseException) -> str:
        if isinstance(error, OSError):
            return _PATH.get(error.errno or 0, _OTHER).format(error=error.strerror)
        code = _code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return (
                f"another process has kept it locked for {self._patience:g} s; end that process (a program that shows "
                "databases, perhaps), and try again"
            )
        return _TROUBLE.get(code, _OTHER).format(error=error)

    def close(self) -> None:
        self._db.close()

    def abandon(self) -> None:
        # an inherited connection counts locks that only the parent holds, and what a new one beside it wrote would
        # be lost when the parent closes; so it goes
        self._db.close()


def _is_new(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    return False


def _code(error: BaseException) -> int:
    """SQLite's primary result code, which an extended one has in its last byte."""
    return int(getattr(error, "sqlite_errorcode", -1)) & 0xFF


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
