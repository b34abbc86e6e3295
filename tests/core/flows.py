"""Drives a provider's flow by hand, as the transport does, with replies that a test has written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from genstep.accounts import Account, check_account
from genstep.capabilities import check
from genstep.errors import GenstepError
from genstep.models import GenerationRequest
from genstep.provider import Call, Provider, Reply


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with a JSON body (or with bytes as they are); `retry_after="3"` is the header Retry-After."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def make(kind: type[Provider], **account: Any) -> Provider:
    """A provider with an account that passes the checks."""
    settings = {"api_key": f"{kind.key_prefix}fake-key", "base_url": kind.base_url or "https://host.example", **account}
    checked = Account(provider=kind.slug, **settings)
    check_account(checked, kind)
    return kind(checked)


def ask(provider: Provider, prompt: str | None = None, **fields: Any) -> GenerationRequest:
    """A request as the client hands it to submit: checked, defaults filled in, prepared."""
    request = GenerationRequest(prompt, **fields) if prompt is not None else GenerationRequest(**fields)
    return provider.prepare(check(request, provider.capabilities, provider.slug))


def drive(provider: Provider, verb: Any, *replies: Reply) -> tuple[Any, list[Call]]:
    """The verb's result and the calls that it made; the provider's own errors are thrown into it."""
    answers, calls = iter(replies), []
    try:
        call = next(verb)
        while True:
            calls.append(call)
            answer = next(answers)
            mistake = provider.error(call, answer)
            call = verb.send(answer) if mistake is None else verb.throw(mistake)
    except StopIteration as done:
        assert next(answers, None) is None, "the flow left replies unread"
        return done.value, calls


def swap(body: Any, path: Iterable[Any], value: Any) -> Any:
    """A copy of a JSON value with one place changed; `value` is `...` to leave the place out."""
    copied = json.loads(json.dumps(body))
    *way, last = path
    place = copied
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copied


def places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as a path of keys and indexes."""
    found = [path] if path else []
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in pairs:
        found += places(value, (*path, key))
    return found


#: any JSON value, the nasty ones of a broken service included
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["\ud800", "\0", "..", "https://", "https://[", "data:image/png;base64,", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def survives(provider: Provider, verb: Any, answer: Reply) -> Any:
    """The verb's result or its :class:`GenstepError`; any other exception is the provider's bug and comes through."""
    try:
        result, _ = drive(provider, verb, answer)
    except GenstepError as error:
        return error
    repr(result).encode()
    return result
