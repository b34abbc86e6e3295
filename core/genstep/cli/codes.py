"""Exit codes: what a script learns from a run without reading a word of it; pure."""

from __future__ import annotations

from collections.abc import Iterable

from genstep.errors import (
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    GenstepError,
    InsufficientCredits,
    InvalidRequest,
    PermissionDenied,
    SubmissionUncertain,
    WaitTimeout,
)

DONE = 0
FAILED = 1
USAGE = 2
NO_CREDITS = 3
RUNNING = 4
UNCERTAIN = 5
INTERRUPTED = 130

_BY_ERROR: tuple[tuple[type[GenstepError], int], ...] = (
    (SubmissionUncertain, UNCERTAIN),
    (WaitTimeout, RUNNING),
    (InsufficientCredits, NO_CREDITS),
    (BudgetExceeded, NO_CREDITS),
    (ConfigurationError, USAGE),
    (InvalidRequest, USAGE),
    # the account as configured cannot do this: running it again changes nothing
    (AuthenticationError, USAGE),
    (PermissionDenied, USAGE),
)
#: of several errors, the one that a script must know of first
_WEIGHT = (UNCERTAIN, RUNNING, NO_CREDITS, FAILED, USAGE)


def of(error: GenstepError) -> int:
    """The code of one error."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAILED)


def of_all(errors: Iterable[GenstepError], *, some_done: bool) -> int:
    """The code of a run with several outcomes: 0 without errors; what is perhaps charged weighs most."""
    found = {of(error) for error in errors}
    code = next((code for code in _WEIGHT if code in found), DONE)
    return FAILED if code == USAGE and some_done else code
