"""The control page and API: what they show, that no secret is in them, and whom they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from tests.core.sandbox_drive import BASE, KEYS, Drive, Reply

from genstep.sandbox.server import Control, Request
from genstep.sandbox.server.faults import KINDS

CHANGE = {"X_Genstep_Control": "1", "Host": "sandbox.test"}


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("conceptviz") as drive:
        yield drive


def ask(drive: Drive, method: str, path: str, body: object = None, **headers: str) -> Reply:
    return drive.send(method, f"{BASE}{path}", body, key=None, **{"Host": "sandbox.test", **headers})


def change(drive: Drive, method: str, path: str, body: object = None) -> Reply:
    return ask(drive, method, path, body, **CHANGE)


def use_everything(drive: Drive) -> None:
    """Make traffic with every kind of secret in it."""
    for slug, path, body in (
        ("conceptviz", "/generate", {"prompt": "<script>alert(1)</script>"}),
        ("nanobanana", "/images", {"prompt": "a"}),
        ("imaginelab", "/auth/me", None),
        ("aivisualstudio", "/webhooks", {"url": "https://hooks.example/?token=fake-hook-token"}),
        ("imageapi", "/generate", {"prompt": "a"}),
    ):
        drive.slug = slug
        drive.send("POST" if body else "GET", path, body, key=KEYS[slug])
        drive.send("GET", "/nowhere?key=fake-query-secret", key=KEYS[slug])
    drive.slug = "imaginelab"
    drive.form("/auth/login", username="somebody@example.com", password="fake-password-long")
    drive.slug = "conceptviz"


def test_the_page_shows_accounts_charges_and_requests(drive: Drive) -> None:
    use_everything(drive)
    drive.control.fault("drop", "imageapi", endpoint="generate")
    page = ask(drive, "GET", "/")
    text = page.body.decode()
    for shown in (
        "cvk_…3fa9",
        "79 credits",
        "96 points",
        "1,000 credits",
        "so…@example.com",
        "/conceptviz/api/v1/generate",
        "imageapi generate",
        f"{BASE}/nanobanana",
        "curl -H",
    ):
        assert shown in text, shown


def test_no_secret_is_shown_or_kept(drive: Drive) -> None:
    use_everything(drive)
    page = ask(drive, "GET", "/").body.decode()
    state = ask(drive, "GET", "/control/state").body.decode()
    everything = [page, state] + [
        ask(drive, "GET", f"/control/{view}").body.decode()
        for view in ("accounts", "charges", "jobs", "requests", "faults", "deliveries", "assets")
    ]
    secrets = [*KEYS.values(), "fake-password-long", "somebody@", "fake-query-secret", "fake-hook-token", "whsec_"]
    for secret in secrets:
        assert not any(secret in text for text in everything), secret
    assert not any(key in repr(vars(drive.app.state)) for key in KEYS.values())


def test_what_others_wrote_is_escaped(drive: Drive) -> None:
    drive.send("GET", "/<img src=x onerror=alert(1)>")
    drive.send("GET", "/%3Cimg%20src=x%3E")

    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(ask(drive, "GET", "/").body.decode())
    assert "table" in tags
    assert "img" not in tags
    assert tags.count("script") == 1


def test_the_page_loads_nothing_from_elsewhere(drive: Drive) -> None:
    page = ask(drive, "GET", "/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "Access-Control-Allow-Origin" not in page.headers
    text = page.body.decode()
    assert " src=" not in text
    assert "<link" not in text
    assert "@import" not in text
    nonce = policy.partition("nonce-")[2].partition("'")[0]
    assert text.count(f'nonce="{nonce}"') == 2
    assert "prefers-color-scheme: dark" in text


def test_views_are_json(drive: Drive) -> None:
    drive.post("/generate", {"prompt": "a"})
    state = ask(drive, "GET", "/control/state").json
    assert state["services"]["conceptviz"] == f"{BASE}/conceptviz"
    assert state["accounts"][0]["credits"] == 79
    assert ask(drive, "GET", "/control/charges").json[0]["amount"] == 1
    assert ask(drive, "GET", "/control/jobs").json[0]["status"] == "pending"
    assert ask(drive, "GET", "/control/requests").json[0]["endpoint"] == "generate"
    assert ask(drive, "GET", "/control/nothing").status == 404


def test_faults_over_http(drive: Drive) -> None:
    made = change(drive, "POST", "/control/faults", {"kind": "refuse", "slug": "conceptviz", "status": 502})
    assert made.status == 201
    assert ask(drive, "GET", "/control/faults").json[0]["status"] == 502
    assert drive.get("/task/x").status == 502
    for path in (f"/control/faults/{made.json['id']}", "/control/faults"):
        change(drive, "POST", "/control/faults", {"kind": "drop"})
        assert change(drive, "DELETE", path).status == 200
    assert ask(drive, "GET", "/control/faults").json == []


@pytest.mark.parametrize("body", [{}, {"kind": "explode"}, {"kind": "drop", "colour": "red"}, [], b"{"])
def test_faults_that_are_refused(drive: Drive, body: object) -> None:
    reply = change(drive, "POST", "/control/faults", body)
    assert reply.status == 400
    assert reply.json["error"]


def test_jobs_settings_tokens_links_and_reset_over_http(drive: Drive) -> None:
    task = drive.post("/generate", {"prompt": "a"}).json["taskId"]
    assert change(drive, "POST", f"/control/jobs/{task}/hold").status == 200
    drive.wait(100)
    assert ask(drive, "GET", "/control/jobs").json[0]["held"] is True
    assert change(drive, "POST", "/control/release").status == 200
    assert drive.get(f"/task/{task}").json["status"] == "completed"
    task = drive.post("/generate", {"prompt": "a"}).json["taskId"]
    assert change(drive, "POST", f"/control/jobs/{task}/fail", {"refund": False}).status == 200
    assert drive.get(f"/task/{task}").json["credits_refunded"] is False
    assert change(drive, "POST", "/control/jobs/unknown/release").status == 400
    assert change(drive, "POST", "/control/settings", {"slug": "conceptviz", "credits": 3}).status == 200
    assert ask(drive, "GET", "/control/accounts").json[0]["credits"] == 3
    assert change(drive, "POST", "/control/settings", {"slug": "conceptviz", "colour": 3}).status == 400
    assert change(drive, "POST", "/control/settings", {"slug": "nobody"}).status == 400
    assert change(drive, "POST", "/control/tokens/expire").status == 200
    assert change(drive, "POST", "/control/links/expire").status == 200
    assert change(drive, "POST", "/control/reset").status == 200
    assert ask(drive, "GET", "/control/accounts").json == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/control/state"), ("POST", "/control/reset")])
def test_another_sites_browser_gets_nothing(drive: Drive, method: str, path: str, headers: dict[str, str]) -> None:
    drive.post("/generate", {"prompt": "a"})
    assert ask(drive, method, path, **{**CHANGE, **headers}).status == 403
    assert len(drive.control.accounts()) == 1


def test_a_change_needs_the_header(drive: Drive) -> None:
    assert ask(drive, "POST", "/control/reset").status == 403
    assert ask(drive, "POST", "/control/reset", Origin="http://sandbox.test").status == 403


def test_another_machine_gets_nothing(drive: Drive) -> None:
    request = Request("GET", "/", {"Host": "sandbox.test"}, client="203.0.113.7")
    assert drive.run(drive.handle(request)).status == 403


def test_an_unknown_path_names_the_services(drive: Drive) -> None:
    reply = ask(drive, "GET", "/conceptvis/api/v1/generate")
    assert reply.status == 404
    assert b"/conceptviz" in reply.body


def test_the_request_log_is_bounded_and_the_count_is_not(drive: Drive) -> None:
    for _ in range(10_050):
        drive.run(drive.handle(Request("GET", "/imageapi/api/v1/health")))
    assert len(drive.control.requests("imageapi")) == 10_000
    assert drive.control.count("imageapi", "health") == 10_050
    assert len(json.loads(ask(drive, "GET", "/control/state").body)["requests"]) == 100


def test_the_readme_names_every_fault_endpoint_and_control(drive: Drive) -> None:
    readme = files("genstep.sandbox").joinpath("README.md").read_text("utf-8")
    words = set(re.findall(r"[\w-]+", readme))
    endpoints = {route.endpoint for service in drive.app.services.values() for route in service.routes()}
    assert endpoints - words == set()
    assert KINDS - words == set()
    asked = {name for name in vars(Control) if not name.startswith("_")} - {"attach", "detach"}
    assert asked - words == set()
