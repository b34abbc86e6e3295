"""Every fault of the sandbox server, against every verb of every service: paid once, never lost, never an odd error."""

from __future__ import annotations

import faulthandler
import random
from collections import Counter

import pytest
from tests.money import faults, faults_cell
from tests.money.faults import Cell
from tests.money.faults_world import no_power_is_lost

ALL = tuple(faults.cells())


def chosen(soak: bool, slug: str) -> list[Cell]:
    """All cells of a service, or a seeded sample with every verb and every fault in it."""
    whole = [cell for cell in ALL if cell.slug == slug]
    if soak:
        return whole
    random.Random(slug).shuffle(whole)
    found: list[Cell] = []
    seen: Counter[object] = Counter()
    for cell in whole:
        if any(not seen[one] for one in (cell.fault, (cell.verb, cell.when), (cell.verb, cell.ever))):
            found.append(cell)
            seen.update([cell.fault, (cell.verb, cell.when), (cell.verb, cell.ever)])
    return found


@pytest.mark.parametrize("slug", faults.ACCOUNTS)
def test_no_fault_pays_twice_loses_a_charge_or_lets_an_odd_error_out(
    slug, soak, tmp_path, monkeypatch, record_property
):
    faulthandler.cancel_dump_traceback_later()  # the whole table takes minutes
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    no_power_is_lost(monkeypatch)
    wrong = []
    cells = chosen(soak, slug)
    for number, cell in enumerate(cells):
        folder = tmp_path / str(number)
        folder.mkdir()
        wrong += [f"{cell}: {what}" for what in faults_cell.run(cell, folder)]
    verbs, whole = len({cell.verb for cell in cells}), sum(cell.slug == slug for cell in ALL)
    record_property("block", f"faults: {slug}: {len(cells)} of {whole} cells, {verbs} verbs, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


def test_the_table_has_every_fault_of_the_server():
    from genstep.sandbox.server.faults import KINDS

    known = faults.REQUEST_FAULTS | faults.JOB_FAULTS | faults.WEBHOOK_FAULTS
    assert {details["kind"] for details in known.values()} == KINDS
    assert {cell.slug for cell in ALL} == set(faults.ACCOUNTS)
