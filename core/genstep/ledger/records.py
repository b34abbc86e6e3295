"""What the ledger holds, row by row, and how a request's public status follows from its calls; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: the states in which a paid call is at its end
FINAL_STATES = ("saved", "failed", "cancelled", "uncertain")
#: what is left of ``RequestRow.request`` when a user deleted the job
FORGOTTEN = "{}"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request of a user. ``request`` is its JSON without input media; ``live`` rows answer equal requests."""

    id: str
    fingerprint: str
    account: str
    provider: str
    base_url: str
    kind: str
    model: str | None
    prompt: str
    request: str
    unit: str
    created_at: float
    resumable: bool = True
    live: bool = True


@dataclass(frozen=True, slots=True)
class CallRow:
    """One paid call. Amounts in the account's unit; times in Unix seconds; ``epoch`` rises with each new owner."""

    id: str
    account: str
    provider: str
    base_url: str
    state: str
    owner: str
    epoch: int
    created_at: float
    updated_at: float
    sent_at: float | None = None
    answered_at: float | None = None
    estimated: float | None = None
    charged: float | None = None
    balance: float | None = None
    refunded: bool | None = None
    job_id: str | None = None
    request_id: str | None = None
    progress: float | None = None
    error: dict[str, Any] | None = None
    #: the client that waits for it and will save it; '' where nobody does
    waiter: str = ""
    #: what the poller of another process found that its waiter has to save
    found: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One thing asked for: the ``number``-th of a request, at ``position`` of a paid call."""

    request: str
    number: int
    call: str
    position: int
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to opening a request: its row, whether it is new, and which items have yet to be bought, by the paid
    ``calls`` that were written for them."""

    row: RequestRow
    created: bool
    missing: tuple[int, ...]
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a service said about a call's money; None leaves what is known."""

    charged: float | None = None
    balance: float | None = None
    refunded: bool | None = None
    job_id: str | None = None
    request_id: str | None = None
    answered_at: float | None = None


def item_state(call: str, error: Mapping[str, Any] | None) -> str:
    """Where an item stands, by its call's state and its own error: in a saved call, one that was refused is
    ``failed``, and one that was made and paid, but cannot be fetched, is ``unfetched``."""
    if call != "saved" or error is None:
        return call
    return "unfetched" if error["error"] == "AssetError" else "failed"


def request_status(states: Iterable[str]) -> str:
    """The public word for a request whose items stand in these states (see :func:`item_state`)."""
    seen = set(states)
    if seen & {"submitted", "processing", "completed"}:
        return "processing"
    if seen & {"intent", "sending"}:
        return "pending"
    if "saved" in seen:
        return "completed"
    for state in ("uncertain", "cancelled"):
        if state in seen:
            return state
    return "failed"
