"""What the ledger can be asked; every answer is one read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from genstep.ledger.database import Database
from genstep.ledger.records import CallRow, ItemRow, RequestRow, request_status

CALL = ", ".join(field.name for field in fields(CallRow))
REQUEST = ", ".join(field.name for field in fields(RequestRow))


class Reading(Database):
    """The reads of :class:`Ledger`."""

    def answered(self, fingerprints: Sequence[str]) -> set[str]:
        """Which of these are in flight or answered, so that asking for them again pays nothing new."""
        with self._lock:
            found = set()
            for one in fingerprints:
                row = self._db.execute("SELECT id FROM requests WHERE fingerprint = ? AND live = 1", (one,)).fetchone()
                states = self._item_states(self._db, row["id"]).values() if row else ()
                if row and request_status(states) not in ("failed", "cancelled") and "failed" not in states:
                    found.add(one)
            return found

    def request(self, request: str) -> RequestRow | None:
        rows = self._all(f"SELECT {REQUEST} FROM requests WHERE id = ?", (request,))
        return request_row(rows[0]) if rows else None

    def find(self, prefix: str) -> list[RequestRow]:
        """Requests whose id, or a paid call's service id, is or begins with ``prefix``."""
        rows = self._all(
            f"SELECT {REQUEST} FROM requests WHERE substr(id, 1, ?) = ? OR id IN (SELECT i.request FROM items i "
            "JOIN calls c ON c.id = i.call WHERE c.job_id = ?) LIMIT 10",
            (len(prefix), prefix, prefix),
        )
        return [request_row(row) for row in rows]

    def requests(self, *, since: float | None = None, account: str | None = None) -> list[RequestRow]:
        """Requests, newest first."""
        rows = self._all(
            f"SELECT {REQUEST} FROM requests WHERE created_at >= ? AND (? IS NULL OR account = ?) "
            "ORDER BY created_at DESC, id DESC",
            (since or 0.0, account, account),
        )
        return [request_row(row) for row in rows]

    def items(self, *, request: str | None = None, call: str | None = None) -> list[ItemRow]:
        """The items of a request, or of a call, in order."""
        where, value, order = ("request", request, "number") if request is not None else ("call", call, "position")
        rows = self._all(
            f"SELECT request, number, call, position, error FROM items WHERE {where} = ? ORDER BY {order}", (value,)
        )
        return [ItemRow(r["request"], r["number"], r["call"], r["position"], _error(r["error"])) for r in rows]

    def calls(self, request: str) -> list[CallRow]:
        """The paid calls that a request's items stand in, in order of the items."""
        rows = self._all(
            f"SELECT {CALL} FROM calls WHERE id IN (SELECT call FROM items WHERE request = ?) "
            "ORDER BY (SELECT MIN(number) FROM items WHERE request = ? AND call = calls.id)",
            (request, request),
        )
        return [call_row(row) for row in rows]

    def shares(self, request: str) -> dict[str, float]:
        """Which part of each of its paid calls belongs to a request, by its share of the items."""
        rows = self._all(
            "SELECT call, COUNT(*) AS whole, SUM(CASE WHEN request = ? THEN 1 ELSE 0 END) AS own FROM items "
            "WHERE call IN (SELECT call FROM items WHERE request = ?) GROUP BY call",
            (request, request),
        )
        return {row["call"]: row["own"] / row["whole"] for row in rows}

    def call(self, call: str) -> CallRow:
        return call_row(self._all(f"SELECT {CALL} FROM calls WHERE id = ?", (call,))[0])

    def call_of_job(self, provider: str, job_id: str) -> CallRow | None:
        rows = self._all(f"SELECT {CALL} FROM calls WHERE provider = ? AND job_id = ?", (provider, job_id))
        return call_row(rows[0]) if rows else None

    def assets(self, request: str) -> list[tuple[int, dict[str, Any]]]:
        """The saved files of a request, as (item number, plain data)."""
        rows = self._all("SELECT number, asset FROM assets WHERE request = ? ORDER BY number, ordinal", (request,))
        return [(row["number"], json.loads(row["asset"])) for row in rows]

    def last_balance(self, account: str, provider: str) -> tuple[float, float] | None:
        """The balance that a reply said last, and when (Unix seconds)."""
        rows = self._all(
            "SELECT balance, updated_at FROM calls WHERE account = ? AND provider = ? AND balance IS NOT NULL "
            "ORDER BY sent_at DESC LIMIT 1",
            (account, provider),
        )
        return (rows[0]["balance"], rows[0]["updated_at"]) if rows else None

    def _item_states(self, db: sqlite3.Connection, request: str) -> dict[int, str]:
        rows = db.execute(
            "SELECT i.number, i.error, c.state FROM items i JOIN calls c ON c.id = i.call WHERE i.request = ? "
            "ORDER BY i.number",
            (request,),
        )
        return {row["number"]: "failed" if row["error"] and row["state"] == "saved" else row["state"] for row in rows}

    def _spent(self, db: sqlite3.Connection, account: str, provider: str, now: float) -> float:
        """Spent or reserved by an account since midnight UTC."""
        row = db.execute(
            "SELECT SUM(COALESCE(charged, estimated, 0)) AS total FROM calls WHERE account = ? AND provider = ? "
            "AND sent_at >= ? AND state <> 'intent' AND COALESCE(refunded, 0) = 0",
            (account, provider, now - now % 86400),
        ).fetchone()
        return float(row["total"] or 0.0)

    def spent_today(self, account: str, provider: str, now: float) -> float:
        """What an account has spent or reserved since midnight UTC, in its unit."""
        with self._lock:
            return self._spent(self._db, account, provider, now)

    def difference(self, call: str, balance: float) -> float | None:
        """What a call cost by the fall of its account's balance; None where another call may have had a part in it."""
        own = self.call(call)
        others = self._all(
            "SELECT balance, answered_at FROM calls WHERE account = ? AND provider = ? AND id <> ? "
            "AND sent_at IS NOT NULL AND state <> 'failed' ORDER BY answered_at DESC",
            (own.account, own.provider, call),
        )
        overlap = any(row["answered_at"] is None or row["answered_at"] > (own.sent_at or 0.0) for row in others)
        if overlap or not others or others[0]["balance"] is None:
            return None
        fall = float(others[0]["balance"]) - balance
        return fall if fall >= 0 else None

    def fact(self, account: str, name: str) -> Any:
        """Something learned about an account, such as its plan's batch size; None where nothing was."""
        rows = self._all("SELECT value FROM account_facts WHERE account = ? AND name = ?", (account, name))
        return json.loads(rows[0]["value"]) if rows else None

    def delivery(self, provider: str, job_id: str) -> tuple[str, bool] | None:
        """The newest webhook that can settle a job: its payload, and whether its signature was verified."""
        rows = self._all(
            "SELECT payload, verified FROM deliveries WHERE provider = ? AND job_id = ? AND payload <> '' "
            "ORDER BY verified DESC, received_at DESC LIMIT 1",
            (provider, job_id),
        )
        return (rows[0]["payload"], bool(rows[0]["verified"])) if rows else None


def request_row(row: sqlite3.Row) -> RequestRow:
    values = dict(row)
    return RequestRow(**{**values, "resumable": bool(values["resumable"]), "live": bool(values["live"])})


def call_row(row: sqlite3.Row) -> CallRow:
    values = dict(row)
    values["error"] = _error(values["error"])
    values["found"] = _error(values["found"])
    values["refunded"] = None if values["refunded"] is None else bool(values["refunded"])
    return CallRow(**values)


def _error(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None
