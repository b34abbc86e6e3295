"""The one table of money: what an answer to a paid call means, for every provider; pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from genstep.errors import GenstepError, NotSent, RateLimited, UnreadableReply

if TYPE_CHECKING:
    from genstep.provider import Reply


class Verdict(Enum):
    """``ACCEPTED``: taken. ``REFUSED``: certainly no charge, final. ``AGAIN``: certainly not taken, may be sent again.
    ``UNCERTAIN``: perhaps charged, never sent again by itself."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AGAIN = "again"
    UNCERTAIN = "uncertain"


#: statuses that do not prove that nothing was done: "see the result there", time-outs of a proxy, and a conflict or
#: haste of which no document speaks
_UNCLEAR = frozenset({302, 303, 408, 409, 425, 499})
#: how whoever refuses for a rate limit says so, where it is no JSON
_LIMIT = re.compile(rb"429|too many|rate.?limit|slow down|throttl", re.IGNORECASE)


def judge(status: int | None, error: GenstepError | None, reply: Reply | None = None) -> Verdict:
    """The verdict on a paid call that got ``status`` (None: no answer) and means ``error`` in its dialect; a 429 is
    believed where its ``reply``, if there is one, says that it is one.

    ========================================================== =========
    not sent: refused, name, TLS, connect timeout               AGAIN
    no answer: read timeout, reset after sending                UNCERTAIN
    2xx that reads as documented                                ACCEPTED
    2xx that cannot be read                                     UNCERTAIN
    2xx that says in its dialect that it failed                 REFUSED
    429 with words or a pause, and no quota until tomorrow      AGAIN
    429 that says nothing at all                                UNCERTAIN
    any error whose document promises no charge or a refund     REFUSED
    401 (after one new login), other 3xx and 4xx                REFUSED
    302, 303, 408, 409, 425, 499, every 5xx                     UNCERTAIN
    ========================================================== =========
    """
    if error is None:
        return Verdict.ACCEPTED if status is None or 200 <= status < 300 else Verdict.UNCERTAIN
    if isinstance(error, NotSent):
        return Verdict.AGAIN
    if isinstance(error, RateLimited):
        bare = reply is not None and status == 429 and not speaks_of_a_limit(reply)
        if bare and error.charged is not False:
            return Verdict.UNCERTAIN
        return Verdict.REFUSED if error.quota else Verdict.AGAIN
    if error.charged is False:
        return Verdict.REFUSED
    if status is None or isinstance(error, UnreadableReply):
        return Verdict.REFUSED if status is not None and _proves_refusal(status) else Verdict.UNCERTAIN
    if 200 <= status < 300 or _proves_refusal(status):
        return Verdict.REFUSED
    return Verdict.UNCERTAIN


def speaks_of_a_limit(reply: Reply) -> bool:
    """Whether a 429 is a rate limit's own: it asks for a pause, has counted to the end, or says why.

    Documents 001 and 003 count in ``X-RateLimit-Remaining``, 004 asks for a pause, and all but 000 have an error body.
    A 429 without any of it may be what is left of the answer of a service's own supplier, after the money was taken.
    """
    counted = reply.headers.get("x-ratelimit-remaining", "").strip() in ("0", "0.0")
    asks = bool(reply.headers.get("retry-after", "").strip())
    return counted or asks or bool(reply.data) or _LIMIT.search(reply.content[:4096]) is not None


def _proves_refusal(status: int) -> bool:
    return 300 <= status < 500 and status not in _UNCLEAR
