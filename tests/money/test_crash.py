"""Processes are killed at every state of a paid call: nothing is charged twice, and nothing paid for is lost."""

import faulthandler
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.money.crash import Crash

pytestmark = pytest.mark.slow

#: kills on each of the two databases
FEW, MANY = 10, 250


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_killed_at_every_state_nothing_is_charged_twice_or_lost(
    tmp_path: Path,
    soak: bool,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    faulthandler.cancel_dump_traceback_later()  # a soak takes minutes, and each process has a limit of its own
    kills = MANY if soak else FEW
    on_server = database == "PostgreSQL"
    where = request.getfixturevalue("postgres_url") if on_server else str(tmp_path / "deep" / "ledger.db")
    crash = Crash({database: where}, tmp_path, seed=1, second=on_server)
    crash.run(kills)
    record_property("block", crash.block())
    print(crash.block())
    assert crash.wrong() == []
    assert sum(lane.kills.total() for lane in crash.lanes.values()) >= kills
