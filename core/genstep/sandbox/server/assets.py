"""The files that generations made: signed URLs that expire, and media made when somebody asks for them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from genstep.sandbox.server.fields import digits
from genstep.sandbox.server.files import refusal, whole_or_range
from genstep.sandbox.server.state import masked

if TYPE_CHECKING:
    from genstep.sandbox.server.messages import Request, Response

CACHE_BYTES = 96 * 1024 * 1024
ASSETS_KEPT = 100_000


class Made(Protocol):
    """What the media makers return."""

    @property
    def data(self) -> bytes: ...

    @property
    def media_type(self) -> str: ...

    @property
    def extension(self) -> str: ...

    @property
    def width(self) -> int | None: ...

    @property
    def height(self) -> int | None: ...

    @property
    def duration(self) -> float | None: ...


class Makers(Protocol):
    """What ``genstep.sandbox.media`` offers."""

    @property
    def make(self) -> Callable[..., Made]: ...

    def thumbnail(self, picture: bytes, side: int = 256) -> Made: ...

    def available(self, kind: str) -> str | None: ...


@dataclass(frozen=True)
class Spec:
    """What a file shows: the arguments of ``media.make``, or a thumbnail of another file."""

    kind: str
    prompt: str
    seed: int
    options: tuple[tuple[str, Any], ...] = ()
    thumbnail_of: str = ""


@dataclass(frozen=True)
class Facts:
    """What replies say of a file: bytes, type, sides in pixels. Kept when the file itself has left the cache."""

    size: int
    media_type: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class Asset:
    """One file: its id and name in the URL, and how it is made when somebody asks for it."""

    id: str
    name: str
    spec: Spec


@dataclass
class AssetRequest:
    """One request for a file, for tests of what clients send to an asset host; a key is kept masked."""

    name: str
    method: str
    status: int
    authorization: str | None


@dataclass
class AssetStore:
    """Every file of the server, made on first use and kept in a cache of bounded size.

    `executor` None makes media on the caller's thread, which virtual time needs. `lifetime` is in real seconds.
    """

    now: Callable[[], float]
    makers: Makers
    lifetime: float
    executor: Executor | None = None
    base: str = ""
    gone: set[str] = field(default_factory=set)
    requests: deque[AssetRequest] = field(default_factory=lambda: deque(maxlen=10_000))
    _assets: OrderedDict[str, Asset] = field(default_factory=OrderedDict)
    _cache: OrderedDict[Spec, Made] = field(default_factory=OrderedDict)
    _facts: dict[Spec, Facts] = field(default_factory=dict)
    _making: dict[Spec, asyncio.Future[Made]] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def add(self, name: str, kind: str, prompt: str, *, seed: int, thumbnail_of: str = "", **options: Any) -> Asset:
        """Register a file without making it; `options` are those of ``media.make``."""
        given = tuple(sorted((key, value) for key, value in options.items() if value is not None))
        asset = Asset(secrets.token_hex(8), name, Spec(kind, _printable(prompt), seed, given, thumbnail_of))
        self._assets[asset.id] = asset
        if len(self._assets) > ASSETS_KEPT:
            self._assets.popitem(last=False)
        return asset

    def url(self, asset: Asset) -> str:
        """Return the file's URL, absolute and signed, good from now for the lifetime of links."""
        expires = int(self.now() + self.lifetime) + 1
        return f"{self.base}/assets/{asset.id}/{asset.name}?expires={expires}&signature={self._sign(asset.id, expires)}"

    async def media(self, asset: Asset) -> Made:
        """Return the file itself, from the cache or made now; two who ask at once share the making."""
        return await self._media(asset.spec)

    async def facts(self, asset: Asset) -> Facts:
        """Return what is known of a file, which is made once for that."""
        if asset.spec not in self._facts:
            await self._media(asset.spec)
        return self._facts[asset.spec]

    async def _media(self, spec: Spec) -> Made:
        if spec in self._cache:
            self._cache.move_to_end(spec)
            return self._cache[spec]
        if spec not in self._making:
            self._making[spec] = asyncio.ensure_future(self._make(spec))
            self._making[spec].add_done_callback(lambda _: self._making.pop(spec, None))
        return await asyncio.shield(self._making[spec])

    async def _make(self, spec: Spec) -> Made:
        options = dict(spec.options)
        if spec.thumbnail_of:
            source = await self._media(self._assets[spec.thumbnail_of].spec)
            made = await self._run(lambda: self.makers.thumbnail(source.data, 256))
        else:
            made = await self._run(lambda: self.makers.make(spec.kind, spec.prompt, seed=spec.seed, **options))
        self._cache[spec] = made
        self._facts[spec] = Facts(len(made.data), made.media_type, made.width, made.height)
        while len(self._cache) > 1 and sum(len(m.data) for m in self._cache.values()) > CACHE_BYTES:
            self._cache.popitem(last=False)
        return made

    async def _run(self, work: Callable[[], Made]) -> Made:
        if self.executor is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def text(self, prompt: str, seed: int) -> str:
        """Return a text that a reply carries itself; it is no file."""
        return self.makers.make("text", _printable(prompt), seed=seed).data.decode()

    def expire_all(self) -> None:
        """Let every file that there is be gone."""
        self.gone.update(self._assets)

    async def handle(self, request: Request) -> Response:
        """Answer GET and HEAD of a file, whole or a range; anything else is an XML error, as at object stores."""
        response = await self._answer(request)
        sent = request.headers.get("authorization")
        shown = None if sent is None else masked(request.bearer or sent)
        self.requests.append(AssetRequest(request.path.rpartition("/")[2], request.method, response.status, shown))
        return response

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return refusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        match = re.fullmatch(r"/assets/([0-9a-f]+)/([^/]+)", request.path)
        asset = self._assets.get(match[1]) if match else None
        if match is None or asset is None or asset.name != match[2]:
            return refusal(404, "NoSuchKey", "The specified key does not exist.")
        expires = digits(request.query.get("expires", "")) or 0
        signature = request.query.get("signature", "").encode("utf-8", "replace")
        if not hmac.compare_digest(self._sign(asset.id, expires).encode(), signature):
            return refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if self.now() >= expires or asset.id in self.gone:
            return refusal(403, "AccessDenied", "Request has expired")
        return whole_or_range(request, await self.media(asset))

    def _sign(self, id: str, expires: int) -> str:
        return hmac.new(self._secret, f"{id}.{expires}".encode(), hashlib.sha256).hexdigest()[:32]


def _printable(text: str) -> str:
    # JSON can carry half of a surrogate pair, which no font and no encoder takes.
    return text.encode("utf-8", "replace").decode()
