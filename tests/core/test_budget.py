"""The daily ceiling: reserved before a call is sent, booked when its charge is known, prices learned on the way."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.core import toy
from tests.core.toy_world import World, set_up

import genstep
from genstep import errors, plugins
from genstep.ledger import CallRow, Ledger, RequestRow, Settled
from genstep.ledger.budget import PriceAwaited
from genstep.testing import run_virtual

MIDNIGHT = 1_800_057_600.0
NOON = MIDNIGHT - 43200


@pytest.fixture
def ledger(ledger_where):
    book = Ledger(ledger_where)
    yield book
    book.close()


def buy(ledger, call, price, *, model="m", n=1):
    """One call in ``intent``."""
    row = RequestRow(
        id=f"r-{call}",
        fingerprint=call,
        account="studio",
        provider="toy",
        base_url="",
        kind="image",
        model=model,
        prompt=call,
        request=json.dumps({"prompt": call, "n": n}),
        unit="credits",
        created_at=NOON,
    )
    new = CallRow(call, "studio", "toy", "", "intent", ledger.owner, 1, NOON, NOON, estimated=price)
    ledger.open([row], lambda opened: [(new, [(row.id, number) for number in range(n)])])


def left(ledger, ceiling, now=NOON):
    """What a new call could still cost, by asking for too much."""
    name = f"probe{ledger.spent_today('studio', 'toy', now)}-{now}-{len(ledger.requests())}"
    buy(ledger, name, 1e9, model="probe")
    with pytest.raises(errors.BudgetExceeded) as refused:
        ledger.sending(name, 1, now, ceiling=ceiling, exact=True)
    return refused.value.available


# -- reserved, booked, released ---------------------------------------------------------------------------------------


def test_the_real_charge_takes_the_place_of_what_was_reserved(ledger):
    buy(ledger, "c1", 5)
    ledger.sending("c1", 1, NOON, ceiling=20)
    assert left(ledger, 20) == 15
    ledger.accepted("c1", 1, NOON, Settled(charged=2, job_id="a"))
    assert left(ledger, 20) == 18


def test_a_charge_above_the_estimate_is_booked_reported_and_expected_from_then_on(ledger, caplog):
    buy(ledger, "c1", 5)
    ledger.sending("c1", 1, NOON, ceiling=20)
    ledger.accepted("c1", 1, NOON, Settled(charged=12, job_id="a"))
    assert "cost 12, and 5 was expected" in caplog.text
    assert left(ledger, 20) == 8
    buy(ledger, "c2", 5)
    with pytest.raises(errors.BudgetExceeded, match=r"8 left and 12 needed.*nothing was sent") as refused:
        ledger.sending("c2", 1, NOON, ceiling=20)
    assert (refused.value.required, refused.value.available, refused.value.charged) == (12, 8, False)
    buy(ledger, "other model", 5, model="small")
    ledger.sending("other model", 1, NOON, ceiling=20)


def test_a_price_that_is_the_services_own_word_is_not_raised(ledger):
    buy(ledger, "c1", 2)
    ledger.sending("c1", 1, NOON, ceiling=10, exact=True)
    ledger.accepted("c1", 1, NOON, Settled(charged=2, job_id="a"))
    buy(ledger, "c2", 1)
    ledger.sending("c2", 1, NOON, ceiling=10, exact=True)
    assert ledger.call("c2").estimated == 1


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (lambda book: book.uncertain("c1", 1, NOON, errors.SubmissionUncertain("lost")), 5),
        (lambda book: book.failed("c1", 1, NOON, errors.GenerationFailed("no"), refunded=None), 5),
        (lambda book: book.failed("c1", 1, NOON, errors.GenerationFailed("no"), refunded=False), 5),
        (lambda book: book.failed("c1", 1, NOON, errors.GenerationFailed("no"), refunded=True), 0),
        (lambda book: book.not_taken("c1", 1, NOON), 0),
    ],
)
def test_money_counts_as_spent_until_it_is_said_to_be_back(ledger, end, kept):
    buy(ledger, "c1", 5)
    ledger.sending("c1", 1, NOON, ceiling=10)
    end(ledger)
    assert left(ledger, 10) == 10 - kept


def test_a_free_call_is_sent_under_a_ceiling_that_is_used_up(ledger):
    buy(ledger, "c1", 0)
    ledger.sending("c1", 1, NOON, ceiling=0)


# -- midnight ---------------------------------------------------------------------------------------------------------


def test_a_call_counts_for_the_utc_day_on_which_it_was_sent(ledger):
    buy(ledger, "c1", 5)
    ledger.sending("c1", 1, MIDNIGHT - 1, ceiling=10)
    assert left(ledger, 10, MIDNIGHT - 0.001) == 5
    assert left(ledger, 10, MIDNIGHT) == 10
    ledger.accepted("c1", 1, MIDNIGHT + 1, Settled(charged=8, job_id="a"))
    assert left(ledger, 10, MIDNIGHT + 2) == 10
    assert ledger.spent_today("studio", "toy", MIDNIGHT - 1) == 8
    buy(ledger, "c2", 5)
    ledger.sending("c2", 1, MIDNIGHT, ceiling=10, exact=True)
    assert left(ledger, 10, MIDNIGHT + 86399) == 5
    assert left(ledger, 10, MIDNIGHT + 86400) == 10


def test_a_call_that_waited_past_midnight_for_its_turn_is_the_new_days(ledger):
    buy(ledger, "c1", 5)
    ledger.sending("c1", 1, MIDNIGHT - 1, ceiling=10)
    ledger.not_taken("c1", 1, MIDNIGHT - 1)
    ledger.sending("c1", 1, MIDNIGHT + 1, ceiling=10)
    assert (ledger.spent_today("studio", "toy", MIDNIGHT + 1), left(ledger, 10, MIDNIGHT + 1)) == (5, 5)


# -- prices that nobody knows -----------------------------------------------------------------------------------------


def test_an_unknown_price_lets_nothing_beside_it_and_a_learned_one_does(ledger):
    for number in range(4):
        buy(ledger, f"c{number}", None, n=2)
    ledger.sending("c0", 1, NOON, ceiling=20)
    with pytest.raises(PriceAwaited) as refused:
        ledger.sending("c1", 1, NOON, ceiling=20)
    assert (refused.value.required, refused.value.available) == (None, 0)
    ledger.accepted("c0", 1, NOON, Settled(charged=6, job_id="a"))
    ledger.sending("c1", 1, NOON, ceiling=20)
    ledger.sending("c2", 1, NOON, ceiling=20)
    assert ledger.call("c1").estimated == 6
    with pytest.raises(errors.BudgetExceeded, match="2 left and 6 needed") as full:
        ledger.sending("c3", 1, NOON, ceiling=20)
    assert not isinstance(full.value, PriceAwaited)


def test_where_no_price_will_come_any_more_a_call_is_refused_at_once_and_told_why(ledger):
    for number in range(3):
        buy(ledger, f"c{number}", None)
    ledger.sending("c0", 1, NOON, ceiling=20)
    ledger.uncertain("c0", 1, NOON, errors.SubmissionUncertain("lost"))
    with pytest.raises(errors.BudgetExceeded, match=r"c0 is not known.*option price") as refused:
        ledger.sending("c1", 1, NOON, ceiling=20)
    assert not isinstance(refused.value, PriceAwaited)
    ledger.failed("c0", 1, NOON, errors.GenerationFailed("by hand"), refunded=True)
    ledger.sending("c1", 1, NOON, ceiling=20)
    with ledger._change() as db:
        db.execute("UPDATE calls SET owner = '0:0:0:0' WHERE id = 'c1'")
    with pytest.raises(errors.BudgetExceeded) as dead:
        ledger.sending("c2", 1, NOON, ceiling=20)
    assert not isinstance(dead.value, PriceAwaited)


def spend(ledger, call, sent, answered, balance, *, charged=None):
    buy(ledger, call, None)
    ledger.sending(call, 1, sent)
    ledger.completed(call, 1, answered, Settled(charged, balance, answered_at=answered))


def test_a_call_costs_what_the_balance_fell_by_where_no_other_could_have_a_part(ledger):
    spend(ledger, "c1", NOON, NOON + 10, 100)
    buy(ledger, "c2", None)
    ledger.sending("c2", 1, NOON + 20)
    assert ledger.difference("c2", 93) == 7
    assert ledger.difference("c2", 101) is None, "somebody bought credits"


@pytest.mark.parametrize(
    "between",
    [
        lambda book: book.sending("x", 1, NOON + 15),
        lambda book: spend(book, "y", NOON + 15, NOON + 25, 95),
        lambda book: (book.sending("x", 1, NOON + 15), book.uncertain("x", 1, NOON + 16, errors.GenstepError("lost"))),
        lambda book: (
            book.sending("x", 1, NOON + 11),
            book.failed("x", 1, NOON + 12, errors.GenerationFailed("no"), refunded=None),
        ),
    ],
)
def test_a_balance_says_nothing_where_another_call_may_have_moved_it(ledger, between):
    spend(ledger, "c1", NOON, NOON + 10, 100)
    buy(ledger, "x", None)
    between(ledger)
    buy(ledger, "c2", None)
    ledger.sending("c2", 1, NOON + 20)
    assert ledger.difference("c2", 93) is None


def test_of_calls_at_once_the_lowest_balance_counts_and_not_the_last_that_came(ledger):
    """The answer of ``b`` was under way while ``a`` was charged: a fall from it would hold the charge of ``a`` too."""
    buy(ledger, "a", None)
    buy(ledger, "b", None)
    ledger.sending("a", 1, NOON)
    ledger.sending("b", 1, NOON + 1)
    ledger.completed("a", 1, NOON + 9, Settled(None, 92, answered_at=NOON + 9))
    ledger.completed("b", 1, NOON + 12, Settled(None, 96, answered_at=NOON + 12))
    buy(ledger, "c", None)
    ledger.sending("c", 1, NOON + 20)
    assert ledger.difference("c", 88) == 4


def test_a_kept_reply_that_is_read_late_states_an_old_balance(ledger):
    """The process that sent ``a`` was killed with the answer on disk; ``b`` was bought before anybody read it."""
    buy(ledger, "a", None)
    ledger.sending("a", 1, NOON)
    spend(ledger, "b", NOON + 100, NOON + 110, 88)
    ledger.completed("a", 1, NOON + 200, Settled(None, 92, answered_at=NOON + 200))
    buy(ledger, "c", None)
    ledger.sending("c", 1, NOON + 300)
    assert ledger.difference("c", 84) == 4


def test_where_one_of_some_calls_at_once_states_no_balance_nothing_is_counted_from_them(ledger):
    buy(ledger, "a", None)
    buy(ledger, "b", None)
    ledger.sending("a", 1, NOON)
    ledger.sending("b", 1, NOON + 1)
    ledger.uncertain("a", 1, NOON + 2, errors.SubmissionUncertain("lost"))
    ledger.completed("b", 1, NOON + 12, Settled(None, 96, answered_at=NOON + 12))
    ledger.accepted("a", 1, NOON + 20, Settled(job_id="found", answered_at=NOON + 20))
    buy(ledger, "c", None)
    ledger.sending("c", 1, NOON + 30)
    assert ledger.difference("c", 88) is None


def test_an_answer_lost_long_ago_keeps_no_price_from_being_learned(ledger):
    buy(ledger, "x", None)
    ledger.sending("x", 1, NOON)
    ledger.uncertain("x", 1, NOON + 5, errors.SubmissionUncertain("lost"))
    spend(ledger, "c1", NOON + 5000, NOON + 5010, 100)
    buy(ledger, "c2", None)
    ledger.sending("c2", 1, NOON + 5020)
    assert ledger.difference("c2", 93) == 7


def test_the_balance_that_a_refusal_states_is_the_newest_word(ledger):
    spend(ledger, "c1", NOON, NOON + 10, 100)
    buy(ledger, "c2", None)
    ledger.sending("c2", 1, NOON + 20)
    ledger.failed("c2", 1, NOON + 21, errors.InsufficientCredits("no", required=5, available=3), refunded=True)
    assert ledger.last_balance("studio", "toy") == (3, NOON + 21)


# -- through the client -----------------------------------------------------------------------------------------------


class Secretive(toy.Toy):
    """Says what a picture cost only when it is accepted."""

    slug = "secretivetoy"
    exact_prices = False
    submit_batch = None

    def price(self, request):
        return None

    def submit(self, request):
        reply = yield genstep.Paid("/make", json={"prompts": [request.prompt] * request.n})
        return genstep.Accepted(reply["id"], credits=reply["credits"])


class Silent(Secretive):
    """Never says what a picture cost."""

    slug = "silenttoy"

    def submit(self, request):
        reply = yield genstep.Paid("/make", json={"prompts": [request.prompt] * request.n})
        return genstep.Accepted(reply["id"])


@pytest.fixture
def world(monkeypatch, tmp_path):
    set_up(monkeypatch, tmp_path)
    for kind in (Secretive, Silent, Listed):
        plugins.registry().found.setdefault(kind.slug, kind)
    return lambda slug, **account: World(tmp_path, slug, **account)


def outcomes(world, prompts, **options):
    async def work():
        async with world.client() as client:
            jobs = (client.generate(prompt, **options) for prompt in prompts)
            return await asyncio.gather(*jobs, return_exceptions=True)

    return [type(one).__name__ for one in run_virtual(work())]


def test_calls_of_unknown_price_wait_for_the_first_and_then_fill_the_ceiling(world):
    studio = world("secretivetoy", daily_credits=17)
    told = outcomes(studio, "abcde", timeout=600)
    assert sorted(told) == ["BudgetExceeded"] * 2 + ["Generation"] * 3
    assert sum(studio.service.charged) == 15


def test_a_call_that_waits_for_a_price_in_vain_is_refused_at_its_timeout(world):
    studio = world("silenttoy", daily_credits=17)
    studio.service.duration = 500
    assert sorted(outcomes(studio, "ab", timeout=60)) == ["BudgetExceeded", "WaitTimeout"]
    assert len(studio.service.charged) == 1


def test_without_a_ceiling_nobody_waits_for_a_price(world):
    studio = world("silenttoy")
    assert outcomes(studio, "abc", timeout=60) == ["Generation"] * 3


def test_a_learned_price_is_used_by_the_next_client(world):
    studio = world("secretivetoy", daily_credits=7)
    assert outcomes(studio, "a") == ["Generation"]
    assert outcomes(studio, "b") == ["BudgetExceeded"]
    assert sum(studio.service.charged) == 5


class Listed(Secretive):
    """Says in its list of models what a picture costs."""

    slug = "pricedtoy"
    asked = 0

    async def estimate(self, request):
        type(self).asked += 1
        return genstep.Estimate(5.0 * request.n, "credits", exact=False)


def test_under_a_ceiling_the_price_is_asked_for_once_and_not_before_each_call(world):
    studio = world("pricedtoy", daily_credits=17)
    Listed.asked = 0
    assert sorted(outcomes(studio, "abcde", timeout=600)) == ["BudgetExceeded"] * 2 + ["Generation"] * 3
    assert Listed.asked == 1
