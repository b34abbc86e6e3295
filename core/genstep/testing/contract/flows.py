"""The third part of the contract: the flows are pure, pay once, and say what the client needs to go on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from genstep.errors import GenstepError
from genstep.models import InputImage
from genstep.provider import Accepted, Call, Completed, ItemFailure, Output
from genstep.testing.flow import Tape, replay

if TYPE_CHECKING:
    from genstep.provider import Provider
    from genstep.testing.contract.bench import Bench

Test = TypeVar("Test", bound=Callable[..., None])
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def needs_calls(test: Test) -> Test:
    """Mark a test that looks at the calls of a flow; it is skipped where verbs are coroutines, which yield none."""
    test.needs_calls = True  # type: ignore[attr-defined]
    return test


class Flows:
    """Buys each of the class's requests once, and looks at every call and reply."""

    def test_a_purchase_comes_to_its_end(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bought = bench.buy(wanted)
        submitted, blocking = bought.submitted, bench.kind.capabilities.blocking
        assert isinstance(submitted, Completed if blocking else Accepted), (
            "blocking says that the paid call is the wait: submit then returns Completed, and Accepted otherwise"
        )
        if isinstance(submitted, Accepted):
            assert isinstance(submitted.job_id, str), "a job's id is text"
            assert submitted.job_id
        assert isinstance(bought.end, Completed), f"the job did not complete: {bought.end}"
        _whole(bought.end, bought.request.n)

    @needs_calls
    def test_a_purchase_is_one_paid_call_and_nothing_after_it(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bought = bench.buy(wanted)
        calls = [call for call, _ in bought.tape]
        assert [call for call in calls if call.paid] == calls[-1:], "submit has one Paid, as its last call"
        for _, tape in bought.polls:
            assert not any(call.paid for call, _ in tape), "a poll costs nothing"

    @needs_calls
    def test_every_call_is_one_that_can_be_sent(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bought = bench.buy(wanted)
        for call, _ in [*bought.tape, *(one for _, tape in bought.polls for one in tape)]:
            sendable(call, bench.account.secrets())

    @needs_calls
    def test_the_flows_are_pure(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        """After a crash a flow is run once more on the reply that was kept: it must say the same again."""
        bought = bench.buy(wanted)
        for _ in range(2):
            _again(bench.provider(), "submit", bought.request, bought.submitted, bought.tape)
        if isinstance(bought.submitted, Accepted):
            for state, tape in (bought.polls[0], bought.polls[-1]):
                for _ in range(2):
                    _again(bench.provider(), "poll", bought.submitted.job_id, state, tape)

    @needs_calls
    def test_a_reply_is_read_the_same_without_the_input_picture(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        """The ledger keeps no input picture, so a kept reply is read with another one in its place."""
        bought = bench.buy(wanted)
        elsewhere = InputImage(url="https://input.invalid/") if bought.request.image is not None else None
        made, _ = replay(bench.provider().submit(bought.request.with_fields(image=elsewhere)), bought.tape)  # type: ignore[arg-type]
        assert described(made) == described(bought.submitted)

    def test_the_price_is_a_number_or_unknown(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider, request = bench.provider(), bench.prepared(wanted)
        one, three = (provider.price(request.with_fields(n=n)) for n in (1, 3))
        assert (one is None) == (three is None)
        if one is not None and three is not None:
            assert 0 <= one <= three, "three cost no less than one"

    def test_requests_of_one_group_share_a_call(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        provider, request = bench.provider(), bench.prepared(wanted)
        group = provider.group(request)
        hash(group)
        assert group == provider.group(request), "equal requests are of one group"
        assert provider.batch(request) >= 1
        if provider.submit_batch is None or group is None or bench.coroutine:
            return
        pair = [request.with_fields(n=1), request.with_fields(n=1, prompt=f"{request.prompt} at night")]
        assert provider.group(pair[0]) == provider.group(pair[1]), "prompts alone do not part a group"
        flow = provider.submit_batch(pair)
        assert isinstance(flow, Generator)
        call: Call = next(flow)
        flow.close()
        assert call.paid
        sendable(call, bench.account.secrets())
        assert all(one.prompt in json.dumps(call.json, ensure_ascii=False) for one in pair), "it lacks a prompt"


def sendable(call: Call, secrets: tuple[str, ...], *, login: bool = False) -> None:
    """A call that the transport can send: below the base URL, plain data, and without the account's secrets."""
    assert call.method in METHODS
    assert call.path.startswith("/"), f"{call.path!r}: a path begins with a slash, below the base URL"
    assert not call.path.startswith("//"), f"{call.path!r}: no other host"
    assert "://" not in call.path, f"{call.path!r}: no URL"
    assert not any(part in ("..", ".") for part in call.path.split("/")), f"{call.path!r}: it leaves its place"
    json.dumps([call.json, dict(call.params or {}), dict(call.form or {})], allow_nan=False)
    assert not (call.json is not None and call.form is not None), "a call has one body"
    assert all(isinstance(part, str) for pair in call.headers.items() for part in pair)
    assert "authorization" not in {name.lower() for name in call.headers}, "the transport adds the key"
    shown = json.dumps([call.path, call.json, dict(call.params or {}), dict(call.headers)], default=str)
    shown += "" if login else json.dumps(dict(call.form or {}))
    assert not any(secret in shown for secret in secrets), "the key is the transport's business"


def described(value: Any) -> Any:
    """A result as plain data that is equal for equal results, errors included."""
    if isinstance(value, GenstepError):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: described(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return type(value).__name__, fields
    if isinstance(value, Mapping):
        return {key: described(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(inner) for inner in value]
    return value


def _again(provider: Provider, verb: str, asked: Any, result: Any, tape: Tape) -> None:
    made, calls = replay(getattr(provider, verb)(asked), tape)
    assert calls == [call for call, _ in tape], f"{verb} makes other calls on the same replies"
    assert described(made) == described(result), f"{verb} says something else on the same replies"


def _whole(made: Completed, n: int) -> None:
    """What was made is for the items that were asked for, each with one content."""
    assert made.outputs, "completed, but nothing was made"
    for output in made.outputs:
        assert isinstance(output, Output)
        contents = [content for content in (output.url, output.data, output.text) if content is not None]
        assert len(contents) == 1, "an output is one of url, data and text"
        assert 0 <= output.item < n, f"item {output.item} of {n}"
    for failure in made.failures:
        assert isinstance(failure, ItemFailure)
        assert 0 <= failure.item < n
    items = set(_items(made))
    assert not items & {failure.item for failure in made.failures}, "an item was made, or it failed"


def _items(made: Completed) -> Iterator[int]:
    return (output.item for output in made.outputs if output.role == "main")
