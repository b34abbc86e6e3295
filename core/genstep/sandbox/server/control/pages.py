"""The control over HTTP: the page at ``/``, and JSON under ``/control/…`` for scripts.

It is for this machine's own user: the Host must be this server, a browser of another site gets nothing (no CORS, no
framing), and every change needs the header ``X-Genstep-Control``, which a foreign page cannot send.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genstep.sandbox.server.control.page import main, page
from genstep.sandbox.server.control.scenario import Control
from genstep.sandbox.server.messages import BadJson, Request, Response
from genstep.sandbox.server.webhooks import is_loopback

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App

CHANGE_HEADER = "x-genstep-control"


class ControlPages:
    """``GET /``, ``GET /control/{state,accounts,charges,jobs,requests,faults,deliveries,assets}`` and the changes.

    ``POST /control/faults`` (a fault's fields), ``DELETE /control/faults[/ID]``,
    ``POST /control/jobs/ID/{hold,release,fail}``, ``POST /control/release``,
    ``POST /control/settings`` (``{slug, key?, …}``), ``POST /control/tokens/expire``, ``POST /control/links/expire``,
    ``POST /control/reset``.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.control = Control(app)

    async def handle(self, request: Request) -> Response:
        if not self._at_home(request):
            return Response.text("The control answers this machine's own user alone.\n", 403)
        if request.path == "/" and request.method in ("GET", "HEAD"):
            return self._page()
        if request.path == "/control/page" and request.method in ("GET", "HEAD"):
            return Response.text(main(self.control.state()), kind="text/html; charset=utf-8")
        words = request.path.strip("/").split("/")
        if words[0] != "control":
            known = ", ".join(f"/{slug}" for slug in self.app.services)
            return Response.text(f"Not found: the services are below {known}; the control is at /\n", 404)
        try:
            found = self._read(words[1:]) if request.method in ("GET", "HEAD") else self._change(request, words[1:])
        except BadJson as wrong:
            return _error(400, str(wrong))
        except (TypeError, ValueError, LookupError) as wrong:
            return _error(400, str(wrong.args[0]) if wrong.args else "bad request")
        if found is None:
            return _error(404, "the control has no such path")
        return found

    def _at_home(self, request: Request) -> bool:
        ours = urlsplit(self.app.base).netloc
        host = request.headers.get("host", ours)
        origin = request.headers.get("origin")
        name = urlsplit(f"//{host}").hostname or ""
        same = origin is None or urlsplit(origin).netloc == host
        return same and (host == ours or is_loopback(name)) and is_loopback(request.client)

    def _page(self) -> Response:
        nonce = secrets.token_urlsafe(12)
        response = Response.text(page(self.control.state(), nonce), kind="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    def _read(self, words: list[str]) -> Response | None:
        control = self.control
        views: dict[str, Callable[[], Any]] = {
            "state": control.state,
            "accounts": control.accounts,
            "charges": lambda: [asdict(charge) for charge in control.charges()],
            "jobs": control.jobs,
            "requests": lambda: [asdict(line) for line in control.requests()],
            "faults": control.faults,
            "deliveries": lambda: [asdict(delivery) for delivery in control.deliveries()],
            "assets": lambda: [asdict(line) for line in control.asset_requests()],
        }
        if len(words) == 1 and words[0] in views:
            return Response.json(views[words[0]]())
        return None

    def _change(self, request: Request, words: list[str]) -> Response | None:
        if CHANGE_HEADER not in request.headers:
            return _error(403, "a change needs the header X-Genstep-Control: 1")
        control = self.control
        match (request.method, words):
            case ("POST", ["faults"]):
                return Response.json({"id": control.fault(**request.object())}, 201)
            case ("DELETE", ["faults"]):
                control.clear()
            case ("DELETE", ["faults", id]) if id.isdigit():
                control.clear(int(id))
            case ("POST", ["jobs", id, "hold"]):
                control.hold(id)
            case ("POST", ["jobs", id, "release"]):
                control.release(id)
            case ("POST", ["jobs", id, "fail"]):
                control.fail(id, **(request.object() if request.body else {}))
            case ("POST", ["release"]):
                control.release()
            case ("POST", ["settings"]):
                settings = request.object()
                control.set(settings.pop("slug", ""), settings.pop("key", None), **settings)
            case ("POST", ["tokens", "expire"]):
                control.expire_tokens()
            case ("POST", ["links", "expire"]):
                control.expire_links()
            case ("POST", ["reset"]):
                control.reset()
            case _:
                return None
        return Response.json({})


def _error(status: int, message: str) -> Response:
    return Response.json({"error": message}, status)
