"""Between a client and its service: every request is noted, and a test can put other answers in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from genstep.errors import NotSent, ProviderUnavailable
from genstep.provider import Reply

if TYPE_CHECKING:
    from genstep.guard import Target
    from genstep.transport.http import Http, Request

#: what a request meets instead of the service: a reply, an error, or what a function makes of the service's own reply
Step: TypeAlias = Reply | Exception | Callable[[Reply], Reply | Exception]


def lost(_: Reply) -> Exception:
    """The service took the request, and its answer never came."""
    return ProviderUnavailable("the connection broke", code="connection_lost")


def unreachable() -> Exception:
    """The request did not leave this machine."""
    return NotSent("connection refused", code="not_sent", charged=False)


@dataclass
class Watched:
    """An ``Http`` that passes everything on to ``inner``, but for what the next ``steps`` say.

    ``sent`` are all requests, ``paid`` those of paid calls, ``files`` the downloads with their headers.
    """

    inner: Http
    sent: list[Request] = field(default_factory=list)
    paid: list[Request] = field(default_factory=list)
    files: list[tuple[Target, Mapping[str, str]]] = field(default_factory=list)
    paid_steps: list[Step] = field(default_factory=list)
    free_steps: list[Step] = field(default_factory=list)

    async def send(self, request: Request, *, fresh: bool) -> Reply:
        self.sent.append(request)
        if fresh:
            self.paid.append(request)
        steps = self.paid_steps if fresh else self.free_steps
        step: Step | None = steps.pop(0) if steps else None
        if step is None or callable(step):
            answer: Reply | Exception = await self.inner.send(request, fresh=fresh)
            if step is not None and isinstance(answer, Reply):
                answer = step(answer)
        else:
            answer = step
        if isinstance(answer, Exception):
            raise answer
        return answer

    def download(self, target: Target, headers: Mapping[str, str]) -> Any:
        self.files.append((target, dict(headers)))
        return self.inner.download(target, headers)

    async def aclose(self) -> None:
        await self.inner.aclose()
