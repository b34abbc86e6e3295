"""The books of a day: what the services charged beside what the ledger says, prompt by prompt."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.money.day import Day

SECONDS = 86400
PURCHASES = """SELECT DISTINCT r.prompt, c.provider, c.state, c.charged, c.estimated, c.refunded, c.job_id, c.sent_at
    FROM requests r JOIN items i ON i.request = r.id JOIN calls c ON c.id = i.call"""


@dataclass(frozen=True)
class Entry:
    """One paid call of the ledger; ``amount`` in the service's unit, None where neither a reply nor a document says it;
    ``said`` where the service itself said it; ``refunded`` None where it failed and nobody says what of the money."""

    state: str
    amount: float | None
    said: bool
    refunded: bool | None
    sent_at: float | None
    job_id: str | None

    @property
    def is_charged(self) -> bool:
        """The ledger says so for certain."""
        return self.state == "saved" or (self.state == "failed" and self.refunded is False)

    @property
    def is_open(self) -> bool:
        """The money is spoken for, and nobody can say where it is: perhaps charged, or perhaps given back."""
        return self.state == "uncertain" or (self.state == "failed" and self.refunded is None)

    @property
    def is_settled(self) -> bool:
        return self.state in ("saved", "failed", "cancelled", "uncertain")


@dataclass
class Account:
    """One prompt: ``price`` is that of all that was asked for, ``charges`` those of the service that stand."""

    slug: str
    prompt: str
    price: float = 0.0
    charges: list[float] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def booked(self) -> float:
        return sum(entry.amount or 0.0 for entry in self.entries if entry.is_charged)

    @property
    def uncertain(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.state == "uncertain"]

    @property
    def perhaps(self) -> float:
        """What may have been taken beyond what is booked, by calls whose outcome nobody knows."""
        unclear = [entry.amount for entry in self.entries if entry.is_open]
        return sum(math.inf if amount is None else amount for amount in unclear)

    @property
    def beyond(self) -> float:
        """What the service took beyond what is booked."""
        return sum(self.charges) - self.booked

    @property
    def is_double(self) -> bool:
        return sum(self.charges) > self.price

    @property
    def is_lost(self) -> bool:
        """The service took money of which the ledger says nothing, or not what came of it."""
        silent = self.beyond > self.perhaps
        return bool(self.charges) and (silent or not all(entry.is_settled for entry in self.entries))

    @property
    def is_invented(self) -> bool:
        """The ledger books what the service did not take."""
        return self.beyond < 0


class Books:
    """All that a day's server charged and its ledger says."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self.accounts: dict[tuple[str, str], Account] = {}
        for wish in day.wishes:
            self._account(wish.slug, wish.fields["prompt"]).price = wish.price
        for (slug, _), job in day.app.state.jobs.items():
            if not job.refunded:
                self._account(slug, job.fields["prompt"]).charges.append(job.price)
        with closing(sqlite3.connect(day.ledger)) as db:
            db.row_factory = sqlite3.Row
            for row in db.execute(PURCHASES):
                self._account(row["provider"], row["prompt"]).entries.append(_entry(row))
            self.unfetched = {
                row["prompt"]
                for row in db.execute("SELECT r.prompt, i.error FROM requests r JOIN items i ON i.request = r.id")
                if row["error"] and json.loads(row["error"])["error"] == "AssetError"
            }
            self.files = [json.loads(asset) for (asset,) in db.execute("SELECT asset FROM assets")]

    def _account(self, slug: str, prompt: str) -> Account:
        return self.accounts.setdefault((slug, prompt), Account(slug, prompt))

    def of(self, slug: str) -> list[Account]:
        return [account for account in self.accounts.values() if account.slug == slug]

    @property
    def double(self) -> list[Account]:
        return [account for account in self.accounts.values() if account.is_double]

    @property
    def lost(self) -> list[Account]:
        return [account for account in self.accounts.values() if account.is_lost]

    @property
    def invented(self) -> list[Account]:
        return [account for account in self.accounts.values() if account.is_invented]

    @property
    def missing(self) -> list[str]:
        """Saved files that are not there, or not whole."""
        gone = (a for a in self.files if not Path(a["path"]).is_file() or Path(a["path"]).stat().st_size != a["size"])
        return [asset["path"] for asset in gone]

    def by_day(self, slug: str) -> dict[int, float]:
        """What one service took on each UTC day, by the moment at which the ledger sent the call."""
        sent = {entry.job_id: entry.sent_at for account in self.of(slug) for entry in account.entries}
        days: dict[int, float] = defaultdict(float)
        for (of, job_id), job in self._day.app.state.jobs.items():
            if of == slug and not job.refunded:
                days[int((sent.get(job_id) or job.created) // SECONDS)] += job.price
        return dict(days)

    def printed(self) -> str:
        """One line a service: jobs asked for, money at the service and in the ledger, and what came of the calls."""
        day = self._day
        names = (
            "asked",
            "submits",
            "charged",
            "ledger",
            "perhaps",
            "saved",
            "failed",
            "refused",
            "uncertain",
        )
        lines = [f"{day.jobs} jobs, {day.virtual_hours:.1f} virtual hours, {day.kills} kills, {day.seconds:.0f} s"]
        lines.append(" " * 16 + "".join(f"{name:>11}" for name in names))
        totals: Counter[str] = Counter()
        for slug in sorted({wish.slug for wish in day.wishes}):
            accounts = self.of(slug)
            entries = [entry for account in accounts for entry in account.entries]
            row: dict[str, float] = {
                "asked": sum(wish.slug == slug for wish in day.wishes),
                "submits": day.control.submits(slug),
                "charged": sum(sum(account.charges) for account in accounts),
                "ledger": sum(account.booked for account in accounts),
                "perhaps": sum(account.beyond for account in accounts if account.perhaps),
                "saved": sum(entry.state == "saved" for entry in entries),
                "failed": sum(entry.state == "failed" and entry.refunded is not True for entry in entries),
                "refused": sum(entry.state == "failed" and entry.refunded is True for entry in entries),
                "uncertain": sum(entry.state == "uncertain" for entry in entries),
            }
            totals.update(row)
            lines.append(f"{slug:16}" + "".join(f"{row[name]:>11g}" for name in names))
        counted = ("asked", "submits", "saved", "failed", "refused", "uncertain")
        lines.append(f"{'':16}" + "".join(f"{totals[name] if name in counted else '':>11}" for name in names))
        every = [entry for account in self.accounts.values() for entry in account.entries]
        guessed = sum(entry.is_charged and not entry.said for entry in every)
        unclear = sum(entry.is_open and entry.state == "failed" for entry in every)
        lines.append(
            f"charged = ledger + perhaps; {guessed} calls are booked without the service's word, "
            f"{unclear} failed and nobody says whether the money came back"
        )
        lines.append(f"paid files that the service does not give any more: {len(self.unfetched)}")
        lines.append(f"charged twice {len(self.double)}, silently lost {len(self.lost)}, invented {len(self.invented)}")
        return "\n".join(lines)


def _entry(row: Any) -> Entry:
    said, refunded = row["charged"] is not None, row["refunded"]
    amount = row["charged"] if said else row["estimated"]
    given_back = None if refunded is None else bool(refunded)
    return Entry(row["state"], amount, said, given_back, row["sent_at"], row["job_id"])
