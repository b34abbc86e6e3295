"""What a proxy or a broken line answers: uncertain where the request was paid, asked again where it is free."""

from __future__ import annotations

import pytest

import genstep

PAID = {
    "conceptviz": "generate",
    "nanobanana": "images",
    "imaginelab": "generate",
    "aivisualstudio": "generate-image",
    "imageapi": "generate",
}
MODEL = {"imaginelab": {"model": "seedream-5.0-lite"}}
#: who has a list, in which a call whose answer was lost may be found again
LISTS = {"nanobanana", "imaginelab", "aivisualstudio"}
#: what strikes the paid request, before it was handled, while it is, or after
LOSSES = [
    ("html", {"status": 502}),
    ("html", {"status": 502, "when": "during"}),
    ("html", {"status": 502, "when": "after"}),
    ("html", {"status": 200, "when": "after"}),
    ("html", {"status": 504, "when": "after"}),
    ("garbage", {"when": "after"}),
    ("garbage", {}),
    ("status", {"status": 200, "body": ""}),
    ("status", {"status": 200, "body": "", "when": "after"}),
    ("status", {"status": 503, "body": "", "when": "after"}),
    ("cut", {"bytes": 5}),
    ("drop", {}),
    ("drop", {"when": "during"}),
    ("drop", {"when": "after"}),
]
#: what strikes a free request; each is over after two answers
HICCUPS = [
    ("html", {"status": 502}),
    ("html", {"status": 200}),
    ("garbage", {}),
    ("status", {"status": 200, "body": ""}),
    ("status", {"status": 503, "body": "upstream connect error"}),
    ("refuse", {"status": 503}),
    ("cut", {"bytes": 5}),
    ("drop", {}),
]


def name(case: tuple[str, dict]) -> str:
    return "-".join([case[0], *map(str, case[1].values())])


@pytest.mark.parametrize("slug", PAID)
@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_a_lost_answer_to_a_paid_request_is_uncertain_and_not_sent_again(customer, slug, loss):
    buyer = customer(slug)
    kind, details = loss
    buyer.fault(kind, endpoint=PAID[slug], **details)
    for _ in range(2):
        outcome = attempt(buyer, slug)
        if isinstance(outcome, genstep.Generation):
            assert (slug in LISTS, buyer.submits) == (True, 1), "it was found in the service's list"
        else:
            assert isinstance(outcome, genstep.SubmissionUncertain)
            assert (outcome.provider, outcome.charged) == (slug, None)
            assert buyer.ask("status", outcome.job_id, ask=False).status == "uncertain"
    assert len(buyer.network.paid) == 1
    assert buyer.submits == (0 if details.get("when") is None and kind != "cut" else 1)


def attempt(buyer, slug):
    try:
        return buyer.generate("a fox", **MODEL.get(slug, {}))
    except genstep.GenstepError as error:
        return error


@pytest.mark.parametrize("slug", PAID)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_page_that_refuses_is_a_refusal(customer, slug, status):
    buyer = customer(slug)
    buyer.fault("html", status=status, endpoint=PAID[slug])
    error = attempt(buyer, slug)
    meaning = {400: genstep.InvalidRequest, 403: genstep.PermissionDenied, 404: genstep.NotFound}
    assert isinstance(error, meaning[status])
    assert (error.status, error.provider) == (status, slug)
    assert len(str(error)) < 400, "at most a line of the page is quoted"
    assert (buyer.submits, len(buyer.network.paid)) == (0, 1)


@pytest.mark.parametrize("slug", PAID)
def test_too_many_requests_are_sent_again_and_paid_once(customer, slug):
    buyer = customer(slug)
    buyer.fault("refuse", status=429, endpoint=PAID[slug], times=2)
    made = attempt(buyer, slug)
    assert isinstance(made, genstep.Generation)
    assert (len(buyer.network.paid), buyer.submits) == (3, 1)


@pytest.mark.parametrize("slug", PAID)
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(customer, slug):
    buyer = customer(slug)
    buyer.fault("redirect", location=f"{buyer.server.url}/elsewhere", endpoint=PAID[slug], status=307)
    error = attempt(buyer, slug)
    assert isinstance(error, genstep.GenstepError)
    assert not isinstance(error, genstep.SubmissionUncertain)
    assert {sent.url for sent in buyer.network.paid} == {buyer.network.paid[0].url}
    assert all(sent.url.startswith(f"{buyer.server.base(slug)}/") for sent in buyer.network.sent)


def test_a_service_that_cannot_be_reached_takes_no_money(customer):
    buyer = customer("conceptviz", base_url="http://127.0.0.1:9/conceptviz")
    with pytest.raises(genstep.NotSent) as error:
        buyer.generate("a fox")
    assert (error.value.charged, len(buyer.network.paid)) == (False, 5)
    assert buyer.ask("show", error.value.job_id).status == "failed"


@pytest.mark.parametrize(
    ("slug", "endpoint"), [("conceptviz", "task"), ("imaginelab", "status"), ("aivisualstudio", "record")]
)
@pytest.mark.parametrize("hiccup", HICCUPS, ids=name)
def test_a_failed_poll_does_not_fail_the_job(customer, slug, endpoint, hiccup):
    buyer = customer(slug)
    kind, details = hiccup
    buyer.fault(kind, endpoint=endpoint, times=2, **details)
    made = attempt(buyer, slug)
    assert isinstance(made, genstep.Generation)
    assert buyer.submits == 1


@pytest.mark.parametrize(
    ("slug", "endpoint", "verb"), [("nanobanana", "projects", "history"), ("imageapi", "usage", "balance")]
)
@pytest.mark.parametrize(
    "hiccup", [case for case in HICCUPS if case[1].get("status") != 200 and case[0] != "garbage"], ids=name
)
def test_a_free_request_is_asked_again(customer, slug, endpoint, verb, hiccup):
    buyer = customer(slug)
    kind, details = hiccup
    buyer.fault(kind, endpoint=endpoint, times=2, **details)
    found = buyer.history() if verb == "history" else buyer.ask(verb)
    assert found == [] or found.amount == 50
    assert len(buyer.network.sent) == 3


@pytest.mark.parametrize(
    ("slug", "endpoint", "verb"), [("nanobanana", "projects", "history"), ("imageapi", "usage", "balance")]
)
def test_a_free_request_that_never_comes_through_says_what_came(customer, slug, endpoint, verb):
    buyer = customer(slug)
    buyer.fault("html", endpoint=endpoint, times=None)
    with pytest.raises(genstep.ProviderUnavailable, match="502") as error:
        buyer.history() if verb == "history" else buyer.ask(verb)
    assert (error.value.status, len(buyer.network.sent)) == (502, 5)


@pytest.mark.parametrize("slug", PAID)
@pytest.mark.parametrize(
    ("kind", "details"),
    [("refuse", {"status": 503, "bare": True}), ("cut", {"bytes": 100}), ("drop", {}), ("drip", {"seconds": 0.001})],
)
def test_a_broken_download_is_mended(customer, slug, kind, details):
    buyer = customer(slug)
    buyer.server.control.fault(kind, "assets", **details)
    made = attempt(buyer, slug)
    assert isinstance(made, genstep.Generation)
    assert made.assets[0].path.stat().st_size == made.assets[0].size
    assert (buyer.submits, len(buyer.network.paid)) == (1, 1)


@pytest.mark.parametrize("slug", PAID)
def test_the_key_does_not_go_to_the_host_of_the_files(customer, slug):
    buyer = customer(slug)
    attempt(buyer, slug)
    assert buyer.network.files
    assert {line.authorization for line in buyer.server.control.asset_requests()} == {None}


@pytest.mark.parametrize("slug", ["conceptviz", "imaginelab", "aivisualstudio"])
def test_an_expired_link_is_asked_for_again(customer, slug):
    buyer = customer(slug)
    buyer.server.control.fault("status", "assets", status=403, body="<Error><Code>AccessDenied</Code></Error>")
    made = attempt(buyer, slug)
    assert isinstance(made, genstep.Generation)
    assert buyer.submits == 1
