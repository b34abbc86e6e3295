"""The ledger's changes: requests opened, paid calls taken through their life, things learned and forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from genstep.errors import BudgetExceeded, GenstepError
from genstep.ledger import owner as owners
from genstep.ledger.reading import REQUEST, Reading, request_row
from genstep.ledger.records import FORGOTTEN, CallRow, Opened, RequestRow, Settled, request_status

if TYPE_CHECKING:
    from genstep.models import Asset

Plan = Callable[[Sequence[Opened]], Sequence[tuple[CallRow, Sequence[tuple[str, int]]]]]


class LostClaim(Exception):
    """Somebody else owns the row now; what we wanted to write is not ours to write."""


class Ledger(Reading):
    """One ledger. Methods block for about a millisecond; ``AsyncClient`` calls them on one thread."""

    # -- opening ------------------------------------------------------------------------------------------------

    def open(self, rows: Sequence[RequestRow], plan: Plan, *, fresh: bool = False) -> list[Opened]:
        """Write all rows of some requests, or find what answers them already; one transaction for all.

        ``plan`` is handed what was opened and says which paid calls buy what is missing.
        """
        with self._change() as db:
            opened = [self._open_one(db, row, fresh) for row in rows]
            for call, items in plan([one for one in opened if one.missing]):
                _insert(db, "calls", call)
                for position, (request, number) in enumerate(items):
                    db.execute(
                        "INSERT INTO items (request, number, call, position) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT (request, number) DO UPDATE SET call = excluded.call, "
                        "position = excluded.position, error = NULL",
                        (request, number, call.id, position),
                    )
        return opened

    def _open_one(self, db: sqlite3.Connection, row: RequestRow, fresh: bool) -> Opened:
        found = db.execute(
            f"SELECT {REQUEST} FROM requests WHERE fingerprint = ? AND live = 1", (row.fingerprint,)
        ).fetchone()
        if found is not None:
            old = request_row(found)
            states = self._item_states(db, old.id)
            status = request_status(states.values())
            if not fresh and status not in ("failed", "cancelled"):
                missing = tuple(n for n, state in states.items() if state in ("failed", "cancelled"))
                return Opened(old, False, missing if status == "completed" else ())
            db.execute("UPDATE requests SET live = 0 WHERE id = ?", (old.id,))
        _insert(db, "requests", row)
        return Opened(row, True, tuple(range(json.loads(row.request)["n"])))

    # -- the life of a call -------------------------------------------------------------------------------------

    def sending(self, call: str, epoch: int, now: float, *, ceiling: float | None = None) -> None:
        """Commit that the request is about to be written, and reserve its price under the day's ``ceiling``."""
        with self._change() as db:
            if ceiling is not None:
                self._reserve(db, call, now, ceiling)
            self._step(db, call, epoch, ("intent",), state="sending", sent_at=now, updated_at=now)

    def _reserve(self, db: sqlite3.Connection, call: str, now: float, ceiling: float) -> None:
        row = db.execute("SELECT account, provider, estimated FROM calls WHERE id = ?", (call,)).fetchone()
        left = ceiling - self._spent(db, row["account"], row["provider"], now)
        needed = row["estimated"]
        if needed is None:
            needed = max(left, 0.0)
            db.execute("UPDATE calls SET estimated = ? WHERE id = ?", (needed, call))
        if left <= 0 or needed > left + 1e-9:
            raise BudgetExceeded(
                f"the account's daily ceiling is {ceiling:g}: {max(left, 0):g} left and {needed or 0:g} needed; "
                "nothing was sent; raise daily_credits or wait until tomorrow (UTC)",
                required=needed,
                available=max(left, 0.0),
                charged=False,
            )

    def not_taken(self, call: str, epoch: int, now: float) -> None:
        """The request certainly did not arrive: back to ``intent``."""
        self._set(call, epoch, ("sending",), state="intent", sent_at=None, updated_at=now)

    def accepted(self, call: str, epoch: int, now: float, settled: Settled) -> None:
        states = ("sending", "uncertain")
        self._set(call, epoch, states, state="submitted", owner="", updated_at=now, **_known(settled))

    def completed(self, call: str, epoch: int | None, now: float, settled: Settled) -> None:
        """The service is done; what it made has yet to be saved."""
        states = ("sending", "submitted", "processing", "completed")
        given_up = {} if epoch is None else {"owner": ""}
        self._set(call, epoch, states, state="completed", updated_at=now, **given_up, **_known(settled))

    def progress(self, call: str, now: float, progress: float | None) -> None:
        self._set(call, None, ("submitted", "processing"), state="processing", progress=progress, updated_at=now)

    def failed(self, call: str, epoch: int | None, now: float, error: GenstepError, *, refunded: bool | None) -> None:
        """The call ended without a result; ``refunded`` True also where nothing was ever taken."""
        states = ("intent", "sending", "submitted", "processing", "completed", "uncertain")
        data, flag = json.dumps(error.to_dict(), default=str), None if refunded is None else int(refunded)
        self._set(call, epoch, states, state="failed", updated_at=now, error=data, refunded=flag)

    def uncertain(self, call: str, epoch: int, now: float, error: GenstepError) -> None:
        data = json.dumps(error.to_dict(), default=str)
        self._set(call, epoch, ("sending",), state="uncertain", owner="", updated_at=now, error=data)

    def cancelled(self, call: str, now: float, *, refunded: bool | None = None) -> None:
        states = ("intent", "submitted", "processing")
        self._set(
            call, None, states, state="cancelled", updated_at=now, refunded=None if refunded is None else int(refunded)
        )

    def saved(
        self,
        call: str,
        epoch: int,
        now: float,
        assets: Sequence[tuple[str, int, Sequence[Asset]]],
        failures: Sequence[tuple[str, int, GenstepError]],
    ) -> None:
        """Everything that the call made is on disk: ``assets`` and ``failures`` by request and number."""
        with self._change() as db:
            self._step(db, call, epoch, ("completed",), state="saved", updated_at=now, progress=1.0)
            # a delivery holds signed links: once its files are here, only that it came is remembered
            db.execute(
                "UPDATE deliveries SET payload = '' WHERE job_id IN (SELECT job_id FROM calls WHERE id = ?)", (call,)
            )
            for request, number, made in assets:
                db.execute("DELETE FROM assets WHERE request = ? AND number = ?", (request, number))
                for ordinal, asset in enumerate(made):
                    db.execute(
                        "INSERT INTO assets (request, number, ordinal, asset) VALUES (?, ?, ?, ?)",
                        (request, number, ordinal, json.dumps(asset.to_dict())),
                    )
            for request, number, error in failures:
                db.execute(
                    "UPDATE items SET error = ? WHERE request = ? AND number = ?",
                    (json.dumps(error.to_dict(), default=str), request, number),
                )

    def unsave(self, request: str, now: float) -> None:
        """The files of a request are gone: its calls are to be saved again."""
        with self._change() as db:
            db.execute(
                "UPDATE calls SET state = 'completed', owner = '', updated_at = ? WHERE state = 'saved' "
                "AND id IN (SELECT call FROM items WHERE request = ?)",
                (now, request),
            )

    def claim(self, call: str, now: float) -> int | None:
        """Take a row whose owner is dead, or that is ours already: the new epoch; None while another owner lives."""
        with self._change() as db:
            row = db.execute("SELECT owner, epoch FROM calls WHERE id = ?", (call,)).fetchone()
            if row is None or (row["owner"] not in ("", self.owner) and owners.alive(row["owner"])):
                return None
            if row["owner"] == self.owner:
                return int(row["epoch"])
            epoch = int(row["epoch"]) + 1
            db.execute(
                "UPDATE calls SET owner = ?, epoch = ?, updated_at = ? WHERE id = ?", (self.owner, epoch, now, call)
            )
            return epoch

    def release(self, call: str, epoch: int) -> None:
        """Give a row back, so that any process may finish it."""
        with self._change() as db:
            db.execute("UPDATE calls SET owner = '' WHERE id = ? AND epoch = ?", (call, epoch))

    def move_items(self, items: Sequence[tuple[CallRow, Sequence[tuple[str, int]]]]) -> None:
        """Split a call: give its items to new calls."""
        with self._change() as db:
            for call, members in items:
                _insert(db, "calls", call)
                for position, (request, number) in enumerate(members):
                    db.execute(
                        "UPDATE items SET call = ?, position = ?, error = NULL WHERE request = ? AND number = ?",
                        (call.id, position, request, number),
                    )

    def _set(self, call: str, epoch: int | None, states: tuple[str, ...], **values: Any) -> None:
        with self._change() as db:
            self._step(db, call, epoch, states, **values)

    def _step(
        self, db: sqlite3.Connection, call: str, epoch: int | None, states: tuple[str, ...], **values: Any
    ) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(states))
        sql = f"UPDATE calls SET {sets} WHERE id = ? AND state IN ({marks})"
        arguments = [*values.values(), call, *states]
        if epoch is not None:
            sql += " AND epoch = ?"
            arguments.append(epoch)
        if db.execute(sql, arguments).rowcount != 1:
            raise LostClaim(call)

    # -- facts, deliveries, forgetting ----------------------------------------------------------------------------

    def learn(self, account: str, name: str, value: Any, now: float) -> None:
        with self._change() as db:
            db.execute(
                "INSERT INTO account_facts (account, name, value, seen_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (account, name) DO UPDATE SET value = excluded.value, seen_at = excluded.seen_at",
                (account, name, json.dumps(value), now),
            )

    def deliver(self, provider: str, event: str, job_id: str, payload: str, *, verified: bool, now: float) -> bool:
        """Keep a webhook; False where it was here before, a verified one replacing one that was not.

        Its payload, with signed links in it, is kept only where it can settle a job that somebody waits for.
        """
        with self._change() as db:
            awaited = db.execute(
                "SELECT 1 FROM calls WHERE provider = ? AND (state = 'sending' OR "
                "(job_id = ? AND state IN ('submitted', 'processing'))) LIMIT 1",
                (provider, job_id),
            ).fetchone()
            payload = payload if verified and awaited else ""
            done = db.execute(
                "INSERT INTO deliveries (provider, event, job_id, payload, verified, received_at) "
                "VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (provider, event, job_id) DO UPDATE SET payload = excluded.payload, "
                "verified = excluded.verified, received_at = excluded.received_at "
                "WHERE deliveries.verified = 0 AND excluded.verified = 1",
                (provider, event, job_id, payload, int(verified), now),
            )
            return done.rowcount == 1

    def forget(self, request: str) -> None:
        """Remove prompt, inputs and results of a request; its calls stay, for the money was spent."""
        with self._change() as db:
            db.execute("DELETE FROM assets WHERE request = ?", (request,))
            db.execute(
                "DELETE FROM deliveries WHERE job_id IN "
                "(SELECT c.job_id FROM calls c JOIN items i ON i.call = c.id WHERE i.request = ?)",
                (request,),
            )
            db.execute(
                "UPDATE requests SET live = 0, prompt = '', request = ?, resumable = 0, fingerprint = id WHERE id = ?",
                (FORGOTTEN, request),
            )


def _insert(db: sqlite3.Connection, table: str, row: RequestRow | CallRow) -> None:
    values = {name: json.dumps(v) if isinstance(v, dict) else v for name, v in asdict(row).items()}
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def _known(settled: Settled) -> dict[str, Any]:
    return {name: value for name, value in asdict(settled).items() if value is not None}
