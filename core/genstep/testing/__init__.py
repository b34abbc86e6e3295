"""What tests of genstep, and of providers for it, need: virtual time, and the contract that every provider keeps."""

from genstep.testing.clock import VirtualClock, run_virtual

__all__ = ["VirtualClock", "run_virtual"]
