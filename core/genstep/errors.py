"""The errors of genstep: one hierarchy, whatever service they came from.

GenstepError
├── ConfigurationError        no account, a malformed one, an unknown variable, an unusable ledger
├── InvalidRequest            a field, value or input image that is not possible; nothing was sent
├── AuthenticationError       the key or login was refused
├── PermissionDenied          the key may not do this (scope, address, plan, suspended)
│   └── BatchTooLarge         the service takes fewer items in one call
├── InsufficientCredits       the service's account has not enough
├── BudgetExceeded            our own ceiling (``max_credits``, ``daily_credits``) says no
├── RateLimited               wait ``retry_after`` seconds
├── NotFound                  no such job, model or route
├── ProviderUnavailable       the service, or something before it, did not answer as documented
│   ├── NotSent               the request certainly did not reach the service
│   └── UnreadableReply       an answer that is not what the document says
├── GenerationFailed          the service tried and failed; ``refunded`` says about the money
├── SubmissionUncertain       a paid call whose answer was lost: perhaps charged, never repeated by itself
├── WaitTimeout               still running; the job is kept and can be resumed
├── AssetError                a result that could not be fetched, checked or stored
└── WebhookRejected           a delivery whose signature or time is wrong
"""

from __future__ import annotations

from typing import Any

from genstep import redact


class GenstepError(Exception):
    """Base of all errors; ``str(error)`` is one message that says what to do next.

    What a service says ends up in errors, so no text of one holds a secret or the query of a URL: they are taken out
    here, where nothing can be forgotten. ``charged`` is False where the service certainly took no money for the call
    (or gave it back), True where it certainly did, None where nobody can tell.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        job_id: str | None = None,
        charged: bool | None = None,
    ) -> None:
        super().__init__(redact.clean(str(message)))
        self.provider = provider
        self.code = None if code is None else redact.clean(str(code))
        self.status = status
        self.request_id = None if request_id is None else redact.clean(str(request_id))
        self.job_id = job_id
        self.charged = charged
        #: the place of its request among those given to ``map``
        self.index: int | None = None

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else ""

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data: its class name, message, and what is known."""
        known = {name: value for name, value in vars(self).items() if value is not None and not name.startswith("_")}
        return {"error": type(self).__name__, "message": self.message, **known}


class ConfigurationError(GenstepError):
    """The account, a variable, the ledger or the output folder cannot be used as configured."""


class InvalidRequest(GenstepError):
    """A field or value that is not possible; ``field`` names it where one is to blame."""

    def __init__(self, message: str, *, field: str | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.field = field


class AuthenticationError(GenstepError):
    """The service refused the key or login."""


class PermissionDenied(GenstepError):
    """The key is good, but may not do this."""


class BatchTooLarge(PermissionDenied):
    """The service takes fewer items in one call than were sent (``limit``, where it says so); split smaller."""

    def __init__(self, message: str, *, limit: int | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.limit = limit


class InsufficientCredits(GenstepError):
    """The service's account has not enough; amounts in the account's own unit, where the service says them."""

    def __init__(
        self, message: str, *, required: float | None = None, available: float | None = None, **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.required = required
        self.available = available


class BudgetExceeded(GenstepError):
    """Our own ceiling would be passed; nothing was sent. Amounts in the account's own unit."""

    def __init__(
        self, message: str, *, required: float | None = None, available: float | None = None, **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.required = required
        self.available = available


class RateLimited(GenstepError):
    """Too many requests; ``retry_after`` is in seconds, where known. ``quota`` is True for a daily or monthly one."""

    def __init__(self, message: str, *, retry_after: float | None = None, quota: bool = False, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after
        self.quota = quota


class NotFound(GenstepError):
    """The service or the ledger knows no such thing."""


class ProviderUnavailable(GenstepError):
    """The service, or a proxy before it, did not answer as its document says."""


class NotSent(ProviderUnavailable):
    """The request certainly did not reach the service: name not found, refused, TLS, connect timeout."""


class UnreadableReply(ProviderUnavailable):
    """An answer came, but not one that the document describes."""


class GenerationFailed(GenstepError):
    """The service tried and failed. ``refunded`` is None where the service does not say."""

    def __init__(self, message: str, *, refunded: bool | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.refunded = refunded


class SubmissionUncertain(GenstepError):
    """The answer to a paid call was lost: perhaps charged. ``candidates`` are jobs of the service that might be it."""

    def __init__(self, message: str, *, candidates: tuple[str, ...] = (), **known: Any) -> None:
        super().__init__(message, **known)
        self.candidates = candidates


class WaitTimeout(GenstepError):
    """The job is still running when our patience ended; it is kept and can be resumed by ``job_id``."""


class AssetError(GenstepError):
    """A result could not be fetched, checked or stored; the job is kept and can be resumed."""


class WebhookRejected(GenstepError):
    """A webhook delivery with a wrong signature, a wrong time, or no secret to check it with."""


def from_dict(data: dict[str, Any]) -> GenstepError:
    """Rebuild an error from :meth:`GenstepError.to_dict` (how the ledger keeps it)."""
    known = {name: value for name, value in data.items() if name != "index"}
    name = known.pop("error", "GenstepError")
    message = known.pop("message", "")
    kind = globals().get(name, GenstepError)
    if not (isinstance(kind, type) and issubclass(kind, GenstepError)):
        kind = GenstepError
    error = kind(message)
    # set, not handed in: a plug-in's own error may know more than ours take
    vars(error).update(known)
    if isinstance(error, SubmissionUncertain):
        error.candidates = tuple(error.candidates)
    return error
