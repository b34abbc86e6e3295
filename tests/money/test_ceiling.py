"""A daily ceiling under many processes: with calls of 5, exactly 60 is spent of 60, and never more."""

import faulthandler
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.money.ceiling import CEILING, run

pytestmark = pytest.mark.slow

#: processes, and calls of each
FEW, MANY = (6, 5), (50, 2)
FAULTS: list[dict[str, Any]] = [
    {"kind": "drop", "when": "after", "probability": 0.15},
    {"kind": "refuse", "status": 503, "probability": 0.1},
    {"kind": "status", "status": 500, "probability": 0.1},
]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def reach(
    tmp_path: Path, soak: bool, record_property: Callable[[str, object], None], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    faulthandler.cancel_dump_traceback_later()  # each process has a limit of its own

    def reach(**options: Any) -> Any:
        processes, calls = MANY if soak else FEW
        where = request.param
        ledger = str(tmp_path / "ledger.db") if where == "SQLite" else request.getfixturevalue("postgres_url")
        reached = run(ledger, tmp_path, processes=processes, calls=calls, **options)
        how = [word for word in ("faults" in options and "with faults", options.get("way")) if word]
        line = reached.line(", ".join([where, *how]))
        record_property("block", line)
        print(line)
        assert reached.hung == 0, reached.said
        assert sum(reached.outcomes.values()) == reached.calls, reached.said
        return reached

    return reach


def test_without_faults_the_ceiling_is_reached_exactly_and_the_rest_is_refused(reach: Callable[..., Any]) -> None:
    reached = reach(seed=1)
    assert (reached.charged, reached.booked, reached.submitted) == (CEILING, CEILING, 12)
    assert reached.outcomes == {"completed": 12, "BudgetExceeded": reached.calls - 12}, reached.said


@pytest.mark.parametrize("way", ["map", "pairs"])
def test_many_at_once_reach_the_ceiling_exactly_too(reach: Callable[..., Any], way: str) -> None:
    reached = reach(seed=3, way=way)
    assert (reached.charged, reached.booked, reached.submitted) == (CEILING, CEILING, 12)
    assert reached.outcomes == {"completed": 12, "BudgetExceeded": reached.calls - 12}, reached.said


def test_each_account_of_a_service_has_its_own_ceiling(reach: Callable[..., Any]) -> None:
    reached = reach(seed=4, accounts=("studio", "atelier"))
    assert reached.each == {"studio": CEILING, "atelier": CEILING}
    assert reached.booked == 2 * CEILING
    assert reached.outcomes == {"completed": 24, "BudgetExceeded": reached.calls - 24}, reached.said


def test_with_faults_what_is_charged_or_perhaps_charged_stays_below_the_ceiling_and_near_it(
    reach: Callable[..., Any],
) -> None:
    reached = reach(seed=2, faults=FAULTS)
    assert reached.charged <= reached.booked, "what the service took is in our books"
    assert 54 <= reached.booked <= CEILING
    assert 54 <= reached.charged + reached.uncertain <= CEILING
    assert set(reached.outcomes) <= {"completed", "BudgetExceeded", "SubmissionUncertain"}, reached.said
    assert reached.outcomes["BudgetExceeded"] > 0
