"""What the ledger can be asked; every answer is one read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from genstep.ledger.database import Database
from genstep.ledger.records import CallRow, ItemRow, RequestRow, item_state, request_status

if TYPE_CHECKING:
    from genstep.ledger.engine import Connection, Row

CALL = ", ".join(field.name for field in fields(CallRow))
REQUEST = ", ".join(field.name for field in fields(RequestRow))


class Reading(Database):
    """The reads of :class:`Ledger`."""

    def answered(self, fingerprints: Sequence[str]) -> set[str]:
        """Which of these are in flight or answered, so that asking for them again pays nothing new."""
        with self._read() as db:
            found = set()
            for one in fingerprints:
                row = db.execute("SELECT id FROM requests WHERE fingerprint = ? AND live = 1", (one,)).fetchone()
                states = self._item_states(db, row["id"]).values() if row else ()
                ended = request_status(states) in ("failed", "cancelled") and "unfetched" not in states
                if row and not ended and "failed" not in states:
                    found.add(one)
            return found

    def request(self, request: str) -> RequestRow | None:
        rows = self._all(f"SELECT {REQUEST} FROM requests WHERE id = ?", (request,))
        return request_row(rows[0]) if rows else None

    def find(self, prefix: str) -> list[RequestRow]:
        """Requests whose id, or a paid call's service id, is or begins with ``prefix``."""
        # most often it is a whole id, and the beginnings of ids have no index
        rows = self._all(f"SELECT {REQUEST} FROM requests WHERE id = ?", (prefix,)) or self._all(
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

    def known(self, call: str) -> CallRow | None:
        """A paid call, where this ledger has it."""
        rows = self._all(f"SELECT {CALL} FROM calls WHERE id = ?", (call,))
        return call_row(rows[0]) if rows else None

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
            "ORDER BY COALESCE(sent_at, updated_at) DESC LIMIT 1",
            (account, provider),
        )
        return (rows[0]["balance"], rows[0]["updated_at"]) if rows else None

    def _item_states(self, db: Connection, request: str) -> dict[int, str]:
        rows = db.execute(
            "SELECT i.number, i.error, c.state FROM items i JOIN calls c ON c.id = i.call WHERE i.request = ? "
            "ORDER BY i.number",
            (request,),
        )
        return {row["number"]: item_state(row["state"], _error(row["error"])) for row in rows}

    def fact(self, account: str, name: str) -> Any:
        """Something learned about an account, such as its plan's batch size; None where nothing was."""
        rows = self._all("SELECT value FROM account_facts WHERE account = ? AND name = ?", (account, name))
        return json.loads(rows[0]["value"]) if rows else None

    def orphans(self, account: str, provider: str, limit: int = 1000) -> list[CallRow]:
        """Paid calls of an account that are not at their end, and that no living client has in hand; newest first."""
        rows = self._in(account, provider, ("sending", "submitted", "processing", "completed", "uncertain"))
        living = self.living([owner for row in rows for owner in (row.owner, row.waiter)])
        lost = [row for row in rows if row.owner not in living and row.waiter not in living]
        return sorted(lost, key=lambda row: row.created_at, reverse=True)[:limit]

    def unclear(self, account: str, provider: str) -> list[CallRow]:
        """The paid calls of an account whose job at the service is not known: uncertain, or being sent just now."""
        return self._in(account, provider, ("uncertain", "sending"))

    def claimed(self, provider: str, job_ids: Sequence[str]) -> set[str]:
        """Which of a service's jobs belong to a paid call already."""
        marks = ", ".join("?" * len(job_ids))
        sql = f"SELECT job_id FROM calls WHERE provider = ? AND job_id IN ({marks})"
        return {row["job_id"] for row in self._all(sql, (provider, *job_ids))} if job_ids else set()

    def _in(self, account: str, provider: str, states: Sequence[str]) -> list[CallRow]:
        marks = ", ".join("?" * len(states))
        rows = self._all(
            f"SELECT {CALL} FROM calls WHERE account = ? AND provider = ? AND state IN ({marks})",
            (account, provider, *states),
        )
        return [call_row(row) for row in rows]


def request_row(row: Row) -> RequestRow:
    values = dict(row)
    return RequestRow(**{**values, "resumable": bool(values["resumable"]), "live": bool(values["live"])})


def call_row(row: Row) -> CallRow:
    values = dict(row)
    values["error"] = _error(values["error"])
    values["found"] = _error(values["found"])
    values["refunded"] = None if values["refunded"] is None else bool(values["refunded"])
    return CallRow(**values)


def _error(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None
