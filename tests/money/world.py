"""One account at the sandbox server in memory, in virtual time, at an address that is not this machine."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path
from typing import Any

from tests.money.in_memory import InMemory, OneOfEach

import genstep
from genstep.sandbox.server import App, Control
from genstep.testing import VirtualClock, run_virtual

#: no real host; being the account's own, it is fetched from like a public one, and polled like one
BASE = "https://10.0.0.1"
KEYS: dict[str, dict[str, Any]] = {
    "conceptviz": {"api_key": "cvk_fakefakefake"},
    "nanobanana": {"api_key": "fakefakefake"},
    "imaginelab": {"username": "waiting@example.com", "password": "fake-but-long"},
    "aivisualstudio": {"api_key": "avs_live_fakefake"},
    "imageapi": {"api_key": "sk_fakefakefake"},
}


class World:
    """To be made within :func:`run_virtual`: the server's ``control``, and as many clients as one likes."""

    def __init__(self, folder: Path, provider: str, *, settings: dict[str, Any] | None = None, **account: Any) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        rich = {"credits": 1_000_000, **(settings or {})} if provider != "imageapi" else settings or {}
        self.app = App(seed=1, clock=self.clock, base=BASE, settings={provider: rich}, long_side=32, makers=OneOfEach())
        self.control = Control(self.app)
        self._server = copy_context()
        self.slug = provider
        self.account = genstep.Account(
            provider=provider, base_url=f"{BASE}/{provider}", **{**KEYS[provider], **account}
        )

    def client(self, *, output: str = "out", clock: Any = None) -> genstep.AsyncClient:
        return genstep.AsyncClient(
            self.account,
            ledger=self.folder / "ledger.db",
            output=self.folder / output,
            _clock=clock or self.clock,
            _network=lambda _: InMemory(self.app, self.clock, self._server),
        )

    def count(self, *endpoints: str) -> int:
        """How many requests of some endpoints the server has seen."""
        return sum(self.control.count(self.slug, endpoint=name) for name in endpoints)


__all__ = ["BASE", "World", "run_virtual"]
