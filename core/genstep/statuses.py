"""What an HTTP status means as an error, where a service's dialect says nothing more precise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstep import foreign
from genstep.errors import (
    AuthenticationError,
    GenstepError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
)

if TYPE_CHECKING:
    from genstep.provider import Reply


def error_for_status(reply: Reply, message: str, *, code: str | None = None, **known: Any) -> GenstepError:
    """The error that an HTTP status means where the dialect says nothing more precise."""
    status = reply.status
    known = {"status": status, "code": code, **known}
    message = message or f"HTTP {status}"
    if status == 401:
        return AuthenticationError(
            f"the key or login was refused ({message}); check it with: genstep accounts test", **known
        )
    if status == 402:
        return InsufficientCredits(f"not enough credits: {message}", **known)
    if status == 403:
        return PermissionDenied(message, **known)
    if status == 404:
        return NotFound(message, **known)
    if status == 429:
        known.setdefault("retry_after", foreign.retry_after(reply.headers))
        return RateLimited(f"too many requests: {message}", **known)
    if 400 <= status < 500:
        return InvalidRequest(f"the service refused it: {message}", **known)
    return ProviderUnavailable(f"HTTP {status}: {message}" if message != f"HTTP {status}" else message, **known)
