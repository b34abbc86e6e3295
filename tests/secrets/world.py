"""The servers around a run: the five services, which note what they are sent and can echo it, and two strangers."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from genstep.sandbox.server import SandboxServer
from genstep.sandbox.server.messages import Request, Response
from genstep.sandbox.server.webhooks import post

#: what an answer may say of the request that it answers; see ``runs/dialects.py``
ECHOES = ("{{authorization}}", "{{key}}", "{{password}}")
SETTINGS = {
    "conceptviz": {"credits": 100_000},
    "nanobanana": {"credits": 100_000, "per_hour": 100_000},
    "imaginelab": {"credits": 100_000},
    "aivisualstudio": {"credits": 100_000, "per_minute": 100_000},
    "imageapi": {"per_day": 100_000, "per_month": 100_000, "per_minute": 100_000},
}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and at which origin."""

    origin: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class World:
    """``with World("whsec_…") as world``: the ``server``, a ``friend`` (a host that is allowed), a ``stranger``.

    ``tokens`` are the login tokens, ``signatures`` those of links, that were handed out so far.
    """

    def __init__(self, webhook_secret: str) -> None:
        self.server = SandboxServer(
            asset_port=0,
            speed=2000,
            long_side=64,
            webhook_secret=webhook_secret,
            settings=SETTINGS,
            send=self._delivered,
        )
        self.seen: list[Seen] = []
        self.tokens: set[str] = set()
        self.signatures: set[str] = set()
        self.friend = Stranger()
        self.stranger = Stranger()
        self._answer = self.server.app.handle
        self.server.app.handle = self._noted  # type: ignore[method-assign]

    def __enter__(self) -> Self:
        self.friend.start()
        self.stranger.start()
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.friend.stop()
        self.stranger.stop()

    async def _noted(self, request: Request) -> Response:
        origin = f"http://{request.headers.get('host', '')}"
        if not request.path.startswith("/control"):
            self.seen.append(Seen(origin, request.method, request.target, dict(request.headers), request.body))
        response = await self._answer(request)
        if any(echo.encode() in response.body for echo in ECHOES):
            response = _echoing(request, response)
        self._handed_out(response.body)
        return response

    async def _delivered(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self._handed_out(body)
        return await post(url, headers, body)

    def _handed_out(self, body: bytes) -> None:
        text = body.decode("utf-8", "replace")
        self.tokens.update(re.findall(r'"access_token":"([^"]+)"', text))
        self.signatures.update(re.findall("signature=([0-9a-f]{32})", text))

    @property
    def own(self) -> list[Seen]:
        """What the origin of the services was sent."""
        return [one for one in self.seen if one.origin == self.server.url]

    @property
    def elsewhere(self) -> list[Seen]:
        """What any other origin was sent: that of the files, and the strangers'."""
        return [one for one in self.seen if one.origin != self.server.url] + self.friend.seen + self.stranger.seen


def _echoing(request: Request, response: Response) -> Response:
    """The response with what the request said in the places of the echoes; escaped where it is JSON."""
    said = request.headers.get("authorization", "")
    password = parse_qs(request.body.decode("utf-8", "replace")).get("password", [""])[0]
    body, as_json = response.body.decode(), "json" in response.headers.get("Content-Type", "")
    for echo, value in zip(ECHOES, (said, said.partition(" ")[2], password), strict=True):
        body = body.replace(echo, json.dumps(value)[1:-1] if as_json else value)
    headers = response.headers
    if request.method == "POST":
        headers = {**headers, "X-Request-Id": said.partition(" ")[2]}
    return Response(response.status, body.encode(), headers)


@dataclass
class Stranger:
    """Another origin on this machine: it notes every connection, and answers any GET with a picture."""

    connections: int = 0
    seen: list[Seen] = field(default_factory=list)

    def start(self) -> None:
        outer = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def verify_request(self, *_: Any) -> bool:
                outer.connections += 1
                return True

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append(Seen(outer.url, self.command, self.path, headers, body))
                picture = BytesIO()
                Image.new("RGB", (64, 64), (9, 90, 150)).save(picture, "PNG")
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(picture.tell()))
                self.end_headers()
                self.wfile.write(picture.getvalue())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc
