"""A program that uses the Python client of one service through everything that can go right and wrong.

With the argument ``webhooks`` it only makes what is told by webhooks.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

from dialects import HEADER, PAGE, POLL, SUBMIT, failed, nothing_but_echoes, refusal
from notes import Notes, all_struck, control, fault, log_everything

import genstep

SLUG = os.environ["SLUG"]
HERE = Path.cwd()
prompts = iter(f"a red fox, number {number}" for number in range(1000))


class Run:
    """One client and the notes on what it does."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        account = genstep.Account.from_env(SLUG)
        haste = {"requests_per_second": 1000, "poll_interval": 0.03}
        self.account = account.model_copy(update={"options": {**account.options, **haste}})
        self.client = genstep.Client(self.account)

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        made = self.notes.step(name, work)
        all_struck()
        return made

    def generate(self, name: str, **fields: Any) -> Any:
        return self.step(name, lambda: self.client.generate(next(prompts), **fields))

    def answered(self, name: str, kind: str, *, times: int = 1, n: int = 1, **details: Any) -> Any:
        """A generation whose paid call is answered by a fault."""
        fault(kind, SLUG, method="POST", endpoint=SUBMIT[SLUG], times=times, **details)
        return self.generate(name, n=n, timeout=20)

    # -- what goes right ----------------------------------------------------------------------------------------

    def objects(self) -> None:
        client = self.client
        for thing in (self.account, client, client.provider, client._client, client._client._session):
            self.notes.write("objects", f"{thing!s} {thing!r}")
        for thing in (client.provider, client._client._session, client):
            self.notes.write("objects", repr(vars(thing)))
        self.notes.thing("account", self.account)
        self.notes.thing("account-copied", self.account.model_copy(update={"name": "other"}))

    def good(self) -> None:
        self.generate("one")
        self.generate("several", n=2)
        self.step("map", lambda: list(self.client.map([next(prompts) for _ in range(3)])))
        fault("hold", SLUG)
        late = self.generate("timeout", timeout=0.2)
        control("release")
        self.step("resumed", lambda: self.client.resume(late.job_id, timeout=20))
        self.step("jobs", self.client.jobs)
        for name, able in (("models", "models"), ("balance", None), ("health", "health")):
            if able is None or getattr(self.client.provider.capabilities, able):
                self.step(name, getattr(self.client, name))
        self.step("estimate", lambda: self.client.estimate("a fox"))
        if self.client.provider.capabilities.history:
            # its links are the answer that was asked for; see proof.py
            Notes(HERE / "history").step("list", lambda: list(self.client.history()))
        if SLUG == "imageapi":
            self.step("enhance", lambda: self.client.enhance("a fox"))

    # -- what goes wrong ----------------------------------------------------------------------------------------

    def refused(self) -> None:
        twice = 2 if SLUG == "imaginelab" else 1  # after one new login
        for status, times in ((401, twice), (402, 1), (403, 1), (500, 1)):
            body = refusal(SLUG, status)
            self.answered(f"refused-{status}", "status", status=status, body=body, times=times)
        # a quotation of a page ends after 117 letters, of a text after 299: here, in the midst of the key
        for letters in (44, 54, 64, 74):
            self.answered(f"refused-page-{letters}", "status", status=418, body="x" * letters + HEADER)
        self.answered("refused-page-blank", "status", status=418, body=" " * 340 + HEADER)
        for letters in (270, 280, 290):
            text = refusal(SLUG, 418, "x" * letters + " {{key}}")
            self.answered(f"refused-long-{letters}", "status", status=418, body=text)
        self.answered("refused-echoes", "status", status=400, body=nothing_but_echoes())
        self.answered("refused-code", "status", status=400, body=refusal(SLUG, 400, code="{{key}}"))
        wrong = os.environ["WRONG"]
        given = {"api_key": wrong} if SLUG != "imaginelab" else {"username": "x@example.com", "password": wrong}
        account = genstep.Account(
            provider=SLUG, name="wrong", base_url=self.account.base_url, **given, options=self.account.options
        )
        self.notes.thing("wrong-account", account)
        with genstep.Client(account) as client:
            self.step("wrong", lambda: client.generate(next(prompts)))

    def lost(self) -> None:
        self.answered("lost-500", "status", status=500, body=PAGE)
        self.answered("lost-502", "status", status=502, body=PAGE)
        self.answered("lost-page", "status", status=200, body=PAGE)
        self.answered("lost-echoes", "status", status=200, body=nothing_but_echoes())
        self.answered("lost-drop", "drop", when="after")
        self.answered("lost-cut", "cut", when="after")
        self.answered("lost-garbage", "garbage", when="after")

    def failing(self) -> None:
        for endpoint, body in failed(SLUG):
            fault("status", SLUG, endpoint=endpoint, status=200, body=body)
        self.generate("failed", n=2 if SLUG == "imageapi" else 1, timeout=20)
        if SLUG in POLL:
            for status in (401, 400, 500):
                self.polled(f"poll-{status}", "status", status=status, body=refusal(SLUG, status))
            self.polled("poll-page", "status", status=200, body=PAGE)

    def asked(self) -> None:
        """Free calls, whose errors come straight from the transport, with all its frames in their tracebacks."""
        client = self.client
        if SLUG == "conceptviz":
            fault("hold", SLUG)
            job = self.step("asked-submit", lambda: client.submit(next(prompts)))
        endpoint, ask = {
            "conceptviz": ("task", lambda: client.status(job.id)),
            "nanobanana": ("projects", lambda: list(client.history())),
            "imaginelab": ("models", client.models),
            "aivisualstudio": ("models", client.models),
            "imageapi": ("usage", client.balance),
        }[SLUG]
        bodies = (refusal(SLUG, 401), nothing_but_echoes(), PAGE)
        for number, (status, body) in enumerate(zip((401, 400, 400), bodies, strict=True)):
            times = 2 if status == 401 and SLUG == "imaginelab" else 1  # after one new login
            fault("status", SLUG, endpoint=endpoint, status=status, body=body, times=times)
            self.step(f"asked-{number}", ask)
        if SLUG == "conceptviz":
            control("release")
        # what is posted is not asked again, so these too come as they are
        lost = {"imageapi": ("enhance", lambda: client.enhance("a fox")), "imaginelab": ("login", client.models)}
        if SLUG in lost:
            control("tokens/expire")
            fault("drop", SLUG, endpoint=lost[SLUG][0])
            self.step("asked-lost", lost[SLUG][1])

    def polled(self, name: str, kind: str, **details: Any) -> None:
        fault(kind, SLUG, method="GET", endpoint=POLL[SLUG], times=1, **details)
        self.generate(name, timeout=20)

    def led_astray(self) -> None:
        friend, stranger, files = (os.environ[name] for name in ("FRIEND", "STRANGER", "FILES"))
        query = "?token=" + os.environ["LINK_TOKEN"]
        for number, (status, origin) in enumerate(((302, stranger), (307, stranger), (308, friend), (307, files))):
            self.answered(f"redirect-{number}", "redirect", status=status, location=f"{origin}/api{query}")
        if SLUG in POLL:
            self.polled("redirect-poll", "redirect", status=307, location=f"{stranger}/poll{query}")
        fault("redirect", "assets", location=f"{friend}/asset.png{query}")
        self.generate("asset-of-a-friend")
        fault("redirect", "assets", times=None, location=f"{stranger}/asset.png{query}")
        refused = self.generate("asset-of-a-stranger")
        self.step("asset-again", lambda: self.client.resume(refused.job_id))
        fault("status", "assets", times=None, status=403, body="<html>no</html>")
        self.generate("asset-expired")
        fault("cut", "assets")
        self.generate("asset-cut")

    def unreachable(self) -> None:
        closed = os.environ["CLOSED"]
        for name, url in (("closed", closed), ("tls", os.environ["WORLD"].replace("http:", "https:"))):
            account = self.account.model_copy(update={"base_url": url, "name": name, "webhook_url": None})
            with genstep.Client(account, http=genstep.HttpOptions(timeout=0.3)) as client:
                self.step(f"unreachable-{name}", lambda c=client: c.generate(next(prompts), timeout=0.5))

    # -- one service's own --------------------------------------------------------------------------------------

    def login(self) -> None:
        control("tokens/expire")
        self.generate("expired-token")
        for number, body in enumerate((refusal(SLUG, 401, "no: {{password}}"), PAGE + "{{password}}")):
            control("tokens/expire")
            fault("status", SLUG, endpoint="login", status=401, body=body)
            self.generate(f"login-{number}")
            # a login that was refused is final for its client
            self.client.close()
            self.client = genstep.Client(self.account)
        for number, body in enumerate(('{"token": "{{password}}"}', PAGE + "{{password}}")):
            control("tokens/expire")
            fault("status", SLUG, endpoint="login", times=None, status=200, body=body)
            self.generate(f"login-lost-{number}", timeout=3)
        self.generate("login-again")

    def webhooks(self) -> None:
        """Deliveries, the real and the forged, through the ASGI receiver on the port of the account's webhook_url."""
        account = self.account.model_copy(update={"webhook_url": f"{os.environ['WEBHOOK']}/hook", "name": "hooked"})
        with genstep.Client(account) as client, Receiver(client, int(os.environ["WEBHOOK"].rpartition(":")[2])) as at:
            for kind in ("duplicate", "forged", "old"):
                fault(kind, SLUG)
                before = len(at.answers)
                self.step(f"webhook-{kind}", lambda: client.generate(next(prompts), timeout=20))
                at.wait(before + 1)
            self.step("webhook-rejected", lambda: client.deliver(b'{"event": "x"}', "t=1,v1=" + "0" * 64))
            self.step("webhook-created", lambda: client.create_webhook(f"{os.environ['WEBHOOK']}/other"))
            self.step("webhook-list", client.list_webhooks)
            self.notes.outcomes["webhook-answers"] = str(sorted(set(at.answers)))


class Receiver:
    """``genstep.webhooks.receiver`` on a port: one request after the other is enough for a test."""

    def __init__(self, client: genstep.Client, port: int) -> None:
        app, outer = genstep.webhooks.receiver(client), self
        self.answers: list[int] = []
        self._came = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
                scope = {"type": "http", "method": "POST", "path": self.path, "headers": headers}
                sent: list[dict[str, Any]] = []

                async def receive() -> dict[str, Any]:
                    return {"type": "http.request", "body": body}

                async def send(message: dict[str, Any]) -> None:
                    sent.append(message)

                asyncio.run(app(scope, receive, send))
                # a delivery that is refused would be tried again
                self.send_response(200)
                self.end_headers()
                with outer._came:
                    outer.answers.append(sent[0]["status"])
                    outer._came.notify_all()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def wait(self, count: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.answers) >= count, 20)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def main(part: str = "") -> None:
    faulthandler.enable()
    log_everything(HERE / "everything.log")
    notes = Notes(HERE / "notes")
    run = Run(notes)
    run.objects()
    if part == "webhooks":
        run.webhooks()
    else:
        run.good()
        run.refused()
        run.lost()
        run.failing()
        run.asked()
        run.led_astray()
        run.unreachable()
        if SLUG == "imaginelab":
            run.login()
    run.objects()
    (HERE / "outcomes.json").write_text(json.dumps(notes.outcomes, indent=1), "utf-8")
    # an error that nobody catches: its traceback goes to stderr, and the client is never closed
    fault("status", SLUG, method="POST", endpoint=SUBMIT[SLUG], status=500, body=PAGE)
    run.client.generate("the last fox")


if __name__ == "__main__":
    main(*sys.argv[1:])
