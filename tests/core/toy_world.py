"""A client over the toy service in virtual time, for all tests that buy of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core import toy

import genstep
from genstep import guard
from genstep.testing import VirtualClock


def set_up(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """The toy providers, a home of their own, and a guard that lets the toy's files pass."""
    toy.register()
    patch.setenv("GENSTEP_HOME", str(folder / "home"))

    async def anywhere(url: str, **_: object) -> guard.Target:
        return guard.Target("https", "toy.example", 443, ("203.0.113.7",), url.split("toy.example", 1)[1])

    patch.setattr(guard, "resolve", anywhere)


class World:
    """A client, its service and its folder; ``again`` is a new process with the same ledger."""

    def __init__(self, folder: Path, provider: str = "toy", **account):
        self.clock = VirtualClock()
        self.folder = folder
        self.service = toy.Service(self.clock)
        self.account = genstep.Account(provider=provider, api_key="toy_fake_key", **account)

    def client(self) -> genstep.AsyncClient:
        return genstep.AsyncClient(
            self.account,
            ledger=self.folder / "ledger.db",
            output=self.folder / "out",
            _clock=self.clock,
            _network=lambda _: self.service,
        )

    def paid(self) -> int:
        return sum(method == "POST" for method, _ in self.service.seen)
