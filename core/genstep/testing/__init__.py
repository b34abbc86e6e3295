"""What tests of genstep, and of providers for it, need: virtual time, flows by hand, and the contract of providers.

``ProviderContract`` is loaded when it is first used: it alone needs pytest.
"""

from typing import TYPE_CHECKING, Any

from genstep.testing.clock import VirtualClock, run_virtual
from genstep.testing.fast_clock import FastClock
from genstep.testing.flow import drive, reply
from genstep.testing.service import FakeService, Replies

if TYPE_CHECKING:
    from genstep.testing.contract import ProviderContract

__all__ = [
    "FakeService",
    "FastClock",
    "ProviderContract",
    "Replies",
    "VirtualClock",
    "drive",
    "reply",
    "run_virtual",
]


def __getattr__(name: str) -> Any:
    if name == "ProviderContract":
        from genstep.testing.contract import ProviderContract

        return ProviderContract
    raise AttributeError(f"module 'genstep.testing' has no attribute {name!r}")
