"""A customer of one service on the sandbox server, the calls it makes, and a receiver of webhooks."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import requests
from tests.documents.examples import Example, example

from genstep.sandbox.server import SandboxServer

KEYS = {
    "conceptviz": "cvk_fake_{}",
    "nanobanana": "fake-{}",
    "aivisualstudio": "avs_live_fake_{}",
    "imageapi": "sk_fake_{}",
}
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server sent: an answer with its status, or a delivery, whose status is 0."""

    status: int
    headers: Mapping[str, str]
    json: Any


class Customer:
    """One account of one service on the sandbox, fresh for each example, and the calls that it makes."""

    def __init__(self, server: SandboxServer, slug: str, name: str) -> None:
        self.control = server.control
        self.slug = slug
        self._base = server.base(slug)
        self.login = f"{name}@example.com"
        self.key: str | None = KEYS[slug].format(name) if slug in KEYS else self.logged_in().json["access_token"]

    def logged_in(self) -> Reply:
        """ImagineLab's login, which gives the customer's key."""
        form = {"username": self.login, "password": "fake-password"}
        return _reply(requests.post(f"{self._base}/api/v1/auth/login", data=form, timeout=SECONDS))

    def call(self, endpoint: str, body: Any = None, *, raw: str | None = None) -> Reply:
        """Call `METHOD /path` as this customer (without a header where `key` is None), with JSON or a raw body."""
        method, _, path = endpoint.partition(" ")
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return _reply(
            requests.request(method, self._base + path, headers=headers, json=body, data=raw, timeout=SECONDS)
        )

    def send(self, name: str, **changed: Any) -> Reply:
        """Send the document's request example of that name, with other values for some of its fields."""
        shown = example(self.slug, name)
        return self.call(endpoint_of(shown), {**shown.json, **changed})

    def until(self, endpoint: str, status: str) -> Reply:
        """Ask until the answer has this status; a job of the sandbox takes milliseconds at this speed."""
        end = time.monotonic() + SECONDS
        while (reply := self.call(endpoint)).json["status"] != status:
            assert time.monotonic() < end, f"{endpoint} never said {status}: {reply.json}"
        return reply


def endpoint_of(shown: Example) -> str:
    """The `METHOD /path` of an example: the document's, else the one that the project decided on."""
    endpoint = f"{shown.method} {shown.path}" if shown.path else shown.decided
    assert endpoint is not None, f"{shown} names no endpoint"
    return endpoint


def _reply(response: requests.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.json())


@contextmanager
def listening() -> Iterator[tuple[str, queue.Queue[Reply]]]:
    """A receiver of webhooks on loopback: its URL, and what was delivered to it."""
    deliveries: queue.Queue[Reply] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            deliveries.put(Reply(0, dict(self.headers), json.loads(body)))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/webhooks", deliveries
        finally:
            server.shutdown()
            thread.join()
