"""Processes are killed at every state of a paid call: nothing is charged twice, and nothing paid for is lost."""

import faulthandler
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.money.crash import Crash

pytestmark = pytest.mark.slow

#: kills in all, over the databases
FEW, MANY = 20, 500


def test_killed_at_every_state_nothing_is_charged_twice_or_lost(
    tmp_path: Path, soak: bool, record_property: Callable[[str, object], None], postgres_url: str
) -> None:
    faulthandler.cancel_dump_traceback_later()  # a soak takes minutes, and each process has a limit of its own
    kills = MANY if soak else FEW
    crash = Crash({"SQLite": str(tmp_path / "sqlite" / "ledger.db"), "PostgreSQL": postgres_url}, tmp_path, seed=1)
    crash.run(kills)
    record_property("block", crash.block())
    print(crash.block())
    assert crash.wrong() == []
    assert sum(lane.kills.total() for lane in crash.lanes.values()) >= kills
