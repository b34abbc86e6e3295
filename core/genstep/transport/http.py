"""One HTTP exchange: the only module that imports httpx (or httpx2, by ``GENSTEP_HTTP=httpx2``)."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from genstep.errors import (
    AssetError,
    ConfigurationError,
    GenstepError,
    NotSent,
    ProviderUnavailable,
    UnreadableReply,
)
from genstep.provider import Reply

if TYPE_CHECKING:
    import httpx

    from genstep.guard import Target
    from genstep.models import HttpOptions
else:
    _choice = os.environ.get("GENSTEP_HTTP", "httpx")
    if _choice == "httpx2":
        import httpx2 as httpx
    elif _choice == "httpx":
        # httpx loads its own command line where click and rich are there: 60 ms that no request needs
        _unused = "httpx._main" not in sys.modules
        if _unused:
            sys.modules["httpx._main"] = None
        import httpx

        if _unused:
            del sys.modules["httpx._main"]
    else:
        raise ConfigurationError(f"GENSTEP_HTTP is {_choice!r}; it takes httpx or httpx2")

#: no JSON reply is larger; a data URL of a 4k picture is about 30 MB
MAX_REPLY = 128 * 1024 * 1024
#: a reply may take its read timeout in all, and this many seconds beside it to connect and send the request
GRACE = 30.0
#: bytes a second that the slowest line sends
SLOWEST = 50_000

#: a proxy's refusal too: it answers the CONNECT that comes before any request
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. Headers may hold the key, so they are never shown."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    read_timeout: float | None = None


class Download(Protocol):
    """A file on its way: ``status``, ``length`` in bytes where announced, where it redirects to, and its chunks."""

    status: int
    location: str | None
    length: int | None
    media_type: str | None

    def chunks(self) -> AsyncIterator[bytes]: ...


class Http(Protocol):
    """The one seam for tests: real HTTP here, an app in memory there."""

    async def send(self, request: Request, *, fresh: bool) -> Reply: ...

    def download(self, target: Target, headers: Mapping[str, str]) -> Any: ...

    async def aclose(self) -> None: ...


@cache
def _tls(verify: bool | str) -> ssl.SSLContext:
    """One TLS context a process and setting: making one costs tens of milliseconds."""
    if isinstance(verify, str):
        folder = Path(verify).is_dir()
        return ssl.create_default_context(cafile=None if folder else verify, capath=verify if folder else None)
    return httpx.create_ssl_context(verify=verify)


class RealHttp:
    """httpx, with connections kept for free calls and a fresh one for each paid call; redirects are never followed."""

    def __init__(self, options: HttpOptions, *, tls: bool) -> None:
        self._options = options
        self._tls = tls
        self._kept: httpx.AsyncClient | None = None
        self._fresh: httpx.AsyncClient | None = None
        self._files: httpx.AsyncClient | None = None

    def _client(self, *, keep: bool, tls: bool) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=10 if keep else 0)
        try:
            verify: Any = _tls(self._options.verify) if tls else False
            return httpx.AsyncClient(
                verify=verify,
                proxy=self._options.proxy,
                limits=limits,
                follow_redirects=False,
                timeout=self._options.timeout,
            )
        except (httpx.InvalidURL, OSError, ValueError, TypeError, ImportError) as error:
            raise ConfigurationError(
                f"HTTP cannot be set up ({error}); check HttpOptions, and the proxy and certificate variables",
                charged=False,
            ) from None

    async def send(self, request: Request, *, fresh: bool) -> Reply:
        """The reply, or :class:`NotSent` where it certainly did not arrive, or :class:`ProviderUnavailable`."""
        if fresh:
            client = self._fresh = self._fresh or self._client(keep=False, tls=self._tls)
        else:
            client = self._kept = self._kept or self._client(keep=True, tls=self._tls)
        timeout = httpx.Timeout(self._options.timeout, read=request.read_timeout or self._options.timeout)
        try:
            outgoing = client.build_request(
                request.method,
                request.url,
                params=dict(request.params) or None,
                headers=dict(request.headers),
                content=request.content,
                timeout=timeout,
            )
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise NotSent(f"the address is not usable: {error}", code="invalid_url", charged=False) from None
        where = f"{outgoing.url.host}:{outgoing.url.port}" if outgoing.url.port else outgoing.url.host
        patience = request.read_timeout or self._options.timeout
        limit = patience + GRACE + len(request.content or b"") / SLOWEST
        came = _Coming()
        try:
            async with asyncio.timeout(limit):
                return await came.all_of(client, outgoing)
        except NEVER_SENT as error:
            why = str(error).strip() or type(error).__name__
            raise NotSent(f"{where} cannot be reached ({why})", code="not_sent", charged=False) from None
        except httpx.ReadTimeout:
            late = ProviderUnavailable(f"{where} did not answer within {patience:g} s", code="read_timeout")
            raise came.added_to(late) from None
        except TimeoutError:
            late = ProviderUnavailable(f"{where} had not answered in full after {limit:g} s", code="read_timeout")
            raise came.added_to(late) from None
        except GenstepError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever a server makes the library raise, the request was out)
            why = str(error).strip() or type(error).__name__
            broken = ProviderUnavailable(f"the connection to {where} broke ({why})", code="connection_lost")
            raise came.added_to(broken) from None

    @asynccontextmanager
    async def download(self, target: Target, headers: Mapping[str, str]) -> AsyncIterator[Download]:
        """Fetch a file from an address that was checked, with the name it was checked for; no key, no redirect."""
        client = self._files = self._files or self._client(keep=True, tls=True)
        named = f"[{target.host}]" if ":" in target.host else target.host
        usual = target.port == (443 if target.scheme == "https" else 80)
        sent = {"Host": named if usual else f"{named}:{target.port}", "Accept-Encoding": "identity", **headers}
        sni = {"sni_hostname": target.host} if target.scheme == "https" else {}
        reply, why = None, "no address"
        for address in target.addresses:
            host = f"[{address}]" if ":" in address else address
            url = f"{target.scheme}://{host}:{target.port}{target.path_and_query}"
            try:
                request = client.build_request("GET", url, headers=sent, extensions=sni)
                reply = await client.send(request, stream=True)
                break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = str(error).strip() or type(error).__name__
        if reply is None:
            raise AssetError(f"the result at {target.host} cannot be fetched ({why})", code="download")
        try:
            yield _File(reply)
        finally:
            await reply.aclose()

    async def aclose(self) -> None:
        for client in (self._kept, self._fresh, self._files):
            if client is not None:
                await client.aclose()


class _Coming:
    """A reply on its way: the decoded body, up to ``MAX_REPLY`` (a decompression bomb ends here)."""

    def __init__(self) -> None:
        self._head: tuple[int, dict[str, str]] | None = None
        self._parts: list[bytes] = []

    async def all_of(self, client: httpx.AsyncClient, outgoing: httpx.Request) -> Reply:
        reply = await client.send(outgoing, stream=True)
        try:
            self._head = reply.status_code, dict(reply.headers)
            size = 0
            async for part in reply.aiter_bytes():
                size += len(part)
                if size > MAX_REPLY:
                    raise UnreadableReply(
                        f"HTTP {reply.status_code}, a body of more than {MAX_REPLY // 2**20} MiB",
                        status=reply.status_code,
                        code="too_large",
                    )
                self._parts.append(part)
            return Reply(*self._head, b"".join(self._parts))
        finally:
            await reply.aclose()

    def added_to(self, error: GenstepError) -> GenstepError:
        """The error with what came before it; see :func:`partial`."""
        if self._head is not None:
            vars(error)["_partial"] = Reply(*self._head, b"".join(self._parts))
        return error


def partial(error: GenstepError) -> Reply | None:
    """What had come of a reply that broke off with ``error``; handed out once, for it may be large."""
    found: Reply | None = vars(error).pop("_partial", None)
    return found


class _File:
    def __init__(self, reply: httpx.Response) -> None:
        self._reply = reply
        self.status = reply.status_code
        self.location = reply.headers.get("location") if reply.status_code in (301, 302, 303, 307, 308) else None
        length = reply.headers.get("content-length", "")
        encoded = reply.headers.get("content-encoding", "identity") != "identity"
        self.length = int(length) if length.isdigit() and not encoded else None
        self.media_type = reply.headers.get("content-type", "").split(";")[0].strip().lower() or None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._reply.aiter_bytes(256 * 1024):
                yield part
        except httpx.HTTPError as error:
            why = str(error).strip() or type(error).__name__
            raise AssetError(f"the download broke off ({why})", code="download") from None
