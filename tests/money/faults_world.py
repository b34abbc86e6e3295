"""One service, one ledger and a client of a cell in the table of faults, in memory and in virtual time."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.money.faults import (
    ACCOUNTS,
    BASE,
    JOB_FAULTS,
    PAID,
    REQUEST_FAULTS,
    SECRET,
    WEBHOOK_FAULTS,
    Cell,
)
from tests.money.in_memory import InMemory, OneOfEach

import genstep
from genstep.errors import GenstepError
from genstep.ledger.sqlite import SQLite
from genstep.sandbox.server import App, Control
from genstep.testing import VirtualClock

MEDIA = OneOfEach()


@dataclass
class World:
    """One service and one ledger; ``client()`` is a new process."""

    cell: Cell
    folder: Path
    wrong: list[str] = field(default_factory=list)
    hooked: genstep.AsyncClient | None = None

    async def open(self) -> None:
        self.clock = VirtualClock()
        self.app = App(
            clock=self.clock,
            base=BASE,
            makers=MEDIA,
            long_side=48,
            send=self._deliver,
            webhook_secret=SECRET,
            webhook_hosts=frozenset({"hooks.example"}),
            link_seconds=1e6,
            token_seconds=1e6,
        )
        self.control = Control(self.app)
        self._context = copy_context()

    def client(self) -> genstep.AsyncClient:
        slug = self.cell.slug
        return genstep.AsyncClient(
            genstep.Account(provider=slug, base_url=f"{BASE}/{slug}", **ACCOUNTS[slug]),
            ledger=self.folder / "ledger.db",
            output=self.folder / "out",
            _clock=self.clock,
            _network=lambda _: InMemory(self.app, self.clock, self._context),
        )

    async def _deliver(self, _url: str, headers: dict[str, str], body: bytes) -> int:
        try:
            if self.hooked is not None:
                await self.hooked.deliver(body, headers["X-Webhook-Signature"])
        except genstep.WebhookRejected:
            return 400
        return 200

    def strike(self) -> None:
        """Set the cell's fault."""
        cell = self.cell
        known = REQUEST_FAULTS | JOB_FAULTS | WEBHOOK_FAULTS
        details: dict[str, Any] = {**known[cell.fault], "times": None if cell.ever else 1}
        if cell.fault in REQUEST_FAULTS:
            details["when"] = cell.when
        if cell.verb in PAID and cell.fault in REQUEST_FAULTS:
            details["method"] = "POST"
        self.control.fault(slug="assets" if cell.verb == "download" else cell.slug, **details)

    async def attempt(self, work: Awaitable[Any], *, must: bool = False) -> Any:
        """What a verb comes to: a value, or an error of the tree; anything else is wrong."""
        try:
            return await work
        except GenstepError as error:
            if must:
                self.wrong.append(f"it had to work: {type(error).__name__}: {error}")
            return error
        except Exception as error:  # noqa: BLE001
            self.wrong.append(f"{type(error).__name__} came out: {error}")
            return error


def no_power_is_lost(patch: pytest.MonkeyPatch) -> None:
    """Nothing is synced to the disk: that is the crash suite's matter, and most of a cell's time."""
    opened = SQLite._open

    def unsynced(self: SQLite, path: Path) -> Any:
        db = opened(self, path)
        db.execute("PRAGMA synchronous = OFF")
        return db

    patch.setattr(SQLite, "_open", unsynced)
    patch.setattr(os, "fsync", lambda _: None)
