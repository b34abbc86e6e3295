"""What an account may spend: reserved before a call is sent, booked when its charge is known, learned for the next."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

from genstep.errors import BudgetExceeded
from genstep.ledger.reading import Reading

if TYPE_CHECKING:
    from genstep.ledger.engine import Connection
    from genstep.ledger.records import Settled

log = logging.getLogger("genstep")

DAY = 86400.0
#: sums of prices are not exact
_ROUNDING = 1e-9
#: seconds after which a call whose answer was lost is taken to move the balance no more: the longest read timeout
_LOST = 900.0
#: of more calls at once than this, nothing is told from their balances
_AT_ONCE = 100


class PriceAwaited(BudgetExceeded):
    """A call under way, whose price is not known yet, reserves all that is left: a price may come with its answer."""

    def refusal(self) -> BudgetExceeded:
        """The error for one who has waited long enough."""
        return BudgetExceeded(self.message, required=self.required, available=self.available, charged=False)


class Budget(Reading):
    """The money of :class:`Ledger`: per account and provider, in its own unit, in days of UTC.

    A call counts for the day on which it was sent: with its charge where that is known, else with what was reserved,
    until the money is said to be back. One whose price nobody knows counts as all that was left.
    """

    def spent_today(self, account: str, provider: str, now: float) -> float:
        """What an account has spent or reserved since midnight UTC, in its unit; unknown prices count as 0."""
        with self._read() as db:
            return self._spent(db, account, provider, now)

    def difference(self, call: str, balance: float) -> float | None:
        """What a call cost by the fall of its account's balance; None where another call may have had a part in it.

        It is counted from what the calls before it left. Of some at once that is the lowest balance that they state: an
        answer may be older than one that came before it, on a slow line or read from the disk after a crash.
        """
        own = self.call(call)
        # until when the calls before it could move the balance; one without an end may still do so
        rows = self._all(
            "SELECT sent_at, answered_at, balance, CASE WHEN answered_at IS NOT NULL THEN answered_at "
            "WHEN state = 'uncertain' THEN updated_at + ? WHEN state IN ('saved', 'failed', 'cancelled') "
            "THEN updated_at ELSE 1e15 END AS ended FROM calls WHERE account = ? AND provider = ? AND id <> ? "
            "AND sent_at IS NOT NULL AND COALESCE(refunded, 0) = 0 ORDER BY ended DESC LIMIT ?",
            (_LOST, own.account, own.provider, call, _AT_ONCE),
        )
        if not rows or rows[0]["ended"] > (own.sent_at or 0.0):
            return None
        before: list[float] = []
        began = math.inf
        for row in rows:
            if before and row["ended"] <= began:
                break
            if row["balance"] is None or row["answered_at"] is None or len(before) == _AT_ONCE - 1:
                return None
            before.append(float(row["balance"]))
            began = min(began, row["sent_at"])
        fall = min(before) - balance
        return fall if fall >= 0 else None

    def expect(self, call: str, price: float | None = None) -> float | None:
        """What a call is believed to cost, written down where nothing was: its reservation, else what such calls have
        cost, else ``price``."""
        with self._change() as db:
            reserved = db.execute("SELECT estimated FROM calls WHERE id = ?", (call,)).fetchone()["estimated"]
            if reserved is not None:
                return float(reserved)
            learned = self._learned(db, call)
            price = price if learned is None else learned
            if price is not None:
                db.execute("UPDATE calls SET estimated = ? WHERE id = ?", (price, call))
        return price

    def _spent(self, db: Connection, account: str, provider: str, now: float) -> float:
        row = db.execute(
            f"SELECT SUM(COALESCE(charged, estimated, 0)) AS total FROM calls WHERE {_TODAY}",
            _today(account, provider, now),
        ).fetchone()
        return float(row["total"] or 0.0)

    def _reserve(self, db: Connection, call: str, now: float, ceiling: float, *, exact: bool) -> None:
        """Set the call's price aside, or refuse it. Where its own price is not ``exact``, what was learned counts too.

        Raises :class:`BudgetExceeded`, or :class:`PriceAwaited` where trying again makes sense.
        """
        row = db.execute("SELECT account, provider, estimated FROM calls WHERE id = ?", (call,)).fetchone()
        account, provider, price = row["account"], row["provider"], row["estimated"]
        learned = None if exact and price is not None else self._learned(db, call)
        if learned is not None and (price is None or learned > price):
            price = learned
            db.execute("UPDATE calls SET estimated = ? WHERE id = ?", (price, call))
        left = max(ceiling - self._spent(db, account, provider, now), 0.0)
        for other in db.execute(
            f"SELECT id, state, owner FROM calls WHERE {_TODAY} AND charged IS NULL AND estimated IS NULL AND id <> ?",
            (*_today(account, provider, now), call),
        ).fetchall():
            awaited = other["state"] in ("submitted", "processing", "completed") or (
                other["state"] == "sending" and self.alive(other["owner"])
            )
            refuse = PriceAwaited if awaited else BudgetExceeded
            why = f"the price of the paid call {other['id']} is not known, so it counts as all that was left"
            raise refuse(_sentence(ceiling, 0.0, price, why), required=price, available=0.0, charged=False)
        if (price is None and left <= _ROUNDING) or (price is not None and price > left + _ROUNDING):
            raise BudgetExceeded(_sentence(ceiling, left, price), required=price, available=left, charged=False)

    def _book(self, db: Connection, call: str, settled: Settled, now: float) -> None:
        """Learn from a charge that came in; one above what was reserved is reported."""
        row = db.execute("SELECT provider, estimated, charged FROM calls WHERE id = ?", (call,)).fetchone()
        charged, expected = settled.charged, row["estimated"]
        if charged is None or charged <= 0:
            return
        if expected is not None and charged > expected + _ROUNDING and row["charged"] != charged:
            log.warning(
                "%s: the paid call %s cost %g, and %g was expected; the charge is booked, and later calls are expected "
                "to cost as much",
                row["provider"],
                call,
                charged,
                expected,
            )
        account, name, count = self._price_name(db, call)
        known = _fact(db, account, name)
        if count and (known is None or charged / count > known + _ROUNDING):
            db.execute(
                "INSERT INTO account_facts (account, name, value, seen_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (account, name) DO UPDATE SET value = excluded.value, seen_at = excluded.seen_at",
                (account, name, json.dumps(charged / count), now),
            )

    def _learned(self, db: Connection, call: str) -> float | None:
        """What such a call has cost at most, by the highest charge for one item of its kind and model."""
        account, name, count = self._price_name(db, call)
        each = _fact(db, account, name)
        return None if each is None else float(each) * count

    def _price_name(self, db: Connection, call: str) -> tuple[str, str, int]:
        """The account, the name of the fact that holds the price of one item, and how many items the call has."""
        row = db.execute(
            "SELECT r.account, r.provider, r.kind, r.model, (SELECT COUNT(*) FROM items WHERE call = ?) AS items "
            "FROM items i JOIN requests r ON r.id = i.request WHERE i.call = ? ORDER BY i.position LIMIT 1",
            (call, call),
        ).fetchone()
        if row is None:
            return "", "", 0
        return row["account"], f"price:{row['provider']}:{row['kind']}:{row['model'] or ''}", row["items"]


_TODAY = "account = ? AND provider = ? AND sent_at >= ? AND state <> 'intent' AND COALESCE(refunded, 0) = 0"


def _today(account: str, provider: str, now: float) -> tuple[str, str, float]:
    return account, provider, now - now % DAY


def _fact(db: Connection, account: str, name: str) -> Any:
    row = db.execute("SELECT value FROM account_facts WHERE account = ? AND name = ?", (account, name)).fetchone()
    return None if row is None else json.loads(row["value"])


def _sentence(ceiling: float, left: float, price: float | None, why: str = "") -> str:
    needed = "a price that is not known" if price is None else f"{price:g}"
    because = f" ({why}; the account's option price can name it)" if why else ""
    return (
        f"the account's daily ceiling is {ceiling:g}: {left:g} left and {needed} needed{because}; nothing was sent; "
        "raise daily_credits or wait until tomorrow (UTC)"
    )
