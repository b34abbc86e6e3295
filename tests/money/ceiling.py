"""Many processes at one account's daily ceiling: what they bought together, by their own word and by the service's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.money import ceiling_child

from genstep.ledger import Ledger
from genstep.sandbox.server import SandboxServer

CHILD = Path(ceiling_child.__file__)
CEILING, PRICE = 60, 5
#: seconds after which a process that has not ended hangs
PATIENCE = 300.0


@dataclass
class Reached:
    """What came of it: ``outcomes`` by the processes' word, money by the service's books and by the ledger's."""

    processes: int
    #: pictures that were asked for, each a paid call
    calls: int
    submitted: int = 0
    charged: float = 0.0
    booked: float = 0.0
    uncertain: float = 0.0
    #: by account, what the service took
    each: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    hung: int = 0
    said: str = ""

    def line(self, where: str) -> str:
        each = f" for each of {len(self.each)} accounts" if len(self.each) > 1 else ""
        return (
            f"ceiling {CEILING}{each} on {where}: {self.processes} processes, {self.calls} calls of {PRICE}"
            f"; submitted {self.submitted}, charged {self.charged:g}, reserved as uncertain {self.uncertain:g}, "
            f"saved {self.outcomes['completed']}, refused {self.outcomes['BudgetExceeded']}"
        )


def run(
    ledger: str,
    folder: Path,
    *,
    processes: int,
    calls: int,
    seed: int,
    faults: list[dict[str, Any]] | None = None,
    way: str = "generate",
    accounts: tuple[str, ...] = ("studio",),
) -> Reached:
    """Let all processes loose at once on one ledger, and count when the last has ended; ``way``: see the child."""
    folder.mkdir(parents=True, exist_ok=True)
    reached = Reached(processes, processes * calls * ceiling_child.EACH[way])
    settings = {"aivisualstudio": {"credits": 100_000, "per_minute": 100_000}}
    with SandboxServer(speed=200, long_side=64, seed=seed, settings=settings) as server:
        for fault in faults or ():
            server.control.fault(slug="aivisualstudio", method="POST", times=None, **fault)
        started: list[subprocess.Popen[str]] = []
        try:
            with (folder / "said.txt").open("w") as said:
                for number in range(processes):
                    name = accounts[number % len(accounts)]
                    what = (server.base("aivisualstudio"), ledger, folder / "out", name, number, calls, CEILING, way)
                    started.append(_start(said, folder, *map(str, what)))
                _release(started)
                _collect(started, reached)
        finally:
            for process in started:
                process.kill()
                process.communicate()
        reached.said = (folder / "said.txt").read_text()
        reached.submitted = server.control.submits("aivisualstudio")
        reached.each = {name: server.control.spent("aivisualstudio", ceiling_child.KEYS[name]) for name in accounts}
        reached.charged = server.control.spent("aivisualstudio")
    book = Ledger(ledger)
    try:
        for name in accounts:
            reached.booked += book.spent_today(name, "aivisualstudio", time.time())
            unclear = book.unclear(name, "aivisualstudio")
            reached.uncertain += sum(row.estimated or 0.0 for row in unclear)
    finally:
        book.close()
    return reached


def _start(said: Any, folder: Path, *words: str) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GENSTEP_") or k == "GENSTEP_HTTP"}
    return subprocess.Popen(
        [sys.executable, str(CHILD), *words],
        env={**kept, "GENSTEP_HOME": str(folder / "home")},
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
    )


def _release(started: list[subprocess.Popen[str]]) -> None:
    """Once all are ready, all begin."""
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def _collect(started: list[subprocess.Popen[str]], reached: Reached) -> None:
    end = time.monotonic() + PATIENCE
    for process in started:
        try:
            words, _ = process.communicate(timeout=max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            reached.hung += 1
        else:
            reached.outcomes.update(words.split())
