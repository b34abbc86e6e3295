"""A day at five services with faults and kills: nothing is charged twice, nothing is lost, and the books agree."""

from __future__ import annotations

import faulthandler
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.money.books import SECONDS, Books
from tests.money.day import MIDNIGHT, Day

LISTS = ("imaginelab", "aivisualstudio", "nanobanana")
CEILED = "conceptviz"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    # what a kill leaves unsaid is said by nobody: hundreds of tasks end without their ledger
    for name in ("genstep", "asyncio"):
        caplog.set_level(logging.CRITICAL, name)


def test_a_day_of_faults_and_kills(tmp_path: Path, soak: bool, record_property: Callable[[str, object], None]) -> None:
    faulthandler.cancel_dump_traceback_later()  # a soak takes minutes on a busy machine
    jobs, hours = (2000, 24.0) if soak else (150, 4.0)
    ceiling = jobs * 0.07
    day = Day(tmp_path, jobs, hours, ceilings={CEILED: ceiling})
    day.run()
    books = Books(day)
    record_property("block", books.printed())
    print(books.printed())

    assert not books.double
    assert not books.lost
    assert not books.invented
    assert not books.missing
    assert all(wish.outcome for wish in day.wishes)
    assert books.unfetched <= day.told, "who paid for a file that is gone was told so"
    assert {e.state for a in books.accounts.values() for e in a.entries} <= {"saved", "failed", "uncertain"}
    assert not [a for slug in LISTS for a in books.of(slug) if a.uncertain and a.beyond], "found in the service's list"

    # the ceiling: full before midnight, new after it
    spent = books.by_day(CEILED)
    today = int(MIDNIGHT // SECONDS)
    assert max(spent.values()) <= ceiling
    assert spent[today - 1] > 0
    assert spent[today] > 0
    refused = Counter(w.outcome for w in day.wishes if w.slug == CEILED and w.at < hours * 1800)["BudgetExceeded"]
    assert refused, "the ceiling was not reached, so it was not tried"
