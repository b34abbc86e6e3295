"""Secrets stay out of text and logs in every form, and the scanner that proves it finds what is planted."""

import base64
import gzip
import html
import json
import logging
import sqlite3
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.core.scan import forms, scan

from genstep import redact
from genstep.redact import HIDDEN, Redactor

SECRET = 'fake+key/with=odd "signs" & ümlaut?7'
PLAIN = "cvk_fake_canary_0123456789"

ENCODINGS = {
    "raw": str,
    "url": lambda s: quote(s, safe=""),
    "url with slashes": quote,
    "url, lower case": lambda s: (
        quote(s, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%C3%BC", "%c3%bc")
    ),
    "form": quote_plus,
    "json": lambda s: json.dumps(s)[1:-1],
    "json, letters kept": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "php's json": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "html": html.escape,
    "repr": lambda s: repr(s)[1:-1],
    "repr of bytes": lambda s: repr(s.encode())[2:-1],
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 without padding": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic auth": lambda s: base64.b64encode(b"user:" + s.encode()).decode(),
    "in base64 at 1": lambda s: base64.b64encode(b"u" + s.encode() + b":more").decode(),
    "in base64 at 2": lambda s: base64.b64encode(b"uu" + s.encode() + b":mo").decode(),
    "base64 in a url": lambda s: quote(base64.b64encode(b"u:" + s.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("secret", [SECRET, PLAIN, "abcdefgh", "p4ss"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_secret_is_hidden_in_every_form(tmp_path, secret, encode):
    shown = Redactor([secret]).clean(f"before {encode(secret)} after")
    assert secret not in shown
    (tmp_path / "shown").write_text(shown, "utf-8")
    assert scan([tmp_path / "shown"], [secret]) == []
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_of_two_secrets_the_longer_leaves_no_rest():
    assert Redactor(["fake", "fake-and-longer"]).clean("x fake-and-longer y fake z") == f"x {HIDDEN} y {HIDDEN} z"


def test_what_is_no_secret_stays():
    text = "HTTP 403 from conceptviz: no such task 42 (a risk_assessment of asking_price), 100 % sure"
    assert Redactor([PLAIN]).clean(text) == text
    assert Redactor().clean(text) == text
    assert Redactor(["", PLAIN]).clean("") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer eyJfake0.payload-1.sig_2",
        "b'authorization': b'bearer 0a1b2c3d'",
        "key cvk_FAKEfake0123 was refused",
        "key avs_live_FAKEfake0123 was refused",
        'key "sk_FAKEfake0123" was refused',
        "sk_live_FAKEfake0123",
    ],
)
def test_what_looks_like_a_key_is_hidden_though_nobody_registered_it(text):
    shown = Redactor().clean(text)
    assert HIDDEN in shown
    assert not any(word in shown for word in ("FAKE", "eyJ", "0a1b", "payload"))


@pytest.mark.parametrize(
    "text",
    [
        "a bearer token is needed",
        "Bearer authentication failed.",
        "keys start with cvk_ or avs_live_",
        "sk_123",
        "Bearer",
    ],
)
def test_talk_about_keys_stays_readable(text):
    assert Redactor().clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://h.example/a.png?sig=fake&e=1 200", "GET https://h.example/a.png 200"),
        ("see 'https://u:fake@h.example:8/a#f', ok", "see 'https://h.example:8/a', ok"),
        ("[(b'Location', b'https://h.example/a?x=1')]", "[(b'Location', b'https://h.example/a')]"),
        ("postgresql://me:fake@db.example/x", "postgresql://db.example/x"),
        ("what? no URL # here", "what? no URL # here"),
    ],
)
def test_urls_in_text_lose_query_and_user(text, shown):
    assert Redactor().clean(text) == shown


def test_nobody_sees_the_secrets_of_a_redactor():
    assert PLAIN not in repr(Redactor([PLAIN]))


@given(st.text(min_size=1, max_size=20), st.text('nop /?#=%&"\\', max_size=60), st.text('nop /?#=%&"\\', max_size=60))
def test_no_text_around_a_secret_brings_it_through(secret, before, after):
    assume(not set(secret) & set(HIDDEN))
    assert secret not in Redactor([secret]).clean(before + secret + after)


# ---- logs


@pytest.fixture
def registered():
    secret = "fake-registered-canary-77"
    redact.register_secret(secret)
    redact.install_log_filter()
    return secret


class Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def lines():
    handler = Lines()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "name",
    [
        parent + child
        for parent in redact.LOGGERS
        for child in ("", ".connection", ".http11", ".http2", ".proxy", ".socks")
    ],
)
def test_every_logger_of_the_http_libraries_is_cleaned(registered, lines, name):
    log = logging.getLogger(name)
    log.debug("headers=%r url=%s", [(b"x", registered.encode())], "https://h.example/a?sig=fake")
    ready_made = f"send {base64.b64encode(registered.encode()).decode()} 100%"
    log.info(ready_made)
    assert len(lines) == 2
    assert lines[0] == f"headers=[(b'x', b'{HIDDEN}')] url=https://h.example/a"
    assert lines[1] == f"send {HIDDEN} 100%"


def test_a_child_that_exists_is_found(registered, lines):
    child = logging.getLogger("httpcore.of-tomorrow")
    redact.install_log_filter()
    child.warning(registered)
    assert lines == [HIDDEN]


def test_exceptions_in_logs_are_cleaned(registered, lines):
    try:
        raise RuntimeError(f"refused {registered}")
    except RuntimeError:
        logging.getLogger("httpx").exception("it broke")
    assert registered not in lines[0]
    assert f"RuntimeError: refused {HIDDEN}" in lines[0]


def test_a_record_with_wrong_arguments_is_cleaned_too(registered, lines):
    wrong = f"%d {registered}"
    logging.getLogger("httpx").warning(wrong, "no number")
    assert lines == [f"%d {HIDDEN}"]


def test_the_filter_is_installed_once_however_often_it_is_asked_for(registered):
    before = list(logging.getLogger("httpx").filters)
    redact.install_log_filter()
    assert logging.getLogger("httpx").filters == before


def test_registered_secrets_are_cleaned_everywhere_in_the_process(registered):
    assert redact.clean(f"x {registered} y") == f"x {HIDDEN} y"
    redact.register_secret("")
    assert redact.clean("x y") == "x y"


def test_the_module_loads_no_library():
    code = "import sys, genstep.redact; print({'httpx', 'pydantic', 'asyncio'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# ---- the scanner itself


CANARY = 'fake+canary/"ü"=0123456789 abcdef'

PLANTED = {
    "raw": CANARY.encode(),
    **{f"base64 at {n}": base64.b64encode(b"u" * n + CANARY.encode() + b"tail") for n in range(3)},
    **{
        f"base64url at {n}": base64.urlsafe_b64encode(b"u" * n + b"fake?>canary?>~~~?~0123" + b"tail") for n in range(3)
    },
    "url": quote(CANARY, safe="").encode(),
    "url, lower case": quote(CANARY, safe="").lower().encode(),
    "form": quote_plus(CANARY).encode(),
    "url, each byte": "".join(f"%{byte:02X}" for byte in CANARY.encode()).encode(),
    "url, each byte in lower case": "".join(f"%{byte:02x}" for byte in CANARY.encode()).encode(),
    "hex": CANARY.encode().hex().encode(),
    "HEX": CANARY.encode().hex().upper().encode(),
    "json": json.dumps({"key": CANARY}).encode(),
    "json, letters kept": json.dumps({"key": CANARY}, ensure_ascii=False).encode(),
    "json, slashes escaped": json.dumps(CANARY).replace("/", "\\/").encode(),
    "json in json": json.dumps({"body": json.dumps({"key": CANARY})}).encode(),
    "utf-16-le": ("key " + CANARY).encode("utf-16-le"),
    "utf-16-be": ("key " + CANARY).encode("utf-16-be"),
}


@pytest.mark.parametrize(("form", "content"), PLANTED.items(), ids=PLANTED)
def test_the_scanner_finds_a_planted_canary_in_each_form(tmp_path, form, content):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "planted").write_bytes(b"noise\x00\xff" + content + b"\x80noise")
    (tmp_path / "clean").write_text("nothing here")
    canary = "fake?>canary?>~~~?~0123" if "base64url" in form else CANARY
    hits = scan([tmp_path], ["something-else-entirely", canary])
    assert form in {hit.form for hit in hits}
    assert {(hit.path.name, hit.secret) for hit in hits} == {("planted", 1)}


def test_the_scanner_looks_into_gzip_databases_and_names(tmp_path):
    (tmp_path / "log.gz").write_bytes(b"head" + gzip.compress(b"x" * 1000 + CANARY.encode() + b"y" * 1000))
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("CREATE TABLE calls (body TEXT)")
        db.execute("INSERT INTO calls VALUES (?)", (json.dumps({"key": PLAIN}),))
    db.close()
    (tmp_path / f"{PLAIN}.txt").write_text("")
    hits = scan([tmp_path / "log.gz", tmp_path / "ledger.db", tmp_path / f"{PLAIN}.txt"], [CANARY, PLAIN])
    assert {(hit.path.name, hit.form) for hit in hits if hit.secret == 0} == {("log.gz", "gzip: raw")}
    assert ("ledger.db", "raw") in {(hit.path.name, hit.form) for hit in hits}
    assert (f"{PLAIN}.txt", "name: raw") in {(hit.path.name, hit.form) for hit in hits}


def test_the_scanner_accuses_nobody_of_a_clean_run(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 50)
    assert scan([tmp_path], [CANARY, PLAIN, SECRET]) == []
    with pytest.raises(AssertionError, match="nothing to look for"):
        scan([tmp_path], [])


@given(st.text(min_size=6, max_size=30))
def test_every_form_of_a_secret_is_searchable(secret):
    found = dict(forms(secret.encode("utf-8", "replace").decode()))
    assert all(found.values())
