"""ImageAPI: every refusal of document 004, documented or likely, by hand-fed replies."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.flows import ask, drive, make, reply

from genstep.errors import (
    AuthenticationError,
    BatchTooLarge,
    ConfigurationError,
    GenerationFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
)
from genstep.outcome import Verdict, judge
from genstep.provider import Get, Paid
from genstep.providers.imageapi import ImageAPI


@pytest.fixture
def service() -> Any:
    return make(ImageAPI)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (400, InvalidRequest, Verdict.REFUSED),
        (401, AuthenticationError, Verdict.REFUSED),
        (403, PermissionDenied, Verdict.REFUSED),
        (404, NotFound, Verdict.REFUSED),
        (429, RateLimited, Verdict.AGAIN),
        (500, GenerationFailed, Verdict.REFUSED),
        (503, ProviderUnavailable, Verdict.UNCERTAIN),
    ],
)
def test_every_documented_error_with_its_request_id(service: Any, status: int, kind: type, verdict: Verdict) -> None:
    error = service.error(
        Paid("/generate", json={}), reply({"success": False, "error": "Because.", "request_id": "req_9"}, status)
    )
    assert (type(error), error.status, error.request_id) == (kind, status, "req_9")
    assert "Because" in str(error)
    assert judge(status, error) is verdict


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"success": fal', {"error": "boom"}])
def test_a_500_that_is_not_the_services_own_is_uncertain(service: Any, body: Any) -> None:
    error = service.error(Paid("/generate", json={}), reply(body, 500))
    assert (type(error), error.charged) == (ProviderUnavailable, None)
    assert judge(500, error) is Verdict.UNCERTAIN


def test_a_500_of_a_free_route_is_no_failed_generation(service: Any) -> None:
    error = service.error(Get("/usage"), reply({"success": False, "error": "boom", "request_id": "req_9"}, 500))
    assert type(error) is ProviderUnavailable


def test_a_200_that_says_no_is_a_failed_generation(service: Any) -> None:
    refusal = reply({"success": False, "error": "NSFW", "request_id": "req_9"})
    with pytest.raises(GenerationFailed, match="NSFW") as caught:
        drive(service, service.submit(ask(service, "x")), refusal)
    assert (caught.value.charged, caught.value.request_id) == (False, "req_9")


@pytest.mark.parametrize(
    ("text", "body", "header", "wait", "quota"),
    [
        ("Rate limit exceeded", 5, None, 5, False),
        ("Rate limit exceeded", 5, "9", 9, False),
        ("Rate limit exceeded", 9, "5", 9, False),
        ("Rate limit exceeded", None, "5", 5, False),
        ("Rate limit exceeded", "soon", None, None, False),
        ("Rate limit exceeded", -5, None, None, False),
        ("Rate limit or quota exceeded", 5, None, 5, False),
        ("Rate limit or quota exceeded", 86400, None, 86400, True),
        ("Rate limit exceeded", 3600, None, 3600, False),
        ("Rate limit exceeded", 3601, None, 3601, True),
        ("Monthly quota exceeded", 5, None, 5, True),
        ("You have used your daily requests", None, None, None, True),
        ("Concurrency limit exceeded", 2, None, 2, False),
    ],
)
def test_429_rate_or_quota(
    service: Any, text: str, body: Any, header: str | None, wait: float | None, quota: bool
) -> None:
    headers = {} if header is None else {"retry_after": header}
    error = service.error(
        Paid("/generate"), reply({"error": text, "retry_after": body, "request_id": "r"}, 429, **headers)
    )
    assert (type(error), error.retry_after, error.quota, error.request_id) == (RateLimited, wait, quota, "r")
    assert judge(429, error) is (Verdict.REFUSED if quota else Verdict.AGAIN)


@pytest.mark.parametrize(
    ("status", "text", "kind", "limit"),
    [
        (400, "Batch size exceeds the maximum of 4", BatchTooLarge, 4),
        (400, "Too many items (max 2)", BatchTooLarge, 2),
        (422, "items: at most 3 allowed, got 8", BatchTooLarge, 3),
        (400, "Batch too large", BatchTooLarge, None),
        (413, "Payload too large", BatchTooLarge, None),
        (400, "items[3].prompt must be at most 2000 characters", InvalidRequest, None),
        (400, "items is not valid JSON", InvalidRequest, None),
        (400, "Prompt too long", InvalidRequest, None),
        (500, "Batch size exceeds the maximum of 4", ProviderUnavailable, None),
    ],
)
def test_a_batch_that_is_too_large(service: Any, status: int, text: str, kind: type, limit: int | None) -> None:
    error = service.error(Paid("/generate", json={"items": [{}] * 8}), reply({"error": text}, status))
    assert (type(error), getattr(error, "limit", None)) == (kind, limit)
    alone = service.error(Paid("/generate", json={"prompt": "x"}), reply({"error": text}, status))
    assert type(alone) is not BatchTooLarge


def test_a_key_of_another_service_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sk_"):
        make(ImageAPI, api_key="cvk_other")
