"""A provider's flow, driven by hand: no network, no clock, only calls and the replies that a test gives."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from genstep.errors import GenstepError
from genstep.provider import Call, Reply

if TYPE_CHECKING:
    from genstep.provider import Provider

T = TypeVar("T")
#: what a flow yielded, and what it was handed for it: a reply, or the error thrown into it
Tape: TypeAlias = list[tuple[Call, Reply | GenstepError]]

#: a flow that asks more often than this without an end is taken to be endless
MOST_CALLS = 50


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply with a JSON body, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {}, content)


def drive(provider: Provider, flow: Generator[Call, Reply, T], *replies: Reply) -> tuple[T, list[Call]]:
    """The flow's result and the calls that it made; the provider's own errors are thrown into it, as in real use.

    AssertionError where it asks for more than there are replies, or leaves one unread.
    """
    calls: list[Call] = []
    answers = list(replies)
    try:
        call = next(flow)
        while True:
            calls.append(call)
            assert answers, f"the flow makes a call for which there is no reply: {call.method} {call.path}"
            answer = answers.pop(0)
            error = provider.error(call, answer)
            call = flow.send(answer) if error is None else flow.throw(error)
    except StopIteration as done:
        assert not answers, f"the flow ended with {len(answers)} replies unread"
        result: T = done.value
        return result, calls


def taped(flow: Generator[Call, Reply, T], tape: Tape) -> Generator[Call, Reply, T]:
    """The same flow, with every call and its answer noted on ``tape``."""
    try:
        call = next(flow)
        while True:
            try:
                answer = yield call
            except GenstepError as error:
                tape.append((call, error))
                call = flow.throw(error)
            else:
                tape.append((call, answer))
                call = flow.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def replay(flow: Generator[Call, Reply, T], tape: Tape) -> tuple[T, list[Call]]:
    """Run a flow once more on what was taped: its result, and the calls that it made this time."""
    calls: list[Call] = []
    try:
        call = next(flow)
        for _, answer in tape:
            calls.append(call)
            call = flow.throw(answer) if isinstance(answer, GenstepError) else flow.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result, calls
    raise AssertionError(f"on the same replies as before, the flow goes on to {call.method} {call.path}")


def feed(provider: Provider, flow: Generator[Call, Reply, T], good: Tape, odd: Reply) -> T:
    """Run a flow on the answers of ``good``, and hand it ``odd`` for every call after them."""
    answers: list[Reply | GenstepError] = [answer for _, answer in good]
    try:
        call = next(flow)
        for step in range(MOST_CALLS):
            answer = answers[step] if step < len(answers) else odd
            error = answer if isinstance(answer, GenstepError) else provider.error(call, answer)
            if error is not None:
                call = flow.throw(error)
            else:
                assert isinstance(answer, Reply)
                call = flow.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError(f"the flow asks {call.method} {call.path} without an end, on {odd.line()!r}")
