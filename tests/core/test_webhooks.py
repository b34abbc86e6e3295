"""Webhooks: signatures as document 003's sample checks them, what is refused and why; garbage is refused, no more."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import struct
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.documents.examples import example

from genstep.errors import WebhookRejected
from genstep.webhooks import MAX_BODY, sign, verify
from genstep.webhooks.stringify import parse, stringify

SECRET = "whsec_fake"
NOW = 1704801600
EVENT = example("aivisualstudio", "webhook-completed").json
BODY = json.dumps(EVENT, separators=(",", ":")).encode()


def digest(body: bytes, secret: str = SECRET, t: int | str = NOW) -> str:
    """The document's own formula, written again."""
    return hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()


def refusal(body: bytes, header: str | None, secret: str = SECRET, now: float = NOW) -> str:
    with pytest.raises(WebhookRejected) as caught:
        verify(body, header, secret, now=now)
    assert digest(body) not in str(caught.value)
    assert not secret or secret not in str(caught.value)
    return str(caught.value)


def test_sign_is_the_documents_formula() -> None:
    assert sign(BODY, SECRET, now=NOW + 0.9) == f"t={NOW},v1={digest(BODY)}"


def test_the_documents_event_is_read() -> None:
    event = verify(BODY, sign(BODY, SECRET, now=NOW), SECRET, now=NOW)
    assert (event.event, event.id, event.kind, event.status) == (
        "generation.completed",
        "gen_abc123def456",
        "image",
        "completed",
    )
    assert event.prompt == "A futuristic city at sunset"
    assert event.output_urls == ("https://cdn.example.com/image.png",)
    assert (event.created_at, event.completed_at, event.t) == (1736424000.0, 1736424015.0, NOW)
    assert (event.data, event.payload) == (EVENT["data"], EVENT)


def test_what_is_signed_now_is_good_now() -> None:
    assert verify(BODY, sign(BODY, SECRET), SECRET).id == "gen_abc123def456"


@pytest.mark.parametrize("off", [-300, -1, 0, 1, 300, 300.9])
def test_a_time_within_the_tolerance_is_good(off: float) -> None:
    assert verify(BODY, sign(BODY, SECRET, now=NOW), SECRET, now=NOW + off).t == NOW


@pytest.mark.parametrize(("off", "why"), [(301, "301 s ago"), (-301, "301 s ahead"), (86400, "86400 s ago")])
def test_a_time_outside_the_tolerance_is_refused(off: float, why: str) -> None:
    assert why in refusal(BODY, sign(BODY, SECRET, now=NOW), now=NOW + off)


def test_the_tolerance_can_be_set() -> None:
    header = sign(BODY, SECRET, now=NOW)
    assert verify(BODY, header, SECRET, now=NOW + 900, tolerance=900).t == NOW
    with pytest.raises(WebhookRejected):
        verify(BODY, header, SECRET, now=NOW + 1, tolerance=0)


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW},v1={digest(BODY, 'old')},v1={digest(BODY)}",
        f"t={NOW},v1={digest(BODY)},v1={digest(BODY, 'new')}",
        f"v1={digest(BODY)},t={NOW}",
        f" t={NOW} , v1={digest(BODY)} ",
        f"t={NOW},v0=x,v1={digest(BODY).upper()},v1=short",
    ],
)
def test_one_fitting_signature_is_enough(header: str) -> None:
    assert verify(BODY, header, SECRET, now=NOW).id == "gen_abc123def456"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "no X-Webhook-Signature"),
        ("", "no X-Webhook-Signature"),
        ("x" * 5000, "longer than 4096"),
        (digest(BODY), "t=<Unix seconds>"),
        (f"t={NOW}", "v1=<64 hex digits>"),
        (f"v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t=,v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t=-5,v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t=1e9,v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t=١٢٣,v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t={NOW},t={NOW + 1},v1={digest(BODY)}", "t=<Unix seconds>"),
        (f"t={NOW},v1={digest(BODY)[:-1]}", "64 hex digits"),
        (f"t={NOW},v1={digest(BODY)[:-1]}g", "64 hex digits"),
        (f"t={NOW},v1={digest(BODY)[:-1]}é", "64 hex digits"),
        (f"t={NOW},v2={digest(BODY)}", "64 hex digits"),
        (f"t={NOW},v1={digest(BODY, 'other')}", "signature does not fit"),
        (f"t={NOW},v1={digest(BODY, t=NOW - 1)}", "signature does not fit"),
        (f"t=0{NOW},v1={digest(BODY)}", "signature does not fit"),
        (f"t={NOW},v1={hashlib.sha256(BODY).hexdigest()}", "signature does not fit"),
    ],
)
def test_a_bad_header_is_refused_with_the_reason(header: str | None, why: str) -> None:
    assert why in refusal(BODY, header)


def test_an_altered_body_is_refused() -> None:
    header = sign(BODY, SECRET, now=NOW)
    assert "signature does not fit" in refusal(BODY.replace(b"completed", b"failed"), header)
    assert "signature does not fit" in refusal(BODY[:-1], header)
    assert "signature does not fit" in refusal(b"", header)


def test_without_a_secret_nothing_is_verified() -> None:
    assert "webhook_secret" in refusal(BODY, sign(BODY, "", now=NOW), secret="")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"{", b"NaN", b"[" * 100_000])
def test_signed_and_no_object_is_refused(body: bytes) -> None:
    assert "no JSON object" in refusal(body, sign(body, SECRET, now=NOW))


def test_a_body_that_is_too_long_is_refused() -> None:
    body = b'{"event":"' + b"x" * MAX_BODY + b'"}'
    assert "longer than" in refusal(body, sign(body, SECRET, now=NOW))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"event": "ping"}, ("ping", "", None, ())),
        ({"event": 7, "data": []}, ("", "", None, ())),
        ({"event": "x", "data": {"id": 12, "output_url": ["https://a.example/1", 7]}}, ("x", "12", None, ("https://a.example/1",))),
        ({"event": "x", "data": {"id": {}, "type": 1, "output_url": "ftp://a"}}, ("x", "", None, ())),
    ],
)  # fmt: skip
def test_what_a_verified_delivery_leaves_out_is_empty(payload: Any, expected: Any) -> None:
    body = json.dumps(payload).encode()
    event = verify(body, sign(body, SECRET, now=NOW), SECRET, now=NOW)
    assert (event.event, event.id, event.kind, event.output_urls) == expected


# -- JSON.stringify --------------------------------------------------------------------------------------------

#: what arrives, and what JavaScript makes of it when it parses and writes it again
REWRITTEN = [
    (b'{ "a" : 1 ,\r\n\t"b" : [ ] }', b'{"a":1,"b":[]}'),
    (b'{"b":1,"10":1,"a":1,"9":1,"01":1,"4294967294":1,"4294967295":1,"-1":1}', None),
    (b'{"a":1,"b":2,"a":3}', b'{"a":3,"b":2}'),
    (b"[1.0,1.50,-0,-0.0,1E5,1e21,1e20,123456789012345680000]", b"[1,1.5,0,0,100000,1e+21,100000000000000000000,"),
    (b"[0.000001,0.0000001,5e-324,1.5e-9,1e400,-1e400]", b"[0.000001,1e-7,5e-324,1.5e-9,null,null]"),
    (b"[9007199254740993,12345678901234567890]", b"[9007199254740992,12345678901234567000]"),
    (b"[" + b"9" * 5000 + b"]", b"[null]"),
    (b'["caf\\u00e9 \\u2028 \\/ \\u007f"]', '["café \u2028 / \x7f"]'.encode()),
    (b'["\\u0008\\u0009\\u000a\\u000c\\u000d\\u001F\\u0000"]', b'["\\b\\t\\n\\f\\r\\u001f\\u0000"]'),
    (b'["\\ud83d\\ude00 \\uD83D \\uDE00"]', '["😀 \\ud83d \\ude00"]'.encode()),
    (b'{"\\ud83d":null,"t":true,"f":false}', b'{"\\ud83d":null,"t":true,"f":false}'),
]


@pytest.mark.parametrize(("body", "written"), REWRITTEN)
def test_javascripts_form_is_written(body: bytes, written: bytes | None) -> None:
    if written is None:
        written = b'{"9":1,"10":1,"4294967294":1,"b":1,"a":1,"01":1,"4294967295":1,"-1":1}'
    found = stringify(parse(body))
    assert found is not None
    assert found.startswith(written)


@pytest.mark.parametrize(
    "body", [b"NaN", b"[Infinity]", b"{'a':1}", b'"\n"', b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b"[1,]", b"01"]
)
def test_what_javascript_does_not_parse_is_not_parsed(body: bytes) -> None:
    assert parse(body) is None


def test_a_body_that_was_rewritten_on_its_way_still_fits() -> None:
    payload = {"event": "x", "data": {"id": "gen_1", "prompt": "café 😀 </b>", "credits": 450.0, "2": 1, "1": 2}}
    signed = '{"event":"x","data":{"1":2,"2":1,"id":"gen_1","prompt":"café 😀 </b>","credits":450}}'.encode()
    header = sign(signed, SECRET, now=NOW)
    event = verify(json.dumps(payload, indent=2).encode(), header, SECRET, now=NOW)
    assert (event.id, event.data["credits"]) == ("gen_1", 450)


def test_of_a_rewritten_body_what_was_signed_is_read() -> None:
    header = sign(b'{"event":"x","data":{"id":9007199254740992}}', SECRET, now=NOW)
    assert verify(b'{"event":"x","data":{"id":9007199254740993}}', header, SECRET, now=NOW).id == "9007199254740992"


def test_the_raw_bytes_come_first() -> None:
    body = b'{ "event": "x", "data": {"id": 9007199254740993} }'
    assert verify(body, sign(body, SECRET, now=NOW), SECRET, now=NOW).id == "9007199254740993"


@pytest.mark.skipif(which("node") is None, reason="node is not installed; the table above stands for it")
def test_node_writes_the_same(tmp_path: Path) -> None:
    chance = random.Random(7)

    def value(depth: int = 0) -> str:
        shape = chance.randrange(9 if depth < 4 else 7)
        if shape == 0:
            double = struct.unpack("d", struct.pack("Q", chance.getrandbits(64)))[0]
            return repr(double) if abs(double) < float("inf") else "1e999"
        if shape == 1:
            return str(chance.randrange(-(10 ** chance.randrange(1, 40)), 10 ** chance.randrange(1, 40)))
        if shape == 2:
            return f"{chance.randrange(1, 999)}e{chance.randrange(-330, 330)}"
        if shape == 3:
            return f"{chance.uniform(-10, 10):.{chance.randrange(20)}f}"
        if shape == 4:
            return chance.choice(["true", "false", "null"])
        if shape < 7:
            return text()
        inner = [value(depth + 1) for _ in range(chance.randrange(4))]
        return f"[ {','.join(inner)} ]" if shape == 7 else "{" + ", ".join(f"{text()} : {each}" for each in inner) + "}"

    def text() -> str:
        parts = ["a", "1", "0", "\\u00e9", "\\n", "\\u001f", "\u2028", "\\ud83d\\ude00", "\\ud83d", "\\udc00", "\\/"]
        return '"' + "".join(chance.choice(parts) for _ in range(chance.randrange(4))) + '"'

    bodies = [value() for _ in range(3000)]
    (tmp_path / "bodies.json").write_text(json.dumps(bodies))
    script = (
        "const b = JSON.parse(require('fs').readFileSync(process.argv[1]));"
        "console.log(JSON.stringify(b.map(t => JSON.stringify(JSON.parse(t)))))"
    )
    run = subprocess.run(
        ["node", "-e", script, str(tmp_path / "bodies.json")], capture_output=True, check=True, timeout=60
    )
    ours = [(stringify(parse(body.encode())) or b"").decode() for body in bodies]
    assert ours == json.loads(run.stdout)


# -- garbage ---------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(body=st.binary(max_size=200), header=st.text(max_size=200), secret=st.text(max_size=10))
def test_garbage_is_refused(body: bytes, header: str, secret: str) -> None:
    with pytest.raises(WebhookRejected):
        verify(body, header, secret, now=NOW)


@given(
    st.lists(
        st.sampled_from(["t=", "v1=", str(NOW), digest(BODY), digest(BODY)[:63], ",", "=", " ", "\0", "٣", "\ud800"]),
        max_size=8,
    )
)
def test_shuffled_headers_are_refused_or_really_fit(parts: list[str]) -> None:
    header = "".join(parts)
    try:
        verify(BODY, header, SECRET, now=NOW)
    except WebhookRejected:
        return
    assert f"t={NOW}" in header
    assert f"v1={digest(BODY)}" in header


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_signed_body_is_read_or_refused(body: bytes) -> None:
    try:
        event = verify(body, sign(body, SECRET, now=NOW), SECRET, now=NOW)
    except WebhookRejected:
        assert not isinstance(parse(body), dict)
    else:
        assert event.payload == parse(body)


@given(json_values, st.booleans())
def test_a_written_form_is_stable_and_fits_any_other(value: Any, spaced: bool) -> None:
    written = stringify(parse(json.dumps({"data": value}).encode()))
    assert written is not None
    assert stringify(parse(written)) == written
    other = json.dumps({"data": value}, indent=2 if spaced else None, ensure_ascii=spaced)
    if not any("\ud800" <= character <= "\udfff" for character in other):
        assert verify(other.encode(), sign(written, SECRET, now=NOW), SECRET, now=NOW).payload == parse(written)
