"""The sandbox server on real sockets: HTTP done right, and faults that only show on the wire."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import httpx
import pytest
from tests.core.sandbox_drive import Makers

from genstep.sandbox.server import Event, SandboxServer

KEY = "Bearer cvk_fakefakefake3fa9"
PATH = "/conceptviz/api/v1/generate"
BODY = b'{"prompt": "a"}'


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(speed=1000, makers=Makers()) as server:
        yield server


@pytest.fixture
def client(server: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base("conceptviz"), headers={"Authorization": KEY}, trust_env=False) as client:
        yield client


def raw(server: SandboxServer, *pieces: bytes) -> bytes:
    """Send bytes and return all that comes back until the server closes."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        with suppress(OSError):  # the server may have answered all that it will, and gone
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def head(length: str = f"Content-Length: {len(BODY)}", extra: str = "") -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", f"Authorization: {KEY}", length]
    return ("\r\n".join([*lines, *([extra] if extra else [])]) + "\r\n\r\n").encode()


def test_httpx_gets_a_task(client: httpx.Client, server: SandboxServer) -> None:
    reply = client.post("/api/v1/generate", json={"prompt": "a"})
    assert reply.json()["status"] == "pending"
    assert reply.headers["content-length"] == str(len(reply.content))
    assert "date" in reply.headers
    assert server.control.submits("conceptviz", "cvk_fakefakefake3fa9") == 1


def test_chunked_bodies(client: httpx.Client) -> None:
    assert client.post("/api/v1/generate", content=iter([b'{"prom', b'pt": "a"}'])).status_code == 200


def test_a_connection_serves_many_requests_one_after_the_other(server: SandboxServer) -> None:
    one = head() + BODY
    replies = raw(server, one, one[:40], one[40:], one)
    assert replies.count(b"HTTP/1.1 200 OK") == 3
    assert replies.count(b'"taskId"') == 3


def test_a_client_can_ask_to_close(server: SandboxServer) -> None:
    replies = raw(server, head(extra="Connection: close") + BODY + head() + BODY)
    assert replies.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in replies


def test_expect_continue(server: SandboxServer) -> None:
    replies = raw(server, head(extra="Expect: 100-continue"), BODY)
    assert replies.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_head_has_no_body(server: SandboxServer) -> None:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("HEAD", "/imageapi/api/v1/models")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"")
    assert int(reply.headers["Content-Length"]) > 100
    connection.request("GET", "/imageapi/api/v1/models")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (head("Content-Length: -1"), 400),
        (head("Content-Length: 99999999999"), 413),
        (head("Transfer-Encoding: gzip"), 400),
        (head("Transfer-Encoding: chunked", "Content-Length: 3"), 400),
        (head("Transfer-Encoding: chunked") + b"zz\r\n", 400),
        (head("Transfer-Encoding: chunked") + b"FFFFFFFF\r\n", 413),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_http_is_refused(server: SandboxServer, sent: bytes, status: int) -> None:
    assert raw(server, sent).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_request_that_breaks_off_is_never_handled(server: SandboxServer) -> None:
    assert raw(server, head() + BODY[:5]) == b""
    assert server.control.submits() == 0


def test_dropped(client: httpx.Client, server: SandboxServer) -> None:
    server.control.fault("drop", "conceptviz", when="after")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/api/v1/generate", json={"prompt": "a"})
    assert server.control.submits() == 1


def test_cut(client: httpx.Client, server: SandboxServer) -> None:
    server.control.fault("cut", "conceptviz")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/api/v1/generate", json={"prompt": "a"})
    assert server.control.submits() == 1


def test_late_is_longer_than_a_read_timeout(client: httpx.Client, server: SandboxServer) -> None:
    server.control.fault("late", "conceptviz", when="after", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/api/v1/generate", json={"prompt": "a"}, timeout=httpx.Timeout(10, read=0.2))
    assert server.control.submits() == 1


def test_drip_arrives_whole(client: httpx.Client, server: SandboxServer) -> None:
    server.control.fault("drip", "conceptviz", seconds=0.01)
    with client.stream("POST", "/api/v1/generate", json={"prompt": "a"}) as reply:
        pieces = list(reply.iter_raw())
    assert len(pieces) > 1
    assert "taskId" in json.loads(b"".join(pieces))


def test_a_file_that_is_cut_short(client: httpx.Client, server: SandboxServer) -> None:
    image = httpx.post(
        f"{server.base('imageapi')}/api/v1/generate",
        json={"prompt": "a"},
        headers={"Authorization": "Bearer sk_fake"},
        trust_env=False,
    ).json()["data"]["image"]
    server.control.fault("cut", "assets", bytes=10)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(image)


def test_files_on_a_port_of_their_own_see_who_sends_them_a_key() -> None:
    with SandboxServer(speed=1000, makers=Makers(), asset_port=0) as server:
        headers = {"Authorization": "Bearer sk_fakefakefakefake"}
        url = f"{server.base('imageapi')}/api/v1/generate"
        image = httpx.post(url, json={"prompt": "a"}, headers=headers, trust_env=False).json()["data"]["image"]
        assert image.startswith(f"{server.asset_url}/assets/")
        assert server.asset_url != server.url
        assert httpx.get(image, trust_env=False).status_code == 200
        assert httpx.get(image, headers=headers, trust_env=False).status_code == 200
        assert [seen.authorization for seen in server.control.asset_requests()] == [None, "sk_…fake"]
        assert httpx.get(f"{server.asset_url}/imageapi/api/v1/models", trust_env=False).status_code == 404
        assert httpx.get(f"{server.asset_url}/", trust_env=False).status_code == 404


def test_moments_of_a_reply(client: httpx.Client, server: SandboxServer) -> None:
    seen: list[tuple[str, str]] = []
    done = threading.Event()

    def hook(event: Event) -> None:
        seen.append((event.name, event.endpoint))
        if event.name == "sent":
            done.set()

    server.control.on_event(hook)
    client.post("/api/v1/generate", json={"prompt": "a"})
    assert done.wait(10)
    assert seen == [("received", ""), ("accepted", "generate"), ("half", "generate"), ("sent", "generate")]


def test_a_webhook_arrives_over_loopback(server: SandboxServer) -> None:
    got: list[tuple[str, bytes]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["X-Webhook-Signature"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as hook:
        hook.timeout = 20
        url = f"http://127.0.0.1:{hook.server_port}/hook?a=b"
        reply = httpx.post(
            f"{server.base('aivisualstudio')}/api/v1/generate/image",
            json={"prompt": "é", "webhook_url": url},
            headers={"Authorization": "Bearer avs_live_fake"},
            trust_env=False,
        )
        hook.handle_request()
    [(signature, body)] = got
    assert json.loads(body)["data"]["id"] == reply.json()["id"]
    assert "é".encode() in body
    assert signature.startswith("t=")


def test_hundreds_of_connections_at_once(server: SandboxServer) -> None:
    server.control.set("imageapi", per_minute=10_000, per_day=10_000, concurrency=10_000)
    parts = urlsplit(server.url)
    body = b'{"prompt":"a"}'
    request = (
        b"POST /imageapi/api/v1/generate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_fake\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        line = await reader.readline()
        writer.close()
        return line

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(300)))

    assert set(asyncio.run(all_of_them())) == {b"HTTP/1.1 200 OK\r\n"}
    assert server.control.submits("imageapi") == 300
    assert server.control.count("imageapi") == 300


def test_a_client_that_hangs_up_does_not_end_its_job(server: SandboxServer) -> None:
    accepted = threading.Event()
    server.control.fault("hold", "nanobanana")
    server.control.on_event(lambda event: accepted.set() if event.name == "accepted" else None)
    url, headers = f"{server.base('nanobanana')}/api/v1/images", {"Authorization": "Bearer fake"}
    timeout = httpx.Timeout(10, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json={"prompt": "a"}, headers=headers, timeout=timeout, trust_env=False)
    assert accepted.is_set()
    server.control.release()
    assert [job["status"] for job in server.control.jobs()] == ["completed"]


def test_the_server_ends_and_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with SandboxServer(makers=Makers()) as server:
        server.control.fault("hold", "nanobanana")
        parts = urlsplit(server.url)
        idle = socket.create_connection((parts.hostname, parts.port))
        waiting = socket.create_connection((parts.hostname, parts.port))
        waiting.sendall(
            b"POST /nanobanana/api/v1/images HTTP/1.1\r\nAuthorization: Bearer fake\r\nContent-Length: 15\r\n\r\n"
            + BODY
        )
    assert idle.recv(1) == b""
    assert waiting.recv(1) == b""
    idle.close()
    waiting.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((parts.hostname, parts.port))


def test_a_port_that_is_taken_is_said_at_once(server: SandboxServer) -> None:
    port = urlsplit(server.url).port
    with pytest.raises(OSError, match="in use"):
        SandboxServer(port=port or 0, makers=Makers()).start()


PROGRAM = """
from genstep.sandbox.server import serve
serve(speed=100, ready=lambda server: print(server.url, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(name: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/imageapi/api/v1/health", trust_env=False).status_code == 200
        process.send_signal(name)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "ended\n", "")
