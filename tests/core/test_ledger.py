"""The ledger: written before anything is sent, one owner at a time, and honest about money."""

import json
import sqlite3
import subprocess
import sys
import threading

import pytest

from genstep import errors
from genstep.ledger import CallRow, Ledger, LostClaim, RequestRow, Settled, owner, request_status
from genstep.models import Asset


def request(number=1, n=1):
    return RequestRow(
        id=f"r{number}",
        fingerprint=f"print{number}",
        account="studio",
        provider="toy",
        base_url="https://toy.example",
        kind="image",
        model=None,
        prompt="a fox",
        request=json.dumps({"prompt": "a fox", "n": n}),
        unit="credits",
        created_at=1000.0 + number,
    )


def buy(ledger, row, call="c1", *, estimated=5.0, fresh=False):
    def plan(opened):
        calls = []
        for one in opened:
            new = CallRow(call, row.account, row.provider, row.base_url, "intent", ledger.owner, 1, 1000, 1000)
            new = CallRow(**{**{f: getattr(new, f) for f in new.__slots__}, "estimated": estimated})
            calls.append((new, [(one.row.id, number) for number in one.missing]))
        return calls

    return ledger.open([row], plan, fresh=fresh)[0]


@pytest.fixture
def ledger(ledger_where):
    book = Ledger(ledger_where)
    yield book
    book.close()


def seen(ledger, sql):
    """What somebody else who looks into the same database sees, as tuples."""
    other = Ledger(ledger.place)
    try:
        return [tuple(row.values()) for row in other._all(sql)]
    finally:
        other.close()


def test_a_ledgers_file_is_readable_by_its_owner_alone(tmp_path):
    book = Ledger(tmp_path / "deep" / "ledger.db")
    book.close()
    assert book.path.stat().st_mode & 0o077 == 0


def test_rows_are_there_before_anything_is_sent(ledger):
    opened = buy(ledger, request(n=3))
    assert opened.created
    assert opened.missing == (0, 1, 2)
    assert seen(ledger, "SELECT state FROM calls") == [("intent",)]
    assert seen(ledger, "SELECT COUNT(*) AS items FROM items") == [(3,)]


def test_an_equal_request_joins_the_one_in_flight_and_a_failed_one_is_no_answer(ledger):
    buy(ledger, request())
    joined = buy(ledger, RequestRow(**{**_fields(request()), "id": "r2"}), "c2")
    assert (joined.row.id, joined.created, joined.missing) == ("r1", False, ())
    ledger.failed("c1", 1, 1001, errors.InvalidRequest("no"), refunded=True)
    anew = buy(ledger, RequestRow(**{**_fields(request()), "id": "r3"}), "c3")
    assert (anew.row.id, anew.created) == ("r3", True)


def test_sending_happens_once_however_many_try(ledger):
    buy(ledger, request())
    ledger.sending("c1", 1, 1001)
    with pytest.raises(LostClaim):
        ledger.sending("c1", 1, 1001)
    with pytest.raises(LostClaim):
        ledger.accepted("c1", 2, 1002, Settled(job_id="job"))
    ledger.accepted("c1", 1, 1002, Settled(charged=5, job_id="job"))
    assert ledger.call("c1").job_id == "job"


def test_a_living_owner_keeps_its_row_and_a_dead_one_loses_it(ledger, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from genstep.ledger import owner; print(owner.new(), flush=True);"
        "sys.stdin.read()"
    )
    root = str(__import__("pathlib").Path(owner.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    name = process.stdout.readline().strip()
    buy(ledger, request())
    with ledger._change() as db:
        db.execute("UPDATE calls SET owner = ?", (name,))
    assert owner.seen(name, shared=False)
    assert ledger.claim("c1", 1001) is None
    process.communicate()
    assert not owner.seen(name, shared=False)
    assert ledger.claim("c1", 1001) == 2
    assert ledger.claim("c1", 1001) == 2, "ours already"


@pytest.mark.parametrize("name", ["", "nobody", "1:2:3", "0:0:0:0", "999999:1:boot:x", "x:y:z:w"])
def test_an_owner_that_makes_no_sense_is_dead(name):
    assert not owner.seen(name, shared=False)


def test_a_ceiling_counts_what_is_spent_and_what_is_spoken_for(ledger):
    for number in (1, 2, 3):
        buy(ledger, request(number), f"c{number}")
    ledger.sending("c1", 1, 5000, ceiling=10)
    ledger.sending("c2", 1, 5000, ceiling=10)
    with pytest.raises(errors.BudgetExceeded) as refused:
        ledger.sending("c3", 1, 5000, ceiling=10)
    assert (refused.value.required, refused.value.available) == (5, 0)
    ledger.failed("c1", 1, 5001, errors.GenerationFailed("no", refunded=True), refunded=True)
    ledger.sending("c3", 1, 5002, ceiling=10)
    assert ledger.spent_today("studio", "toy", 5003) == 10
    assert ledger.spent_today("studio", "toy", 5003 + 86400) == 0


def test_an_unknown_price_reserves_all_that_is_left(ledger):
    buy(ledger, request(1), "c1", estimated=None)
    buy(ledger, request(2), "c2", estimated=None)
    ledger.sending("c1", 1, 5000, ceiling=10)
    with pytest.raises(errors.BudgetExceeded):
        ledger.sending("c2", 1, 5000, ceiling=10)
    ledger.accepted("c1", 1, 5001, Settled(charged=3, job_id="a"))
    ledger.sending("c2", 1, 5002, ceiling=10)
    assert ledger.call("c2").estimated == 3, "as much as the first has cost"


def test_an_error_comes_back_as_what_it_was(ledger):
    buy(ledger, request())
    ledger.sending("c1", 1, 1001)
    ledger.uncertain("c1", 1, 1002, errors.SubmissionUncertain("lost", candidates=("a", "b"), status=502))
    kept = errors.from_dict(ledger.call("c1").error)
    assert isinstance(kept, errors.SubmissionUncertain)
    assert (kept.candidates, kept.status, str(kept)) == (("a", "b"), 502, "lost")


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (["intent"], "pending"),
        (["sending"], "pending"),
        (["submitted"], "processing"),
        (["completed"], "processing"),
        (["saved", "submitted"], "processing"),
        (["saved"], "completed"),
        (["saved", "failed"], "completed"),
        (["saved", "uncertain"], "completed"),
        (["failed", "uncertain"], "uncertain"),
        (["failed", "cancelled"], "cancelled"),
        (["failed"], "failed"),
    ],
)
def test_the_public_word_follows_from_the_states(states, word):
    assert request_status(states) == word


def test_a_ledger_of_a_newer_version_is_refused(tmp_path):
    Ledger(tmp_path / "l.db").close()
    with sqlite3.connect(tmp_path / "l.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(errors.ConfigurationError, match="newer genstep"):
        Ledger(tmp_path / "l.db")


@pytest.mark.parametrize("content", [b"this is no database, not at all" * 50, b"\x00" * 4096])
def test_a_file_that_is_no_ledger_is_refused_before_anything_is_sent(tmp_path, content):
    (tmp_path / "l.db").write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match="cannot be used"):
        Ledger(tmp_path / "l.db")


def test_a_webhook_is_kept_once_and_a_verified_one_counts_more(ledger):
    buy(ledger, request())
    ledger.sending("c1", 1, 1001)
    ledger.accepted("c1", 1, 1002, Settled(job_id="job"))
    assert ledger.deliver("toy", "done", "job", '{"a": 1}', verified=False, now=1)
    assert not ledger.deliver("toy", "done", "job", '{"a": 2}', verified=False, now=2)
    hint = [("c1", "", False)]
    assert ledger.delivered("studio", "toy") == hint, "what cannot be verified is a hint, and settles nothing"
    assert ledger.deliver("toy", "done", "job", '{"a": 3}', verified=True, now=3)
    assert not ledger.deliver("toy", "done", "job", '{"a": 4}', verified=True, now=4)
    assert ledger.delivered("studio", "toy") == [("c1", '{"a": 3}', True)]


def test_a_webhook_about_a_job_that_nobody_waits_for_leaves_no_link_behind(ledger):
    assert ledger.deliver("toy", "done", "another", '{"url": "https://signed"}', verified=True, now=1)
    assert seen(ledger, "SELECT payload FROM deliveries") == [("",)]


def test_forgetting_removes_the_prompt_and_keeps_the_money(ledger):
    buy(ledger, request())
    ledger.sending("c1", 1, 1001)
    ledger.accepted("c1", 1, 1002, Settled(charged=5, job_id="job"))
    ledger.forget("r1")
    assert ledger.call("c1").charged == 5
    assert (ledger.request("r1").prompt, ledger.request("r1").request) == ("", "{}")


def test_nothing_of_a_forgotten_prompt_stays_in_the_file(tmp_path):
    book = Ledger(tmp_path / "ledger.db")
    buy(book, request())
    book.forget("r1")
    book.close()
    assert b"a fox" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_call_is_saved_with_its_last_files_in_one_step_and_given_back(ledger):
    opened = buy(ledger, request())
    assert opened.calls == ("c1",), "who opens a request knows its calls without reading them"
    ledger.sending("c1", 1, 1001)
    ledger.completed("c1", 1, 1002, Settled(charged=5))
    made = Asset("file:///fox.png", None, "main", "image/png", 4, "00")
    epoch = ledger.claim("c1", 1003)
    with pytest.raises(LostClaim):
        ledger.saved("c1", epoch - 1, 1004, [], [("r1", 0, [made])])
    assert ledger.assets("r1") == [], "who lost the call writes nothing of it"
    assert ledger.saved("c1", epoch, 1004, [], [("r1", 0, [made])])
    assert [(number, data["uri"]) for number, data in ledger.assets("r1")] == [(0, "file:///fox.png")]
    assert (ledger.call("c1").state, ledger.call("c1").owner) == ("saved", "")


def test_saving_tells_whether_something_is_left_to_be_fetched(ledger):
    buy(ledger, request(n=2))
    ledger.sending("c1", 1, 1001)
    ledger.completed("c1", 1, 1002, Settled(charged=5))
    lost = errors.AssetError("its URL has expired")
    epoch = ledger.claim("c1", 1003)
    assert not ledger.saved("c1", epoch, 1004, [("r1", 1, lost)])


def test_a_file_is_read_at_once_only_while_nobody_else_uses_it(tmp_path):
    book = Ledger(tmp_path / "ledger.db")
    inside, go_on = threading.Event(), threading.Event()

    def change():
        with book._change():
            inside.set()
            go_on.wait(10)

    with book.idle() as idle:
        assert idle
    writing = threading.Thread(target=change)
    writing.start()
    try:
        assert inside.wait(10)
        with book.idle() as idle:
            assert not idle
    finally:
        go_on.set()
        writing.join()
        book.close()


def _fields(row):
    return {name: getattr(row, name) for name in row.__slots__}
