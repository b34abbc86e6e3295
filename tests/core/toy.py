"""A toy service in memory for tests of the client: what it does next is scripted, what it charged is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import genstep
from genstep import plugins
from genstep.errors import NotSent, ProviderUnavailable
from genstep.provider import Reply
from genstep.transport.http import Request

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f0005000"
    "1ffa1a3d7a10000000049454e44ae426082"
)


class Toy(genstep.Provider):
    slug = "toy"
    title = "Toy"
    base_url = "https://toy.example/api"
    capabilities = genstep.Capabilities(
        {
            "image": genstep.KindSpec(
                fields={
                    "aspect_ratio": genstep.Field(ratio=True),
                    "quality": genstep.Field(values=("low", "high"), default="low"),
                    "seed": genstep.Field(integer=True),
                    "image": genstep.Field(),
                },
                batch=4,
            )
        },
        cancel=True,
        delete=True,
    )

    def price(self, request):
        return 5.0 * request.n

    def group(self, request):
        return request.quality

    def submit(self, request):
        return self.submit_batch([request] * request.n)

    def submit_batch(self, requests):
        reply = yield genstep.Paid("/make", json={"prompts": [request.prompt for request in requests]})
        return genstep.Accepted(reply["id"], credits=reply["credits"], balance=reply.get("left"))

    def poll(self, job_id):
        reply = yield genstep.Get(f"/jobs/{job_id}")
        if reply["status"] == "failed":
            return genstep.Failed("it broke", code="BROKE", refunded=reply["refunded"])
        if reply["status"] != "completed":
            return genstep.Running(reply.get("progress"), reply["status"])
        outputs = tuple(genstep.Output(url=url, item=i) for i, url in enumerate(reply["urls"]))
        return genstep.Completed(outputs)

    def cancel(self, job_id):
        yield genstep.Delete(f"/jobs/{job_id}")
        return True

    def error(self, call, reply):
        if reply.status == 403 and reply.data.get("code") == "BATCH":
            return genstep.BatchTooLarge("too many", status=403, limit=reply.data.get("limit"))
        if reply.data.get("code") == "REFUNDED":
            return genstep.GenerationFailed("refunded", refunded=True, charged=False, status=reply.status)
        return super().error(call, reply)


class BlockingToy(Toy):
    slug = "blockingtoy"
    capabilities = genstep.Capabilities({"image"}, blocking=True)

    submit_batch = None

    def submit(self, request):
        reply = yield genstep.Paid("/now", json={"prompt": request.prompt}, read_timeout=900)
        return genstep.Completed((genstep.Output(url=reply["url"]),), credits=5)


class BatchToy(BlockingToy):
    """Refuses the second of three items for its rate, the first time."""

    slug = "batchtoy"
    capabilities = genstep.Capabilities({"image"}, blocking=True, batch=4)

    def submit(self, request):
        reply = yield genstep.Paid("/batch", json={"items": request.n})
        slow = genstep.RateLimited("Rate limit exceeded", retry_after=20)
        return genstep.Completed(
            tuple(genstep.Output(url=url, item=i) for i, url in enumerate(reply["urls"]) if url),
            tuple(genstep.ItemFailure(i, slow) for i, url in enumerate(reply["urls"]) if not url),
            credits=5,
        )


def register() -> None:
    plugins.registry().found.setdefault("batchtoy", BatchToy)
    plugins.registry().found.setdefault("toy", Toy)
    plugins.registry().found.setdefault("blockingtoy", BlockingToy)


@dataclass
class Service:
    """The service behind :class:`Toy`; ``script`` answers come first: a Reply, an exception, or a callable."""

    clock: Any
    duration: float = 40.0
    script: list[Any] = field(default_factory=list)
    poll_script: list[Any] = field(default_factory=list)
    jobs: dict[str, tuple[float, list[str]]] = field(default_factory=dict)
    charged: list[float] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    downloads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    download_script: list[Any] = field(default_factory=list)
    fail: bool = False
    bodies: list[bytes] = field(default_factory=list)
    before_reply: Callable[[], Any] | None = None
    headers: list[dict[str, str]] = field(default_factory=list)

    async def send(self, request: Request, *, fresh: bool) -> Reply:
        path = request.url.removeprefix("https://toy.example/api")
        self.seen.append((request.method, path))
        self.headers.append(dict(request.headers))
        script = self.script if request.method == "POST" else self.poll_script
        if script:
            step = script.pop(0)
            if callable(step) and not isinstance(step, type):
                step = step(self, request)
            if isinstance(step, Exception):
                raise step
            if step is not None:
                return step
        if path == "/batch":
            self.bodies.append(request.content)
            wanted = json.loads(request.content)["items"]
            urls = [f"https://toy.example/files/{len(self.bodies)}-{i}.png" for i in range(wanted)]
            return answer({"urls": [None if wanted == 3 and i == 1 else url for i, url in enumerate(urls)]})
        if request.method == "POST":
            prompts = json.loads(request.content)
            return await self.accept(prompts.get("prompts") or [prompts["prompt"]], path)
        if request.method == "DELETE":
            return answer({})
        job = self.jobs[path.rpartition("/")[2]]
        if self.clock.time() < job[0]:
            return answer({"status": "processing", "progress": 0.5})
        if self.fail:
            return answer({"status": "failed", "refunded": True})
        return answer({"status": "completed", "urls": [f"https://toy.example/files/{p}.png" for p in job[1]]})

    async def accept(self, prompts: list[str], path: str) -> Reply:
        self.charged.append(5.0 * len(prompts))
        number = f"job{len(self.charged)}"
        self.jobs[number] = (self.clock.time() + self.duration, [f"{number}-{i}" for i in range(len(prompts))])
        if self.before_reply is not None:
            await self.before_reply()
        if path == "/now":
            await self.clock.sleep(self.duration)
            return answer({"url": f"https://toy.example/files/{number}.png"})
        return answer({"id": number, "credits": self.charged[-1], "left": 100 - sum(self.charged)})

    @asynccontextmanager
    async def download(self, target: Any, headers: Any):
        self.downloads.append((target.path_and_query, dict(headers)))
        step = self.download_script.pop(0) if self.download_script else None
        yield step or File(PNG)

    async def aclose(self) -> None:
        pass


@dataclass
class File:
    data: bytes
    status: int = 200
    media_type: str | None = "image/png"
    location: str | None = None
    announced: int | None = None

    @property
    def length(self) -> int:
        return len(self.data) if self.announced is None else self.announced

    async def chunks(self):
        yield self.data


def answer(data: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"content-type": "application/json", **headers}, json.dumps(data).encode())


def lost(_service: Service, _request: Request) -> Exception:
    """The service took the call, and its answer never came."""
    _service.charged.append(5.0)
    return ProviderUnavailable("the connection broke", code="connection_lost")


def not_sent(_service: Service, _request: Request) -> Exception:
    return NotSent("connection refused", charged=False)
