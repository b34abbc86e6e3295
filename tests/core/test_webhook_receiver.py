"""The receiver: an ASGI app that hands deliveries to a client, of either kind, and tells strangers nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from genstep.errors import WebhookRejected
from genstep.webhooks import MAX_BODY, receiver

REASON = "webhook: the clock is wrong by 999 s"


class Async:
    """A client that keeps what is delivered, and refuses the signature "bad"."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str | None]] = []

    async def deliver(self, body: bytes, signature: str | None) -> None:
        self.take(body, signature)

    def take(self, body: bytes, signature: str | None) -> None:
        if signature == "bad":
            raise WebhookRejected(REASON)
        if signature == "bug":
            raise ZeroDivisionError
        self.taken.append((body, signature))


class Blocking(Async):
    thread: int | None = None

    def deliver(self, body: bytes, signature: str | None) -> None:  # type: ignore[override]
        self.thread = threading.get_ident()
        self.take(body, signature)


class Wrapped(Async):
    def deliver(self, body: bytes, signature: str | None) -> Any:  # type: ignore[override]
        return super().deliver(body, signature)


def call(client: Any, *parts: bytes, **scope: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request in those parts; a part b"hang up" ends it early."""
    last = len(parts) - 1
    messages = [
        {"type": "http.disconnect"}
        if part == b"hang up"
        else {"type": "http.request", "body": part, "more_body": index < last}
        for index, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = receiver(client)
    asyncio.run(app({"type": "http", "method": "POST", "path": "/any/where", "headers": [], **scope}, receive, send))
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


def signed(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), (b"x-webhook-signature", value)]


@pytest.mark.parametrize("kind", [Async, Blocking, Wrapped])
def test_a_delivery_is_handed_over_as_it_came(kind: type[Async]) -> None:
    client = kind()
    status, headers, text = call(client, b'{"a', b'":', b"1}", headers=signed(b"t=1,v1=2"))
    assert (status, text) == (200, b"OK")
    assert headers[b"content-length"] == b"2"
    assert client.taken == [(b'{"a":1}', "t=1,v1=2")]


def test_a_repeat_is_a_success_too() -> None:
    client = Async()
    assert [call(client, b"{}", headers=signed(b"x"))[0] for _ in range(2)] == [200, 200]


def test_a_delivery_without_a_signature_is_for_the_client_to_judge() -> None:
    client = Async()
    assert call(client, b"{}")[0] == 200
    assert client.taken == [(b"{}", None)]


@pytest.mark.parametrize("kind", [Async, Blocking, Wrapped])
def test_a_refused_delivery_is_401_and_the_reason_stays_here(kind: type[Async], caplog: Any) -> None:
    caplog.set_level("INFO", logger="genstep.webhooks")
    status, _, text = call(kind(), b"{}", headers=signed(b"bad"))
    assert (status, text) == (401, b"invalid signature")
    assert REASON in caplog.text


def test_our_own_fault_is_not_hidden_so_that_it_is_delivered_again() -> None:
    with pytest.raises(ZeroDivisionError):
        call(Async(), b"{}", headers=signed(b"bug"))


def test_a_blocking_client_does_not_block_the_loop() -> None:
    client = Blocking()
    call(client, b"{}", headers=signed(b"x"))
    assert client.thread not in (None, threading.get_ident())


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post(method: str) -> None:
    client = Async()
    status, headers, _ = call(client, method=method)
    assert (status, headers[b"allow"], client.taken) == (405, b"POST", [])


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ([b"x" * (MAX_BODY + 1)], []),
        ([b"x" * MAX_BODY, b"x"], []),
        ([b"{}"], [(b"content-length", str(MAX_BODY + 1).encode())]),
        ([b"{}"], [(b"content-length", b"9" * 5000)]),
    ],
)
def test_a_body_that_is_too_long_is_413(parts: list[bytes], headers: Any) -> None:
    client = Async()
    assert call(client, *parts, headers=headers)[0] == 413
    assert client.taken == []


@pytest.mark.parametrize("length", [b"many", b"-1", b""])
def test_the_longest_body_is_taken_whatever_the_announced_length(length: bytes) -> None:
    client = Async()
    assert call(client, b"x" * MAX_BODY, headers=[(b"content-length", length)])[0] == 200
    assert len(client.taken[0][0]) == MAX_BODY


def test_half_a_delivery_is_none() -> None:
    client = Async()
    call(client, b'{"a', b"hang up", headers=signed(b"x"))
    assert client.taken == []


def test_the_app_starts_and_stops_with_its_server() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(receiver(Async())({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_refused() -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        call(Async(), type="websocket")
