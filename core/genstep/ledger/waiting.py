"""Who waits for which paid call, who polls for all, what was learned of how long jobs take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from genstep.ledger.database import Database
from genstep.ledger.reading import CALL, REQUEST, call_row, request_row
from genstep.watcher import Durations

if TYPE_CHECKING:
    from genstep.ledger.engine import Connection, Row
    from genstep.ledger.records import CallRow, RequestRow

#: seconds after which a client that polls no more, however alive, gives way to another
LEASE = 30.0


class LostClaim(Exception):
    """Somebody else owns the row now; what we wanted to write is not ours to write."""


class Waiting(Database):
    """The waits of :class:`Ledger`."""

    def lease(self, account: str, provider: str, now: float) -> bool:
        """Whether this client is the one that polls the account: it is already, or nobody is who lives and goes on."""
        sql = "SELECT owner, seen_at FROM leases WHERE account = ? AND provider = ?"
        held = self._all(sql, (account, provider))
        if held and held[0]["owner"] == self.owner and now - held[0]["seen_at"] < LEASE / 4:
            return True
        if held and self._holds(held[0], now):
            return False
        with self._change() as db:
            holder = db.execute(sql, (account, provider)).fetchone()
            if holder is not None and self._holds(holder, now):
                return False
            db.execute(
                "INSERT INTO leases (account, provider, owner, seen_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (account, provider) DO UPDATE SET owner = excluded.owner, seen_at = excluded.seen_at",
                (account, provider, self.owner, now),
            )
            return True

    def _holds(self, held: Row, now: float) -> bool:
        """Whether another client has the lease, and still uses it."""
        other = held["owner"] != self.owner
        return other and now - held["seen_at"] < LEASE and self.alive(held["owner"])

    def unlease(self, account: str, provider: str) -> None:
        """This client waits for nothing more: another may poll."""
        with self._change() as db:
            db.execute(
                "DELETE FROM leases WHERE account = ? AND provider = ? AND owner = ?", (account, provider, self.owner)
            )

    def waits(self, calls: Sequence[str]) -> None:
        """This client waits for these calls, and will save them; nothing changes where another living one does."""
        with self._change() as db:
            for call in calls:
                row = db.execute("SELECT waiter FROM calls WHERE id = ?", (call,)).fetchone()
                if row is not None and row["waiter"] != self.owner and not self.alive(row["waiter"]):
                    db.execute("UPDATE calls SET waiter = ? WHERE id = ?", (self.owner, call))

    def asked(self, calls: Sequence[str]) -> list[RequestRow]:
        """What each of these calls was made for: the request of its first item."""
        sql = (
            f"SELECT {REQUEST} FROM requests "
            "WHERE id = (SELECT request FROM items WHERE call = ? ORDER BY position LIMIT 1)"
        )
        with self._read() as db:
            return [request_row(db.execute(sql, (call,)).fetchone()) for call in calls]

    def states(self, account: str, provider: str, waiter: str) -> dict[str, float | None]:
        """The calls that a client waits for and that still run, with their progress."""
        rows = self._all(f"SELECT id, progress FROM calls WHERE {_RUNS} AND waiter = ?", (account, provider, waiter))
        return {row["id"]: row["progress"] for row in rows}

    def others(self, account: str, provider: str, waiter: str) -> list[CallRow]:
        """The running jobs that other living clients wait for."""
        # two ranges of an index: most often there is nothing in them, however many jobs this client waits for
        rows = self._all(
            f"SELECT {CALL} FROM calls WHERE {_RUNS} AND waiter > '' AND waiter < ? "
            f"UNION ALL SELECT {CALL} FROM calls WHERE {_RUNS} AND waiter > ?",
            (account, provider, waiter) * 2,
        )
        living = self.living([row["waiter"] for row in rows])
        return [call_row(row) for row in rows if row["waiter"] in living]

    def delivered(self, account: str, provider: str) -> list[tuple[str, str, bool]]:
        """Webhooks for jobs of an account that still run: the call, the payload, whether it was verified."""
        rows = self._all(
            "SELECT c.id, d.payload, d.verified FROM calls c JOIN deliveries d ON d.provider = c.provider "
            "AND d.job_id = c.job_id WHERE c.account = ? AND c.provider = ? AND c.state IN ('submitted', 'processing')",
            (account, provider),
        )
        return [(row["id"], row["payload"], bool(row["verified"])) for row in rows]

    def together(self, changes: Sequence[Callable[[], None]]) -> None:
        """Some changes in one transaction; those of rows that somebody else owns by now are left out."""
        with self._change() as db, self._within():
            for change in changes:
                db.execute("SAVEPOINT part")
                try:
                    change()
                except LostClaim:
                    db.execute("ROLLBACK TO SAVEPOINT part")
                db.execute("RELEASE SAVEPOINT part")

    def durations(self, provider: str, kind: str, model: str | None) -> Durations:
        """What was learned of how long such jobs take."""
        rows = self._all(
            "SELECT jobs, mean, squares FROM durations WHERE provider = ? AND kind = ? AND model = ?",
            (provider, kind, model or ""),
        )
        return Durations(rows[0]["jobs"], rows[0]["mean"], rows[0]["squares"]) if rows else Durations()

    def took(
        self, provider: str, jobs: Sequence[tuple[str, str | None, float]]
    ) -> dict[tuple[str, str | None], Durations]:
        """How long some jobs took: kind, model, seconds. What is known of their kinds and models now."""
        learned: dict[tuple[str, str | None], Durations] = {}
        with self._change() as db:
            for kind, model, seconds in jobs:
                known = learned.get((kind, model)) or self.durations(provider, kind, model)
                learned[kind, model] = known.after(seconds)
            for (kind, model), now in learned.items():
                db.execute(
                    "INSERT INTO durations (provider, kind, model, jobs, mean, squares) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (provider, kind, model) DO UPDATE SET jobs = excluded.jobs, mean = excluded.mean, "
                    "squares = excluded.squares",
                    (provider, kind, model or "", now.jobs, now.mean, now.squares),
                )
        return learned

    def _leave(self, db: Connection) -> None:
        """Whoever comes next may wait and poll in our place."""
        super()._leave(db)
        db.execute("DELETE FROM leases WHERE owner = ?", (self.owner,))
        db.execute("UPDATE calls SET waiter = '' WHERE waiter = ? AND state <> 'saved'", (self.owner,))


#: a call of an account whose job runs, as :mod:`genstep.ledger.schema` has an index for it
_RUNS = "account = ? AND provider = ? AND state IN ('submitted', 'processing')"
