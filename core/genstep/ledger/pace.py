"""The rate budget that all processes of an account share: one row, each request taken in one short transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genstep.ledger.database import Database
from genstep.pace import Pace, paused, take, told

if TYPE_CHECKING:
    from genstep.clock import Clock
    from genstep.ledger.engine import Connection
    from genstep.provider import Rate

_READ = "SELECT remaining, reset_at, blocked_until FROM paces WHERE account = ? AND provider = ?"


class Paces(Database):
    """The paces of :class:`Ledger`; times in Unix seconds."""

    def pace(self, account: str, provider: str) -> Pace:
        """What is known of an account's rate budget."""
        return _pace(self._all(_READ, (account, provider)))

    def pace_take(self, account: str, provider: str, now: float, rate: Rate | None, kept: int) -> tuple[float, float]:
        """Take one request, leaving ``kept`` for others: the seconds to wait instead (0.0 where it was taken), and the
        seconds until the window ends. Writes nothing where no limit is known."""
        if rate is None and (seen := self.pace(account, provider)).remaining is None:
            return take(seen, now, rate, kept)[1], 0.0
        with self._change() as db:
            old = _pace(db.execute(_READ, (account, provider)).fetchall())
            new, wait = take(old, now, rate, kept)
            if wait <= 0 and new != old:
                _write(db, account, provider, new)
        return wait, max(new.reset_at - now, 0.0)

    def pace_told(
        self, account: str, provider: str, now: float, remaining: int, reset_at: float, rate: Rate | None
    ) -> None:
        """A reply said what is left until when."""
        self._changed(account, provider, lambda pace: told(pace, now, remaining, reset_at, rate))

    def pace_paused(self, account: str, provider: str, until: float) -> None:
        """A reply asked for nothing more before ``until``."""
        self._changed(account, provider, lambda pace: paused(pace, until))

    def _changed(self, account: str, provider: str, change: Callable[[Pace], Pace]) -> None:
        seen = self.pace(account, provider)
        if change(seen) == seen:
            return
        with self._change() as db:
            _write(db, account, provider, change(_pace(db.execute(_READ, (account, provider)).fetchall())))


class SharedPace:
    """The rate budget of one account for its transport; ``db`` runs a ledger method on the client's ledger thread."""

    def __init__(
        self,
        paces: Paces,
        db: Callable[..., Any],
        clock: Clock,
        account: str,
        provider: str,
        *,
        look: Callable[..., Any] | None = None,
    ) -> None:
        self._paces = paces
        self._db = db
        self._look = look
        self._clock = clock
        self._whose = (account, provider)

    async def take(self, rate: Rate | None, kept: int) -> tuple[float, float]:
        now = self._clock.time()
        if rate is None and self._look is not None:
            # most often no limit is known, and nothing has to be written
            pace: Pace = await self._look(lambda ledger: ledger.pace(*self._whose))
            if pace.remaining is None:
                return take(pace, now, rate, kept)[1], 0.0
        taken: tuple[float, float] = await self._db(self._paces.pace_take, *self._whose, now, rate, kept)
        return taken

    async def told(self, remaining: int, seconds: float, rate: Rate | None) -> None:
        now = self._clock.time()
        await self._db(self._paces.pace_told, *self._whose, now, remaining, now + seconds, rate)

    async def paused(self, seconds: float) -> None:
        await self._db(self._paces.pace_paused, *self._whose, self._clock.time() + seconds)


def _pace(rows: list[Any]) -> Pace:
    return Pace(rows[0]["remaining"], rows[0]["reset_at"], rows[0]["blocked_until"]) if rows else Pace()


def _write(db: Connection, account: str, provider: str, pace: Pace) -> None:
    db.execute(
        "INSERT INTO paces (account, provider, remaining, reset_at, blocked_until) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (account, provider) DO UPDATE SET remaining = excluded.remaining, "
        "reset_at = excluded.reset_at, blocked_until = excluded.blocked_until",
        (account, provider, pace.remaining, pace.reset_at, pace.blocked_until),
    )
