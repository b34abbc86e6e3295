"""A service in memory that keeps the rate limit and the jobs' durations: ConceptViz's and AI Visual Studio's dialects.

It is small, so that the CPU time measured beside it is the client's; what it uses itself is in ``cpu``.
"""

import json
import math
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import islice
from typing import Any

from genstep import Account
from genstep.provider import Reply
from genstep.sandbox.server.state import Window
from genstep.testing import VirtualClock
from genstep.testing.service import sample

#: no loopback: a client asks a test server of its own machine sooner. It is an address, so nobody looks it up.
ORIGIN = "https://10.20.30.40"
MEDIAN, SIGMA = 52.0, 0.43  # of the seconds that a job takes: four of five are within 30 to 90


def durations(count: int, seed: int = 0) -> list[float]:
    """The same seconds of jobs for everyone."""
    chance = random.Random(seed)
    return [chance.lognormvariate(math.log(MEDIAN), SIGMA) for _ in range(count)]


def account(provider: str, **more: Any) -> Account:
    key = {"conceptviz": "cvk_bench_fake", "aivisualstudio": "avs_live_bench_fake"}[provider]
    return Account(provider=provider, api_key=key, base_url=f"{ORIGIN}/api/v1", **more)


@dataclass(slots=True)
class Job:
    id: str
    created: float
    due: float
    prompt: str


class Service:
    """The ``Http`` that a client is given. ``status`` counts the requests for one job or for a list of them.

    A job's ``takes`` are used in the order of the submits. With ``fails`` each job ends as failed, so nothing is saved.
    """

    def __init__(
        self,
        takes: list[float],
        *,
        per_minute: int | None = None,
        fails: bool = False,
        clock: VirtualClock | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.jobs: dict[str, Job] = {}
        self.submits = self.status = self.refused = 0
        self.cpu = 0.0
        self.takes = takes
        self._fails = fails
        self._limit = per_minute or 1_000_000
        self._window = Window(60.0)

    # -- what a client sees ---------------------------------------------------------------------------------------

    async def send(self, request: Any, *, fresh: bool) -> Reply:
        return self.answer(
            request.method, request.url.removeprefix(f"{ORIGIN}/api/v1"), request.params, request.content
        )

    def answer(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        began = time.thread_time()
        now = self.clock.time()
        if method == "GET":
            self.status += 1
        if self._window.take(now, self._limit):
            status, said = self._said(method, path, params or {}, body, now)
        else:
            self.refused += 1
            status, said = 429, {"error": {"code": "rate_limited", "message": "Too many requests"}}
        headers = {
            "content-type": "application/json",
            "date": formatdate(now, usegmt=True),
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(self._window.left(now, self._limit)),
            "x-ratelimit-reset": str(math.ceil(self._window.closes(now))),
        }
        reply = Reply(status, headers, json.dumps(said).encode())
        self.cpu += time.thread_time() - began
        return reply

    @asynccontextmanager
    async def download(self, target: Any, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        yield _File()

    async def aclose(self) -> None:
        """Nothing to close."""

    # -- the two dialects -----------------------------------------------------------------------------------------

    def _said(
        self, method: str, path: str, params: Mapping[str, str], body: bytes | None, now: float
    ) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            job = self.submit(json.loads(body or b"{}").get("prompt", ""), now)
            if path == "/generate":
                return 200, {"taskId": job.id, "status": "pending", "credits_used": 1, "credits_remaining": 1000}
            return 200, {**self.record(job, now), "credits_charged": 5}
        if path.startswith("/task/"):
            return 200, self._task(self.jobs[path.removeprefix("/task/")], now)
        if path.startswith("/generations/"):
            return 200, self.record(self.jobs[path.removeprefix("/generations/")], now)
        if path == "/generations":
            return 200, self._page(params, now)
        return 404, {"error": {"code": "not_found", "message": f"nothing is at {path}"}}

    def submit(self, prompt: str, now: float) -> Job:
        number = self.submits
        self.submits += 1
        job = Job(f"gen_{number:06}", now, now + self.takes[number], prompt)
        self.jobs[job.id] = job
        return job

    def record(self, job: Job, now: float) -> dict[str, Any]:
        done = now >= job.due
        return {
            "id": job.id,
            "type": "image",
            "status": "processing" if not done else "failed" if self._fails else "completed",
            "prompt": job.prompt,
            "output_url": f"{ORIGIN}/files/{job.id}.png" if done and not self._fails else None,
            "created_at": _stamp(job.created),
            "completed_at": _stamp(job.due) if done else None,
        }

    def _task(self, job: Job, now: float) -> dict[str, Any]:
        if now < job.due:
            return {"status": "processing"}
        return {"status": "completed", "images": [{"url": f"{ORIGIN}/files/{job.id}.png", "prompt": job.prompt}]}

    def _page(self, params: Mapping[str, str], now: float) -> dict[str, Any]:
        """Newest first, ``limit`` from ``offset`` on, of one status where that is asked for."""
        wanted = params.get("status")
        found = list(reversed(self.jobs.values()))
        if wanted:
            found = [job for job in found if (now < job.due) == (wanted == "processing")]
        start, size = int(params.get("offset", 0)), int(params.get("limit", 20))
        rows = [self.record(job, now) for job in islice(found, start, start + size)]
        return {"data": rows, "total": len(found)}


class _File:
    status = 200
    location = None
    media_type = "image/png"

    def __init__(self) -> None:
        self.content = sample("image")
        self.length = len(self.content)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.content


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
