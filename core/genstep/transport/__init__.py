"""The driver of the providers' flows, and HTTP done right: auth, pacing, failure classes, limits, redaction."""

from genstep.transport.driver import PaidCall, Transport

__all__ = ["PaidCall", "Transport"]
