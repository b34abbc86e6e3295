"""A secret where it does not belong, or not quite as it should be: the error says so, and does not show it."""

import json
import pickle
import traceback
from collections import Counter
from urllib.parse import quote

import pytest
from tests.core.scan import forms
from tests.secrets.canaries import KEYS, PASSWORD, SLUGS, WEBHOOK_SECRET

import genstep
from genstep import cli, plugins, redact
from genstep.provider import Call, Reply

PASTED = {
    "a line's end": "{}\n",
    "a line's end of Windows": "{}\r\n",
    "a space after it": "{} ",
    "a tab before it": "\t{}",
    "the header's word": "Bearer {}",
    "the whole header": "Authorization: Bearer {}",
    "a space that cannot be seen": "{}\u200b",
    "a typographer's quotes": "“{}”",
}
WITH_A_KEY = [slug for slug in SLUGS if KEYS[slug]]


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch):
    """An account that is refused never had its secrets registered; nor shall another test's account help."""
    monkeypatch.setattr(redact, "_registered", Counter())
    monkeypatch.setattr(redact, "_current", redact.Redactor())


def shows(error, secret):
    """Whether any form of the secret is in what an error says of itself."""
    texts = [
        str(error),
        repr(error),
        repr(error.to_dict()),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
    ]
    seen = "\n".join(texts).encode() + pickle.dumps(error)
    return any(needle in seen for _, needle in forms(secret))


@pytest.mark.parametrize("slug", WITH_A_KEY)
@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED)
def test_a_key_pasted_with_more_than_itself(monkeypatch, slug, pasted):
    text = pasted.format(KEYS[slug])
    with pytest.raises(genstep.ConfigurationError, match=r"api_key: .*(paste it again|only the key itself)") as caught:
        genstep.Account(provider=slug, api_key=text)
    assert not shows(caught.value, KEYS[slug])
    monkeypatch.setenv(f"GENSTEP_{slug.upper()}_API_KEY", text)
    with pytest.raises(genstep.ConfigurationError, match=f"GENSTEP_{slug.upper()}_API_KEY: ") as caught:
        genstep.Account.from_env(slug)
    assert not shows(caught.value, KEYS[slug])


@pytest.mark.parametrize("field", ["password", "webhook_secret"])
@pytest.mark.parametrize("pasted", ["{}\n", " {}", "{}\t"])
def test_another_secret_pasted_with_more_than_itself(field, pasted):
    secret = {"password": PASSWORD, "webhook_secret": WEBHOOK_SECRET}[field]
    with pytest.raises(genstep.ConfigurationError, match=f"account: {field}: .*paste it again") as caught:
        genstep.Account(provider="imaginelab", username="a@example.com", **{field: pasted.format(secret)})
    assert not shows(caught.value, secret)


@pytest.mark.parametrize("slug", WITH_A_KEY)
def test_a_key_in_another_field(slug):
    key = KEYS[slug]
    for fields in (
        {"apikey": key},
        {"api_key": key.encode()},
        {"api_key": [key]},
        {"options": key},
        {"daily_credits": key},
        {"base_url": f"https://{quote(key, safe='')}@example.com"},
        {"base_url": f"https://example.com/?key={key}"},
        {"webhook_url": f"https://example.com/#{key}"},
        {"provider": key},
    ):
        with pytest.raises(genstep.ConfigurationError) as caught:
            genstep.Account(**{"provider": slug, **fields})
        assert not shows(caught.value, key), fields.keys()


def test_a_key_in_the_place_of_an_accounts_name(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path))
    key = KEYS["conceptviz"]
    with pytest.raises(genstep.ConfigurationError, match="no account") as caught:
        genstep.Client(key)
    assert not shows(caught.value, key)
    for words in (["-a", key], ["-a", key, "--json"], ["-p", key], [f"--api-key={key}"], ["--seed", key]):
        assert cli.run(["generate", "a fox", *words]) == 2
    assert cli.run(["accounts", "add", "conceptviz", key]) == 2
    said = capfd.readouterr()
    assert "•••" in said.out + said.err
    assert key not in said.out + said.err


def test_an_account_shows_no_secret():
    account = genstep.Account(
        provider="imaginelab", username="a@example.com", password=PASSWORD, webhook_secret=WEBHOOK_SECRET
    )
    for text in (str(account), repr(account), repr(account.model_dump()), account.model_dump_json()):
        assert PASSWORD not in text
        assert WEBHOOK_SECRET not in text


@pytest.mark.parametrize("proxy", ["ftp://me:{}@host", "me:{}@host", "http://me:{}@[::", "//me:{}@host", "http://"])
def test_a_proxys_password(proxy):
    shown = repr(genstep.HttpOptions(proxy=f"http://me:{WEBHOOK_SECRET}@127.0.0.1:1"))
    assert WEBHOOK_SECRET not in shown
    with pytest.raises(genstep.ConfigurationError, match=r"proxy: takes a URL such as http://host:8080") as caught:
        genstep.HttpOptions(proxy=proxy.format(WEBHOOK_SECRET))
    assert not shows(caught.value, WEBHOOK_SECRET)


def test_doctor_shows_no_password_of_a_ledger(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENSTEP_LEDGER", f"postgresql://me:{WEBHOOK_SECRET}@127.0.0.1:1/ledger")
    for words in ([], ["--json"]):
        cli.run(["doctor", *words])
    said = capfd.readouterr()
    assert "ledger" in said.out
    assert WEBHOOK_SECRET not in said.out + said.err


# ---- what a service repeats


@pytest.mark.parametrize("slug", SLUGS)
def test_no_part_of_a_secret_is_left_where_a_quotation_ends(slug):
    """Wherever the key stands in what the service says, a whole line of which is quoted at most."""
    secret = KEYS[slug] or PASSWORD
    redact.register_secret(secret)
    provider = plugins.load(slug)(genstep.Account(provider=slug))
    parts = [secret[at : at + 7] for at in range(len(secret) - 6)]
    for before in range(330):
        text = f"{'x' * before} {secret} is not known"
        for body in (text, json.dumps({"error": text, "detail": text, "success": False})):
            error = provider.error(Call("GET", "/anything"), Reply(418, {}, body.encode()))
            assert error is not None
            assert not [part for part in parts if part in error.message], (before, error.message)


def test_no_text_of_an_error_holds_a_secret_whoever_made_it():
    redact.register_secret(PASSWORD)
    link = "https://files.example/a.png"
    known = {"code": f"no_{PASSWORD}", "request_id": PASSWORD, "job_id": "7"}
    error = genstep.GenerationFailed(f"what is {PASSWORD}? See {link}?signature=0123fake", refunded=True, **known)
    assert not shows(error, PASSWORD)
    assert not shows(error, "0123fake")
    assert error.message == f"what is •••? See {link}"
    assert (error.code, error.job_id, error.refunded) == ("no_•••", "7", True)


# ---- raw replies


def test_a_raw_reply_is_scrubbed_and_otherwise_as_it_was():
    key = KEYS["nanobanana"]
    redact.register_secret(key)
    redact.register_secret(PASSWORD)
    body = b'{"url": "https://h.example/a?signature=0123fake", "image": "data:image/png;base64,AAAA\xff"}'
    assert redact.scrub(body) == body
    for said in (f"Bearer {key}", json.dumps(PASSWORD), quote(key, safe=""), PASSWORD):
        scrubbed = redact.scrub(body + said.encode() + body)
        assert scrubbed.startswith(body)
        assert scrubbed.endswith(body)
        assert not [form for secret in (key, PASSWORD) for _, form in forms(secret) if form in scrubbed]


def test_a_short_secret_stays_in_a_raw_reply_for_a_picture_may_hold_it_by_chance():
    redact.register_secret("p4ss")
    assert redact.scrub(b"data:image/png;base64,AAp4ssAA") == b"data:image/png;base64,AAp4ssAA"
