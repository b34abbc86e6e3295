"""A service in memory that answers from a list of replies: no socket, so it runs in virtual time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from genstep.provider import Reply
from genstep.testing.flow import reply
from genstep.transport.http import Download, Request

if TYPE_CHECKING:
    from genstep.guard import Target

#: (method, path below the base URL, answer). ``{name}`` in a path is one part of it. An answer is what JSON can say, a
#: :class:`Reply`, a function of the request, or a tuple of these: one after another, the last for good. Where the path
#: is a whole URL, the answer is the bytes of a file.
Replies: TypeAlias = Sequence[tuple[str, str, Any]]

_ENDINGS = {
    ("png", "jpg", "jpeg", "webp"): "image",
    ("mp4", "webm"): "video",
    ("glb",): "model3d",
    ("wav", "mp3"): "music",
    ("txt", "md"): "text",
}


class FakeService:
    """What a client talks to instead of the network; ``kind`` is what a file with no telling name is.

    A call that has no reply is answered 404, with a line that says what is missing. A file that is not in the list is
    a small real one, of the kind that its name says.
    """

    def __init__(self, replies: Replies, base_url: str, *, kind: str = "image") -> None:
        self.kind = kind
        self._base_url = base_url
        self._routes = [(method, _pattern(path), _Answers(answer)) for method, path, answer in replies]

    async def send(self, request: Request, *, fresh: bool) -> Reply:
        path = request.url.removeprefix(self._base_url)
        for method, pattern, answers in self._routes:
            if method == request.method and pattern.fullmatch(path):
                return _reply(answers.next(request))
        return reply(f"the fake service has no reply for {request.method} {path}".encode(), 404)

    @asynccontextmanager
    async def download(self, target: Target, headers: Mapping[str, str]) -> AsyncIterator[Download]:
        url = f"{target.scheme}://{target.host}{target.path_and_query}"
        for method, pattern, answers in self._routes:
            if method == "GET" and pattern.fullmatch(url):
                answer = answers.next(Request("GET", url, {}, headers))
                given = answer if isinstance(answer, Reply) else Reply(200, {}, answer)
                yield _File(given.content, given.status)
                return
        yield _File(sample(_kind_of(target.path_and_query, self.kind)))

    async def aclose(self) -> None:
        """Nothing to close."""


@cache
def sample(kind: str) -> bytes:
    """A small real file of a kind, made by the sandbox."""
    from genstep.sandbox import media

    small: dict[str, Any] = {"width": 64, "height": 64} if kind in ("image", "infographic", "video") else {}
    short: dict[str, Any] = {"duration": 0.5} if kind in ("video", "voice", "music") else {}
    return media.make(kind, "a sample", seed=1, **small, **short).data


@dataclass
class _Answers:
    answer: Any
    number: int = 0

    def next(self, request: Request) -> Any:
        answer = self.answer
        if isinstance(answer, tuple):
            answer = answer[min(self.number, len(answer) - 1)]
            self.number += 1
        given: Callable[[Request], Any] | None = answer if callable(answer) else None
        return answer if given is None else given(request)


class _File:
    def __init__(self, content: bytes, status: int = 200) -> None:
        self.content, self.status = content, status
        self.location: str | None = None
        self.length: int | None = len(content)
        self.media_type: str | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.content


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts) + r"(\?.*)?")


def _reply(answer: Any) -> Reply:
    return answer if isinstance(answer, Reply) else reply(answer, headers={"Content-Type": "application/json"})


def _kind_of(path: str, default: str) -> str:
    ending = path.partition("?")[0].rpartition(".")[2].lower()
    return next((kind for endings, kind in _ENDINGS.items() if ending in endings), default)
