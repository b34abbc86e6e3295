"""What the transport makes of replies that are late, odd or hostile: asked again, refused, or never sent again."""

from __future__ import annotations

import asyncio
import gc
import traceback
from contextlib import suppress

import pytest

import genstep
from genstep import errors, redact
from genstep.provider import Reply
from genstep.testing import VirtualClock, reply, run_virtual
from genstep.transport import Transport
from genstep.transport.http import Request

KEY = "fake-key-of-the-shop"
PAGE = reply(b"<html>502 gateway</html>", 200, {"content-type": "text/html"})
CUT = reply(b'{"models": ["a", "b', 200)
EMPTY = reply(b"", 200)


class Shop(genstep.Provider):
    slug = "shop"
    base_url = "https://shop.example"
    auth = "login"
    rate = genstep.provider.Rate(1000, 1.0)
    capabilities = genstep.Capabilities({"image"})

    def login(self, username, password):
        made = yield genstep.Post("/login", form={"username": username, "password": password}, auth=False)
        return made["token"]

    def models(self, kind):
        made = yield genstep.Get("/models")
        return made["models"]

    def create_webhook(self, url, events):
        made = yield genstep.Post("/webhooks", json={"url": url})
        return made["id"]

    def delete_webhook(self, webhook_id):
        yield genstep.Delete(f"/webhooks/{webhook_id}")

    def submit(self, request):
        place = yield genstep.Post("/uploads", json={"image": "bytes"})
        made = yield genstep.Paid("/make", json={"upload": place["id"]})
        return genstep.Accepted(made["job"])


class Line:
    """A transport to answers that a test wrote; ``sent`` is what went out, ``told`` what the paid call's owner got."""

    def __init__(self, *answers, account=None, provider=Shop):
        self.clock = VirtualClock()
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.told: list[object] = []
        account = account or genstep.Account(provider="shop", api_key=KEY)
        self.provider = provider(account)
        self.transport = Transport(account, self.provider, self, self.clock)

    async def send(self, request, *, fresh):
        self.sent.append(request)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sending(self):
        self.told.append("sending")

    async def not_taken(self):
        self.told.append("not taken")

    async def received(self, came, *before):
        self.told.append([came.content, *(one.content for one in before)])

    def accepted(self):
        self.told.append("accepted")

    def ask(self, make, **how):
        async def work():
            return await self.transport.ask(lambda: make(self.provider), **how)

        return run_virtual(work())

    def buy(self, verb=None):
        async def work():
            return await self.transport.run(verb or self.provider.submit(None), paid=self)

        return run_virtual(work())


# -- free verbs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [PAGE, CUT, EMPTY, reply({"other": 1}), reply(b"\xff\xfe\x00{"), reply([1])])
def test_a_success_that_cannot_be_read_is_asked_for_again(odd):
    line = Line(odd, odd, reply({"models": ["a"]}))
    assert line.ask(lambda shop: shop.models(None)) == ["a"]
    assert len(line.sent) == 3


def test_a_success_that_is_never_readable_is_an_error_after_a_few_times():
    line = Line(*[PAGE] * 9)
    with pytest.raises(errors.UnreadableReply, match="gateway"):
        line.ask(lambda shop: shop.models(None))
    assert len(line.sent) == 3


def test_what_may_not_be_done_twice_is_not_asked_again():
    line = Line(PAGE, reply({"id": "w"}))
    with pytest.raises(errors.UnreadableReply):
        line.ask(lambda shop: shop.create_webhook("https://h.example", None))
    assert len(line.sent) == 1


@pytest.mark.parametrize(("body", "sent"), [(b"", 1), ({"error": "too many requests"}, 2)])
def test_what_may_not_be_done_twice_is_sent_again_only_after_a_429_that_says_that_it_is_one(body, sent):
    line = Line(reply(body, 429), reply({"id": "hook"}))
    with suppress(errors.RateLimited):
        line.ask(lambda shop: shop.create_webhook("https://h.example", None))
    assert len(line.sent) == sent


def test_a_free_post_that_certainly_did_not_leave_is_sent_again():
    line = Line(errors.NotSent("refused", charged=False), reply({"id": "w"}))
    assert line.ask(lambda shop: shop.create_webhook("https://h.example", None)) == "w"


def test_what_a_lost_delete_has_deleted_already_is_deleted():
    line = Line(errors.ProviderUnavailable("the connection broke"), reply({"detail": "no such webhook"}, 404))
    assert line.ask(lambda shop: shop.delete_webhook("w")) is None
    with pytest.raises(errors.NotFound):
        Line(reply({}, 404)).ask(lambda shop: shop.delete_webhook("w"))


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 9999 23:59:59 GMT", "99999999", "1e300", "3600"])
def test_a_free_verb_does_not_sleep_for_as_long_as_a_service_likes(asked):
    line = Line(reply({}, 429, {"Retry-After": asked}), reply({"models": []}))
    if asked == "1e300":
        # no number of seconds at all, so our own pause is taken
        assert line.ask(lambda shop: shop.models(None)) == []
        return
    with pytest.raises(errors.RateLimited):
        line.ask(lambda shop: shop.models(None))
    assert len(line.sent) == 1


# -- paid calls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [PAGE, CUT, EMPTY, reply({"other": 1})])
def test_a_paid_success_that_cannot_be_read_is_never_sent_again(odd):
    line = Line(reply({"id": "up"}), odd)
    with pytest.raises(errors.UnreadableReply):
        line.buy()
    assert [request.url.rpartition("/")[2] for request in line.sent] == ["uploads", "make"]
    assert line.told == ["sending", [odd.content, b'{"id": "up"}'], "accepted"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(303, errors.SubmissionUncertain), (302, errors.SubmissionUncertain), (307, errors.GenstepError)],
)
def test_a_redirected_paid_call_is_not_followed(status, error):
    line = Line(reply({"id": "up"}), reply(b"", status, {"location": "https://elsewhere.example/"}))
    with pytest.raises(error) as refused:
        line.buy()
    assert isinstance(refused.value, errors.SubmissionUncertain) == (status != 307)
    assert len(line.sent) == 2


@pytest.mark.parametrize(("body", "sent"), [(b"", 2), ({"error": "too many requests"}, 3)])
def test_a_paid_call_is_sent_again_after_a_429_only_where_it_says_that_it_is_one(body, sent):
    line = Line(reply({"id": "up"}), reply(body, 429), reply({"job": "1"}))
    with suppress(errors.SubmissionUncertain):
        line.buy()
    assert len(line.sent) == sent
    assert ("not taken" in line.told) == (sent == 3)


def test_a_key_refused_after_the_last_rate_limit_is_an_authentication_error():
    account = genstep.Account(provider="shop", username="u@h.example", password="fake-password")
    tokens = [reply({"token": f"fake-token-{number}"}) for number in range(2)]
    busy, no = reply({}, 429, {"retry-after": "1"}), reply({}, 401)
    line = Line(tokens[0], reply({"id": "up"}), *[busy] * 4, no, tokens[1], no, account=account)
    with pytest.raises(errors.AuthenticationError):
        line.buy()
    assert line.told.count("sending") == 6
    assert "accepted" not in line.told


def test_what_came_of_a_broken_answer_is_kept():
    lost = errors.ProviderUnavailable("the connection broke", code="connection_lost")
    vars(lost)["_partial"] = Reply(200, {}, b'{"job": "j')
    line = Line(reply({"id": "up"}), lost)
    with pytest.raises(errors.SubmissionUncertain):
        line.buy()
    assert line.told == ["sending", [b'{"job": "j', b'{"id": "up"}']]


class SdkError(Exception):
    pass


@pytest.mark.parametrize("error", [SdkError, TimeoutError, KeyError, errors.ProviderUnavailable, errors.NotFound])
def test_whatever_an_sdk_raises_is_uncertain_and_shows_no_secret(error):
    redact.register_secret(KEY)

    async def sdk():
        raise error(f"POST with {KEY} failed")

    line = Line()
    with pytest.raises(errors.SubmissionUncertain) as lost:
        line.buy(sdk())
    assert line.told == ["sending"]
    shown = "".join(traceback.format_exception(lost.value))
    assert KEY not in shown


def test_an_sdk_that_did_not_send_may_be_asked_again():
    async def sdk():
        raise errors.NotSent("refused", charged=False)

    line = Line()
    with pytest.raises(errors.NotSent):
        line.buy(sdk())
    assert line.told == ["sending", "not taken"]


# -- login ------------------------------------------------------------------------------------------------------------


def crowd(line: Line, *sizes: int, between=lambda: None):
    """What so many calls at once come to, one crowd after the other."""

    async def work():
        found = []
        for size in sizes or (50,):
            asked = (line.transport.ask(lambda: line.provider.models(None)) for _ in range(size))
            found.append(await asyncio.gather(*asked, return_exceptions=True))
            between()
        return found

    return run_virtual(work())


class Login(Line):
    """A service whose tokens are good until ``expire``; with ``wrong`` it refuses every login."""

    def __init__(self, *, wrong=False, refuse_all=False):
        account = genstep.Account(provider="shop", username="u@h.example", password="fake-password")
        super().__init__(account=account)
        self.logins, self.good, self.wrong, self.refuse_all = 0, "", wrong, refuse_all

    async def send(self, request, *, fresh):
        self.sent.append(request)
        await asyncio.sleep(0.2)
        if request.url.endswith("/login"):
            self.logins += 1
            self.good = f"fake-token-{self.logins:04}"
            return reply({}, 401) if self.wrong else reply({"token": self.good})
        known = request.headers["Authorization"] == f"Bearer {self.good}" and not self.refuse_all
        return reply({"models": ["a"]}) if known else reply({}, 401)

    def expire(self):
        self.good = "expired"


def test_a_token_is_renewed_once_for_all_who_wait():
    line = Login()
    assert crowd(line, 50, 50, between=line.expire) == [[["a"]] * 50] * 2
    assert line.logins == 2


def test_a_new_token_that_is_refused_too_is_an_authentication_error():
    line = Login(refuse_all=True)
    assert [type(found) for found in crowd(line, 1)[0]] == [errors.AuthenticationError]
    assert line.logins == 2


def test_a_login_that_was_refused_is_tried_once_by_all_together():
    line = Login(wrong=True)
    found = crowd(line, 50, 3)
    assert {type(error) for one in found for error in one} == {errors.AuthenticationError}
    assert line.logins == 1


def test_a_thousand_logins_keep_a_few_tokens():
    before = len(redact._registered)
    line = Login()
    crowd(line, *[1] * 1000, between=line.expire)
    assert line.logins == 1000
    assert len(redact._registered) <= before + redact.LAST_RETIRED + 2
    assert redact.clean("x fake-token-1000 y") == f"x {redact.HIDDEN} y"
    del line
    for _ in range(30):
        crowd(Login(), 1)
        gc.collect()
    assert len(redact._registered) <= before + redact.LAST_RETIRED + 2
