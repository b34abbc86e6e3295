"""Nano Banana against the sandbox server: every line of its document's facts, and each way in which it says no."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.customer import Customer

import genstep
from genstep.outcome import Verdict, judge
from genstep.testing.service import sample

PICTURE = "https://pictures.example/chair.png"
REFUSED = '{"success": false, "error": "The prompt was blocked."}'


@pytest.fixture
def buyer(customer):
    return customer("nanobanana")


def test_the_account_has_to_name_the_host(customer):
    with pytest.raises(genstep.ConfigurationError, match="has no fixed host"):
        customer("nanobanana", base_url=None).ask("balance")


def test_it_is_asked_with_a_bearer_key(buyer):
    buyer.generate("a fox")
    [sent] = buyer.network.sent
    assert sent.headers["Authorization"] == f"Bearer {buyer.key}"


def test_every_paid_call_is_the_wait_and_may_take_ten_minutes(buyer):
    buyer.generate("a fox")
    buyer.generate("a film", kind="video", duration=1, resolution="360p")
    buyer.generate(kind="model3d", prompt="", image=PICTURE)
    assert [sent.read_timeout >= 600 for sent in buyer.network.paid] == [True] * 3
    assert buyer.network.sent == buyer.network.paid, "nothing is polled"


def test_an_image_reply_is_read_with_all_that_it_says(buyer):
    made = buyer.generate("a fox", n=2, aspect_ratio="16:9", output_format="jpeg")
    for asset in made.assets:
        facts = asset.metadata
        assert (facts["content_type"], facts["aspect_ratio"]) == ("image/jpeg", "16:9") == (asset.media_type, "16:9")
        assert (facts["width"], facts["height"]) == (asset.width, asset.height)
        assert facts["file_name"].endswith(".jpeg")
        assert facts["file_size"] > 0
        assert facts["generation_time"] >= 0
        assert facts["generation_id"] == made.job_ids[0]
    assert made.request_id.startswith("req_")
    assert made.cost.balance == 100_000 - 8


def test_a_video_reply_is_read_with_all_that_it_says(buyer):
    made = buyer.generate("a film", kind="video", model="ltx-2", duration=1, resolution="520p", aspect_ratio="1:1")
    [asset] = made.assets
    known = {"duration": 1, "resolution": "520p", "aspect_ratio": "1:1", "model": "ltx-2", "content_type": "video/mp4"}
    assert {name: asset.metadata[name] for name in known} == known
    assert (asset.metadata["width"], asset.metadata["height"]) == (asset.width, asset.height)
    assert (asset.media_type, made.job_ids) == ("video/mp4", (asset.metadata["generation_id"],))


def test_a_model_comes_with_its_preview(buyer):
    made = buyer.generate(kind="model3d", prompt="", image=sample("image"), options={"texture_quality": "no"})
    roles = {asset.role: asset.media_type for asset in made.assets}
    assert roles == {"main": "model/gltf-binary", "preview": "image/jpeg"}
    main = next(asset for asset in made.assets if asset.role == "main")
    assert (main.metadata["texture_quality"], main.metadata["content_type"]) == ("no", "model/gltf-binary")
    assert made.cost.balance == 100_000 - 20


def test_the_picture_of_an_object_goes_bare_and_is_not_kept(buyer):
    made = buyer.generate(kind="model3d", prompt="", image=sample("image"))
    assert not buyer.bodies[0][1]["image_base64"].startswith("data:")
    assert made.request.to_dict()["image"].startswith("sha256:")


def test_a_success_that_says_false_is_a_refusal_and_not_paid(buyer):
    buyer.fault("status", endpoint="images", status=200, body=REFUSED)
    with pytest.raises(genstep.GenerationFailed, match="The prompt was blocked") as error:
        buyer.generate("a fox")
    assert (error.value.status, len(buyer.network.paid), buyer.submits) == (200, 1, 0)
    assert buyer.ask("show", error.value.job_id).cost.charged == 0


def test_a_list_that_says_false_is_no_empty_list(buyer):
    buyer.fault("status", endpoint="projects", status=200, body='{"success": false, "error": "down"}', times=None)
    with pytest.raises(genstep.ProviderUnavailable, match="down"):
        buyer.history()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "said"),
    [
        ("POST", "/images", b"{not json", 400, genstep.InvalidRequest, "not valid JSON"),
        ("POST", "/images", {}, 400, genstep.InvalidRequest, "prompt is required"),
        ("POST", "/images", {"prompt": "a", "num_images": 5}, 400, genstep.InvalidRequest, "1 to 4"),
        ("POST", "/images", {"prompt": "a", "output_format": "gif"}, 400, genstep.InvalidRequest, "output_format"),
        ("POST", "/videos", {"prompt": "a", "model": "sora"}, 400, genstep.InvalidRequest, "model"),
        ("POST", "/videos", {"prompt": "a", "resolution": "4k"}, 400, genstep.InvalidRequest, "resolution"),
        ("POST", "/3d", {}, 400, genstep.InvalidRequest, "image_url"),
        ("POST", "/3d", {"image_url": PICTURE, "image_base64": "eA=="}, 400, genstep.InvalidRequest, "exactly one"),
        ("GET", "/projects?limit=101", None, 400, genstep.InvalidRequest, "limit"),
        ("GET", "/nowhere", None, 404, genstep.NotFound, "Not found"),
    ],
)
def test_what_the_service_refuses(buyer, method, path, body, status, kind, said):
    answer = buyer.raw(method, path, body)
    error = buyer.provider.error(genstep.Paid(path) if method == "POST" else genstep.Get(path), answer)
    assert (type(error), error.status, error.provider) == (kind, status, "nanobanana")
    assert said in str(error)
    assert judge(status, error) is Verdict.REFUSED
    assert buyer.spent == 0


def test_a_missing_and_a_bad_key_are_refused(customer):
    buyer = customer("nanobanana", mark="invalid")
    missing = buyer.provider.error(genstep.Get("/projects"), buyer.raw("GET", "/projects", key=False))
    assert (type(missing), missing.status) == (genstep.AuthenticationError, 401)
    with pytest.raises(genstep.AuthenticationError):
        buyer.generate("a fox")
    assert len(buyer.network.paid) == 1


@pytest.mark.parametrize(("plan", "limit"), [("free", 100), ("pro", 500), ("enterprise", 1000)])
def test_the_plans_hourly_limit_is_on_every_reply_and_can_be_said_beforehand(customer, plan, limit):
    buyer = customer("nanobanana", options={"plan": plan})
    buyer.set(plan=plan)
    answer = buyer.raw("GET", "/projects")
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == (
        str(limit),
        str(limit - 1),
    )
    assert int(answer.headers["x-ratelimit-reset"]) > 0
    assert (buyer.provider.rate.limit, buyer.provider.rate.window) == (limit, 3600)


def test_a_used_up_hour_is_told_at_once_where_the_caller_will_not_wait(patient_server, tmp_path):
    """The headers say when the hour ends, and are believed; a service that is never polled needs no request for it."""
    buyer = Customer(patient_server, "nanobanana", tmp_path)
    buyer.set(per_hour=2)

    async def three(client):
        await client.generate("a fox")
        await client.generate("a bear")
        assert (await client.generate("a fox")).from_cache, "what was paid for needs no request"
        await client.generate("a wolf", timeout=60)

    with pytest.raises(genstep.RateLimited) as limited:
        buyer.run(three)
    assert 60 < limited.value.retry_after <= 181
    assert (limited.value.charged, buyer.submits, len(buyer.network.paid)) == (False, 2, 2)


def test_a_429_says_when_the_hour_ends(buyer):
    buyer.set(per_hour=1)
    buyer.raw("GET", "/projects")
    answer = buyer.raw("GET", "/projects")
    error = buyer.provider.error(genstep.Get("/projects"), answer)
    assert (type(error), error.status, answer.headers["x-ratelimit-remaining"]) == (genstep.RateLimited, 429, "0")


def test_a_generation_that_fails_is_perhaps_charged(buyer):
    """The document lists no status and no refund, so a 500 proves nothing."""
    buyer.fault("fail", refund=False)
    with pytest.raises(genstep.SubmissionUncertain) as error:
        buyer.generate("a fox")
    assert (error.value.status, error.value.charged) == (500, None)
    assert (len(buyer.network.paid), buyer.submits, buyer.spent) == (1, 1, 4)


def test_fewer_pictures_than_asked_for_are_kept_and_the_rest_is_bought_again(buyer):
    def two_of_three(reply):
        reply.json["data"]["images"].pop()
        return reply

    buyer.network.paid_steps = [two_of_three]
    made = buyer.generate("a fox", n=3)
    assert (made.status, len(made.assets), len(made.failures)) == ("completed", 2, 1)
    assert "2 of 3" in str(made.failures[0])
    again = buyer.generate("a fox", n=3)
    assert (len(again.assets), again.failures) == (3, ())
    assert [body["num_images"] for _, body in buyer.bodies] == [3, 1]


def test_a_lost_call_shows_in_the_list_by_the_id_of_its_reply(buyer):
    made = buyer.generate("a fox")
    assert [item.id for item in buyer.history()] == list(made.job_ids)


def test_a_paid_call_under_way_is_not_cancelled_but_kept(buyer):
    buyer.fault("hold")

    async def work(client):
        taken, loop = asyncio.Event(), asyncio.get_running_loop()
        buyer.server.control.on_event(lambda event: loop.call_soon_threadsafe(taken.set) if event.jobs else None)
        job = await client.submit("a fox")
        try:
            await asyncio.wait_for(taken.wait(), 20)
            after = await client.cancel(job.id)
        finally:
            buyer.server.control.release()
        return after, await client.wait(job.id)

    after, made = buyer.run(work)
    assert after.status == "pending", "sent, and not answered yet"
    assert "has no cancel: the job goes on there and is paid" in after.message
    assert made.status == "completed"
    assert buyer.submits == 1
