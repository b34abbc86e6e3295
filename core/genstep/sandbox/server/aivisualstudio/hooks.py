"""The webhooks of document 003: create, list, update, delete, and what is delivered where when a job ends."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genstep.sandbox.server import fields
from genstep.sandbox.server.aivisualstudio.records import record, refused
from genstep.sandbox.server.clock import stamp
from genstep.sandbox.server.messages import BadJson, Response
from genstep.sandbox.server.webhooks import is_loopback

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.calls import Call
    from genstep.sandbox.server.state import Job

EVENTS = ("generation.completed", "generation.failed")
SLUG = "aivisualstudio"


class Hooks:
    """The accounts' registered webhooks; the secret is told once, in the reply to creating one."""

    def __init__(self, app: App) -> None:
        self._app = app
        app.state.finishing.append(self._ended)

    def takes(self, url: Any) -> bool:
        """Whether a delivery may be asked for there: https; plain http on loopback alone, where there is no TLS."""
        if fields.url(url) is None:
            return False
        parts = urlsplit(url)
        return parts.scheme == "https" or is_loopback(parts.hostname or "")

    def targets(self, job: Job) -> dict[str, str]:
        """Return secret by URL for the deliveries of a job; a registered webhook goes before a request's own URL."""
        event = f"generation.{'failed' if job.fails else 'completed'}"
        own = job.fields["webhook_url"]
        found = {own: job.account.webhook_secret} if own else {}
        hooks = job.account.webhooks.values()
        return {**found, **{hook["url"]: hook["secret"] for hook in hooks if event in hook["events"]}}

    def _ended(self, job: Job) -> None:
        if job.account.slug != SLUG or job.rejected:
            return
        ended = job.finished or job.created
        body = {
            "event": f"generation.{'failed' if job.fails else 'completed'}",
            "data": record(self._app, job),
            "created_at": stamp(ended),
        }
        for url, secret in self.targets(job).items():
            self._app.deliveries.start(SLUG, job.id, url, secret, body)

    async def create(self, call: Call) -> Response:
        body = self._body(call)
        hook: dict[str, Any] = {
            "id": f"wh_{secrets.token_hex(6)}",
            "url": self._url(body.get("url")),
            "events": self._events(body.get("events", list(EVENTS))),
        }
        secret = self._app.webhook_secret or f"whsec_{secrets.token_hex(16)}"
        call.customer.webhooks[hook["id"]] = {**hook, "secret": secret}
        return Response.json({**hook, "secret": secret}, 201)

    async def shown(self, call: Call) -> Response:
        hooks = [self._shown(hook) for hook in call.customer.webhooks.values()]
        return Response.json({"data": hooks, "total": len(hooks)})

    async def update(self, call: Call) -> Response:
        hook, body = self._hook(call), self._body(call)
        changed: dict[str, Any] = {}
        if "url" in body:
            changed["url"] = self._url(body["url"])
        if "events" in body:
            changed["events"] = self._events(body["events"])
        if not changed:
            raise refused(400, "invalid_request", "give url, events or both")
        hook.update(changed)
        return Response.json(self._shown(hook))

    async def delete(self, call: Call) -> Response:
        del call.customer.webhooks[self._hook(call)["id"]]
        return Response.empty(204)

    def _hook(self, call: Call) -> dict[str, Any]:
        hook = call.customer.webhooks.get(call.params["id"])
        if hook is None:
            raise refused(404, "not_found", "Webhook not found")
        return hook

    def _shown(self, hook: dict[str, Any]) -> dict[str, Any]:
        return {name: hook[name] for name in ("id", "url", "events")}

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            return call.request.object()
        except BadJson as wrong:
            raise refused(400, "invalid_request", str(wrong).capitalize()) from None

    def _url(self, url: Any) -> str:
        if not self.takes(url):
            raise refused(400, "invalid_request", "url must be an https URL")
        return str(url)

    def _events(self, events: Any) -> list[str]:
        if not isinstance(events, list) or not events or any(event not in EVENTS for event in events):
            raise refused(400, "invalid_request", f"events must be some of {', '.join(EVENTS)}")
        return list(dict.fromkeys(events))
