"""Servers that lie, trickle, break off or send garbage: a reply, or one of our errors with what came of it; no more."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib

import pytest

from genstep import errors
from genstep.models import HttpOptions
from genstep.outcome import Verdict, judge
from genstep.transport import http
from genstep.transport.http import RealHttp, Request, partial

OK = b"HTTP/1.1 200 OK\r\n"


def talk_to(talk, *, timeout=5.0, content=b"{}", read_timeout=None):
    """What one paid POST comes to at a server of which ``talk(reader, writer)`` is the whole conversation."""

    async def work():
        open_ones = set()

        async def serve(reader, writer):
            open_ones.add(asyncio.current_task())
            try:
                await talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        client = RealHttp(HttpOptions(timeout=timeout), tls=False)
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/make"
        try:
            return await client.send(Request("POST", url, content=content, read_timeout=read_timeout), fresh=True)
        except errors.GenstepError as error:
            return error
        finally:
            await client.aclose()
            server.close()
            await asyncio.gather(*open_ones, return_exceptions=True)
            await asyncio.sleep(0)

    return asyncio.run(work())


def says(*parts: bytes):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return talk


def sized(body: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


BOMB = gzip.compress(b"0" * 3_000_000)
#: what a server says, and how much of a body came before it broke off (None: nothing of a reply)
BROKEN = {
    "less than the length says": (sized(b"{}")[:-2] + b"{", b"{"),
    "nothing of what the length says": (OK + b"Content-Length: 9\r\n\r\n", b""),
    "half a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", b"ab"),
    "a chunk without a number": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab", b""),
    "two lengths": (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", None),
    "a length that is no number": (OK + b"Content-Length: much\r\n\r\n{}", None),
    "a length below zero": (OK + b"Content-Length: -5\r\n\r\n{}", None),
    "a head without an end": (OK + b"X-Long: " + b"a" * 300_000, None),
    "a thousand headers": (OK + b"".join(b"X-%d: %s\r\n" % (n, b"b" * 500) for n in range(1000)) + b"\r\n", None),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", None),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", None),
    "NUL in a header": (OK + b"X-Odd: a\0b\r\nContent-Length: 2\r\n\r\n{}", None),
    "only 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "garbage said to be gzip": (sized(b"no gzip at all", b"Content-Encoding: gzip"), b""),
    "half of a gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 50\r\n\r\n" + gzip.compress(b"{}" * 99)[:12],
        b"{",
    ),
    "garbage said to be deflate": (sized(b"\xff\xfe" * 9, b"Content-Encoding: deflate"), b""),
    "nothing": (b"", None),
}


@pytest.mark.parametrize(("said", "came"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_off_is_uncertain_and_what_came_is_kept(said, came):
    lost = talk_to(says(said))
    assert isinstance(lost, errors.ProviderUnavailable), lost
    assert judge(lost.status, lost) is Verdict.UNCERTAIN
    kept = partial(lost)
    assert (None if kept is None else kept.content) == came
    assert partial(lost) is None
    assert "_partial" not in lost.to_dict()


#: what a server says, and the body that it comes to
WHOLE = {
    "informational replies before it": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + sized(b"{}"), b"{}"),
    "more than the length says": (sized(b"{}") + b"more", b"{}"),
    "no length": (OK + b"\r\n{}", b"{}"),
    "an encoding that nobody knows": (sized(b"{}", b"Content-Encoding: brotli, rot13"), b"{}"),
    "headers that are no UTF-8": (sized(b"{}", b"X-Odd: \xff\xfe\x80"), b"{}"),
    "NUL and no UTF-8 in the body": (sized(b"\0\xff{\xc3"), b"\0\xff{\xc3"),
    "gzip": (sized(gzip.compress(b"{}"), b"Content-Encoding: gzip"), b"{}"),
    "deflate": (sized(zlib.compress(b"{}"), b"Content-Encoding: deflate"), b"{}"),
}


@pytest.mark.parametrize(("said", "body"), WHOLE.values(), ids=WHOLE)
def test_an_odd_answer_that_is_whole_is_taken(said, body):
    reply = talk_to(says(said))
    assert (reply.status, reply.content) == (200, body)


def test_a_decompression_bomb_is_uncertain_and_takes_no_more_memory_than_the_limit(monkeypatch):
    monkeypatch.setattr(http, "MAX_REPLY", 100_000)
    bomb = talk_to(says(sized(BOMB, b"Content-Encoding: gzip")))
    assert isinstance(bomb, errors.UnreadableReply)
    assert judge(bomb.status, bomb) is Verdict.UNCERTAIN


def test_an_answer_that_trickles_has_a_time_limit_in_all_and_what_came_is_kept(monkeypatch):
    monkeypatch.setattr(http, "GRACE", 0.05)

    async def trickle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    late = talk_to(trickle, read_timeout=0.2)
    assert (type(late), late.code) == (errors.ProviderUnavailable, "read_timeout")
    assert set(partial(late).content) == {ord("x")}


def test_informational_replies_without_an_end_have_the_same_limit(monkeypatch):
    monkeypatch.setattr(http, "GRACE", 0.05)

    async def trickle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    late = talk_to(trickle, read_timeout=0.2)
    assert late.code == "read_timeout"
    assert judge(late.status, late) is Verdict.UNCERTAIN


def test_a_connection_that_closes_while_the_request_is_sent_proves_nothing():
    async def hang_up(reader, writer):
        await reader.readexactly(10)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    lost = talk_to(hang_up, content=b"x" * 20_000_000)
    assert isinstance(lost, errors.ProviderUnavailable)
    assert judge(lost.status, lost) is Verdict.UNCERTAIN


def test_an_answer_before_the_request_was_sent_in_full_is_that_answer_or_uncertain():
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    found = talk_to(refuse, content=b"x" * 20_000_000)
    if isinstance(found, errors.GenstepError):
        assert judge(found.status, found) is Verdict.UNCERTAIN
    else:
        assert found.status == 413
