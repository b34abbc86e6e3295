"""HTTP/1.1 on asyncio streams: reads requests, writes responses, and goes wrong on the wire where a fault says so.

Content-Length and chunked bodies, keep-alive, HEAD, ``Expect: 100-continue``, limits on head, body and idle time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

from genstep.sandbox.server.messages import Request, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.clock import Clock

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 48 * 1024 * 1024
IDLE_SECONDS = 75.0
PIECE = 64 * 1024

Handle = Callable[[Request], Awaitable[Response]]
Sent = Callable[[Request, str], None]


class ProtocolError(Exception):
    """The bytes are no HTTP request that we take; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request on a connection, or None when the peer has closed it; :class:`ProtocolError` if bad."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise ProtocolError(431, "the request's head is too large") from None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1]:
        raise ProtocolError(400, "the first line is no HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError(400, "a header line is malformed")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    peer = writer.get_extra_info("peername")
    body = await _body(reader, headers)
    return Request(words[0].upper(), words[1], headers, body, peer[0] if peer else "")


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    coding = headers.get("transfer-encoding", "").lower()
    length = headers.get("content-length")
    if coding:
        if coding != "chunked" or length is not None:
            raise ProtocolError(400, "only a chunked transfer encoding, without Content-Length, is understood")
        return await _chunks(reader)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise ProtocolError(400, "Content-Length is not a number")
    if int(length) > BODY_LIMIT:
        raise ProtocolError(413, f"the body is larger than {BODY_LIMIT} bytes")
    return await reader.readexactly(int(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = (await reader.readuntil(b"\r\n")).partition(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise ProtocolError(400, "a chunk's size is not a number") from None
        if size < 0 or len(body) + size > BODY_LIMIT:
            raise ProtocolError(413, f"the body is larger than {BODY_LIMIT} bytes")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ProtocolError(400, "a chunk does not end where it says")


async def turns() -> None:
    """Let the loop do what it has already begun."""
    for _ in range(8):
        await asyncio.sleep(0)


class Connections:
    """All open connections of one listener, each served by `handle`, one request after the other.

    `sent(request, "half" | "sent")` is called when half of a reply, and all of it, was handed to the socket; without
    `watched()` being true no reply is halved for it.
    """

    def __init__(self, handle: Handle, clock: Clock, *, sent: Sent, watched: Callable[[], bool]) -> None:
        self._handle = handle
        self._clock = clock
        self._sent = sent
        self._watched = watched
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it; the callback of ``asyncio.start_server``."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # the client went away in the middle, which is its right
        except asyncio.CancelledError:
            pass  # the server is closing
        finally:
            self._open.discard(task)
            writer.close()

    async def close(self) -> None:
        """Close every connection, whatever it is doing; the listener has been closed before."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns()  # closing a socket is the loop's own next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_alive = True
        while keep_alive:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    request = await read_request(reader, writer)
            except ProtocolError as wrong:
                await self._refuse(writer, wrong)
                return
            if request is None:
                return
            keep_alive = request.headers.get("connection", "").lower() != "close"
            response = await self._handle(request)
            keep_alive = await self._write(writer, request, response, keep_alive=keep_alive)

    async def _refuse(self, writer: asyncio.StreamWriter, wrong: ProtocolError) -> None:
        response = Response.text(f"{wrong}\n", wrong.status)
        writer.write(response.head(keep_alive=False, date=self._date()) + response.body)
        await writer.drain()

    async def _write(
        self, writer: asyncio.StreamWriter, request: Request, response: Response, *, keep_alive: bool
    ) -> bool:
        if response.drop:
            writer.transport.abort()
            return False
        keep_alive = keep_alive and response.cut is None
        head = response.head(keep_alive=keep_alive, date=self._date())
        body = response.body if request.method != "HEAD" and response.status not in (204, 304) else b""
        if response.cut is not None:
            body = body[: response.cut]
        if response.drip:
            await self._drip(writer, head, body, response.drip)
        elif self._watched():
            half = len(body) // 2
            writer.write(head + body[:half])
            await writer.drain()
            self._sent(request, "half")
            writer.write(body[half:])
            await writer.drain()
        else:
            writer.write(head + body[:PIECE])
            for start in range(PIECE, len(body), PIECE):
                await writer.drain()
                writer.write(body[start : start + PIECE])
            await writer.drain()
        self._sent(request, "sent")
        return keep_alive

    async def _drip(self, writer: asyncio.StreamWriter, head: bytes, body: bytes, seconds: float) -> None:
        writer.write(head)
        step = max(1, -(-len(body) // 8))
        for start in range(0, len(body), step):
            writer.write(body[start : start + step])
            await writer.drain()
            await self._clock.sleep(seconds)

    def _date(self) -> str:
        return formatdate(self._clock.time(), usegmt=True)
