"""ImagineLab: its login, and every status of document 002."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.flows import drive, make, reply
from tests.documents.examples import example

from genstep.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    UnreadableReply,
)
from genstep.outcome import Verdict, judge
from genstep.provider import Get, Paid, Post
from genstep.providers.imaginelab import ImagineLab

LOGIN = Post("/auth/login", form={"username": "you@example.com", "password": "fake-password"}, auth=False)


@pytest.fixture
def service() -> Any:
    return make(ImagineLab)


def error_of(service: Any, status: int, body: Any, call: Any = None, **headers: str) -> Any:
    return service.error(call or Paid("/generations", json={}), reply(body, status, **headers))


# -- login -----------------------------------------------------------------------------------------------------


def test_login_is_a_form_without_a_key(service: Any) -> None:
    answer = reply(example("imaginelab", "login").json)
    token, calls = drive(service, service.login("you@example.com", "fake-password"), answer)
    assert calls == [LOGIN]
    assert token == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."


@pytest.mark.parametrize("account", [{"username": "you@example.com", "password": "fake"}, {"api_key": "fake-key"}])
def test_takes_a_login_or_a_dedicated_key(account: dict[str, str]) -> None:
    assert make(ImagineLab, **{"api_key": None, **account}).account.provider == "imaginelab"
    with pytest.raises(ConfigurationError, match="GENSTEP_IMAGINELAB_PASSWORD"):
        make(ImagineLab, api_key=None, username="you@example.com")


@pytest.mark.parametrize(
    "body",
    [
        {"token": "fake-secret-token"},
        {"access_token": ["fake-secret-token"]},
        {"access_token": "fake-secret-token\r\nX: y"},
        {"access_token": "fake-secret-token ü"},
        {"access_token": ""},
        ["fake-secret-token"],
        b"fake-secret-token",
    ],
)
def test_an_unreadable_login_is_not_quoted(service: Any, body: Any) -> None:
    with pytest.raises(UnreadableReply) as caught:
        drive(service, service.login("you@example.com", "fake-password"), reply(body))
    assert "fake-secret-token" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_refused_login_says_what_to_check(service: Any, status: int) -> None:
    error = error_of(service, status, {"detail": "Incorrect username or password"}, LOGIN)
    assert type(error) is AuthenticationError
    assert "Incorrect username or password" in str(error)
    assert "username (the e-mail address) and password" in str(error)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, {"detail": [{"loc": ["body", "password"], "msg": "too short", "input": "fake-password"}]}),
        (500, b"<html>username=you@example.com&password=fake-password</html>"),
        (401, b"fake-password"),
    ],
)
def test_a_refused_login_never_repeats_the_password(service: Any, status: int, body: Any) -> None:
    assert "fake-password" not in str(error_of(service, status, body, LOGIN))


def test_whoami(service: Any) -> None:
    who, calls = drive(service, service.whoami(), reply({"id": 17, "email": "you@example.com"}))
    assert (who, calls) == ({"id": 17, "email": "you@example.com"}, [Get("/auth/me")])
    with pytest.raises(UnreadableReply):
        drive(service, service.whoami(), reply(b"<html>sign in to this wireless network</html>"))


# -- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (400, InvalidRequest, Verdict.REFUSED),
        (401, AuthenticationError, Verdict.REFUSED),
        (402, InsufficientCredits, Verdict.REFUSED),
        (403, PermissionDenied, Verdict.REFUSED),
        (404, NotFound, Verdict.REFUSED),
        (422, InvalidRequest, Verdict.REFUSED),
        (429, RateLimited, Verdict.AGAIN),
        (500, ProviderUnavailable, Verdict.UNCERTAIN),
        (502, ProviderUnavailable, Verdict.UNCERTAIN),
        (503, ProviderUnavailable, Verdict.UNCERTAIN),
    ],
)
@pytest.mark.parametrize("body", [{"detail": "what went wrong"}, b"<html>what went wrong</html>"])
def test_the_status_decides(service: Any, status: int, kind: type, verdict: Verdict, body: Any) -> None:
    error = error_of(service, status, body, x_request_id="req-1")
    assert type(error) is kind
    assert (error.provider, error.status, error.request_id, error.charged) == ("imaginelab", status, "req-1", None)
    assert "what went wrong" in str(error)
    assert judge(status, error) is verdict


def test_too_few_credits(service: Any) -> None:
    error = error_of(service, 402, example("imaginelab", "insufficient-credits").json)
    assert (error.required, error.available) == (None, None)
    assert str(error).startswith("Insufficient credits; buy")


def test_422_names_the_field_and_not_the_input(service: Any) -> None:
    entry = {"loc": ["body", "model_name"], "msg": "unknown model", "type": "value_error", "input": "fake-input"}
    other = {"loc": ["body", "settings", "aspect_ratio"], "msg": "not a ratio"}
    error = error_of(service, 422, {"detail": [entry, other]})
    assert error.field == "model"
    assert "model_name: unknown model; settings.aspect_ratio: not a ratio" in str(error)
    assert "fake-input" not in str(error)


@pytest.mark.parametrize(("header", "wait"), [({"retry_after": "9"}, 9.0), ({}, None), ({"retry_after": "soon"}, None)])
def test_429_is_honoured_although_no_header_is_documented(service: Any, header: dict[str, str], wait: Any) -> None:
    error = error_of(service, 429, {"detail": "slow down"}, **header)
    assert (error.retry_after, error.quota) == (wait, False)


def test_advice_fits_the_call(service: Any) -> None:
    body = {"detail": "upstream"}
    assert "try again later" in str(error_of(service, 502, body, Get("/generations/1/status")))
    assert "again" not in str(error_of(service, 502, body, Paid("/generations")))
