"""The sandbox server emits what the documents' examples show: the same keys and types, and takes what they send."""

import re
import time
from collections.abc import Iterator

import pytest
from tests.documents.customer import Customer, endpoint_of
from tests.documents.emitting import EMITTING
from tests.documents.examples import Example, load_examples
from tests.documents.shapes import differences, misquotes
from tests.documents.spans import Span

from genstep.sandbox.server import SandboxServer

SHOWN = [each for each in load_examples() if each.kind != "request"]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(speed=1000) as server:
        yield server


def customer(server: SandboxServer, each: Example) -> Customer:
    return Customer(server, each.slug, each.name)


@pytest.mark.parametrize("each", SHOWN, ids=str)
def test_the_server_emits_the_shape_of_the_example(server: SandboxServer, each: Example) -> None:
    reply = EMITTING[each.slug, each.name](customer(server, each))
    assert differences(each.json, reply.json) == []
    assert misquotes(each.json, reply.json, each.fixed) == []
    if each.kind == "webhook":
        # Document 003 shows the header of a delivery too: the same parameters, as many hex digits.
        shown = Span.parse(each.slug, "152:22-152:101").text
        form = re.sub("[0-9]+", "[0-9]+", shown.partition("v1=")[0]) + "v1=[0-9a-f]{64}"
        assert re.fullmatch(form, shown)
        assert re.fullmatch(form, reply.headers["X-Webhook-Signature"])
    elif each.status is None:
        assert (reply.status < 300) == (each.kind == "reply")
    else:
        assert reply.status == each.status


@pytest.mark.parametrize("each", load_examples(kind="request"), ids=str)
def test_the_server_takes_the_example(server: SandboxServer, each: Example) -> None:
    reply = customer(server, each).call(endpoint_of(each), each.json)
    assert 200 <= reply.status < 300, reply.json


@pytest.mark.parametrize(
    ("slug", "good", "bad"),
    [
        ("nanobanana", "GET /api/v1/projects", "POST /api/v1/images"),
        ("aivisualstudio", "GET /api/v1/models", "POST /api/v1/generate/image"),
    ],
)
def test_every_reply_tells_the_rate_limit(server: SandboxServer, slug: str, good: str, bad: str) -> None:
    """Documents 001 and 003, "Rate Limit Headers": all replies, so refusals too; the reset is a Unix timestamp."""
    reader = Customer(server, slug, "rate-limit")
    replies = [reader.call(good), reader.call(bad, {})]
    assert [reply.status for reply in replies] == [200, 400]
    for reply in replies:
        limit, left, reset = (int(reply.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
        assert 0 <= left < limit
        assert reset >= time.time() - 1
    assert len({reply.headers["X-RateLimit-Limit"] for reply in replies}) == 1
