"""The ledger's database, wherever it is: opened, brought to the newest version, changed in short transactions."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genstep.errors import ConfigurationError
from genstep.ledger import owner as owners
from genstep.ledger.engine import SIGN, TROUBLE, Connection, Engine
from genstep.ledger.place import Place, ledger_place
from genstep.ledger.schema import MIGRATIONS, VERSION

#: seconds to wait for another process's transaction; they take milliseconds
PATIENCE = 30.0
#: seconds after which the name of an owner that died without closing is forgotten
FORGOTTEN = 86400.0

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_forking = threading.Lock()
_held: list[Database] = []


class Database:
    """One open ledger. No transaction spans any other I/O; a lock lets threads share the connection.

    ``where`` is a path or a PostgreSQL URL. Whatever is wrong with it is a :class:`ConfigurationError`.
    """

    def __init__(self, where: str | os.PathLike[str] | Place, *, patience: float = PATIENCE) -> None:
        self.place = where if isinstance(where, Place) else ledger_place(where)
        self.owner = owners.new()
        self._lock = threading.RLock()
        self._inside = False
        self._signing = threading.Lock()
        try:
            self._db = _open(self.place, patience)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            owners.retire(self.owner)
            raise
        with _forking:
            _databases.add(self)
        self._closing = threading.Event()
        self._signs = threading.Thread(
            target=_sign, args=(weakref.ref(self), self._closing, self._db.beat), name="genstep-life", daemon=True
        )
        self._signs.start()

    @property
    def path(self) -> Path:
        """The ledger's file; an error where it is none."""
        if self.place.path is None:
            raise ConfigurationError(f"the ledger {self.place} is no file")
        return self.place.path

    def _prepare(self) -> None:
        with self._change("used") as db:
            version = self._db.version()
            if version > VERSION:
                raise ConfigurationError(
                    f"the ledger {self.place} was written by a newer genstep (version {version}, and this one "
                    f"knows {VERSION}); upgrade genstep, or name another ledger"
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    db.execute(statement)
            if version < VERSION:
                self._db.set_version(VERSION)
            db.execute(f"DELETE FROM owners WHERE seen_at < {self._db.clock} - ?", (FORGOTTEN,))
            db.execute(SIGN.format(clock=self._db.clock), (self.owner,))

    def alive(self, owner: str) -> bool:
        """Whether the client that wrote ``owner`` still runs: by its process where that can be seen, else by its signs.

        What runs in another container, or on another machine, gives signs of life that the database's clock dates.
        """
        return owner in self.living((owner,))

    def living(self, written: Iterable[str]) -> set[str]:
        """The owners of many rows that still run, see :meth:`alive`; asked of the database once for all of them."""
        known = {owner: owners.seen(owner, shared=self._db.shared) for owner in set(written)}
        away = [owner for owner, runs in known.items() if runs is None]
        found = {owner for owner, runs in known.items() if runs}
        if away:
            marks = ", ".join("?" * len(away))
            sql = f"SELECT owner FROM owners WHERE owner IN ({marks}) AND seen_at > {self._db.clock} - ?"
            found.update(row["owner"] for row in self._all(sql, (*away, self._db.unseen)))
        return found

    def _give_sign(self) -> None:
        # a shared database has a connection of its own for signs
        with self._signing if self._db.shared else self._lock, suppress(ConfigurationError, *self._db.errors):
            if not self._closing.is_set():
                self._db.sign(self.owner)

    def close(self) -> None:
        """Close, and let others take over what was not brought to its end."""
        owners.retire(self.owner)
        self._closing.set()
        with self._signing, self._lock:
            self._db.patient = False
            with suppress(ConfigurationError), self._change() as db:
                self._leave(db)
            self._db.close()
        self._signs.join()

    def _leave(self, db: Connection) -> None:
        db.execute(
            "UPDATE calls SET owner = '' WHERE owner = ? AND state IN ('intent', 'sending', 'completed')",
            (self.owner,),
        )
        db.execute("DELETE FROM owners WHERE owner = ?", (self.owner,))

    @contextmanager
    def _change(self, verb: str = "written") -> Iterator[Connection]:
        """One transaction that may write, alone; committed at the end, undone by whatever is raised."""
        with self._lock:
            if self._inside:
                yield self._db
                return
            try:
                self._db.begin()
                yield self._db
                self._db.commit()
            except BaseException as error:
                self._db.rollback()
                if isinstance(error, self._db.errors):
                    raise self._unusable(verb, error) from None
                raise

    @contextmanager
    def _within(self) -> Iterator[None]:
        """Inside of a change, all changes that are made meanwhile are parts of it."""
        self._inside = True
        try:
            yield
        finally:
            self._inside = False

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """Reads, each for itself."""
        with self._lock:
            try:
                yield self._db
            except self._db.errors as error:
                raise self._unusable("read", error) from None

    @contextmanager
    def idle(self) -> Iterator[bool]:
        """Whether no other thread is using the ledger's file, and none does meanwhile: a read waits for nothing then.

        Never so where the ledger is a server's, which may take its time.
        """
        ours = not self._db.shared and self._lock.acquire(blocking=False)
        try:
            yield ours
        finally:
            if ours:
                self._lock.release()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._read() as db:
            return db.execute(sql, values).fetchall()

    def _unusable(self, verb: str, error: BaseException) -> ConfigurationError:
        return ConfigurationError(f"the ledger {self.place} cannot be {verb}: {self._db.trouble(error)}", code=TROUBLE)


def _open(place: Place, patience: float) -> Engine:
    if place.path is None:
        from genstep.ledger.postgres import PostgreSQL

        return PostgreSQL(place, patience)
    from genstep.ledger.sqlite import SQLite

    return SQLite(place.path, patience)


def _sign(database: weakref.ref[Database], closing: threading.Event, beat: float) -> None:
    """What the thread does: a sign in each beat, while the ledger is open and somebody holds it."""
    while not closing.wait(beat):
        owner = database()
        if owner is None:
            return
        owner._give_sign()
        del owner


def _hold() -> None:
    """Before a fork: no connection is in the middle of anything."""
    _forking.acquire()
    _held.extend(_databases)
    for database in _held:
        database._signing.acquire()
        database._lock.acquire()


def _let_go() -> None:
    while _held:
        database = _held.pop()
        database._lock.release()
        database._signing.release()
    _forking.release()


def _drop() -> None:
    """In the child: a connection does not cross a fork, and neither does the thread that gives signs."""
    for database in _held:
        database._closing.set()
        database._db.abandon()
    _let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_drop)
