"""The one table of money: what an answer to a paid call means, for every provider; pure."""

from __future__ import annotations

from enum import Enum

from genstep.errors import GenstepError, NotSent, RateLimited, UnreadableReply


class Verdict(Enum):
    """``ACCEPTED``: taken. ``REFUSED``: certainly no charge, final. ``AGAIN``: certainly not taken, may be sent again.
    ``UNCERTAIN``: perhaps charged, never sent again by itself."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AGAIN = "again"
    UNCERTAIN = "uncertain"


#: client-error statuses that do not prove that nothing was done: time-outs of a proxy, and "see the result elsewhere"
_UNCLEAR = frozenset({303, 408, 499})


def judge(status: int | None, error: GenstepError | None) -> Verdict:
    """The verdict on a paid call that got ``status`` (None: no answer) and means ``error`` in its dialect.

    ========================================================== =========
    not sent: refused, name, TLS, connect timeout               AGAIN
    no answer: read timeout, reset after sending                UNCERTAIN
    2xx that reads as documented                                ACCEPTED
    2xx that cannot be read                                     UNCERTAIN
    2xx that says in its dialect that it failed                 REFUSED
    429, and no quota that lasts until tomorrow                 AGAIN
    any error whose document promises no charge or a refund     REFUSED
    401 (after one new login), other 3xx and 4xx                REFUSED
    303, 408, 499, every 5xx                                    UNCERTAIN
    ========================================================== =========
    """
    if error is None:
        return Verdict.ACCEPTED if status is None or 200 <= status < 300 else Verdict.UNCERTAIN
    if isinstance(error, NotSent):
        return Verdict.AGAIN
    if isinstance(error, RateLimited):
        return Verdict.REFUSED if error.quota else Verdict.AGAIN
    if error.charged is False:
        return Verdict.REFUSED
    if status is None or isinstance(error, UnreadableReply):
        return Verdict.REFUSED if status is not None and _proves_refusal(status) else Verdict.UNCERTAIN
    if 200 <= status < 300 or _proves_refusal(status):
        return Verdict.REFUSED
    return Verdict.UNCERTAIN


def _proves_refusal(status: int) -> bool:
    return 300 <= status < 500 and status not in _UNCLEAR
