"""One call to one service: its route, its account and its job; and the base that the five services stand on."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server.messages import Refusal, Request, Response
from genstep.sandbox.server.state import masked

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Account, Job

Handler = Callable[["Call"], Awaitable[Response]]


@dataclass
class Call:
    """One request on its way through a service; `accepted` is set when it was charged for."""

    slug: str
    request: Request
    started: float
    endpoint: str = ""
    params: dict[str, str] = field(default_factory=dict)
    account: Account | None = None
    jobs: list[Job] = field(default_factory=list)
    accepted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def customer(self) -> Account:
        """The account of an authenticated call."""
        assert self.account is not None, "the route asks for no key"
        return self.account


@dataclass(frozen=True)
class Route:
    """A method and a path such as ``/api/v1/task/{id}``, under a name that faults and the request log use."""

    method: str
    path: str
    endpoint: str
    handler: Handler
    auth: bool = True

    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


class Service(ABC):
    """One of the five APIs: its routes, and what it says in its own dialect.

    `settings` are an account's knobs with their defaults; `credits` and `unit` what a new account holds.
    """

    slug: ClassVar[str]
    unit: ClassVar[str]
    credits: ClassVar[int]
    settings: ClassVar[dict[str, Any]]

    def __init__(self, app: App) -> None:
        self.app = app
        self._routes = [(route.pattern(), route) for route in self.routes()]

    @abstractmethod
    def routes(self) -> list[Route]:
        """Every endpoint that the document has, and no other."""

    @abstractmethod
    def authenticate(self, call: Call) -> Account:
        """Return the account of the call's key, or raise :class:`Refusal`."""

    @abstractmethod
    def error(self, status: int, message: str) -> Response:
        """An error that is not about one field, in this API's words: unknown route, wrong method, a fault."""

    def headers(self, call: Call) -> dict[str, str]:
        """The headers that this API puts on every reply."""
        return {}

    def balance(self, account: Account) -> int:
        """What the account has left, in this API's unit."""
        return account.credits

    async def handle(self, call: Call, route: Route) -> Response:
        """Answer one routed call, authenticated where the route asks for it; errors come back as responses."""
        try:
            if route.auth:
                call.account = self.authenticate(call)
            return await route.handler(call)
        except Refusal as refused:
            return refused.response

    def find(self, call: Call) -> Route:
        """Return the call's route and note it in the call; :class:`Refusal` with 404 or 405 where there is none."""
        path = call.request.path.removeprefix(f"/{self.slug}")
        method = "GET" if call.request.method == "HEAD" else call.request.method
        allowed = []
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match and route.method == method:
                call.endpoint, call.params = route.endpoint, match.groupdict()
                return route
            if match:
                allowed.append(route.method)
        if not allowed:
            raise Refusal(self.error(404, "Not found"))
        response = self.error(405, "Method not allowed")
        response.headers["Allow"] = ", ".join(dict.fromkeys(allowed))
        raise Refusal(response)

    def label(self, key: str) -> str:
        """Return a key as it may be shown."""
        return masked(key)

    def open_account(self, key: str) -> Account:
        """Return the account of a well-formed key, opened on first sight."""
        settings = {**self.settings, **self.app.settings.get(self.slug, {})}
        credits = settings.pop("credits", self.credits)
        return self.app.state.account(self.slug, key, credits=credits, settings=settings, label=self.label(key))
