"""AI Visual Studio: every error code of document 003, and what each means for the money."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.flows import make, reply
from tests.documents.examples import example

from genstep.errors import (
    AuthenticationError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
)
from genstep.outcome import Verdict, judge
from genstep.provider import Delete, Get, Paid, Post
from genstep.providers.aivisualstudio import AIVisualStudio

NO_CREDITS = example("aivisualstudio", "insufficient-credits").json


@pytest.fixture
def service() -> Any:
    return make(AIVisualStudio)


def error_of(service: Any, status: int, body: Any, call: Any = None, **headers: str) -> Any:
    return service.error(call or Paid("/generate/image", json={}), reply(body, status, **headers))


def coded(code: str, **details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "What went wrong.", "details": details}}


@pytest.mark.parametrize("given_status", [None, 418])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_request", InvalidRequest),
        (401, "missing_api_key", AuthenticationError),
        (401, "invalid_api_key", AuthenticationError),
        (401, "expired_api_key", AuthenticationError),
        (403, "insufficient_scope", PermissionDenied),
        (403, "ip_not_allowed", PermissionDenied),
        (403, "insufficient_credits", InsufficientCredits),
        (404, "not_found", NotFound),
        (429, "rate_limited", RateLimited),
        (500, "internal_error", ProviderUnavailable),
    ],
)
def test_the_code_decides(service: Any, status: int, code: str, kind: type, given_status: int | None) -> None:
    error = error_of(service, given_status or status, coded(code), x_request_id="req-1")
    assert type(error) is kind
    assert (error.provider, error.code, error.request_id, error.charged) == ("aivisualstudio", code, "req-1", None)
    assert str(error).startswith("What went wrong; ")


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, "invalid_request", Verdict.REFUSED),
        (401, "expired_api_key", Verdict.REFUSED),
        (403, "insufficient_credits", Verdict.REFUSED),
        (403, "insufficient_scope", Verdict.REFUSED),
        (404, "not_found", Verdict.REFUSED),
        (429, "rate_limited", Verdict.AGAIN),
        (500, "internal_error", Verdict.UNCERTAIN),
    ],
)
def test_what_an_error_means_for_the_money(service: Any, status: int, code: str, verdict: Verdict) -> None:
    assert judge(status, error_of(service, status, coded(code))) is verdict


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "bad"}, InvalidRequest),
        (401, {"message": "bad"}, AuthenticationError),
        (403, coded("brand_new_code"), PermissionDenied),
        (404, b"<html>not here</html>", NotFound),
        (429, b"", RateLimited),
        (429, coded("brand_new_code"), RateLimited),
        (500, {"error": ["bad"]}, ProviderUnavailable),
        (502, b"<html>bad gateway</html>", ProviderUnavailable),
        (302, b"", ProviderUnavailable),
    ],
)
def test_without_a_known_code_the_status_decides(service: Any, status: int, body: Any, kind: type) -> None:
    error = error_of(service, status, body)
    assert (type(error), error.status) == (kind, status)


def test_too_few_credits_are_a_403_and_say_how_many(service: Any) -> None:
    error = error_of(service, 403, NO_CREDITS)
    assert (type(error), error.required, error.available) == (InsufficientCredits, 5, 2)
    assert "You need 5 credits but only have 2; buy credits" in str(error)
    error = error_of(service, 403, {"error": {**NO_CREDITS["error"], "details": "none"}})
    assert (error.required, error.available) == (None, None)


@pytest.mark.parametrize(
    ("call", "details", "scope"),
    [
        (Paid("/generate/image"), {}, "generate:image"),
        (Paid("/generate/video"), {}, "generate:video"),
        (Post("/webhooks"), {}, "webhooks"),
        (Delete("/webhooks/wh_1"), {}, "webhooks"),
        (Get("/generations"), {}, "read"),
        (Get("/models"), {}, "read"),
        (Paid("/generate/image"), {"required_scope": "generate:all"}, "generate:all"),
        (Get("/models"), {"required": ["read", "models"]}, "read, models"),
        (Get("/models"), {"required": 5, "scope": {"x": 1}}, "read"),
        (Get("/models"), {"scope": "{scope}"}, "{scope}"),
    ],
)
def test_a_missing_scope_is_named(service: Any, call: Any, details: Any, scope: str) -> None:
    error = error_of(service, 403, coded("insufficient_scope", **details), call)
    assert str(error) == f"What went wrong; make a key that has the scope {scope}"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x_ratelimit_reset": "1704801630", "date": "Tue, 09 Jan 2024 12:00:00 GMT"}, 30.0),
        ({"x_ratelimit_reset": "1704801000", "date": "Tue, 09 Jan 2024 12:00:00 GMT"}, 0.0),
        ({"x_ratelimit_reset": "1704801630"}, None),
        ({"x_ratelimit_reset": "soon", "date": "Tue, 09 Jan 2024 12:00:00 GMT"}, None),
        ({"retry_after": "7", "x_ratelimit_reset": "1704801630", "date": "Tue, 09 Jan 2024 12:00:00 GMT"}, 7.0),
        ({}, None),
    ],
)
def test_rate_limited_waits_for_the_reset_by_the_services_clock(service: Any, headers: Any, wait: Any) -> None:
    error = error_of(service, 429, coded("rate_limited"), **headers)
    assert (error.retry_after, error.quota) == (wait, False)


def test_a_record_with_an_error_is_no_error_of_the_call(service: Any) -> None:
    assert service.error(Get("/generations/gen_1"), reply({"status": "failed", "error": {"code": "x"}})) is None


@pytest.mark.parametrize(("path", "advice"), [("/generations/gen_1", "history"), ("/webhooks/wh_1", "webhooks list")])
def test_what_is_not_found_says_where_to_look(service: Any, path: str, advice: str) -> None:
    assert str(error_of(service, 404, coded("not_found"), Get(path))).endswith(
        f"see what there is with: genstep {advice}"
    )
