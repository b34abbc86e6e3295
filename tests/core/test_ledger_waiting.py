"""What the ledger writes for those who wait: many ends at once, whose jobs run, how long they took."""

import json
from functools import partial

import pytest

from genstep import errors
from genstep.ledger import CallRow, Ledger, RequestRow, Settled


@pytest.fixture
def books(ledger_where):
    """Two clients on one ledger."""
    two = [Ledger(ledger_where) for _ in range(2)]
    yield two
    for book in two:
        book.close()


def run_job(ledger, number):
    """A job that runs at the service, and that this client waits for."""
    kept = json.dumps({"prompt": f"fox {number}", "n": 1})
    row = RequestRow(
        f"r{number}", f"print{number}", "studio", "toy", "", "image", None, "a fox", kept, "credits", 1000.0 + number
    )
    call = CallRow(f"c{number}", "studio", "toy", "", "intent", ledger.owner, 1, 1000, 1000)
    ledger.open([row], lambda opened: [(call, [(row.id, 0)])])
    ledger.sending(call.id, 1, 1001)
    ledger.accepted(call.id, 1, 1002, Settled(job_id=f"job{number}"))


def test_of_ends_that_are_written_together_one_that_is_not_ours_leaves_the_others_as_they_are(books):
    one, _ = books
    for number in range(3):
        run_job(one, number)
    one.failed("c1", None, 1003, errors.GenerationFailed("no"), refunded=True)
    one.together([partial(one.completed, f"c{n}", None, 1004, Settled(charged=2.0)) for n in range(3)])
    assert [one.call(f"c{n}").state for n in range(3)] == ["completed", "failed", "completed"]
    assert [one.call(f"c{n}").charged for n in range(3)] == [2.0, None, 2.0]


def test_of_ends_that_are_written_together_none_is_written_where_one_cannot_be(books):
    one, _ = books
    for number in range(2):
        run_job(one, number)

    def broken():
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        one.together([partial(one.completed, "c0", None, 1004, Settled()), broken])
    assert one.call("c0").state == "submitted"
    one.together([partial(one.completed, "c1", None, 1004, Settled())])
    assert one.call("c1").state == "completed"


def test_the_jobs_that_others_wait_for_are_theirs_alone(books):
    one, other = books
    for number in range(4):
        run_job((one, other)[number % 2], number)
    assert {row.id for row in one.others("studio", "toy", one.owner)} == {"c1", "c3"}
    assert {row.id for row in other.others("studio", "toy", other.owner)} == {"c0", "c2"}
    assert set(one.states("studio", "toy", one.owner)) == {"c0", "c2"}
    one.completed("c0", None, 1004, Settled())
    assert {row.id for row in other.others("studio", "toy", other.owner)} == {"c2"}


def test_a_job_is_waited_for_by_one_client_until_that_is_closed(books, ledger_where):
    one, other = books
    run_job(one, 0)
    other.waits(["c0"])
    assert other.states("studio", "toy", other.owner) == {}
    one.close()
    other.waits(["c0"])
    assert set(other.states("studio", "toy", other.owner)) == {"c0"}


def test_what_two_clients_learn_of_durations_adds_up(books):
    one, other = books
    one.took("toy", [("image", None, 10.0), ("video", "m", 100.0)])
    learned = other.took("toy", [("image", None, 20.0), ("image", None, 30.0)])
    assert learned["image", None].jobs == 3
    assert learned["image", None] == one.durations("toy", "image", None)
    assert one.durations("toy", "video", "m").jobs == 1
