"""The moments at which a process of the crash suite is killed, and the order in which a run goes through them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

SERVICES = ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio", "imageapi")
BLOCKING = ("nanobanana", "imageapi")
#: services that can list what they made, so that a lost answer is found again
LISTING = ("nanobanana", "imaginelab", "aivisualstudio")
ASYNC = tuple(slug for slug in SERVICES if slug not in BLOCKING)


@dataclass(frozen=True)
class Moment:
    """A moment, in words; ``own`` is where the process kills itself (see ``crash_child.py``), else the server does it:
    ``event`` of a ``paid``, ``status`` or ``asset`` request. With neither, it is any moment."""

    words: str
    own: str = ""
    event: str = ""
    request: str = ""
    services: tuple[str, ...] = SERVICES
    #: the request is lost on its way, so that the service never sees it
    lost: bool = False
    #: it also comes when a job is resumed
    resumable: bool = False


ANY = Moment("at any moment", resumable=True)
ONE_EACH = (
    Moment("before anything is written down", own="Ledger.open:before"),
    Moment("intent written, nothing sent", own="Ledger.open:after"),
    Moment("before sending is committed", own="Ledger.sending:before"),
    Moment("sending committed, request not written", own="Ledger.sending:after"),
    Moment("paid request on its way, and lost", event="received", request="paid", lost=True),
    Moment("paid request received, not yet accepted", event="received", request="paid"),
    Moment("accepted and charged, no answer yet", event="accepted", request="paid"),
    Moment("in the middle of the answer", event="half", request="paid"),
    Moment("the whole answer is on the wire", event="sent", request="paid"),
    Moment("answer read, not yet on disk", own="Spool.keep:before"),
    Moment("answer on disk, not yet parsed", own="Spool.keep:after"),
    Moment("answer parsed, submitted not committed", own="Ledger.accepted:before", services=ASYNC),
    Moment("submitted", own="Ledger.accepted:after", services=ASYNC),
    Moment("polling, status request received", event="received", request="status", services=ASYNC, resumable=True),
    Moment("polling, in the middle of the status", event="half", request="status", services=ASYNC, resumable=True),
    Moment("before completed is committed", own="Ledger.completed:before", resumable=True),
    Moment("completed, before the download", own="Ledger.completed:after", resumable=True),
    Moment("download asked for", event="received", request="asset", resumable=True),
    Moment("in the middle of the download", event="dripping", request="asset", resumable=True),
    Moment("file in its place, not yet in the ledger", own="Ledger.saved:before", resumable=True),
    Moment("saved, its answer still in the spool", own="Ledger.saved:after", resumable=True),
)
#: the moments of one round: each of those that are named, and any moment as often as four of them
ROUND = (*ONE_EACH, ANY, ANY, ANY, ANY)
RESUMING = tuple(moment for moment in ROUND if moment.resumable)


def plan(chosen: random.Random, start: int = 0) -> Iterator[tuple[Moment, str]]:
    """Moments with a service each, for ever: round by round in a random order, from the ``start``-th of it on; each
    moment meets another service in each round."""
    turn = 0
    while True:
        order = list(enumerate(ROUND))
        chosen.shuffle(order)
        for place, moment in order[start:]:
            yield moment, moment.services[(place + turn) % len(moment.services)]
        start, turn = 0, turn + 1
