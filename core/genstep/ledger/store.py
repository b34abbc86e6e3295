"""The ledger's changes: requests opened, paid calls taken through their life, things learned and forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from genstep.errors import GenstepError, InsufficientCredits
from genstep.ledger.budget import Budget
from genstep.ledger.pace import Paces
from genstep.ledger.reading import REQUEST, request_row
from genstep.ledger.records import (
    FORGOTTEN,
    CallRow,
    ItemRow,
    Opened,
    RequestRow,
    Settled,
    item_state,
    request_status,
)
from genstep.ledger.waiting import LostClaim, Waiting

if TYPE_CHECKING:
    from genstep.ledger.engine import Connection
    from genstep.models import Asset

#: a paid call to be made, and the items that it buys: request and number
Planned = tuple[CallRow, Sequence[tuple[str, int]]]
#: the files of an item: its request, its number, what was made
Stored = tuple[str, int, Sequence["Asset"]]
Plan = Callable[[Sequence[Opened]], Sequence[Planned]]


class Ledger(Budget, Paces, Waiting):
    """One ledger. Methods block for about a millisecond; ``AsyncClient`` calls them on one thread."""

    # -- opening ------------------------------------------------------------------------------------------------

    def open(self, rows: Sequence[RequestRow], plan: Plan, *, fresh: bool = False) -> list[Opened]:
        """Write all rows of some requests, or find what answers them already; one transaction for all.

        ``plan`` is handed what was opened and says which paid calls buy what is missing.
        """
        with self._change() as db:
            opened = [self._open_one(db, row, fresh) for row in rows]
            planned = plan([one for one in opened if one.missing])
            for call, items in planned:
                _insert(db, "calls", call)
                for position, (request, number) in enumerate(items):
                    db.execute(
                        "INSERT INTO items (request, number, call, position) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT (request, number) DO UPDATE SET call = excluded.call, "
                        "position = excluded.position, error = NULL",
                        (request, number, call.id, position),
                    )
        calls: dict[str, list[str]] = {}
        for call, items in planned:
            for request in dict.fromkeys(request for request, _ in items):
                calls.setdefault(request, []).append(call.id)
        return [replace(one, calls=tuple(calls.get(one.row.id, ()))) for one in opened]

    def _open_one(self, db: Connection, row: RequestRow, fresh: bool) -> Opened:
        found = db.execute(
            f"SELECT {REQUEST} FROM requests WHERE fingerprint = ? AND live = 1", (row.fingerprint,)
        ).fetchone()
        if found is not None:
            old = request_row(found)
            states = self._item_states(db, old.id)
            status = request_status(states.values())
            # what was made and could not be fetched was paid for, and is never bought again by itself
            if not fresh and (status not in ("failed", "cancelled") or "unfetched" in states.values()):
                missing = tuple(n for n, state in states.items() if state in ("failed", "cancelled"))
                return Opened(old, False, missing if status in ("completed", "failed", "cancelled") else ())
            db.execute("UPDATE requests SET live = 0 WHERE id = ?", (old.id,))
        _insert(db, "requests", row)
        return Opened(row, True, tuple(range(json.loads(row.request)["n"])))

    # -- the life of a call -------------------------------------------------------------------------------------

    def sending(self, call: str, epoch: int, now: float, *, ceiling: float | None = None, exact: bool = False) -> None:
        """Commit that the request is about to be written, and reserve its price under the day's ``ceiling``.

        ``exact`` says that the price is the service's own word, which no learned one raises.
        """
        with self._change() as db:
            if ceiling is not None:
                self._reserve(db, call, now, ceiling, exact=exact)
            self._step(db, call, epoch, ("intent",), state="sending", sent_at=now, updated_at=now)

    def not_taken(self, call: str, epoch: int, now: float) -> None:
        """The request certainly did not arrive: back to ``intent``."""
        self._set(call, epoch, ("sending",), state="intent", sent_at=None, updated_at=now)

    def accepted(self, call: str, epoch: int, now: float, settled: Settled) -> None:
        states, ours = ("sending", "uncertain"), self.owner
        values = {"state": "submitted", "owner": "", "waiter": ours}
        with self._change() as db:
            self._book(db, call, settled, now)
            self._step(db, call, epoch, states, updated_at=now, **values, **_known(settled))

    def completed(
        self, call: str, epoch: int | None, now: float, settled: Settled, *, found: dict[str, Any] | None = None
    ) -> None:
        """The service is done; what it made has yet to be saved: ``found`` is that, for a waiter in another process."""
        states = ("sending", "submitted", "processing", "completed", *(() if epoch is None else ("uncertain",)))
        values = {} if epoch is None else {"owner": ""}
        if found is not None:
            values["found"] = json.dumps(found)
        with self._change() as db:
            self._book(db, call, settled, now)
            self._step(db, call, epoch, states, state="completed", updated_at=now, **values, **_known(settled))

    def progress(self, now: float, seen: Mapping[str, float | None]) -> None:
        """How far some calls are, by id."""
        with self._change() as db:
            for call, progress in seen.items():
                db.execute(
                    "UPDATE calls SET state = 'processing', progress = ?, updated_at = ? WHERE id = ? "
                    "AND state IN ('submitted', 'processing')",
                    (progress, now, call),
                )

    def failed(self, call: str, epoch: int | None, now: float, error: GenstepError, *, refunded: bool | None) -> None:
        """The call ended without a result; ``refunded`` True also where nothing was ever taken. A refusal for want of
        credits that says what is left is the newest word on the balance."""
        states = ("intent", "sending", "submitted", "processing", "completed", "uncertain")
        data, flag = json.dumps(error.to_dict(), default=str), None if refunded is None else int(refunded)
        said = error.available if isinstance(error, InsufficientCredits) else None
        balance = {} if said is None else {"balance": said}
        self._set(call, epoch, states, state="failed", updated_at=now, error=data, refunded=flag, **balance)

    def uncertain(self, call: str, epoch: int, now: float, error: GenstepError) -> None:
        data = json.dumps(error.to_dict(), default=str)
        self._set(call, epoch, ("sending",), state="uncertain", owner="", updated_at=now, error=data)

    def candidates(self, call: str, error: GenstepError) -> None:
        """What the search for an uncertain call found; it stays uncertain."""
        with self._change() as db:
            data = json.dumps(error.to_dict(), default=str)
            db.execute("UPDATE calls SET error = ? WHERE id = ? AND state = 'uncertain'", (data, call))

    def cancelled(self, call: str, now: float, *, refunded: bool | None = None) -> None:
        states = ("intent", "submitted", "processing")
        self._set(
            call, None, states, state="cancelled", updated_at=now, refunded=None if refunded is None else int(refunded)
        )

    def stored(self, call: str, epoch: int, request: str, number: int, made: Sequence[Asset] | None = None) -> None:
        """An item's files are on disk: ``made``, or those that are known already."""
        with self._change() as db:
            self._step(db, call, epoch, ("completed",), state="completed")
            if made is None:
                db.execute("UPDATE items SET error = NULL WHERE request = ? AND number = ?", (request, number))
            else:
                _keep(db, request, number, made)

    def saved(
        self,
        call: str,
        epoch: int,
        now: float,
        failures: Sequence[tuple[str, int, GenstepError]],
        made: Sequence[Stored] = (),
    ) -> bool:
        """All that the call made and that can be had is ``stored``, or ``made`` and stored now; ``failures`` of the
        rest by request and number.

        Its claim ends. True where nothing that was made is left to be fetched.
        """
        with self._change() as db:
            for request, number, assets in made:
                _keep(db, request, number, assets)
            self._step(
                db, call, epoch, ("completed",), state="saved", owner="", updated_at=now, progress=1.0, found=None
            )
            # a delivery holds signed links: once its files are here, only that it came is remembered
            db.execute(
                "UPDATE deliveries SET payload = '' WHERE job_id IN (SELECT job_id FROM calls WHERE id = ?)", (call,)
            )
            for request, number, error in failures:
                db.execute(
                    "UPDATE items SET error = ? WHERE request = ? AND number = ?",
                    (json.dumps(error.to_dict(), default=str), request, number),
                )
            items = db.execute("SELECT error FROM items WHERE call = ? AND error IS NOT NULL", (call,)).fetchall()
            return all(item_state("saved", json.loads(item["error"])) != "unfetched" for item in items)

    def unsave(self, request: str, now: float, *, unfetched: bool = False) -> None:
        """Files of a request are gone: its calls are to be saved again; those with ``unfetched`` items, or all."""
        calls = {item.call for item in self.items(request=request) if not unfetched or _unfetched(item)}
        if not calls:
            return
        with self._change() as db:
            for call in calls:
                db.execute(
                    "UPDATE calls SET state = 'completed', owner = '', updated_at = ? WHERE state = 'saved' AND id = ?",
                    (now, call),
                )

    def copied(self, request: str, asset: Asset, copy: Asset) -> None:
        """Remember where an asset was copied to, so that deleting its job removes the copy, too."""
        with self._change() as db:
            rows = db.execute("SELECT number, ordinal, asset FROM assets WHERE request = ?", (request,)).fetchall()
            for row in rows:
                known = json.loads(row["asset"])
                if known["uri"] == asset.uri and copy.uri not in known.setdefault("copies", []):
                    known["copies"].append(copy.uri)
                    db.execute(
                        "UPDATE assets SET asset = ? WHERE request = ? AND number = ? AND ordinal = ?",
                        (json.dumps(known), request, row["number"], row["ordinal"]),
                    )

    def claim(self, call: str, now: float) -> int | None:
        """Take a row whose owner is dead, or that is ours already: the new epoch; None while another owner lives."""
        with self._change() as db:
            row = db.execute("SELECT owner, epoch FROM calls WHERE id = ?", (call,)).fetchone()
            if row is None or (row["owner"] not in ("", self.owner) and self.alive(row["owner"])):
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

    def _step(self, db: Connection, call: str, epoch: int | None, states: tuple[str, ...], **values: Any) -> None:
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


def _unfetched(item: ItemRow) -> bool:
    return item_state("saved", item.error) == "unfetched"


def _keep(db: Connection, request: str, number: int, made: Sequence[Asset]) -> None:
    """The files of an item, in place of what was known of them, or of why they were missing."""
    db.execute("UPDATE items SET error = NULL WHERE request = ? AND number = ?", (request, number))
    db.execute("DELETE FROM assets WHERE request = ? AND number = ?", (request, number))
    for ordinal, asset in enumerate(made):
        db.execute(
            "INSERT INTO assets (request, number, ordinal, asset) VALUES (?, ?, ?, ?)",
            (request, number, ordinal, json.dumps(asset.to_dict())),
        )


def _insert(db: Connection, table: str, row: RequestRow | CallRow) -> None:
    # without asdict(): it copies all that it finds, which costs more than the statement
    known = {field.name: getattr(row, field.name) for field in fields(row)}
    values = {name: json.dumps(v) if isinstance(v, dict) else v for name, v in known.items()}
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def _known(settled: Settled) -> dict[str, Any]:
    known = {field.name: getattr(settled, field.name) for field in fields(settled)}
    return {name: value for name, value in known.items() if value is not None}
