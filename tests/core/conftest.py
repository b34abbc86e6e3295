"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genstep.sandbox.server import SandboxServer


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """The five services with small media and jobs of milliseconds; ``sandbox.control`` sets the scene."""
    with SandboxServer(speed=1000, long_side=64) as server:
        yield server
