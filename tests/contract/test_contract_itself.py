"""The contract passes a provider that keeps it, without a network, and fails each that breaks it, in its own place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.easel import KEY, REPLIES, Easel

import genstep
from genstep import plugins
from genstep.testing import ProviderContract, reply
from genstep.testing.contract import samples
from genstep.testing.contract.bench import Bench

ACCOUNT = genstep.Account(provider="easel", api_key=KEY)
#: how a test of the contract fails
BROKEN = (AssertionError, pytest.fail.Exception, genstep.GenstepError, TypeError, LookupError, RuntimeError)
KNOWN: dict[str, Any] = {"kind": "image", "prompt": "a fox"}


class TestEasel(ProviderContract):
    """A whole provider, its service in memory: no server is needed."""

    provider = Easel
    account = ACCOUNT
    replies = REPLIES
    requests = ({"prompt": "a fox"}, {"prompt": "a fox", "image": samples.picture(Easel.capabilities.kinds["image"])})


def with_field(name: str, field: genstep.Field, **more: Any) -> genstep.Capabilities:
    """The easel's capabilities, but for one field."""
    spec = Easel.capabilities.kinds["image"]
    fields = {**spec.fields, name: field}
    changed = genstep.KindSpec(prompt=spec.prompt, fields=fields, options=spec.options, batch=spec.batch)
    return genstep.Capabilities({"image": changed}, **{"history": True, "models": True, "delete": True, **more})


class TwoPaid(Easel):
    def submit_batch(self, requests):
        yield genstep.Paid("/paintings", json={})
        return (yield from super().submit_batch(requests))


class NothingPaid(Easel):
    def submit_batch(self, requests):
        answer = yield genstep.Post("/paintings", json={})
        return genstep.Accepted(answer["ticket"])


class PaysAgain(Easel):
    def poll(self, job_id):
        yield genstep.Paid("/paintings")
        return (yield from super().poll(job_id))


class FollowsALink(Easel):
    def poll(self, job_id):
        answer = yield genstep.Get("https://easel.example/api/v1/paintings/p1")
        return genstep.Running(status=answer["stage"])


class SendsTheKey(Easel):
    def submit_batch(self, requests):
        key = self.account.api_key.get_secret_value()
        answer = yield genstep.Paid("/paintings", json={"key": key, "words": [one.prompt for one in requests]})
        return genstep.Accepted(answer["ticket"])


class Remembers(Easel):
    """Says something else the second time: it keeps a count between calls."""

    count = 0

    def submit_batch(self, requests):
        Remembers.count += 1
        answer = yield genstep.Paid("/paintings", json={"words": [one.prompt for one in requests]})
        return genstep.Accepted(f"{answer['ticket']}-{Remembers.count}")


class Trusting(Easel):
    """Reads replies as if they could only be right."""

    def poll(self, job_id):
        answer = yield genstep.Get(f"/paintings/{job_id}")
        if answer["stage"] == "dry":
            return genstep.Completed(tuple(genstep.Output(url=link.strip()) for link in answer.json["pictures"]))
        return genstep.Running(status=answer["stage"])


class TakesAnything(Easel):
    """Takes a success without a ticket for one."""

    def submit_batch(self, requests):
        answer = yield genstep.Paid("/paintings", json={"words": [one.prompt for one in requests]})
        return genstep.Accepted(str(answer.data.get("ticket", "p1")))


class SureOfRefunds(Easel):
    """Promises what no document does: that a 5xx costs nothing."""

    def error(self, call, answer):
        return None if answer.ok else genstep.GenerationFailed("it failed", status=answer.status, charged=False)


class Deaf(Easel):
    def error(self, call, answer):
        return None


class Hasty(Easel):
    """Does not wait as long as it is told."""

    def error(self, call, answer):
        error = super().error(call, answer)
        if isinstance(error, genstep.RateLimited):
            error.retry_after = 0.0
        return error


class Blocking(Easel):
    capabilities = genstep.Capabilities({"image"}, blocking=True, history=True, models=True, delete=True)


class Chatty(Easel):
    """Has a verb that it does not declare."""

    def balance(self):
        yield genstep.Get("/purse")


class Boastful(Easel):
    """Declares a verb that it does not have."""

    capabilities = with_field("seed", genstep.Field(integer=True), health=True)


class OddDefault(Easel):
    capabilities = with_field("aspect_ratio", genstep.Field(values=("1:1", "3:2"), default="16:9"))


class UnknownField(Easel):
    capabilities = with_field("brush_width", genstep.Field(minimum=1))


class Loose(Easel):
    """Takes back what it declares: prepare lets a closed value pass as another."""

    def prepare(self, request):
        raise genstep.InvalidRequest("aspect_ratio: not today", field="aspect_ratio")


class WrongItem(Easel):
    def poll(self, job_id):
        state = yield from super().poll(job_id)
        if isinstance(state, genstep.Completed):
            return genstep.Completed((genstep.Output(url=state.outputs[0].url, item=7),))
        return state


class FreePicture(Easel):
    def price(self, request):
        return 10.0 - request.n


class Leaking(Easel):
    def group(self, request):
        return request.prompt


class Slovenly(Easel):
    def submit_batch(self, requests):
        answer = yield genstep.Paid("/paintings", json={"words": {one.prompt for one in requests}})
        return genstep.Accepted(answer["ticket"])


class Endless(Easel):
    def poll(self, job_id):
        while True:
            answer = yield genstep.Get(f"/paintings/{job_id}")
            if answer.data.get("stage") == "dry":
                return genstep.Completed((genstep.Output(url=answer["pictures"][0]),))


SPOILED = [
    (TwoPaid, "test_a_purchase_is_one_paid_call_and_nothing_after_it"),
    (NothingPaid, "test_a_purchase_is_one_paid_call_and_nothing_after_it"),
    (PaysAgain, "test_a_purchase_comes_to_its_end"),
    (FollowsALink, "test_every_call_is_one_that_can_be_sent"),
    (SendsTheKey, "test_every_call_is_one_that_can_be_sent"),
    (Slovenly, "test_every_call_is_one_that_can_be_sent"),
    (Remembers, "test_the_flows_are_pure"),
    (Trusting, "test_one_odd_value_in_a_good_reply_is_survived"),
    (Endless, "test_whatever_comes_only_our_errors_come_out"),
    (TakesAnything, "test_a_success_that_says_nothing_is_no_success"),
    (SureOfRefunds, "test_a_paid_call_that_cannot_be_read_is_perhaps_charged"),
    (SureOfRefunds, "test_a_status_alone_is_read_as_what_it_means"),
    (SureOfRefunds, "test_an_unreadable_answer_is_uncertain_and_not_sent_again"),
    (Deaf, "test_whatever_comes_only_our_errors_come_out"),
    (Hasty, "test_a_pause_that_is_asked_for_is_passed_on"),
    (Hasty, "test_a_pause_longer_than_the_callers_patience_is_told_at_once"),
    (Blocking, "test_it_has_the_verbs_that_its_shape_needs"),
    (Blocking, "test_a_purchase_comes_to_its_end"),
    (Chatty, "test_it_declares_the_verbs_that_it_has_and_no_others"),
    (Boastful, "test_it_declares_the_verbs_that_it_has_and_no_others"),
    (OddDefault, "test_every_field_agrees_with_itself"),
    (UnknownField, "test_every_declared_field_is_one_that_a_request_has"),
    (Loose, "test_a_request_takes_every_value_that_is_declared"),
    (WrongItem, "test_a_purchase_comes_to_its_end"),
    (FreePicture, "test_the_price_is_a_number_or_unknown"),
    (Leaking, "test_requests_of_one_group_share_a_call"),
]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Callable[[type[genstep.Provider], str], None]:
    """Run one test of the contract on a provider."""

    def run(kind: type[genstep.Provider], test: str) -> None:
        monkeypatch.setitem(plugins.registry().found, "easel", kind)
        contract = type("Contract", (ProviderContract,), {"provider": kind, "account": ACCOUNT, "replies": REPLIES})()
        method = getattr(contract, test)
        names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        given = {"bench": Bench(ACCOUNT, kind, REPLIES, tmp_path / kind.__name__, monkeypatch)}
        method(**{name: given.get(name, KNOWN) for name in names})

    return run


@pytest.mark.parametrize(("kind", "test"), SPOILED, ids=[f"{kind.__name__}-{test}" for kind, test in SPOILED])
def test_a_provider_that_breaks_the_contract_fails_there(run, kind, test):
    run(Easel, test)
    with pytest.raises(BROKEN):
        run(kind, test)


def test_a_class_without_provider_or_account_says_what_is_missing():
    class Nothing(ProviderContract):
        pass

    with pytest.raises(pytest.UsageError, match="provider"):
        Nothing()._kind()


def test_a_service_on_the_internet_is_not_bought_from(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="test server on this machine"):
        Bench(ACCOUNT, Easel, None, tmp_path, monkeypatch)


def test_a_missing_reply_is_named(run, monkeypatch):
    monkeypatch.setattr(f"{__name__}.REPLIES", REPLIES[:1])
    with pytest.raises(genstep.NotFound, match="the fake service has no reply for GET /paintings/p1"):
        run(Easel, "test_a_purchase_comes_to_its_end")


def test_a_flow_can_be_driven_by_hand():
    from genstep.testing import drive

    easel = Easel(ACCOUNT)
    request = genstep.GenerationRequest("a fox")
    accepted, [call] = drive(easel, easel.submit(request), reply({"ticket": "p1", "price": 2}))
    assert (accepted.job_id, accepted.credits, call.path) == ("p1", 2, "/paintings")
    with pytest.raises(genstep.InsufficientCredits):
        drive(easel, easel.submit(request), reply({}, 402))
    with pytest.raises(AssertionError, match="no reply: POST /paintings"):
        drive(easel, easel.submit(request))
    with pytest.raises(AssertionError, match="unread"):
        drive(easel, easel.submit(request), reply({"ticket": "p1"}), reply({}))


def test_the_rest_of_the_module_needs_no_pytest():
    code = "import json, sys, genstep.testing as t; t.VirtualClock, t.drive; print(json.dumps('pytest' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
