"""The sandbox server knows every row of the documents' error tables: status, code, and shape of the body."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.documents.customer import Customer, Reply
from tests.documents.examples import example
from tests.documents.shapes import differences
from tests.documents.spans import lines

from genstep.sandbox.server import SandboxServer

Provoke = Callable[[Customer], Reply]


def rows(slug: str, first: int, last: int, pattern: str) -> list[tuple[str, ...]]:
    """The matching groups of each line of a table; every line of the range is a row."""
    matches = [re.match(pattern, line) for line in lines(slug)[first - 1 : last]]
    return [match.groups() for match in matches if match is not None]


def keyed(key: str | None, endpoint: str, body: Any = None) -> Provoke:
    def provoke(customer: Customer) -> Reply:
        customer.key = key
        return customer.call(endpoint, body)

    return provoke


def settled(endpoint: str, body: Any = None, **settings: Any) -> Provoke:
    def provoke(customer: Customer) -> Reply:
        login = customer.login if customer.slug == "imaginelab" else customer.key
        customer.control.set(customer.slug, login, **settings)
        return customer.call(endpoint, body)

    return provoke


def faulted(kind: str, endpoint: str, body: Any) -> Provoke:
    def provoke(customer: Customer) -> Reply:
        customer.control.fault(kind, customer.slug)
        return customer.call(endpoint, body)

    return provoke


PROMPT = {"prompt": "a red fox in the snow"}
NEON = {"generation_type": "image", "model_name": "seedream-5.0-lite", **PROMPT}
TASK, IMAGE = "POST /api/v1/generate", "POST /api/v1/generate/image"
CONCEPTVIZ: dict[str, Provoke] = {
    "INVALID_BODY": lambda customer: customer.call(TASK, raw="{"),
    "PROMPT_REQUIRED": lambda customer: customer.call(TASK, {"quality": "2k"}),
    "TOO_MANY_PROMPTS": lambda customer: customer.call(TASK, {"prompts": ["a", "b", "c", "d", "e"]}),
    "UNAUTHORIZED": keyed(None, TASK, PROMPT),
    "INVALID_API_KEY": keyed("cvk_fake_revoked", TASK, PROMPT),
    "INSUFFICIENT_CREDITS": settled(TASK, PROMPT, credits=0),
    "PLAN_LIMIT_EXCEEDED": settled(TASK, {"prompts": ["a", "b"]}, batch_limit=1),
    "TASK_NOT_FOUND": lambda customer: customer.call("GET /api/v1/task/unknown"),
    "GENERATION_FAILED": faulted("reject", TASK, PROMPT),
}
AIVISUALSTUDIO: dict[str, Provoke] = {
    "missing_api_key": keyed(None, IMAGE, PROMPT),
    "invalid_api_key": keyed("avs_live_fake_revoked", IMAGE, PROMPT),
    "expired_api_key": keyed("avs_live_fake_expired", IMAGE, PROMPT),
    "insufficient_scope": settled(IMAGE, PROMPT, scopes=("read",)),
    "ip_not_allowed": settled(IMAGE, PROMPT, ip_allowlist=["192.0.2.1"]),
    "insufficient_credits": settled(IMAGE, PROMPT, credits=2),
    "rate_limited": settled(IMAGE, PROMPT, per_minute=0),
    "invalid_request": lambda customer: customer.call(IMAGE, {}),
    "not_found": lambda customer: customer.call("GET /api/v1/generations/gen_000000000000"),
    "internal_error": faulted("reject", IMAGE, PROMPT),
}
IMAGINELAB: dict[str, Provoke] = {
    "400": lambda customer: customer.call("POST /api/v1/generations", {}),
    "401": keyed("fake-token", "GET /api/v1/generations"),
    "402": settled("POST /api/v1/generations", NEON, credits=0),
    "404": lambda customer: customer.call("GET /api/v1/generations/1"),
    "429": settled("GET /api/v1/generations", per_minute=0),
    "502": faulted("reject", "POST /api/v1/generations", NEON),
}
IMAGEAPI: dict[str, Provoke] = {
    "401": keyed(None, TASK, PROMPT),
    "403": settled(TASK, PROMPT, suspended=True),
    "429": settled(TASK, PROMPT, per_day=0),
    "500": faulted("fail", TASK, PROMPT),
}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(speed=1000, long_side=64) as server:
        yield server


def customer(server: SandboxServer, slug: str, table: dict[str, Provoke], row: str) -> Customer:
    """A customer of its own for each row; a key with the row's words in it could itself be an invalid one."""
    return Customer(server, slug, f"row-{list(table).index(row)}")


@pytest.mark.parametrize(("status", "code"), rows("conceptviz", 75, 83, r"(\d{3}) \| (\w+) \|"))
def test_conceptviz(server: SandboxServer, status: str, code: str) -> None:
    reply = CONCEPTVIZ[code](customer(server, "conceptviz", CONCEPTVIZ, code))
    assert (reply.status, reply.json["code"]) == (int(status), code)
    # Line 80: this one "includes credits_remaining".
    more = {"credits_remaining": 0} if code == "INSUFFICIENT_CREDITS" else {}
    assert differences({**example("conceptviz", "error").json, **more}, reply.json) == []


@pytest.mark.parametrize(("code", "status"), rows("aivisualstudio", 209, 218, r"(\w+) \| (\d{3}) \|"))
def test_aivisualstudio(server: SandboxServer, code: str, status: str) -> None:
    reply = AIVISUALSTUDIO[code](customer(server, "aivisualstudio", AIVISUALSTUDIO, code))
    assert (reply.status, reply.json["error"]["code"]) == (int(status), code)
    # What `details` hold is shown for missing credits alone.
    shown = example("aivisualstudio", "insufficient-credits").json
    if code != "insufficient_credits":
        shown["error"]["details"] = reply.json["error"]["details"]
    assert differences(shown, reply.json) == []
    assert isinstance(reply.json["error"]["details"], dict)


@pytest.mark.parametrize("statuses", [row[0] for row in rows("imaginelab", 90, 95, r"\| ([\d /]+) \|")])
def test_imaginelab(server: SandboxServer, statuses: str) -> None:
    # "500 / 502" is one row: a model that fails is the second.
    status = statuses.rsplit(" / ", maxsplit=1)[-1]
    reply = IMAGINELAB[status](customer(server, "imaginelab", IMAGINELAB, status))
    assert reply.status == int(status)
    assert differences(example("imaginelab", "insufficient-credits").json, reply.json) == []


@pytest.mark.parametrize("status", [row[0] for row in rows("imageapi", 157, 164, r"(\d{3}) [A-Z]")])
def test_imageapi(server: SandboxServer, status: str) -> None:
    """The document shows no body, but says: each has a request_id, and 429 says how long to wait, there and here."""
    reply = IMAGEAPI[status](customer(server, "imageapi", IMAGEAPI, status))
    assert reply.status == int(status)
    assert reply.json["success"] is False
    assert differences(example("imageapi", "generated").json["request_id"], reply.json["request_id"]) == []
    if status == "429":
        assert int(reply.headers["Retry-After"]) == reply.json["retry_after"] > 0
    else:
        assert "retry_after" not in reply.json


def test_nanobanana_says_what_its_samples_read(server: SandboxServer) -> None:
    """Document 001 has no table: its samples test the status, `success` and `error` (lines 47, 52, 71 and 74)."""
    reply = Customer(server, "nanobanana", "error").call("POST /api/v1/images", {})
    assert reply.status != 200
    assert differences({"success": False, "error": "Unknown error"}, reply.json) == []
    assert reply.json["success"] is False


def test_every_row_is_provoked() -> None:
    assert [code for _, code in rows("conceptviz", 75, 83, r"(\d{3}) \| (\w+) \|")] == list(CONCEPTVIZ)
    assert [code for code, _ in rows("aivisualstudio", 209, 218, r"(\w+) \| (\d{3}) \|")] == list(AIVISUALSTUDIO)
    assert len(rows("imaginelab", 90, 95, r"\| ([\d /]+) \|")) == len(IMAGINELAB)
    assert [row[0] for row in rows("imageapi", 157, 164, r"(\d{3}) [A-Z]")] == list(IMAGEAPI)
