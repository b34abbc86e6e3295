"""What the watcher knows of one job that somebody waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from genstep.ledger import CallRow
    from genstep.watcher import Schedule


@dataclass(slots=True, eq=False)
class Watched:
    """One job that somebody waits for: here (``done``), or in another process (None)."""

    row: CallRow
    schedule: Schedule
    done: asyncio.Future[None] | None
    due: float = 0.0
    asked: float = 0.0
    unknown: int = 0
    asking: bool = False
    #: the service's list did not show it, so it is asked about alone
    unlisted: bool = False
    #: an unverified webhook was heard, which is good for one look; ``urgent`` until that look
    hinted: bool = False
    urgent: bool = False
    #: the progress that the ledger has
    progress: float | None = None
