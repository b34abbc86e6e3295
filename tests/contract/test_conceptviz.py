"""ConceptViz against the sandbox server: each fact of its document, and each of its errors provoked for real."""

from __future__ import annotations

import pytest

import genstep
from genstep.outcome import Verdict, judge
from genstep.provider import Failed, Reply

#: document 000: "30-90 seconds typical", "3-5 seconds recommended"
TYPICAL, POLL = (30, 90), (3, 5)


@pytest.fixture
def buyer(customer):
    return customer("conceptviz")


def test_it_is_asked_with_a_bearer_key_by_json(buyer):
    buyer.generate("a fox")
    assert {sent.headers["Authorization"] for sent in buyer.network.sent} == {f"Bearer {buyer.key}"}
    [paid] = buyer.network.paid
    assert (paid.method, paid.headers["Content-Type"]) == ("POST", "application/json")


def test_the_reply_names_the_task_its_price_and_what_is_left(buyer):
    made = buyer.generate("a fox", quality="4k", n=2)
    assert made.job_ids == (buyer.server.control.jobs("conceptviz")[-1]["id"],)
    assert (made.cost.charged, made.cost.estimated, made.cost.balance) == (4, 4, 99_996)


def test_the_task_is_asked_for_by_its_id_below_the_base_and_no_link_is_followed(buyer):
    made = buyer.generate("a fox")
    polls = [sent for sent in buyer.network.sent if sent.method == "GET"]
    assert {sent.url for sent in polls} == {f"{buyer.server.base('conceptviz')}/api/v1/task/{made.job_ids[0]}"}


def test_it_is_polled_as_the_document_recommends(buyer):
    timing = buyer.provider.timing
    assert POLL[0] <= timing.least <= timing.gap <= POLL[1]
    assert TYPICAL[0] <= timing.median <= TYPICAL[1]


def test_pictures_are_matched_to_their_prompts(buyer):
    prompts = ["a fox", "a bear", "a wolf"]

    def turned(reply):
        body = reply.json
        if "images" in body:
            body["images"].reverse()
        return reply

    buyer.network.free_steps = [turned] * 50
    outcomes = buyer.map(prompts)
    assert sorted(outcome.request.prompt for outcome in outcomes) == sorted(prompts)
    assert all(outcome.assets[0].prompt == outcome.request.prompt for outcome in outcomes)
    assert buyer.submits == 1


def test_it_goes_through_pending_and_processing(buyer):
    buyer.fault("slow", factor=8)
    told = []
    buyer.generate("a fox", on_progress=told.append)
    assert [job.status for job in told][-1] == "completed"
    assert "processing" in {job.status for job in told}


def test_an_unknown_status_word_is_neither_an_end_nor_a_failure(buyer):
    buyer.fault("word", body="queued")
    assert buyer.generate("a fox").status == "completed"


@pytest.mark.parametrize(
    ("body", "status", "code", "kind"),
    [
        (b"{not json", 400, "INVALID_BODY", genstep.InvalidRequest),
        ({"prompt": "a fox", "quality": "8k"}, 400, "INVALID_BODY", genstep.InvalidRequest),
        ({"prompt": "a fox", "aspectRatio": "99:1"}, 400, "INVALID_BODY", genstep.InvalidRequest),
        ({"prompts": []}, 400, "PROMPT_REQUIRED", genstep.InvalidRequest),
        ({"prompts": ["a fox"] * 5}, 400, "TOO_MANY_PROMPTS", genstep.InvalidRequest),
    ],
)
def test_a_body_that_the_service_refuses(buyer, body, status, code, kind):
    answer = buyer.raw("POST", "/generate", body)
    error = buyer.provider.error(genstep.Paid("/generate", json={}), answer)
    assert (type(error), error.status, error.code, error.provider) == (kind, status, code, "conceptviz")
    assert judge(status, error) is Verdict.REFUSED
    assert buyer.spent == 0


def test_a_ratio_that_only_the_service_can_refuse_comes_back_as_its_refusal(buyer):
    with pytest.raises(genstep.InvalidRequest) as error:
        buyer.generate("a fox", aspect_ratio="99:1")
    assert (error.value.code, error.value.status, buyer.submits) == ("INVALID_BODY", 400, 0)


def test_a_missing_header_and_a_bad_key_are_told_apart(customer):
    buyer = customer("conceptviz", mark="revoked")
    missing = buyer.provider.error(genstep.Get("/task/t"), buyer.raw("GET", "/task/t", key=False))
    assert (type(missing), missing.code, missing.status) == (genstep.AuthenticationError, "UNAUTHORIZED", 401)
    with pytest.raises(genstep.AuthenticationError) as bad:
        buyer.generate("a fox")
    assert (bad.value.code, bad.value.status) == ("INVALID_API_KEY", 401)
    assert buyer.key not in str(bad.value)
    assert len(buyer.network.paid) == 1


def test_a_key_of_another_service_is_refused_before_anything_is_sent(customer):
    with pytest.raises(genstep.ConfigurationError, match="starts with cvk_"):
        customer("conceptviz", api_key="sk_fakefakefake").ask("balance")


def test_a_plans_limit_splits_the_batch_and_is_remembered(buyer):
    buyer.set(batch_limit=2)
    made = buyer.generate("a fox", n=4)
    assert len(made.assets) == 4
    assert [len(body["prompts"]) for _, body in buyer.bodies] == [4, 2, 2]
    buyer.generate("a bear", n=4)
    assert [len(body["prompts"]) for _, body in buyer.bodies[3:]] == [2, 2]
    assert (buyer.submits, buyer.spent, made.cost.charged) == (4, 8, 4)


def test_a_plan_of_one_picture_is_said_by_its_code_when_it_cannot_be_split(buyer):
    buyer.set(batch_limit=0)
    with pytest.raises(genstep.BatchTooLarge, match="option batch") as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.status, buyer.spent) == ("PLAN_LIMIT_EXCEEDED", 403, 0)


def test_a_plans_limit_can_be_said_beforehand(customer):
    buyer = customer("conceptviz", options={"batch": 3})
    buyer.set(batch_limit=3)
    assert len(buyer.generate("a fox", n=6).assets) == 6
    assert [len(body["prompts"]) for _, body in buyer.bodies] == [3, 3]


def test_another_accounts_task_is_not_found(customer):
    other, buyer = customer("conceptviz"), customer("conceptviz")
    made = other.generate("a fox")
    with pytest.raises(genstep.NotFound) as error:
        buyer.line(lambda provider: provider.poll(made.job_ids[0]))
    assert (error.value.code, error.value.status) == ("TASK_NOT_FOUND", 404)


def test_a_generation_that_fails_at_submit_is_final_and_refunded(buyer):
    buyer.fault("reject")
    with pytest.raises(genstep.GenerationFailed) as error:
        buyer.generate("a fox", n=2)
    assert (error.value.code, error.value.status) == ("GENERATION_FAILED", 500)
    assert (error.value.refunded, error.value.charged) == (True, False)
    assert (len(buyer.network.paid), buyer.submits, buyer.spent) == (1, 1, 0)
    assert buyer.ask("show", error.value.job_id).cost.charged == 0


def test_a_task_that_failed_says_whether_the_credits_came_back(buyer):
    buyer.fault("fail", times=None)
    with pytest.raises(genstep.GenerationFailed) as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.refunded, buyer.spent) == ("GENERATION_FAILED", True, 0)


def test_a_500_on_a_poll_is_the_failed_task_and_no_hiccup(buyer):
    body = '{"error": "Image generation failed. Please try again later.", "code": "GENERATION_FAILED"}'
    buyer.fault("status", endpoint="task", status=500, body=body)
    with pytest.raises(genstep.GenerationFailed) as error:
        buyer.generate("a fox")
    assert (error.value.code, error.value.refunded) == ("GENERATION_FAILED", True)
    assert len(buyer.network.sent) == 2, "it is final: nothing is asked again"


def test_a_500_without_its_code_is_a_hiccup_of_the_poll(buyer):
    buyer.fault("status", endpoint="task", status=500, body="{}")
    assert buyer.generate("a fox").status == "completed"


def test_a_wait_that_ends_keeps_the_job_and_goes_on_later(buyer):
    buyer.fault("stuck")
    with pytest.raises(genstep.WaitTimeout) as over:
        buyer.generate("a fox", timeout=5)
    job = buyer.ask("status", over.value.job_id)
    assert (job.status, len(job.provider_job_ids)) == ("processing", 1)
    buyer.server.control.release(job.provider_job_ids[0])
    made = buyer.ask("resume", job.id)
    assert (made.status, buyer.submits) == ("completed", 1)
    assert buyer.generate("a fox").from_cache


def test_an_uncertain_job_becomes_the_services_when_it_is_claimed(buyer):
    buyer.fault("drop", endpoint="generate", when="after")
    with pytest.raises(genstep.SubmissionUncertain) as lost:
        buyer.generate("a fox")
    task = buyer.server.control.jobs("conceptviz")[-1]["id"]
    made = buyer.ask("resume", lost.value.job_id, claim=task)
    assert (made.status, made.job_ids, buyer.submits) == ("completed", (task,), 1)


@pytest.mark.parametrize("charged", [True, False])
def test_an_uncertain_job_is_settled_by_hand(buyer, charged):
    buyer.fault("drop", endpoint="generate", when="after" if charged else "before")
    with pytest.raises(genstep.SubmissionUncertain) as lost:
        buyer.generate("a fox")
    with pytest.raises(genstep.GenerationFailed, match="settled by hand") as settled:
        buyer.ask("resume", lost.value.job_id, charged=charged)
    assert (settled.value.refunded, settled.value.charged) == (not charged, charged)
    assert buyer.generate("a fox").status == "completed"
    assert buyer.spent == 1 + charged


def test_a_404_in_plain_text_is_read_by_its_status(buyer):
    answer = buyer.raw("GET", "/nowhere")
    assert isinstance(answer, Reply)
    assert isinstance(buyer.provider.error(genstep.Get("/nowhere"), answer), genstep.NotFound)


def test_a_failed_task_is_an_end_in_the_providers_own_words(buyer):
    buyer.fault("fail")
    accepted = buyer.line(lambda provider: provider.submit(genstep.GenerationRequest("a fox", quality="2k")))
    buyer.server.control.release(accepted.job_id)
    state = buyer.line(lambda provider: provider.poll(accepted.job_id))
    assert isinstance(state, Failed)
    assert "failed" in state.message
