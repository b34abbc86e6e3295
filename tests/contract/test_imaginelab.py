"""ImagineLab against the sandbox server: logging in, its six kinds, and each of its errors provoked for real."""

from __future__ import annotations

import asyncio
from itertools import count
from urllib.parse import parse_qs

import pytest

import genstep
from genstep.outcome import Verdict, judge
from genstep.provider import Running

NUMBERS = count(1)
PASSWORD = "fakepassword123"
SEED = {"model": "seedream-5.0-lite"}
TEXT = {"kind": "text", "model": "sandbox-text"}


@pytest.fixture
def buyer(customer):
    return customer("imaginelab")


@pytest.fixture
def member(customer):
    """Who logs in by name and password."""
    return customer("imaginelab", username=f"fake{next(NUMBERS):06}@customer.example", password=PASSWORD)


def test_a_login_is_form_encoded_and_its_token_is_the_bearer(member):
    member.generate("a fox", **TEXT)
    [login] = member.asked("/auth/login")
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(login.content.decode()) == {"username": [member.account.username], "password": [PASSWORD]}
    assert "Authorization" not in login.headers
    others = [sent for sent in member.network.sent if sent is not login]
    assert {sent.headers["Authorization"].split()[0] for sent in others} == {"Bearer"}
    assert not any(PASSWORD in f"{sent.url} {sent.headers} {sent.content}" for sent in others)


def test_a_key_needs_no_login(buyer):
    buyer.generate("a fox", **TEXT)
    assert buyer.asked("/auth/login") == []
    assert {sent.headers["Authorization"] for sent in buyer.network.sent} == {f"Bearer {buyer.key}"}


def test_many_waiters_share_one_login_and_one_more_when_the_token_expired(member):
    """Every poll is refused at once; one of them logs in anew for all, and nothing is paid again."""
    member.fault("hold", times=6)

    async def work(client):
        jobs = [await client.submit(f"fox {number}", **TEXT) for number in range(6)]
        assert len(member.asked("/auth/login")) == 1
        member.server.control.expire_tokens()
        states = await asyncio.gather(*(client.status(job.id) for job in jobs))
        assert {job.status for job in states} == {"processing"}
        assert len(member.asked("/auth/login")) == 2
        member.server.control.release()
        return await asyncio.gather(*(client.wait(job.id) for job in jobs))

    made = member.run(work)
    assert [one.status for one in made] == ["completed"] * 6
    assert len(member.asked("/auth/login")) == 2
    assert member.submits == len(member.network.paid) == 6


def test_an_expired_token_at_a_paid_call_is_renewed_and_the_call_is_paid_once(member):
    async def work(client):
        await client.models()
        member.server.control.expire_tokens()
        return await asyncio.gather(*(client.generate(f"fox {number}", **TEXT) for number in range(4)))

    made = member.run(work)
    assert [one.status for one in made] == ["completed"] * 4
    assert (member.submits, len(member.asked("/auth/login"))) == (4, 2)


def test_a_wrong_password_is_final_and_asked_once(customer):
    buyer = customer("imaginelab", username="fake@customer.example", password="wrong-fake-password")
    with pytest.raises(genstep.AuthenticationError, match="check username") as error:
        buyer.generate("a fox", **TEXT)
    assert error.value.status == 401
    assert "wrong-fake-password" not in f"{error.value!r} {error.value.to_dict()}"
    assert (len(buyer.asked("/auth/login")), buyer.network.paid) == (1, [])


def test_a_key_that_is_refused_has_no_login_to_fall_back_to(customer):
    buyer = customer("imaginelab", mark="revoked")
    with pytest.raises(genstep.AuthenticationError) as error:
        buyer.generate("a fox", **TEXT)
    assert (error.value.status, len(buyer.network.sent)) == (401, 1)


def test_who_it_is_can_be_asked_for_free(member):
    assert member.line(lambda provider: provider.whoami())["email"] == member.account.username
    assert member.network.paid == []


def test_the_reply_names_the_job_and_its_price(buyer):
    made = buyer.generate("a fox", **SEED)
    assert made.job_ids == (buyer.server.control.jobs("imaginelab")[-1]["id"],)
    assert (made.cost.charged, made.cost.estimated, made.cost.unit) == (5, 5, "credits")


def test_status_is_asked_until_the_end_and_then_the_record(buyer):
    buyer.fault("slow", factor=400)
    told = []
    made = buyer.generate("a fox", on_progress=told.append, **TEXT)
    job = made.job_ids[0]
    assert len(buyer.asked(f"/generations/{job}/status")) >= 2
    assert len(buyer.asked(f"/generations/{job}")) == 1
    progress = [one.progress for one in told if one.progress is not None]
    assert progress == sorted(progress)
    assert all(0 <= each <= 1 for each in progress)


def test_it_is_polled_as_often_as_the_sample_does(buyer):
    assert (buyer.provider.timing.gap, buyer.provider.timing.least) == (2, 2)


def test_progress_is_a_part_of_the_whole(buyer):
    buyer.fault("hold")
    job = buyer.ask("submit", "a fox", **TEXT).provider_job_ids[0]
    state = buyer.line(lambda provider: provider.poll(job))
    assert isinstance(state, Running)
    assert state.progress == 0.5
    buyer.server.control.release(job)


@pytest.mark.parametrize("kind", ["image", "video", "voice", "music", "infographic", "text"])
@pytest.mark.parametrize("as_objects", [False, True])
def test_outputs_are_read_as_texts_or_objects(buyer, kind, as_objects):
    buyer.set(outputs_as_objects=as_objects)
    model = "seedream-5.0-lite" if kind == "image" else f"sandbox-{kind}"
    made = buyer.generate("a fox", kind=kind, model=model, options={"duration": 1})
    [asset] = made.assets
    family = {"infographic": "image", "voice": "audio", "music": "audio"}.get(kind, kind)
    assert asset.media_type.startswith(f"{family}/")
    assert (asset.source_url is None) == (kind == "text")


@pytest.mark.parametrize("key", ["error", "error_message", "detail", None])
def test_a_failed_job_says_why_where_its_record_does(buyer, key):
    buyer.set(reason_key=key)
    buyer.fault("fail")
    with pytest.raises(genstep.GenerationFailed, match="Upstream model error" if key else "gave no reason") as error:
        buyer.generate("a fox", **TEXT)
    assert error.value.refunded is None


def test_a_model_is_needed_and_the_error_lists_them(buyer):
    with pytest.raises(genstep.InvalidRequest, match=r"seedream-5\.0-lite") as error:
        buyer.generate("a fox")
    assert (error.value.field, buyer.network.paid) == ("model", [])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "said"),
    [
        ("POST", "/generations", b"{not json", 400, genstep.InvalidRequest, "json"),
        ("POST", "/generations", {"generation_type": "hologram"}, 400, genstep.InvalidRequest, "generation_type"),
        (
            "POST",
            "/generations",
            {"generation_type": "text", "model_name": "none"},
            400,
            genstep.InvalidRequest,
            "model_name",
        ),
        (
            "POST",
            "/generations",
            {"generation_type": "text", "model_name": "sandbox-text", "prompt": "a", "settings": 7},
            400,
            genstep.InvalidRequest,
            "settings",
        ),
        ("GET", "/generations/999999999999", None, 404, genstep.NotFound, "not found"),
        ("DELETE", "/generations/999999999999", None, 404, genstep.NotFound, "not found"),
    ],
)
def test_what_the_service_refuses(buyer, method, path, body, status, kind, said):
    answer = buyer.raw(method, path, body)
    call = {"POST": genstep.Paid, "GET": genstep.Get, "DELETE": genstep.Delete}[method](path)
    error = buyer.provider.error(call, answer)
    assert (type(error), error.status, error.provider) == (kind, status, "imaginelab")
    assert said in str(error).lower()
    assert judge(status, error) is Verdict.REFUSED
    assert buyer.spent == 0


def test_a_model_of_another_kind_is_refused_by_the_service(buyer):
    with pytest.raises(genstep.InvalidRequest, match="model_name") as error:
        buyer.generate("a fox", kind="image", model="sandbox-text")
    assert (error.value.status, buyer.submits) == (400, 0)


def test_a_job_that_the_service_forgot_is_not_found(buyer):
    buyer.fault("hold")
    job = buyer.ask("submit", "a fox", **TEXT)
    buyer.raw("DELETE", f"/generations/{job.provider_job_ids[0]}")
    with pytest.raises(genstep.NotFound) as error:
        buyer.ask("wait", job.id)
    assert (error.value.status, error.value.job_id) == (404, job.id)
    assert len(buyer.asked(f"/generations/{job.provider_job_ids[0]}/status")) == 3, "it is not believed at once"


@pytest.mark.parametrize(
    ("status", "body", "kind", "field"),
    [
        (403, '{"detail": "Not enough permissions"}', genstep.PermissionDenied, None),
        (
            422,
            '{"detail": [{"loc": ["body", "model_name"], "msg": "field required", "type": "missing"}]}',
            genstep.InvalidRequest,
            "model",
        ),
    ],
)
def test_statuses_that_the_document_does_not_list(buyer, status, body, kind, field):
    buyer.fault("status", endpoint="generate", status=status, body=body)
    with pytest.raises(kind) as error:
        buyer.generate("a fox", **TEXT)
    assert (error.value.status, getattr(error.value, "field", None), buyer.submits) == (status, field, 0)


@pytest.mark.parametrize("status", [500, 502])
def test_a_server_error_at_a_paid_call_is_uncertain(buyer, status):
    buyer.fault("refuse", endpoint="generate", status=status)
    with pytest.raises(genstep.SubmissionUncertain) as error:
        buyer.generate("a fox", **TEXT)
    assert (error.value.status, len(buyer.network.paid), buyer.submits) == (status, 1, 0)


def test_a_502_of_the_upstream_model_is_looked_up_in_the_list_and_not_sent_again_by_itself(buyer):
    """The service took it, charged, failed and gave back; nothing in its document promises that."""
    buyer.fault("reject")
    with pytest.raises(genstep.GenerationFailed):
        buyer.generate("a fox", **TEXT)
    assert (len(buyer.network.paid), buyer.submits, buyer.spent) == (1, 1, 0)


def test_a_rate_limit_without_a_header_is_waited_out(buyer):
    buyer.set(per_minute=1)
    buyer.raw("GET", "/generations")
    answer = buyer.raw("GET", "/generations")
    while answer.ok:
        answer = buyer.raw("GET", "/generations")
    error = buyer.provider.error(genstep.Get("/generations"), answer)
    assert (type(error), error.status, error.retry_after) == (genstep.RateLimited, 429, None)
    buyer.set(per_minute=3)
    assert buyer.generate("a fox", **TEXT).status == "completed"
    assert buyer.submits == 1
