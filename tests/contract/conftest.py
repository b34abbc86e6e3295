"""What the contract tests share: the sandbox server of a module, its customers, and a home of each test's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.customer import Customer

from genstep import redact
from genstep.sandbox.server import SandboxServer

SPEED = 1000.0
#: enough for a module, where every test has a customer of its own
PLENTY = {slug: {"credits": 100_000} for slug in ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio")}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own, as far as a test can tell. The secrets of other tests would only make redaction slow."""
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(redact, "_registered", Counter())
    monkeypatch.setattr(redact, "_current", redact.Redactor())


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """The five services, with small pictures and jobs of milliseconds."""
    with SandboxServer(speed=SPEED, long_side=64, settings=PLENTY) as server:
        yield server


@pytest.fixture(scope="module")
def patient_server() -> Iterator[SandboxServer]:
    """One whose minutes, hours and days are long enough to be full."""
    with SandboxServer(speed=20.0, long_side=64, settings=PLENTY) as server:
        yield server


@pytest.fixture
def customer(server: SandboxServer, tmp_path: Path) -> Iterator[Callable[..., Customer]]:
    """Opens accounts: ``customer("conceptviz")``; what was made to go wrong for a test ends with it."""

    def opened(slug: str, **account: Any) -> Customer:
        return Customer(server, slug, tmp_path, **account)

    yield opened
    server.control.on_event(None)
    server.control.clear()
