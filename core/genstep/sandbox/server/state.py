"""What the five services remember: accounts, jobs, charges. Pure: no I/O, no waiting, the time is handed in."""

from __future__ import annotations

import hashlib
import heapq
import math
import secrets
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genstep.sandbox.server.assets import Asset

CHARGES_KEPT = 100_000
KEY_PREFIXES = ("cvk_", "avs_live_", "sk_", "ilab_key_")


def digest(secret: str) -> str:
    """Return what the server keeps of a key: it never stores one."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def masked(secret: str) -> str:
    """Return a key as it may be shown: its prefix, an ellipsis and four characters, e.g. ``cvk_…3fa9``."""
    prefix = next((known for known in KEY_PREFIXES if secret.startswith(known)), "")
    tail = secret[len(prefix) :]
    return f"{prefix}…{tail[-4:] if len(tail) >= 12 else digest(secret)[:4]}"


@dataclass
class Window:
    """A fixed window of a rate limit or quota: it opens with the first request after the last one closed."""

    seconds: float
    opened: float = -math.inf
    used: int = 0

    def left(self, now: float, limit: int) -> int:
        if now >= self.opened + self.seconds:
            return limit
        return max(0, limit - self.used)

    def closes(self, now: float) -> float:
        """The Unix time at which the window that is open, or would open now, closes."""
        return (self.opened if now < self.opened + self.seconds else now) + self.seconds

    def take(self, now: float, limit: int) -> bool:
        """Count one request; False, and nothing counted, where the limit is reached."""
        if now >= self.opened + self.seconds:
            self.opened, self.used = now, 0
        if self.used >= limit:
            return False
        self.used += 1
        return True

    def give_back(self, now: float) -> None:
        """Count one request out again, where the window is still open."""
        if now < self.opened + self.seconds:
            self.used = max(0, self.used - 1)


@dataclass(eq=False)
class Account:
    """One customer of one service, opened by the first use of a key; `label` is the key as it may be shown."""

    id: str
    slug: str
    label: str
    digest: str
    credits: int
    settings: dict[str, Any]
    webhook_secret: str
    number: int
    windows: dict[str, Window] = field(default_factory=dict)
    webhooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    open: int = 0
    password: str = field(default="", repr=False)
    email: str = ""

    def window(self, name: str, seconds: float) -> Window:
        """The account's window of that name, of `seconds` real seconds."""
        return self.windows.setdefault(name, Window(seconds))


@dataclass(eq=False)
class Job:
    """One paid generation; `due` is when it ends (infinite while it is held or stuck), in Unix seconds."""

    id: str
    account: Account
    kind: str
    fields: dict[str, Any]
    price: int
    created: float
    starts: float
    due: float
    fails: bool = False
    refunds: bool = True
    rejected: bool = False
    word: str | None = None
    finished: float | None = None
    refunded: bool = False
    deleted: bool = False
    outputs: list[Asset] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return self.finished is not None and self.fails

    def status(self, now: float) -> str:
        """``pending``, ``processing``, ``completed`` or ``failed``; a fault can put another word for the second."""
        if self.finished is not None:
            return "failed" if self.fails else "completed"
        if self.word:
            return self.word
        return "pending" if now < self.starts else "processing"

    def progress(self, now: float) -> int:
        """How far the job is, 0 to 99, and 100 once it has ended."""
        if self.finished is not None:
            return 100
        if now < self.starts or math.isinf(self.due):
            return 0 if now < self.starts else 50
        return min(99, int(100 * (now - self.starts) / max(self.due - self.starts, 1e-9)))


@dataclass(frozen=True)
class Charge:
    """One booking: `amount` is what was taken, or given back where `refund` is true; `balance` is what was left."""

    time: float
    slug: str
    account: str
    label: str
    job: str
    amount: int
    balance: int
    refund: bool


class State:
    """Accounts, jobs and charges of all services, and the one place where a job ends."""

    def __init__(self, now: Callable[[], float], *, webhook_secret: str | None = None) -> None:
        self.now = now
        self.accounts: dict[tuple[str, str], Account] = {}
        self.jobs: dict[tuple[str, str], Job] = {}
        self.charges: deque[Charge] = deque(maxlen=CHARGES_KEPT)
        self.submits: Counter[tuple[str, str]] = Counter()
        self.finishing: list[Callable[[Job], None]] = []
        self._webhook_secret = webhook_secret
        self._due: list[tuple[float, int, Job]] = []
        self._serial = 0

    def account(self, slug: str, key: str, *, credits: int, settings: dict[str, Any], label: str) -> Account:
        """Return the account of a key, opened with `credits` and `settings` where it is new."""
        known = self.accounts.get((slug, digest(key)))
        if known is not None:
            return known
        number = len(self.accounts) + 1
        account = Account(
            id=f"{slug}-{number}",
            slug=slug,
            label=label,
            digest=digest(key),
            credits=credits,
            settings=dict(settings),
            webhook_secret=self._webhook_secret or f"whsec_{secrets.token_hex(16)}",
            number=16 + number,
        )
        self.accounts[slug, account.digest] = account
        return account

    def find(self, slug: str, key: str) -> Account | None:
        """Return the account of a key, or None where the key was never used."""
        return self.accounts.get((slug, digest(key)))

    def add(self, job: Job) -> None:
        """Book a new job: charge its account, and let it end when it is due."""
        self.jobs[job.account.slug, job.id] = job
        job.account.jobs.append(job)
        job.account.credits -= job.price
        self._book(job, refund=False)
        self.reschedule(job, job.due)

    def reschedule(self, job: Job, due: float) -> None:
        """Let a job that has not ended do so at `due`; infinity holds it."""
        job.due = due
        if job.finished is None and not math.isinf(due):
            self._serial += 1
            heapq.heappush(self._due, (due, self._serial, job))

    def settle(self) -> None:
        """End every job that is due by now: refund it where it failed, and tell who listens."""
        now = self.now()
        while self._due and self._due[0][0] <= now:
            due, _, job = heapq.heappop(self._due)
            if job.finished is None and job.due == due:
                self._end(job, due)

    def _end(self, job: Job, at: float) -> None:
        job.finished = at
        if job.fails and job.refunds and job.price:
            job.refunded = True
            job.account.credits += job.price
            self._book(job, refund=True)
        for listener in self.finishing:
            listener(job)

    def _book(self, job: Job, *, refund: bool) -> None:
        account = job.account
        at = job.finished if refund and job.finished is not None else job.created
        self.charges.append(
            Charge(at, account.slug, account.id, account.label, job.id, job.price, account.credits, refund)
        )
