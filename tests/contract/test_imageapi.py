"""ImageAPI against the sandbox server: each fact of its document, its limits item by item, its errors for real."""

from __future__ import annotations

import asyncio

import pytest

import genstep
from genstep.outcome import Verdict, judge
from genstep.provider import Reply


@pytest.fixture
def buyer(customer):
    return customer("imageapi")


def test_it_is_asked_with_a_bearer_key_and_may_take_ten_minutes(buyer):
    buyer.generate("a fox")
    [sent] = buyer.network.sent
    assert sent.headers["Authorization"] == f"Bearer {buyer.key}"
    assert sent.read_timeout >= 600


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("n", [1, 2])
def test_a_picture_comes_by_url_or_in_the_reply_as_the_plan_decides(buyer, stored, n):
    buyer.set(storage=stored)
    made = buyer.generate("a fox", n=n, width=256, height=320, seed=7)
    assert [(asset.media_type, asset.width, asset.height) for asset in made.assets] == [("image/png", 256, 320)] * n
    assert [asset.seed for asset in made.assets] == [7 + number for number in range(n)]
    for asset in made.assets:
        assert (asset.source_url is not None) == stored
        assert asset.metadata["model"] == "flux-schnell"
        assert asset.metadata["storage"]["stored"] is stored
        assert "base64" not in str(asset.to_dict())
    assert len(buyer.network.files) == (n if stored else 0)


def test_a_batch_is_one_reply_with_one_request_id(buyer):
    made = buyer.generate("a fox", n=4)
    assert made.request_id.startswith("req_")
    assert (buyer.submits, made.cost.charged) == (1, 4)


def test_only_items_refused_for_rate_are_sent_again(buyer):
    buyer.set(per_minute=3)
    made = buyer.generate("a fox", n=4, seed=1)
    assert (made.status, len(made.assets), made.failures) == ("completed", 4, ())
    first, *again = [body for _, body in buyer.bodies]
    assert len(first["items"]) == 4
    assert again[0]["seed"] == 4
    assert {tuple(body) for body in again} == {tuple(again[0])}, "a single one is no batch"
    assert buyer.spent == made.cost.charged == 4


def test_an_item_that_failed_is_a_failure_beside_the_others_and_is_bought_again_alone(buyer):
    buyer.fault("fail")
    made = buyer.generate("a fox", n=3)
    assert (made.status, len(made.assets), len(made.failures)) == ("completed", 2, 1)
    [failure] = made.failures
    assert isinstance(failure, genstep.GenerationFailed)
    assert "Image generation failed" in str(failure)
    assert buyer.spent == 2
    again = buyer.generate("a fox", n=3)
    assert (len(again.assets), again.failures, buyer.spent) == (3, (), 3)
    assert "items" not in buyer.bodies[-1][1]


def test_items_beyond_the_quota_fail_and_are_not_sent_again(buyer):
    buyer.set(per_day=2)
    made = buyer.generate("a fox", n=3)
    assert len(made.assets) == 2
    [failure] = made.failures
    assert isinstance(failure, genstep.RateLimited)
    assert (failure.quota, len(buyer.network.paid)) == (True, 1)


def test_a_batch_of_which_nothing_was_made_raises(buyer):
    buyer.fault("fail", times=2)
    with pytest.raises(genstep.GenerationFailed):
        buyer.generate("a fox", n=2)
    assert buyer.spent == 0


def test_a_missing_and_a_bad_key(customer):
    buyer = customer("imageapi", mark="invalid")
    missing = buyer.provider.error(genstep.Get("/usage"), buyer.raw("GET", "/usage", key=False))
    assert (type(missing), missing.status) == (genstep.AuthenticationError, 401)
    with pytest.raises(genstep.AuthenticationError, match="Dashboard > API Keys") as error:
        buyer.generate("a fox")
    assert error.value.request_id.startswith("req_")
    assert len(buyer.network.paid) == 1


@pytest.mark.parametrize(("mark", "said"), [("suspended", "Account suspended"), ("noplan", "No active plan")])
def test_a_suspended_account_or_one_without_a_plan(customer, mark, said):
    buyer = customer("imageapi", mark=mark)
    with pytest.raises(genstep.PermissionDenied, match=said) as error:
        buyer.generate("a fox")
    assert error.value.status == 403
    assert error.value.request_id in str(error.value), "its support asks for it"
    assert buyer.spent == 0


def test_a_used_up_minute_is_waited_for_as_long_as_is_asked(buyer):
    buyer.set(per_minute=1)
    buyer.raw("POST", "/generate", {"prompt": "an owl"})
    refusal = buyer.raw("POST", "/generate", {"prompt": "an owl"})
    while refusal.ok:
        refusal = buyer.raw("POST", "/generate", {"prompt": "an owl"})
    assert refusal.headers["retry-after"] == str(refusal["retry_after"])
    error = buyer.provider.error(genstep.Paid("/generate"), refusal)
    assert (type(error), error.status, error.quota) == (genstep.RateLimited, 429, False)
    assert error.retry_after == refusal["retry_after"] > 0
    assert error.request_id == refusal["request_id"]
    assert judge(429, error) is Verdict.AGAIN
    assert buyer.generate("a fox").status == "completed"


@pytest.mark.parametrize(("header", "inside"), [(3, 9), (9, 3)])
def test_of_two_pauses_the_longer_is_kept(buyer, header, inside):
    body = b'{"success": false, "error": "Rate limit exceeded", "retry_after": %d, "request_id": "req_1"}' % inside
    buyer.network.paid_steps = [Reply(429, {"Retry-After": str(header)}, body)]
    assert buyer.generate("a fox").status == "completed"
    assert max(buyer.clock.slept) >= 9


@pytest.mark.parametrize("limit", ["per_day", "per_month"])
def test_a_used_up_quota_fails_at_once(buyer, limit):
    buyer.set(**{limit: 1})
    buyer.generate("an owl")
    with pytest.raises(genstep.RateLimited, match="larger plan") as error:
        buyer.generate("a fox")
    assert (error.value.quota, error.value.status) == (True, 429)
    assert error.value.retry_after > 0
    assert len(buyer.network.paid) == 2
    assert buyer.spent == 1


def test_too_many_open_calls_wait_for_their_turn(buyer):
    buyer.set(concurrency=1)
    buyer.fault("slow", times=1, factor=20)

    async def work(client):
        return await asyncio.gather(*(client.generate(prompt) for prompt in ("a fox", "a bear", "a wolf")))

    made = buyer.run(work)
    assert [one.status for one in made] == ["completed"] * 3
    assert buyer.submits == 3
    assert len(buyer.network.paid) > 3


def test_a_500_with_the_services_json_is_a_failed_generation_and_not_charged(buyer):
    buyer.fault("fail")
    with pytest.raises(genstep.GenerationFailed) as error:
        buyer.generate("a fox")
    assert (error.value.status, error.value.charged) == (500, False)
    assert error.value.request_id in str(error.value)
    assert (len(buyer.network.paid), buyer.spent) == (1, 0)
    assert buyer.generate("a fox").status == "completed"


def test_a_500_without_it_is_uncertain(buyer):
    buyer.fault("status", endpoint="generate", status=500, body="Internal Server Error")
    with pytest.raises(genstep.SubmissionUncertain):
        buyer.generate("a fox")


def test_a_workspace_that_takes_fewer_items_is_sent_smaller_batches_from_then_on(buyer):
    buyer.set(max_batch=2)
    made = buyer.generate("a fox", n=4)
    assert len(made.assets) == 4
    assert [len(body["items"]) for _, body in buyer.bodies] == [4, 2, 2]
    buyer.generate("a bear", n=4)
    assert [len(body["items"]) for _, body in buyer.bodies[3:]] == [2, 2]


def test_a_workspace_that_takes_more_items_can_be_said(customer):
    buyer = customer("imageapi", options={"batch": 8})
    assert len(buyer.generate("a fox", n=8).assets) == 8
    assert [len(body["items"]) for _, body in buyer.bodies] == [8]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/generate", b"{not json", 400, "json"),
        ("/generate", {"items": []}, 400, "items must be"),
        ("/prompt/enhance", {}, 400, "prompt is required"),
        ("/prompt/build", {"color": "red"}, 400, "at least one"),
        ("/nowhere", {}, 404, "not found"),
    ],
)
def test_what_the_service_refuses(buyer, path, body, status, said):
    answer = buyer.raw("POST", path, body)
    error = buyer.provider.error(genstep.Paid(path) if path == "/generate" else genstep.Post(path), answer)
    kind = genstep.NotFound if status == 404 else genstep.InvalidRequest
    assert (type(error), error.status, error.provider) == (kind, status, "imageapi")
    assert said in str(error).lower()
    assert error.request_id == answer["request_id"]
    assert buyer.spent == 0


def test_a_model_that_the_service_does_not_have_is_refused_by_it(buyer):
    """In a batch each item is told its own; a single one is a refusal."""
    with pytest.raises(genstep.InvalidRequest, match="model must be one of") as error:
        buyer.generate("a fox", model="no-such-model")
    assert (error.value.status, buyer.submits) == (400, 0)


def test_usage_tells_requests_and_pictures_and_the_plan(buyer):
    buyer.generate("a fox", n=2)
    found = buyer.ask("balance")
    assert found.details["usage"] == {
        "today": {"requestCount": 2, "imageCount": 2},
        "this_month": {"requestCount": 2, "imageCount": 2},
    }
    plan = found.details["plan"]
    assert (plan["name"], plan["slug"]) == ("Free", "free")
    assert (plan["requests_per_day"], plan["requests_per_month"]) == (50, 1500)
    assert (plan["remaining_today"], plan["remaining_month"]) == (48, 1498)
    assert found.amount == 48


@pytest.mark.parametrize("degraded", [False, True])
def test_health_is_its_own_word_with_its_checks(customer, server, degraded):
    server.control.set("imageapi", degraded=degraded)
    found = customer("imageapi").ask("health")
    server.control.set("imageapi", degraded=False)
    assert found.status == ("degraded" if degraded else "healthy")
    assert found.details["checks"]["generation"] == found.status


def test_health_of_a_service_that_does_not_answer(buyer):
    buyer.fault("html", endpoint="health", times=None)
    assert buyer.ask("health").status == "unreachable"


@pytest.mark.parametrize("tone", [None, "dramatic"])
def test_a_prompt_is_enhanced_in_a_tone(buyer, tone):
    better = buyer.ask("enhance", "a fox", tone)
    assert better.startswith("a fox")
    assert ("dramatic" in better) == (tone is not None)
    sent = {"prompt": "a fox"} if tone is None else {"prompt": "a fox", "tone": tone}
    assert [reply.content for reply in buyer.asked("/prompt/enhance")] == [
        genstep.testing.reply(sent).content.replace(b": ", b":").replace(b", ", b",")
    ]
    assert buyer.spent == 0


def test_a_prompt_is_built_of_its_parts(buyer):
    parts = ("subject", "setting", "mood", "art_style", "lighting", "camera", "extras")
    built = buyer.ask("build_prompt", **{part: f"some {part}" for part in parts})
    assert all(f"some {part}" in built for part in parts)


@pytest.mark.parametrize(("parts", "name"), [({}, "subject"), ({"color": "red"}, "color")])
def test_a_prompt_of_no_known_part_is_refused_before_it_is_sent(buyer, parts, name):
    with pytest.raises(genstep.InvalidRequest) as refusal:
        buyer.ask("build_prompt", **parts)
    assert (refusal.value.field, buyer.network.sent) == (name, [])


def test_an_empty_prompt_is_not_enhanced(buyer):
    with pytest.raises(genstep.InvalidRequest) as refusal:
        buyer.ask("enhance", " ")
    assert (refusal.value.field, buyer.network.sent) == ("prompt", [])
