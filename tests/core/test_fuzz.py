"""Every parser of foreign bytes, fed with mutated examples and garbage: our own errors come out, and nothing else."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.flows import make
from tests.documents.examples import load_examples

import genstep
from genstep import dataurl, errors, foreign, plugins, provenance, sniff, webhooks
from genstep.cli import batch_file
from genstep.client.spool import Spool
from genstep.config import file as config_file
from genstep.errors import GenstepError
from genstep.outcome import Verdict, judge, speaks_of_a_limit
from genstep.provider import Paid, Reply
from genstep.testing.samples import requests
from genstep.testing.service import sample
from genstep.transport.pacing import retry_after, seconds_until_reset, server_time

SLUGS = ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio", "imageapi")
MOST_CALLS = 20
STATUSES = (200, 201, 204, 301, 302, 303, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["completed", "failed", "succeeded", "", "data:image/png;base64,", "https://[", "NaN", "\0", "\ud800"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
HEADER_NAMES = ("date", "retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "content-type", "x-request-id")
HEADER_VALUES = st.text(max_size=40) | st.sampled_from(
    ["Fri, 31 Dec 9999 23:59:59 GMT", "-1", "1e999", "nan", "99999999999999999999", "Thu, 01 Jan 1970 00:00:00 +9999"]
)
HEADERS = st.dictionaries(st.sampled_from(HEADER_NAMES), HEADER_VALUES, max_size=4)


@cache
def documented(slug: str) -> tuple[Any, ...]:
    """What the service's document shows of replies, errors and deliveries."""
    return tuple(example.json for example in load_examples(slug=slug) if example.kind != "request")


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with some of its parts replaced, dropped or doubled."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(value, dict):
        return {key: draw(mutated(each)) for key, each in value.items() if draw(st.integers(0, 11))}
    if isinstance(value, list):
        return [draw(mutated(each)) for each in value for _ in range(draw(st.sampled_from([1, 1, 1, 1, 0, 2])))]
    return value


@st.composite
def cut_or_flipped(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a few of them changed, some cut out, or garbage put in."""
    found = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(found) - 1, 0)))
        how = draw(st.sampled_from(["flip", "cut", "end", "insert", "huge"]))
        if how == "flip" and found:
            found[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del found[at : at + draw(st.integers(1, 64))]
        elif how == "end":
            del found[at:]
        elif how == "insert":
            found[at:at] = draw(st.binary(max_size=32))
        else:
            found[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(found)


@st.composite
def replies(draw: st.DrawFn, slug: str) -> Reply:
    body = draw(st.sampled_from(documented(slug)).flatmap(mutated) | JSON)
    content = json.dumps(body).encode("utf-8", "replace") if draw(st.integers(0, 5)) else draw(st.binary(max_size=60))
    if not draw(st.integers(0, 7)):
        content = draw(cut_or_flipped(content))
    return Reply(draw(st.sampled_from(STATUSES)), draw(HEADERS), content)


def flows(slug: str) -> dict[str, Any]:
    """How each verb of a provider is begun."""
    provider = make(plugins.load(slug))
    found: dict[str, Any] = {}
    if not provider.capabilities.blocking:
        found["poll"] = lambda: provider.poll("job")
    if provider.auth == "login":
        found["login"] = lambda: provider.login("u@h.example", "fake")
    for fields in requests(provider.capabilities):
        request = genstep.GenerationRequest(**fields)
        found[f"submit {request.kind}"] = lambda request=request: provider.submit(provider.prepare(request))
    can = provider.capabilities
    if can.models:
        found["models"] = lambda: provider.models(None)
    if can.balance:
        found["balance"] = provider.balance
    if can.health:
        found["health"] = provider.health
    if can.history:
        found["history"] = lambda: provider.history(None)
    if can.enhance:
        found["enhance"] = lambda: provider.enhance("a fox", None)
    if can.build_prompt:
        found["build_prompt"] = lambda: provider.build_prompt({"subject": "a fox"})
    if can.delete:
        found["delete"] = lambda: provider.delete("job")
    if can.webhooks:
        found["list_webhooks"] = provider.list_webhooks
        found["create_webhook"] = lambda: provider.create_webhook("https://h.example/hook", None)
        found["update_webhook"] = lambda: provider.update_webhook("w", {"url": "https://h.example/hook"})
        found["delete_webhook"] = lambda: provider.delete_webhook("w")
    if provider.whoami is not None:
        found["whoami"] = provider.whoami
    return {"": provider, **found}


@pytest.mark.parametrize("slug", SLUGS)
@given(data=st.data())
def test_no_reply_makes_a_provider_raise_anything_but_our_errors(slug, data):
    verbs = flows(slug)
    provider = verbs.pop("")
    flow = verbs[data.draw(st.sampled_from(sorted(verbs)))]()
    if not hasattr(flow, "send"):
        return
    try:
        call = next(flow)
        for _ in range(MOST_CALLS):
            reply = data.draw(replies(slug))
            error = provider.error(call, reply)
            assert judge(reply.status, error, reply) in Verdict
            call = flow.send(reply) if error is None else flow.throw(error)
    except (StopIteration, GenstepError):
        return
    flow.close()


@pytest.mark.parametrize("slug", SLUGS)
@given(data=st.data())
def test_a_refusal_of_a_paid_call_is_in_the_table(slug, data):
    provider = make(plugins.load(slug))
    reply = data.draw(replies(slug))
    error = provider.error(Paid("/generate", json={}), reply)
    assert error is None or isinstance(error, GenstepError)
    if error is not None and reply.status >= 500 and error.charged is not False:
        assert judge(reply.status, error, reply) is Verdict.UNCERTAIN


@given(st.binary(max_size=40), st.sampled_from(["", "0", "1", "-1", "nan", "0, 0", "\u0660"]))
def test_a_429_is_believed_or_not_whatever_stands_in_it(body, left):
    headers = {"x-ratelimit-remaining": left} if left else {}
    reply = Reply(429, headers, body)
    verdict = judge(429, genstep.RateLimited("slow down"), reply)
    assert verdict is (Verdict.AGAIN if speaks_of_a_limit(reply) else Verdict.UNCERTAIN)
    assert speaks_of_a_limit(Reply(429, {**headers, "retry-after": "5"}, body))


@given(st.sampled_from(documented("aivisualstudio")).flatmap(mutated) | JSON)
def test_no_delivery_makes_a_provider_raise(payload):
    provider = make(plugins.load("aivisualstudio"))
    if isinstance(payload, dict):
        with suppress(GenstepError):
            provider.event(payload)


@given(st.binary(max_size=200), st.none() | st.text(max_size=120) | st.from_regex(r"t=\d{1,30},v1=[0-9a-f]{0,70}"))
def test_a_delivery_with_a_wrong_signature_is_rejected(body, header):
    with pytest.raises(genstep.WebhookRejected):
        webhooks.verify(body, header, "whsec_fake", now=1_800_000_000.0)


@given(HEADERS)
def test_headers_of_time_give_a_number_in_bounds_or_nothing(headers):
    for found in (retry_after(headers, 1.8e9), seconds_until_reset(headers, 1.8e9), foreign.retry_after(headers)):
        assert found is None or 0.0 <= found < float("inf")
    assert abs(server_time(headers, 1.8e9)) < 1e15


@given(JSON)
def test_values_out_of_foreign_json_are_right_or_none(value):
    for read in (foreign.text, foreign.said, foreign.number, foreign.whole, foreign.identifier, foreign.url):
        read(value)
    for read in (foreign.moment, foreign.plain, foreign.reason, foreign.place, foreign.rows, foreign.flag):
        read(value)
    json.dumps(foreign.plain(value), allow_nan=False)


KINDS = ("image", "video", "model3d", "voice", "text")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_broken_file_is_measured_and_marked_or_left_alone(kind, data):
    good = sample(kind)
    content = data.draw(cut_or_flipped(good))
    found = sniff.media_type(content[: sniff.HEAD])
    assert found is None or "/" in found
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        for believed in {found, sniff.media_type(good[: sniff.HEAD])} - {None}:
            sniff.measure(path, believed)
            assert sniff.whole(path, believed) in (True, False)
            assert provenance.mark(content, believed)[:1] == content[:1]


@given(
    data=st.data(), status=st.integers(200, 599), body=st.binary(max_size=99), earlier=st.lists(st.binary(max_size=20))
)
def test_what_is_kept_of_a_paid_call_comes_back_as_it_was(data, status, body, earlier, tmp_path_factory):
    spool = Spool(tmp_path_factory.mktemp("spool"))
    spool.keep("c", Reply(status, {"date": "now"}, body), *[Reply(200, {}, one) for one in earlier])
    back = spool.read("c")
    assert (back.status, back.content) == (status, body)
    assert [one.content for one in spool.before("c")] == earlier


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=4), st.text(max_size=20), JSON)
def test_any_kept_error_is_read_again(known, name, message):
    known = {key: each for key, each in known.items() if key not in ("args", "candidates")}
    assert isinstance(errors.from_dict({**known, "error": name, "message": message}), GenstepError)


@given(st.binary(max_size=300) | cut_or_flipped(b'[accounts.one]\nprovider = "conceptviz"\napi_key = "cvk_fake"\n'))
def test_any_config_file_is_read_or_refused(content):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home, suppress(GenstepError):
        patch.setenv("GENSTEP_HOME", home)
        (Path(home) / "config.toml").write_bytes(content)
        config_file.list_accounts()


@given(st.text(max_size=200) | cut_or_flipped(b"data:image/png;base64,iVBORw0KGgo=").map(lambda b: b.decode("latin-1")))
def test_a_data_url_is_decoded_in_bounds_or_refused(url):
    with suppress(ValueError):
        assert len(dataurl.decode(url, 1000)) <= 1000


@given(st.binary(max_size=200) | cut_or_flipped(b'{"prompt": "a fox", "n": 2}\n{"prompt": "a bear"}\n'), st.booleans())
def test_any_batch_file_is_read_or_refused(content, as_json):
    with tempfile.TemporaryDirectory() as folder, suppress(click.UsageError):
        path = Path(folder) / ("file.jsonl" if as_json else "file.csv")
        path.write_bytes(content)
        batch_file.read(str(path))
