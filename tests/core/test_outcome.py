"""The table of money: which answer to a paid call means what."""

import pytest

from genstep import errors
from genstep.outcome import Verdict, judge
from genstep.provider import Reply


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (200, None, Verdict.ACCEPTED),
        (201, None, Verdict.ACCEPTED),
        (None, errors.NotSent("refused"), Verdict.AGAIN),
        (None, errors.ProviderUnavailable("reset after sending"), Verdict.UNCERTAIN),
        (200, errors.UnreadableReply("not JSON"), Verdict.UNCERTAIN),
        (200, errors.GenerationFailed("success: false"), Verdict.REFUSED),
        (429, errors.RateLimited("slow down"), Verdict.AGAIN),
        (429, errors.RateLimited("the month is used up", quota=True), Verdict.REFUSED),
        (401, errors.AuthenticationError("no"), Verdict.REFUSED),
        (402, errors.InsufficientCredits("no"), Verdict.REFUSED),
        (403, errors.PermissionDenied("no"), Verdict.REFUSED),
        (404, errors.NotFound("no"), Verdict.REFUSED),
        (400, errors.UnreadableReply("an HTML page"), Verdict.REFUSED),
        (301, errors.ProviderUnavailable("moved"), Verdict.REFUSED),
        (307, errors.ProviderUnavailable("ask there"), Verdict.REFUSED),
        (302, errors.ProviderUnavailable("found"), Verdict.UNCERTAIN),
        (303, errors.ProviderUnavailable("see other"), Verdict.UNCERTAIN),
        (408, errors.InvalidRequest("time-out"), Verdict.UNCERTAIN),
        (409, errors.InvalidRequest("conflict, with what?"), Verdict.UNCERTAIN),
        (409, errors.InvalidRequest("not charged, says its document", charged=False), Verdict.REFUSED),
        (425, errors.InvalidRequest("too early"), Verdict.UNCERTAIN),
        (500, errors.ProviderUnavailable("oops"), Verdict.UNCERTAIN),
        (502, errors.UnreadableReply("an HTML page"), Verdict.UNCERTAIN),
        (503, errors.ProviderUnavailable("busy"), Verdict.UNCERTAIN),
        (504, errors.ProviderUnavailable("gateway time-out"), Verdict.UNCERTAIN),
        (500, errors.GenerationFailed("refunded by the document", charged=False), Verdict.REFUSED),
    ],
)
def test_each_answer_has_one_meaning(status, error, verdict):
    assert judge(status, error) is verdict


@pytest.mark.parametrize(
    ("headers", "body", "verdict"),
    [
        ({}, b"", Verdict.UNCERTAIN),
        ({}, b"oops", Verdict.UNCERTAIN),
        ({}, b"{}", Verdict.UNCERTAIN),
        ({}, b"<html><title>Welcome</title>", Verdict.UNCERTAIN),
        ({"retry-after": "3"}, b"", Verdict.AGAIN),
        ({"x-ratelimit-remaining": "0"}, b"", Verdict.AGAIN),
        ({"x-ratelimit-remaining": "0"}, b"<html>", Verdict.AGAIN),
        ({}, b'{"detail": "slow down"}', Verdict.AGAIN),
        ({}, b'{"error": {"code": "rate_limited"}}', Verdict.AGAIN),
        ({}, b"<html><title>429 Too Many Requests</title>", Verdict.AGAIN),
        ({}, b"Rate limit exceeded", Verdict.AGAIN),
    ],
)
def test_a_429_that_says_nothing_of_a_limit_proves_nothing(headers, body, verdict):
    assert judge(429, errors.RateLimited("slow down"), Reply(429, headers, body)) is verdict


def test_no_server_error_is_ever_sent_again_by_itself():
    for status in range(500, 600):
        assert judge(status, errors.ProviderUnavailable("?")) is Verdict.UNCERTAIN
