"""Drives the sandbox's services in memory and in virtual time, with media that take no time to make."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from genstep.sandbox.server import App, Control, Request, Response

T = TypeVar("T")
START = 1_800_000_000.0
BASE = "http://sandbox.test"
KEYS = {
    "conceptviz": "cvk_fakefakefake3fa9",
    "nanobanana": "fakefakefakefake",
    "imaginelab": "ilab_key_fakefake",
    "aivisualstudio": "avs_live_fakefakefake",
    "imageapi": "sk_fakefakefakefake",
}


class VirtualClock:
    """Time that only passes when nothing else can go on."""

    def __init__(self) -> None:
        self.now = START
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + max(0.0, seconds), self._count, woken))
        await woken

    async def run(self, work: Awaitable[T]) -> T:
        """Return what `work` returns, letting time pass whenever everybody sleeps."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await self._settle()
            if not task.done():
                self._wake(self._sleepers[0][0])
        return task.result()

    async def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass."""
        until = self.now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._wake(self._sleepers[0][0])
            await self._settle()
        self.now = until
        await self._settle()

    def _wake(self, at: float) -> None:
        self.now = max(self.now, at)
        _, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            woken.set_result(None)

    async def _settle(self) -> None:
        for _ in range(25):
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Made:
    data: bytes
    media_type: str
    extension: str = ""
    width: int | None = None
    height: int | None = None
    duration: float | None = None


TYPES = {"image": "image/png", "infographic": "image/png", "video": "video/mp4", "model3d": "model/gltf-binary"}


class Makers:
    """Media that say what they were asked for."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def make(self, kind: str, prompt: str, *, seed: int = 0, **options: Any) -> Made:
        self.made.append(prompt)
        wanted = options.get("output_format")
        media_type = f"image/{wanted}" if wanted else TYPES.get(kind, "audio/wav")
        data = json.dumps([kind, prompt, seed, dict(sorted(options.items()))]).encode()
        return Made(data, media_type, "", options.get("width"), options.get("height"), options.get("duration"))

    def thumbnail(self, picture: bytes, side: int = 256) -> Made:
        return Made(b"small " + picture[:8], "image/jpeg", ".jpg", side, side)

    def available(self, kind: str) -> str | None:
        return None


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes
    response: Response = field(repr=False)

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json", self.body
        return json.loads(self.body)


class Drive:
    """One app in memory; calls go to `slug` with its fake key unless another is given (None sends none)."""

    def __init__(self, slug: str = "conceptviz", **options: Any) -> None:
        self.slug = slug
        self.key = KEYS[slug]
        self.clock = VirtualClock()
        self.makers = Makers()
        self.runner = asyncio.Runner()
        options.setdefault("makers", self.makers)
        self.app = App(clock=self.clock, base=BASE, **options)
        self.control = Control(self.app)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.runner.run(self.app.close())
        self.runner.close()

    def run(self, work: Awaitable[T]) -> T:
        return self.runner.run(self.clock.run(work))

    def wait(self, seconds: float) -> None:
        self.runner.run(self.clock.pass_by(seconds))

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Request:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.key if key == "" else key
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if isinstance(body, dict | list):
            body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        target = path.removeprefix(BASE) if path.startswith("http") else f"/{self.slug}/api/v1{path}"
        return Request(method, target, sent, body or b"")

    async def handle(self, request: Request) -> Reply:
        response = await self.app.handle(request)
        return Reply(response.status, response.headers, response.body, response)

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Reply:
        return self.run(self.handle(self.request(method, path, body, key=key, **headers)))

    def get(self, path: str, *, key: str | None = "", **headers: str) -> Reply:
        return self.send("GET", path, key=key, **headers)

    def post(self, path: str, body: Any, *, key: str | None = "", **headers: str) -> Reply:
        return self.send("POST", path, body, key=key, **headers)

    def form(self, path: str, **fields: str) -> Reply:
        kind = "application/x-www-form-urlencoded"
        return self.send("POST", path, urlencode(fields).encode(), key=None, Content_Type=kind)

    def together(self, *requests: Request) -> list[Reply]:
        async def work() -> list[Reply]:
            return list(await asyncio.gather(*(self.handle(request) for request in requests)))

        return self.run(work())
