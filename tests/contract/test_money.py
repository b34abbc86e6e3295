"""Price before paying, what was charged, what is left, what comes back: each as the server booked it."""

from __future__ import annotations

import pytest

import genstep

LAB = {"image": 5, "video": 15, "voice": 3, "music": 8, "infographic": 10, "text": 2}
#: provider, request, price before paying, whether that is certain
PRICES = [
    ("conceptviz", {}, 1, True),
    ("conceptviz", {"quality": "4k"}, 2, True),
    ("conceptviz", {"quality": "4k", "n": 6}, 12, True),
    ("nanobanana", {}, None, False),
    ("nanobanana", {"kind": "video"}, None, False),
    *(("imaginelab", {"kind": kind, "model": "m", "n": 2}, 2 * price, False) for kind, price in LAB.items()),
    ("aivisualstudio", {"n": 3}, 15, False),
    ("aivisualstudio", {"kind": "video"}, 450, False),
    ("aivisualstudio", {"model": "no/such-model"}, None, False),
    ("imageapi", {}, 1, True),
]


@pytest.mark.parametrize(("slug", "asked", "price", "exact"), PRICES)
def test_the_price_before_paying(customer, slug, asked, price, exact):
    buyer = customer(slug)
    found = buyer.ask("estimate", {"prompt": "a fox", **asked})
    assert (found.amount, found.unit) == (price, buyer.provider.unit)
    assert found.exact is exact or price is None
    assert buyer.submits == 0


@pytest.mark.parametrize(
    ("price", "kind", "amount"),
    [(4, "image", 4), ({"image": 4, "video": 10}, "video", 10), ({"image": 4}, "video", None)],
)
def test_a_price_that_the_document_does_not_state_can_be_set_on_the_account(customer, price, kind, amount):
    buyer = customer("nanobanana", options={"price": price})
    assert buyer.ask("estimate", "a fox", kind=kind).amount == amount


def test_a_ceiling_cannot_be_kept_while_the_price_is_unknown(customer):
    with pytest.raises(genstep.BudgetExceeded, match="does not say its price"):
        customer("nanobanana").generate("a fox", max_credits=1000)
    buyer = customer("nanobanana", options={"price": 4})
    with pytest.raises(genstep.BudgetExceeded) as over:
        buyer.generate("a fox", n=3, max_credits=11)
    assert (over.value.required, over.value.available, buyer.submits) == (12, 11, 0)
    assert buyer.generate("a fox", n=2, max_credits=8).status == "completed"


#: provider, request, and what the server takes for it
CHARGED = [
    ("conceptviz", {}, 1),
    ("conceptviz", {"n": 5, "quality": "4k"}, 10),
    *(
        ("imaginelab", {"kind": kind, "model": f"sandbox-{kind}"}, LAB[kind])
        for kind in ("voice", "text", "infographic")
    ),
    ("imaginelab", {"model": "seedream-5.0-lite", "n": 2}, 10),
    ("aivisualstudio", {"n": 2}, 10),
    ("aivisualstudio", {"kind": "video", "duration": 1}, 450),
    ("imageapi", {}, 1),
    ("imageapi", {"n": 3}, 3),
]


@pytest.mark.parametrize(("slug", "asked", "price"), CHARGED)
def test_what_was_charged_is_what_the_server_took(customer, slug, asked, price):
    buyer = customer(slug)
    made = buyer.generate({"prompt": "a fox", **asked})
    assert (made.cost.charged, made.cost.unit) == (price, buyer.provider.unit)
    assert buyer.spent == price


def test_points_are_charged_by_the_difference_of_what_is_left(customer):
    buyer = customer("nanobanana")
    first = buyer.generate("a fox")
    assert (first.cost.charged, first.cost.balance) == (None, 100_000 - 4), "nothing was seen before"
    second = buyer.generate("a bear", n=3)
    assert (second.cost.charged, second.cost.balance) == (12, 100_000 - 16)
    third = buyer.generate("a film", kind="video", duration=1, resolution="360p")
    assert (third.cost.charged, third.cost.unit) == (10, "points")


def test_points_of_calls_that_overlap_are_not_told_apart(customer):
    buyer = customer("nanobanana")
    buyer.generate("a fox")
    buyer.fault("slow", times=2, factor=100)
    together = buyer.map(["a bear", "a wolf"], concurrency=2)
    assert {outcome.status for outcome in together} == {"completed"}
    assert [outcome.cost.charged for outcome in together].count(None) >= 1
    assert buyer.generate("an owl").cost.charged == 4


@pytest.mark.parametrize("slug", ["conceptviz", "nanobanana"])
def test_a_balance_that_only_replies_tell_comes_with_its_time(customer, slug):
    buyer = customer(slug)
    before = buyer.ask("balance")
    assert before.amount is None
    assert "none was seen yet" in before.details["note"]
    made = buyer.generate("a fox")
    after = buyer.ask("balance")
    assert after.amount == made.cost.balance == 100_000 - buyer.spent
    assert made.created_at <= after.as_of
    assert len(buyer.network.paid) == 1


@pytest.mark.parametrize("slug", ["imaginelab", "aivisualstudio"])
def test_a_balance_that_a_service_never_says_is_unknown(customer, slug):
    buyer = customer(slug)
    buyer.generate("a fox", **({"model": "seedream-5.0-lite"} if slug == "imaginelab" else {}))
    assert buyer.ask("balance").amount is None


def test_the_balance_of_a_plan_is_the_least_that_is_left_of_it(customer):
    buyer = customer("imageapi")
    buyer.set(per_day=10, per_month=8)
    buyer.generate("a fox", n=2)
    found = buyer.ask("balance")
    assert (found.amount, found.unit) == (6, "requests")
    assert found.details["plan"]["remaining_today"] == 8
    assert found.details["usage"]["today"] == {"requestCount": 2, "imageCount": 2}


#: provider, what is too little, a request, and what its refusal says is needed and there
SHORT = [
    ("conceptviz", 3, {"n": 4}, {"required": 4, "available": 3, "status": 402, "code": "INSUFFICIENT_CREDITS"}),
    ("nanobanana", 3, {}, {"required": None, "available": None, "status": 402, "code": None}),
    (
        "imaginelab",
        4,
        {"model": "seedream-5.0-lite"},
        {"required": None, "available": None, "status": 402, "code": None},
    ),
    ("aivisualstudio", 3, {}, {"required": 5, "available": 3, "status": 403, "code": "insufficient_credits"}),
]


@pytest.mark.parametrize(("slug", "credits", "asked", "known"), SHORT)
def test_too_few_credits_are_refused_with_what_is_needed_and_there(customer, slug, credits, asked, known):
    buyer = customer(slug)
    buyer.set(credits=credits)
    with pytest.raises(genstep.InsufficientCredits) as refusal:
        buyer.generate({"prompt": "a fox", **asked})
    assert {name: getattr(refusal.value, name) for name in known} == known
    assert refusal.value.provider == slug
    assert (buyer.spent, buyer.submits, len(buyer.network.paid)) == (0, 0, 1)
    buyer.set(credits=1000)
    assert buyer.generate({"prompt": "a fox", **asked}).status == "completed", "a refusal is no answer"


#: provider, whether the server gives back, and what the document lets us say of it
REFUNDS = [
    ("conceptviz", True, True),
    ("conceptviz", False, False),
    ("imaginelab", True, None),
    ("imaginelab", False, None),
    ("aivisualstudio", True, None),
    ("aivisualstudio", False, None),
]


@pytest.mark.parametrize(("slug", "gives_back", "known"), REFUNDS)
def test_a_failed_job_says_what_is_known_of_the_money(customer, slug, gives_back, known):
    buyer = customer(slug)
    buyer.fault("fail", refund=gives_back)
    model = {"model": "seedream-5.0-lite"} if slug == "imaginelab" else {}
    with pytest.raises(genstep.GenerationFailed) as failure:
        buyer.generate("a fox", **model)
    assert failure.value.refunded is known
    assert (buyer.submits, buyer.spent > 0) == (1, not gives_back)
    failed = buyer.ask("show", failure.value.job_id)
    assert (failed.status, failed.cost.refunded) == ("failed", known)
    assert failed.cost.charged == (0 if known else buyer.provider.price(failed.request) or 5)


def test_a_job_that_fails_is_bought_anew_the_next_time(customer):
    buyer = customer("conceptviz")
    buyer.fault("fail")
    with pytest.raises(genstep.GenerationFailed):
        buyer.generate("a fox")
    made = buyer.generate("a fox")
    assert (made.status, made.from_cache, buyer.submits, buyer.spent) == ("completed", False, 2, 1)


def test_the_accounts_own_ceiling_for_a_day_is_kept(customer):
    buyer = customer("conceptviz", daily_credits=3)
    buyer.generate("a fox", n=2)
    with pytest.raises(genstep.BudgetExceeded):
        buyer.generate("a bear", n=2)
    assert buyer.generate("a bear").status == "completed"
    assert (buyer.spent, len(buyer.network.paid)) == (3, 2)
