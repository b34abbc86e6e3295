"""One real exchange over a raw socket: which failure is which, what is sent, and how much is taken."""

import asyncio
import gzip
import socket
from contextlib import asynccontextmanager

import pytest

from genstep import errors, guard
from genstep.models import HttpOptions
from genstep.transport import http
from genstep.transport.http import RealHttp, Request


@asynccontextmanager
async def server(answer: bytes | None, *, seen: list[bytes] | None = None):
    """A server that reads one request and answers with these bytes, or hangs up (None)."""

    async def talk(reader, writer):
        got = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(got)
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        writer.close()

    started = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with started:
        yield f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"


def send(answer, *, timeout=5.0, seen=None, **request):
    async def work():
        client = RealHttp(HttpOptions(timeout=timeout), tls=False)
        try:
            async with server(answer, seen=seen) as url:
                return await client.send(Request("POST", url + "/x", **request), fresh=True)
        finally:
            await client.aclose()

    return asyncio.run(work())


def body(content: bytes, *headers: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(content)}", *headers])
    return head.encode() + b"\r\n\r\n" + content


def test_a_reply_comes_back_with_its_headers_in_lower_case():
    reply = send(body(b'{"a": 1}', "X-Thing: yes"))
    assert (reply.status, reply["a"], reply.headers["x-thing"]) == (200, 1, "yes")


def test_a_refused_connection_was_certainly_not_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def work():
        client = RealHttp(HttpOptions(timeout=5), tls=False)
        try:
            await client.send(Request("POST", f"http://127.0.0.1:{port}/"), fresh=True)
        finally:
            await client.aclose()

    with pytest.raises(errors.NotSent, match=f"127.0.0.1:{port} cannot be reached") as refused:
        asyncio.run(work())
    assert refused.value.charged is False


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_connection_that_breaks_after_sending_proves_nothing(answer):
    with pytest.raises(errors.ProviderUnavailable) as lost:
        send(answer)
    assert not isinstance(lost.value, errors.NotSent)
    assert lost.value.charged is None


def test_an_answer_that_does_not_come_in_time_proves_nothing():
    async def work():
        hang, closed = asyncio.Event(), asyncio.Event()

        async def talk(reader, writer):
            await hang.wait()
            writer.close()
            await writer.wait_closed()
            closed.set()

        client = RealHttp(HttpOptions(timeout=5), tls=False)
        started = await asyncio.start_server(talk, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"
        try:
            with pytest.raises(errors.ProviderUnavailable) as late:
                await client.send(Request("POST", url, read_timeout=0.05), fresh=True)
            return late.value
        finally:
            hang.set()
            await closed.wait()
            started.close()
            await client.aclose()

    error = asyncio.run(work())
    assert error.code == "read_timeout"
    assert not isinstance(error, errors.NotSent)


def test_redirects_are_not_followed():
    seen: list[bytes] = []
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    assert send(redirect, seen=seen, headers={"Authorization": "Bearer fake"}).status == 302
    assert len(seen) == 1


def test_a_decompression_bomb_is_cut_off(monkeypatch):
    monkeypatch.setattr(http, "MAX_REPLY", 1_000_000)
    bomb = gzip.compress(b"0" * 5_000_000)
    with pytest.raises(errors.UnreadableReply, match="a body of more than"):
        send(body(bomb, "Content-Encoding: gzip"))


def test_a_paid_call_never_reuses_a_connection():
    seen: list[object] = []
    done = asyncio.Event()

    async def talk(reader, writer):
        seen.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(body(b"{}"))
            await writer.drain()

    async def hear(reader, writer):
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            done.set()

    async def work():
        client = RealHttp(HttpOptions(timeout=5), tls=False)
        started = await asyncio.start_server(hear, "127.0.0.1", 0)
        async with started:
            url = f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"
            for fresh in (False, False, False, True, True):
                await client.send(Request("GET", url), fresh=fresh)
            await client.aclose()
            await done.wait()
            await asyncio.sleep(0)

    asyncio.run(work())
    assert len(seen) == 3


def test_a_download_connects_to_the_checked_address_with_the_name_it_was_checked_for():
    seen: list[bytes] = []

    async def work():
        client = RealHttp(HttpOptions(timeout=5), tls=False)
        async with server(body(b"abc", "Content-Type: image/png; x=y"), seen=seen) as url:
            port = int(url.rpartition(":")[2])
            target = guard.Target("http", "files.example", port, ("127.0.0.1",), "/a.png?sig=1")
            async with client.download(target, {}) as file:
                data = b"".join([chunk async for chunk in file.chunks()])
                found = (file.status, file.length, file.media_type, data)
        await client.aclose()
        return found

    assert asyncio.run(work()) == (200, 3, "image/png", b"abc")
    assert b"GET /a.png?sig=1 " in seen[0]
    assert b"host: files.example:" in seen[0].lower()
    assert b"authorization" not in seen[0].lower()
