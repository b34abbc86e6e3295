"""What the ledger needs of a database: statements with ``?`` marks, one transaction at a time, signs of life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from genstep.errors import ConfigurationError

#: a row by the names of its columns
Row: TypeAlias = dict[str, Any]
#: the code of errors that say that the ledger itself cannot be read or written
TROUBLE = "ledger"
#: an owner's sign of life, with the engine's ``clock``
SIGN = (
    "INSERT INTO owners (owner, seen_at) VALUES (?, {clock}) "
    "ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at"
)


def unusable(where: str, why: str) -> ConfigurationError:
    """The error of a ledger that cannot be opened."""
    return ConfigurationError(f"the ledger {where} cannot be used: {why}; nothing was sent", code=TROUBLE)


class Cursor(Protocol):
    """The answer to one statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Takes statements; the values stand for the ``?`` marks, in order."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor: ...


class Engine(Connection, Protocol):
    """One open database, SQLite's or PostgreSQL's; outside of a transaction each statement is one of its own."""

    #: whether processes of several machines may share it
    shared: bool
    #: seconds between signs of life, and the seconds without one after which an owner counts as dead
    beat: float
    unseen: float
    #: the time in Unix seconds by the database's clock, as SQL
    clock: str
    #: whether it waits for a server that restarts
    patient: bool
    #: what its statements raise
    errors: tuple[type[Exception], ...]

    def begin(self) -> None:
        """Start a transaction that may write; it waits until no other one of this ledger may."""

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """End the transaction, if there is one; never raises."""

    def version(self) -> int:
        """How many migrations were made; inside of a transaction."""

    def set_version(self, number: int) -> None: ...

    def sign(self, owner: str) -> None:
        """A sign of life of ``owner``, from the thread that gives them."""

    def trouble(self, error: BaseException) -> str:
        """What is wrong, and what to do."""

    def close(self) -> None: ...

    def abandon(self) -> None:
        """Let go in a forked child, in a way that its parent does not notice."""
