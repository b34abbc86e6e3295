"""The five paid services as a local server: a test bed, and a dry run before spending (see ../README.md)."""

from __future__ import annotations

from genstep.sandbox.server.app import App, Event, Logged
from genstep.sandbox.server.clock import Clock, RealClock
from genstep.sandbox.server.control.scenario import Control
from genstep.sandbox.server.faults import Fault
from genstep.sandbox.server.messages import Request, Response
from genstep.sandbox.server.server import SandboxServer, serve

__all__ = [
    "App",
    "Clock",
    "Control",
    "Event",
    "Fault",
    "Logged",
    "RealClock",
    "Request",
    "Response",
    "SandboxServer",
    "serve",
]
