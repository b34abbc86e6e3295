"""AI Visual Studio against the sandbox server: each fact of its document, and every code of its table for real."""

from __future__ import annotations

import pytest
from tests.contract.customer import Customer

import genstep
from genstep.clock import SystemClock
from genstep.outcome import Verdict, judge
from genstep.testing import FastClock


@pytest.fixture
def buyer(customer):
    return customer("aivisualstudio")


def test_it_is_asked_with_a_bearer_key(buyer):
    buyer.generate("a fox")
    assert {sent.headers["Authorization"] for sent in buyer.network.sent} == {f"Bearer {buyer.key}"}


def test_the_reply_names_the_job_and_what_it_cost(buyer):
    made = buyer.generate("a fox")
    assert made.job_ids == (buyer.server.control.jobs("aivisualstudio")[-1]["id"],)
    assert made.job_ids[0].startswith("gen_")
    assert (made.cost.charged, made.model) == (5, "prunaai/z-image-turbo")


@pytest.mark.parametrize("in_data", [False, True])
@pytest.mark.parametrize("as_list", [False, True])
def test_a_record_is_read_bare_or_in_data_with_one_url_or_a_list(buyer, in_data, as_list):
    buyer.set(record_in_data=in_data, output_as_list=as_list)
    made = buyer.generate("a fox")
    assert len(made.assets) == 1
    assert made.assets[0].media_type == "image/webp"


def test_a_job_is_processing_from_the_start(buyer):
    buyer.fault("hold")
    job = buyer.ask("submit", "a fox")
    assert buyer.ask("status", job.id).status == "processing"
    buyer.server.control.release(job.provider_job_ids[0])
    assert buyer.ask("wait", job.id).status == "completed"


def test_every_reply_says_what_is_left_of_the_minute(buyer):
    answer = buyer.raw("GET", "/models")
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("60", "59")
    assert (buyer.provider.rate.limit, buyer.provider.rate.window) == (60, 60)


def error_of(buyer, method, path, body=None, **options):
    answer = buyer.raw(method, path, body, **options)
    call = genstep.Call(method, path, paid=path.startswith("/generate/"))
    return answer, buyer.provider.error(call, answer)


@pytest.mark.parametrize(
    ("mark", "code", "said"),
    [("revoked", "invalid_api_key", "wrong or revoked"), ("expired", "expired_api_key", "has expired")],
)
def test_a_key_that_is_no_longer_good(customer, mark, code, said):
    buyer = customer("aivisualstudio", mark=mark)
    with pytest.raises(genstep.AuthenticationError, match=said) as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.status, len(buyer.network.sent)) == (code, 401, 1)


def test_no_key_at_all(buyer):
    _, error = error_of(buyer, "POST", "/generate/image", {"prompt": "a fox"}, key=False)
    assert (type(error), error.code, error.status) == (genstep.AuthenticationError, "missing_api_key", 401)


@pytest.mark.parametrize(
    ("scopes", "act", "missing"),
    [
        (("read",), lambda buyer: buyer.generate("a fox"), "generate:image"),
        (("read",), lambda buyer: buyer.generate("a film", kind="video"), "generate:video"),
        (("read",), lambda buyer: buyer.ask("list_webhooks"), "webhooks"),
        (("read",), lambda buyer: buyer.ask("create_webhook", "https://hooks.example/"), "webhooks"),
        (("generate:image",), lambda buyer: buyer.history(), "read"),
        (("generate:image",), lambda buyer: buyer.ask("models"), "read"),
        (("generate:image",), lambda buyer: buyer.generate("a fox"), "read"),
    ],
)
def test_the_scope_that_is_missing_is_named(buyer, scopes, act, missing):
    buyer.set(scopes=scopes)
    with pytest.raises(genstep.PermissionDenied, match=f"has the scope {missing}") as error:
        act(buyer)
    assert (error.value.code, error.value.status) == ("insufficient_scope", 403)


def test_a_key_made_without_scopes_may_only_read(customer):
    buyer = customer("aivisualstudio", mark="readonly")
    assert buyer.history() == []
    with pytest.raises(genstep.PermissionDenied, match="generate:image"):
        buyer.generate("a fox")


def test_an_address_that_is_not_on_the_keys_list(buyer):
    buyer.set(ip_allowlist=["203.0.113.9"])
    with pytest.raises(genstep.PermissionDenied, match="allow list") as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.status, buyer.submits) == ("ip_not_allowed", 403, 0)


def test_too_few_credits_are_a_403_with_both_numbers(buyer):
    buyer.set(credits=449)
    with pytest.raises(genstep.InsufficientCredits) as error:
        buyer.generate("a film", kind="video")
    found = error.value
    assert (found.code, found.status, found.required, found.available) == ("insufficient_credits", 403, 450, 449)
    assert buyer.spent == 0


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/generate/image", b"{not json", "json"),
        ("/generate/image", {}, "prompt is required"),
        ("/generate/image", {"prompt": "a", "model": "none"}, "model must be one of"),
        ("/generate/image", {"prompt": "a", "aspect_ratio": "5:4"}, "aspect_ratio must be one of"),
        ("/generate/image", {"prompt": "a", "output_format": "gif"}, "output_format must be one of"),
        ("/generate/image", {"prompt": "a", "webhook_url": "http://hooks.example"}, "https url"),
        ("/generate/video", {"prompt": "a", "duration": 11}, "duration must be an integer"),
        ("/generate/video", {"prompt": "a", "duration": 2.5}, "duration must be an integer"),
        ("/generate/video", {"prompt": "a", "first_frame_image": "data:image/png;base64,eA=="}, "must be a url"),
    ],
)
def test_an_invalid_request(buyer, path, body, said):
    _, error = error_of(buyer, "POST", path, body)
    assert (type(error), error.code, error.status) == (genstep.InvalidRequest, "invalid_request", 400)
    assert said in str(error).lower()
    assert judge(400, error) is Verdict.REFUSED
    assert buyer.spent == 0


def test_a_model_that_the_service_does_not_have(buyer):
    with pytest.raises(genstep.InvalidRequest, match="model must be one of") as error:
        buyer.generate("a fox", model="no/such-model")
    assert (error.value.code, buyer.submits) == ("invalid_request", 0)


def test_what_is_not_there_says_where_to_look(customer, buyer):
    other = customer("aivisualstudio")
    made = other.generate("a fox")
    with pytest.raises(genstep.NotFound, match="genstep history") as error:
        buyer.line(lambda provider: provider.poll(made.job_ids[0]))
    assert (error.value.code, error.value.status) == ("not_found", 404)
    with pytest.raises(genstep.NotFound, match="genstep webhooks list"):
        buyer.ask("delete_webhook", "wh_none")


def test_a_used_up_minute_is_waited_for(customer):
    """The last of the minute is kept for status, so that submits never starve it."""
    buyer = customer("aivisualstudio", clock=SystemClock())
    buyer.set(per_minute=4)
    made = buyer.generate("a fox", n=3)
    assert len(made.assets) == 3
    assert buyer.submits == 3


def test_a_used_up_minute_is_told_at_once_where_the_caller_will_not_wait(patient_server, tmp_path):
    buyer = Customer(patient_server, "aivisualstudio", tmp_path, clock=FastClock(speed=4))
    buyer.set(per_minute=1)
    buyer.raw("GET", "/models")
    with pytest.raises(genstep.RateLimited) as error:
        buyer.generate("a fox", timeout=0.5)
    assert (error.value.code, error.value.status) == ("rate_limited", 429)
    assert 0.5 < error.value.retry_after <= 5
    assert (buyer.submits, len(buyer.network.paid)) == (0, 1)


def test_an_error_of_the_service_is_uncertain_where_it_was_paid(buyer):
    buyer.fault("refuse", endpoint="generate-image", status=500)
    with pytest.raises(genstep.SubmissionUncertain) as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.status, buyer.submits) == ("internal_error", 500, 0)


def test_an_error_of_the_service_is_asked_again_where_it_is_free(buyer):
    buyer.fault("refuse", endpoint="models", status=500, times=2)
    assert len(buyer.ask("models")) == 2
    assert len(buyer.network.sent) == 3


def test_a_job_that_fails_says_no_more_than_its_record(buyer):
    buyer.fault("fail")
    with pytest.raises(genstep.GenerationFailed, match="gave no reason") as error:
        buyer.generate("a fox")
    assert (error.value.refunded, error.value.job_id is not None) == (None, True)


def test_keys_are_left_to_the_browser(buyer):
    """``/keys`` answers a session's cookie alone; there is no verb for it."""
    assert buyer.raw("GET", "/keys").status == 401
    assert not any("keys" in name for name in dir(buyer.provider))
