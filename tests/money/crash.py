"""The crash suite: processes are killed at every state of a paid call, and in the end no money is unaccounted for.

python tests/money/crash.py [KILLS [SEED [POSTGRESQL-URL]]]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.money.crash_lane import Lane
from tests.money.crash_moments import LISTING, ROUND
from tests.money.crash_reckoning import Reckoning


class Crash:
    """A run on some ledgers (by the database's name) at once, which share the kills; every second of them begins in the
    middle of the round of moments, and so does the first where it is the ``second`` of two runs."""

    def __init__(self, ledgers: Mapping[str, str], folder: Path, *, seed: int, second: bool = False) -> None:
        self.seed = seed
        self.lanes = {
            name: Lane(where, folder / name, seed=seed, start=number % 2 * len(ROUND) // 2)
            for number, (name, where) in enumerate(ledgers.items(), int(second))
        }
        self.found: dict[str, Reckoning] = {}
        self.seconds = 0.0

    def run(self, kills: int) -> None:
        """Kill so many processes in all."""
        began = time.monotonic()
        each = -(-kills // len(self.lanes))
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            running = {name: pool.submit(lane.run, each) for name, lane in self.lanes.items()}
            self.found = {name: one.result() for name, one in running.items()}
        self.seconds = time.monotonic() - began

    def wrong(self) -> list[str]:
        """Everything that must not be, in a sentence each."""
        found = []
        for name, lane in self.lanes.items():
            one = self.found[name]
            found += [f"{name}: charged twice: {prompt}" for prompt in sorted(one.twice)]
            found += [f"{name}: lost: {why}" for why in one.lost]
            found += [f"{name}: {why}" for why in one.wrong]
            found += [f"{name}: never ended: {words}" for words in lane.hung]
            if one.charged != one.saved | one.failed | set(one.perhaps):
                found.append(f"{name}: charged is not saved + failed + perhaps charged")
            found += [
                f"{name}: still perhaps charged, and its service has a list: {prompt}"
                for prompt, slug in one.perhaps.items()
                if slug in LISTING
            ]
            if len(self.perhaps(name, listing=False)) > self.open_calls(name, listing=False):
                found.append(f"{name}: more is perhaps charged than kills hit an open paid call")
        return found

    def perhaps(self, name: str, *, listing: bool) -> list[str]:
        return [prompt for prompt, slug in self.found[name].perhaps.items() if (slug in LISTING) is listing]

    def open_calls(self, name: str, *, listing: bool) -> int:
        return sum((slug in LISTING) is listing for slug in self.lanes[name].in_open_calls.values())

    def block(self) -> str:
        """The outcome: a column each ledger, and their sum."""
        names = list(self.lanes)
        lanes, found = list(self.lanes.values()), [self.found[name] for name in names]
        rows = [("killed with SIGKILL", [lane.kills.total() for lane in lanes])]
        moments = dict.fromkeys(moment.words for moment in ROUND)
        rows += [(f"  {words}", [lane.kills[words] for lane in lanes]) for words in moments]
        rows += [
            ("  of these while resuming", [lane.killed_again for lane in lanes]),
            ("  of these in an open paid call", [len(lane.in_open_calls) for lane in lanes]),
            ("moments that did not come", [lane.missed.total() for lane in lanes]),
            ("charged at the service", [len(one.charged) for one in found]),
            ("= saved", [len(one.saved) for one in found]),
            ("+ failed", [len(one.failed) for one in found]),
            ("+ perhaps charged, service has a list", [len(self.perhaps(name, listing=True)) for name in names]),
            ("+ perhaps charged, service has none", [len(self.perhaps(name, listing=False)) for name in names]),
            ("    (kills in an open paid call there)", [self.open_calls(name, listing=False) for name in names]),
            ("failed, and asked for anew by somebody else", [one.anew.total() for one in found]),
            ("charged twice", [len(one.twice) for one in found]),
            ("silently lost", [len(one.lost) for one in found]),
            ("uncertain, and never taken by the service", [len(one.feared) for one in found]),
        ]
        kinds = dict.fromkeys(kind for one in found for kind in one.left)
        rows += [(f"left on the disk: {kind}", [one.left[kind] for one in found]) for kind in kinds]
        head = f"crash suite, seed {self.seed}, {self.seconds:.0f} s"
        if len(lanes) > 1:
            names, rows = [*names, "all"], [(words, [*values, sum(values)]) for words, values in rows]
        lines = [f"{words:<44}" + "".join(f"{value:>14}" for value in values) for words, values in rows]
        return "\n".join([f"{head:<44}" + "".join(f"{name:>14}" for name in names), *lines])


def main() -> int:
    kills, seed, *urls = [*sys.argv[1:], *["500", "0"][len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        names = ["SQLite", "SQLite 2"]
        ledgers = {name: str(Path(folder) / name / "ledger.db") for name in names}
        ledgers |= {f"PostgreSQL {number}": url for number, url in enumerate(urls, 1)}
        crash = Crash(ledgers, Path(folder), seed=int(seed))
        crash.run(int(kills))
        print(crash.block())
        print(*crash.wrong(), sep="\n")
    return 1 if crash.wrong() else 0


if __name__ == "__main__":
    sys.exit(main())
