"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.toy_world import World, set_up

from genstep.sandbox.server import SandboxServer


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """The five services with small media and jobs of milliseconds; ``sandbox.control`` sets the scene."""
    with SandboxServer(speed=1000, long_side=64) as server:
        yield server


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy providers are known, and state is kept in a folder of the test's own."""
    set_up(monkeypatch, tmp_path)


@pytest.fixture
def world(toys: None, tmp_path: Path) -> World:
    """A client over the toy service; ``world.client()`` again is a new process with the same ledger."""
    return World(tmp_path)
