"""The sandbox without sockets: one ``await app.handle(request)`` routes, applies faults, paces and logs.

All waiting goes through the injected clock, so a test can drive the five services in virtual time, in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from genstep.sandbox import media
from genstep.sandbox.server.aivisualstudio.service import AIVisualStudio
from genstep.sandbox.server.assets import AssetStore, Makers
from genstep.sandbox.server.calls import Call, Service
from genstep.sandbox.server.clock import Clock, RealClock
from genstep.sandbox.server.conceptviz import ConceptViz
from genstep.sandbox.server.control.pages import ControlPages
from genstep.sandbox.server.faults import Fault, Faults, faulty
from genstep.sandbox.server.imageapi.service import ImageAPI
from genstep.sandbox.server.imaginelab.service import ImagineLab
from genstep.sandbox.server.jobs import Jobs
from genstep.sandbox.server.messages import Refusal, Request, Response
from genstep.sandbox.server.nanobanana.service import NanoBanana
from genstep.sandbox.server.state import State
from genstep.sandbox.server.webhooks import Deliveries, Send, post

SERVICES: tuple[type[Service], ...] = (ConceptViz, NanoBanana, ImagineLab, AIVisualStudio, ImageAPI)
LINK_SECONDS = 3600.0
TOKEN_SECONDS = 3600.0
REQUESTS_KEPT = 10_000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """A moment of one request: ``received``, ``accepted`` (charged), ``half`` or ``sent`` (of the reply)."""

    name: str
    slug: str
    endpoint: str
    method: str
    path: str
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Logged:
    """One line of the request log; the path is without its query, `milliseconds` are the server's own."""

    time: float
    slug: str
    account: str
    endpoint: str
    method: str
    path: str
    status: int
    milliseconds: float


class App:
    """The five services, their files and the control pages on one origin.

    `speed` divides durations, rate windows and lifetimes; `seed` decides durations and media; `settings` are defaults
    of accounts by slug, e.g. ``{"conceptviz": {"credits": 5}}``; `long_side` caps the pixels of what is made;
    `link_seconds` and `token_seconds` are nominal, as are all durations (by default an hour, and never under 30 real
    seconds). Deliveries of webhooks go to loopback and
    `webhook_hosts` alone.
    """

    state: State
    assets: AssetStore
    jobs: Jobs
    deliveries: Deliveries

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int = 0,
        clock: Clock | None = None,
        base: str = "http://sandbox.invalid",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        link_seconds: float | None = None,
        token_seconds: float | None = None,
        long_side: int | None = None,
        webhook_secret: str | None = None,
        webhook_hosts: frozenset[str] = frozenset(),
        makers: Makers = media,
        send: Send = post,
        executor: Executor | None = None,
    ) -> None:
        if not speed > 0:
            raise ValueError("speed is a number above 0")
        self.clock = clock or RealClock()
        self.speed = speed
        self.seed = seed
        self.base = self.asset_base = base
        self.long_side = long_side
        self.webhook_hosts = webhook_hosts
        self.webhook_secret = webhook_secret
        self.send = send
        # A link or token that dies within a second of its birth would test the machine and not the client.
        lifetime = max(LINK_SECONDS / speed, 30.0) if link_seconds is None else link_seconds / speed
        self.token_seconds = max(TOKEN_SECONDS / speed, 30.0) if token_seconds is None else token_seconds / speed
        self.makers = makers
        self._files = (makers, lifetime, executor)
        self.faults = Faults(seed)
        self.on_event: Callable[[Event], None] | None = None
        self.services: dict[str, Service] = {}
        self._given = {slug: dict(values) for slug, values in (settings or {}).items()}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget every account, job, charge, file, fault and request; what was handed out before is unknown."""
        if self.services:
            self.jobs.abandon()
        self.settings = {slug: dict(values) for slug, values in self._given.items()}
        self.state = State(self.clock.time, webhook_secret=self.webhook_secret)
        self.assets = AssetStore(self.clock.time, *self._files, base=self.asset_base)
        self.jobs = Jobs(self)
        self.deliveries = Deliveries(self)
        self.requests: deque[Logged] = deque(maxlen=REQUESTS_KEPT)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.faults.clear()
        self.services = {service.slug: service(self) for service in SERVICES}
        for slug, given in self.settings.items():
            self.check_settings(slug, given)
        self.pages = ControlPages(self)

    def place(self, base: str, asset_base: str) -> None:
        """Say where the origin, and that of the files, is: known once the ports are bound."""
        self.base = base
        self.asset_base = self.assets.base = asset_base

    def side(self, pixels: int) -> int:
        """Return the long side of a picture, no more than the server's cap."""
        return pixels if self.long_side is None else min(pixels, self.long_side)

    def check_settings(self, slug: str, names: Iterable[str]) -> None:
        """Raise ValueError unless accounts of that service have settings of these names."""
        if slug not in self.services:
            raise ValueError(f"no service is called {slug!r}; there are {', '.join(self.services)}")
        known = {"credits", *self.services[slug].settings}
        for name in names:
            if name not in known:
                raise ValueError(f"{slug} has no setting {name!r}; it has {', '.join(sorted(known))}")

    async def handle(self, request: Request) -> Response:
        """Answer one request to any path of the origin."""
        slug = request.path.split("/", 2)[1]
        if slug not in self.services and slug != "assets":
            return await self.pages.handle(request)
        call = Call(slug, request, self.clock.time())
        self.state.settle()
        try:
            self.event("received", call)
            response = await (self._serve(call) if slug in self.services else self._asset(call))
        except Exception:
            log.exception("the sandbox failed to answer %s %s", request.method, request.path)
            service = self.services.get(slug)
            response = service.error(500, "Internal error") if service else Response.text("Internal error\n", 500)
        self._note(call, response)
        return response

    async def handle_asset(self, request: Request) -> Response:
        """Answer a request on the port that has the files alone."""
        if request.path.startswith("/assets/"):
            return await self.handle(request)
        return Response.text("Not found\n", 404)

    def event(self, name: str, call: Call) -> None:
        """Tell the hook of a moment in a call."""
        if self.on_event is not None:
            jobs = tuple(job.id for job in call.jobs)
            self.on_event(Event(name, call.slug, call.endpoint, call.request.method, call.request.path, jobs))

    def sent(self, request: Request, name: str) -> None:
        """Tell the hook how much of a reply is on the wire."""
        call = Call(request.path.split("/", 2)[1], request, 0.0)
        service = self.services.get(call.slug)
        if self.on_event is not None and service is not None:
            with contextlib.suppress(Refusal):
                service.find(call)
            self.event(name, call)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the calls, if there is still a loop to run it on."""
        try:
            self.spawn(work)
        except RuntimeError:
            work.close()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something that ends with the app at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Stop what runs beside the calls."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, call: Call) -> Response:
        service = self.services[call.slug]
        try:
            route = service.find(call)
        except Refusal as refused:
            refused.response.headers.update(service.headers(call))
            return refused.response

        async def answer() -> Response:
            response = await service.handle(call, route)
            response.headers.update(service.headers(call))
            return response

        def dialect(status: int) -> Response:
            response = service.error(status, "Too many requests" if status == 429 else "Service unavailable")
            response.headers.update(service.headers(call))
            return response

        return await self._faulted(call, answer, dialect)

    async def _asset(self, call: Call) -> Response:
        call.endpoint = "asset"

        async def answer() -> Response:
            return await self.assets.handle(call.request)

        return await self._faulted(call, answer, lambda status: Response.text("Service Unavailable\n", status))

    async def _faulted(
        self, call: Call, answer: Callable[[], Coroutine[Any, Any, Response]], dialect: Callable[[int], Response]
    ) -> Response:
        fault = self.faults.request(call)
        if fault is None:
            response = await answer()
            fault = self.faults.reply(call) if response.status < 400 else None
            if fault is None:
                return response
            await self._delay(fault)
            return faulty(fault, response, dialect(fault.status or 503))
        await self._delay(fault)
        if fault.kind in ("late", "cut", "drip"):
            return faulty(fault, await answer(), dialect(503))
        if fault.when == "during":
            running = self.spawn(answer())
            accepted = self.spawn(call.accepted.wait())
            await asyncio.wait({running, accepted}, return_when=asyncio.FIRST_COMPLETED)
            accepted.cancel()
            if not call.accepted.is_set():
                refused: Response = running.result()
                return refused
        refusal = dialect(fault.status or 503)
        return faulty(fault, refusal, refusal)

    async def _delay(self, fault: Fault) -> None:
        if fault.kind == "late":
            await self.clock.sleep(fault.seconds)

    def _note(self, call: Call, response: Response) -> None:
        account = call.account.label if call.account else ""
        took = (self.clock.time() - call.started) * 1000
        status = 0 if response.drop else response.status
        request = call.request
        self.requests.append(
            Logged(call.started, call.slug, account, call.endpoint, request.method, request.path, status, took)
        )
        self.counts[call.slug, call.endpoint] += 1
