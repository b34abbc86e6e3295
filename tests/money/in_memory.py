"""The sandbox server without sockets: a client's ``Http`` that calls the app, which goes on when its caller is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from email.utils import formatdate
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from genstep.errors import AssetError, ProviderUnavailable
from genstep.models import HttpOptions
from genstep.provider import Reply
from genstep.sandbox import media
from genstep.sandbox.server import App, Request, Response

if TYPE_CHECKING:
    from genstep.clock import Clock
    from genstep.guard import Target
    from genstep.transport.http import Request as Sent

PIECE = 64 * 1024


class InMemory:
    """``context`` is the server's own: what it starts for a request is no part of the client that sent it."""

    def __init__(self, app: App, clock: Clock, context: Context) -> None:
        self._app = app
        self._clock = clock
        self._context = context
        self._timeout = HttpOptions().timeout

    async def send(self, request: Sent, *, fresh: bool) -> Reply:
        parts = urlsplit(request.url)
        query = "&".join(part for part in (parts.query, urlencode(request.params)) if part)
        target = parts.path + (f"?{query}" if query else "")
        asked = Request(request.method, target, dict(request.headers), request.content or b"")
        response = await self._answer(asked, request.read_timeout or self._timeout)
        if response is None:
            raise ProviderUnavailable(f"{parts.netloc} did not answer in time", code="read_timeout")
        await self._clock.sleep(8 * response.drip)
        if response.drop or _is_cut(response):
            raise ProviderUnavailable(f"the connection to {parts.netloc} broke", code="connection_lost")
        return Reply(response.status, self._headers(response), response.body)

    @asynccontextmanager
    async def download(self, target: Target, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        response = await self._answer(Request("GET", target.path_and_query, dict(headers)), self._timeout)
        if response is None or response.drop:
            raise AssetError(f"the result at {target.host} cannot be fetched", code="download")
        yield Arriving(response, self._headers(response), self._clock)

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _answer(self, request: Request, patience: float) -> Response | None:
        """What the app says; None where it takes too long, and goes on all the same."""
        loop = asyncio.get_running_loop()
        answer = loop.create_task(self._app.handle(request), context=self._context)
        done, _ = await asyncio.wait({answer}, timeout=patience)
        return answer.result() if done else None

    def _headers(self, response: Response) -> dict[str, str]:
        date = formatdate(self._clock.time(), usegmt=True)
        return {"date": date, **{name.lower(): value for name, value in response.headers.items()}}


class Arriving:
    """A file on its way, as far as the response's ``cut`` lets it come."""

    def __init__(self, response: Response, headers: Mapping[str, str], clock: Clock) -> None:
        self._response = response
        self._clock = clock
        self.status = response.status
        self.location = headers.get("location") if response.status in (301, 302, 303, 307, 308) else None
        self.length: int | None = len(response.body)
        self.media_type = headers.get("content-type", "").partition(";")[0] or None

    async def chunks(self) -> AsyncIterator[bytes]:
        body = self._response.body[: self._response.cut]
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
            await self._clock.sleep(self._response.drip)
        if _is_cut(self._response):
            raise AssetError("the download broke off", code="download")


class OneOfEach:
    """The sandbox's own media, made once for each kind, size and format: a day is about money, not about pictures."""

    @cache  # noqa: B019  (one of these lives as long as its test)
    def _make(self, kind: str, options: tuple[tuple[str, Any], ...]) -> media.Media:
        return media.make(kind, "a day in the sandbox", **dict(options))

    def make(self, kind: str, prompt: str, *, seed: int = 0, **options: Any) -> media.Media:
        options.pop("image", None)
        return self._make(kind, tuple(sorted(options.items())))

    @cache  # noqa: B019
    def thumbnail(self, picture: bytes, side: int = 256) -> media.Media:
        return media.thumbnail(picture, side)

    def available(self, kind: str) -> str | None:
        return media.available(kind)


def _is_cut(response: Response) -> bool:
    return response.cut is not None and response.cut < len(response.body)
