"""The fourth part of the contract: whatever a service answers, only our errors come out, and no money is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

import genstep.errors as errors
from genstep.errors import GenstepError
from genstep.outcome import Verdict, judge
from genstep.provider import Accepted, Call, Completed, Reply
from genstep.testing.contract.flows import needs_calls
from genstep.testing.contract.verbs import free_flows
from genstep.testing.flow import Tape, feed

if TYPE_CHECKING:
    from genstep.testing.contract.bench import Bench

HTML = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
#: what a proxy, a crash or another service puts in the place of an answer
FOREIGN = (b"", HTML, b'{"id": "cut sho', b"\xff\xfe\x00\x01", b"upstream connect error")
#: JSON, but not what was asked for
ODD = (
    b"null", b"true", b"0", b'"text"', b"[]", b"[[]]", b"{}", b'{"data": null}', b'{"data": []}', b'{"error": 7}',
    b'{"error": []}', b'{"error": {"code": [], "message": {}, "details": 5}}', b'{"detail": [{}]}', b'{"detail": {}}',
    b'{"message": null}', b'{"success": "no"}', b'{"status": 200}', b'{"code": NaN}', b"[" * 100_000, b"1" * 5000,
)  # fmt: skip
#: put in the place of any one value of a good reply
NASTY: tuple[Any, ...] = (
    ..., None, True, -1, 0.5, 10**400, "", " ", "..", "\ud800", "https://[", "data:image/png;base64,", [], {}, [None],
    {"odd": 1},
)  # fmt: skip
RARE = (201, 204, 302, 402, 404, 408, 409, 413, 422, 502, 503, 504)
STATUSES = (200, 400, 401, 403, 429, 500, *RARE)
#: what a status means where nothing else is said
MEANING: Mapping[int, type[GenstepError]] = {
    400: errors.InvalidRequest,
    401: errors.AuthenticationError,
    402: errors.InsufficientCredits,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    429: errors.RateLimited,
    500: errors.ProviderUnavailable,
    502: errors.ProviderUnavailable,
    503: errors.ProviderUnavailable,
}
Flow = Callable[[], Any]


class Answers:
    """Feeds every flow of the provider with replies that no document shows."""

    @needs_calls
    def test_a_status_alone_is_read_as_what_it_means(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider = bench.provider()
        for _, _, tape in _flows(bench, wanted):
            call = tape[-1][0]
            for status, meaning in MEANING.items():
                for body in FOREIGN:
                    error = provider.error(call, Reply(status, {}, body))
                    assert isinstance(error, meaning), f"{call.path}: HTTP {status} was read as {error!r}"
                    assert str(error).strip(), "an error says something"
                    assert "\n" not in str(error)
                    assert len(str(error)) < 600, "at most a line of a body is quoted"

    @needs_calls
    def test_a_pause_that_is_asked_for_is_passed_on(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider = bench.provider()
        for _, _, tape in _flows(bench, wanted):
            error = provider.error(tape[-1][0], Reply(429, {"Retry-After": "7"}, b""))
            assert isinstance(error, errors.RateLimited)
            assert error.retry_after == 7

    @needs_calls
    def test_whatever_comes_only_our_errors_come_out(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        for name, flow, tape in _flows(bench, wanted):
            for place, (call, _) in enumerate(tape):
                for status in STATUSES:
                    for body in FOREIGN if status in RARE else (*FOREIGN, *ODD):
                        _survives(bench, name, flow, tape[:place], call, Reply(status, {}, body))

    @needs_calls
    def test_one_odd_value_in_a_good_reply_is_survived(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        for name, flow, tape in _flows(bench, wanted):
            for place, (call, answer) in enumerate(tape):
                if isinstance(answer, Reply):
                    for body in _spoiled(answer):
                        _survives(bench, name, flow, tape[:place], call, Reply(answer.status, answer.headers, body))

    @needs_calls
    def test_a_paid_call_that_cannot_be_read_is_perhaps_charged(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider, (_, flow, tape) = bench.provider(), next(_flows(bench, wanted))
        paid = next(place for place, (call, _) in enumerate(tape) if call.paid)
        for status, bodies in ((200, FOREIGN), (500, FOREIGN), (502, FOREIGN), (504, FOREIGN)):
            for body in bodies:
                with pytest.raises(GenstepError) as caught:
                    feed(provider, flow(), tape[:paid], Reply(status, {}, body))
                verdict = judge(status, caught.value)
                assert verdict is Verdict.UNCERTAIN, f"HTTP {status} {body[:20]!r} was taken for {verdict}"

    @needs_calls
    def test_a_success_that_says_nothing_is_no_success(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider, (_, flow, tape) = bench.provider(), next(_flows(bench, wanted))
        paid = next(place for place, (call, _) in enumerate(tape) if call.paid)
        for body in ODD:
            with pytest.raises(GenstepError):
                feed(provider, flow(), tape[:paid], Reply(200, {}, body))


def _flows(bench: Bench, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Flow, Tape]]:
    """Every flow of the provider that makes calls, with what it said when all went well; submit comes first."""
    provider, bought = bench.provider(), bench.buy(wanted)
    yield "submit", lambda: provider.submit(bought.request), bought.tape
    if isinstance(bought.submitted, Accepted):
        job_id = bought.submitted.job_id
        yield "poll", lambda: provider.poll(job_id), bought.polls[-1][1]
    for name, flow in free_flows(provider):
        _, tape = bench.ask(flow())
        yield name, flow, tape


def _survives(bench: Bench, name: str, flow: Flow, good: Tape, call: Call, odd: Reply) -> None:
    provider = bench.provider()
    error = provider.error(call, odd)
    assert error is None or isinstance(error, GenstepError)
    # a service that is not well may say how it is with a 503
    assert odd.ok or error is not None or name == "health", f"{name}: HTTP {odd.status} is an error"
    try:
        made = feed(provider, flow(), good, odd)
    except GenstepError:
        return
    if isinstance(made, Accepted):
        assert isinstance(made.job_id, str), f"{odd.line()}: {made.job_id!r} is no id"
        assert made.job_id.strip(), f"{odd.line()}: {made.job_id!r} is no id"
    if isinstance(made, Completed):
        assert made.outputs or made.failures, f"{odd.line()}: completed, with nothing made"
        assert all(output.url is None or isinstance(output.url, str) for output in made.outputs)
    repr(made).encode()


def _spoiled(answer: Reply) -> Iterator[bytes]:
    """Bodies that differ from a good one in a single place."""
    try:
        good = json.loads(answer.content)
    except ValueError:
        return
    for place in _places(good):
        for value in NASTY:
            yield json.dumps(_swapped(good, place, value)).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else list(enumerate(value))[:3] if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


def _swapped(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    copied = json.loads(json.dumps(body))
    place = copied
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied
