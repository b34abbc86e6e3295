"""ImageAPI (document 004): one blocking call for a picture or a batch, prompt helpers, plan quotas, CORS."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server.calls import Call, Route, Service
from genstep.sandbox.server.imageapi.generate import Generate
from genstep.sandbox.server.imageapi.quota import Quota
from genstep.sandbox.server.imageapi.words import MODELS, build, enhance, refused
from genstep.sandbox.server.messages import BadJson, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.state import Account

KEY = re.compile(r"sk_[A-Za-z0-9_-]+")
REVOKED = ("invalid", "revoked", "disabled")


class ImageAPI(Service):
    """Settings of an account: its plan, and the numbers that the document leaves to plan and workspace.

    `plan` (name, shown), `per_day` and `per_month` images (the document's Free plan), `per_minute` images,
    `concurrency` of open calls, `max_batch` items. `storage`: a URL, else a data URL. `suspended`, `no_plan`: 403.
    `degraded` (for all accounts): what ``/health`` says.
    """

    slug = "imageapi"
    unit = "requests"
    credits = 1500
    settings: ClassVar[dict[str, Any]] = {
        "plan": "Free",
        "per_day": 50,
        "per_month": 1500,
        "per_minute": 30,
        "concurrency": 5,
        "max_batch": 10,
        "storage": True,
        "suspended": False,
        "no_plan": False,
        "refunds": True,
        "degraded": False,
    }

    def routes(self) -> list[Route]:
        generate = Generate(self)
        paths = {"generate": "/generate", "product": "/generate/product", "logo": "/generate/logo"}
        return [
            *(Route("POST", f"/api/v1{path}", name, generate.handle) for name, path in paths.items()),
            Route("POST", "/api/v1/prompt/enhance", "enhance", self.enhance),
            Route("POST", "/api/v1/prompt/build", "build", self.build),
            Route("GET", "/api/v1/models", "models", self.models, auth=False),
            Route("GET", "/api/v1/usage", "usage", self.usage),
            Route("GET", "/api/v1/health", "health", self.health, auth=False),
        ]

    def find(self, call: Call) -> Route:
        """As any service's; and a browser's preflight, which every public route answers (document 004, CORS)."""
        if call.request.method == "OPTIONS":
            call.endpoint = "preflight"
            return Route("OPTIONS", call.request.path, "preflight", self.preflight, auth=False)
        return super().find(call)

    def authenticate(self, call: Call) -> Account:
        token = call.request.bearer
        if not token or not KEY.fullmatch(token) or any(word in token for word in REVOKED):
            raise refused(401, "Missing or invalid API key")
        known = self.app.state.find(self.slug, token)
        call.account = account = known or self.open_account(token)
        if known is None:
            marks = {"nostorage": ("storage", False), "suspended": ("suspended", True), "noplan": ("no_plan", True)}
            account.settings.update(dict(change for word, change in marks.items() if word in token))
        if account.settings["suspended"]:
            raise refused(403, "Account suspended")
        if account.settings["no_plan"]:
            raise refused(403, "No active plan")
        return account

    def error(self, status: int, message: str) -> Response:
        return self.too_many(message, 1.0) if status == 429 else refused(status, message).response

    def headers(self, call: Call) -> dict[str, str]:
        return {"Access-Control-Allow-Origin": "*"}

    def balance(self, account: Account) -> int:
        """What the plan leaves for today; there are no credits here."""
        return int(self.quota(account).plan(self.app.clock.time())["remaining_today"])

    def quota(self, account: Account) -> Quota:
        """The account's limits by minute, day and month."""
        return Quota(account, self.app.speed)

    def body(self, call: Call) -> dict[str, Any]:
        """The call's JSON object, or 400."""
        try:
            return call.request.object()
        except BadJson as wrong:
            raise refused(400, str(wrong).capitalize()) from None

    def too_many(self, message: str, seconds: float) -> Response:
        """A 429, with ``retry_after`` in its body and as a header, in whole seconds."""
        wait = max(1, math.ceil(seconds))
        response = refused(429, message, retry_after=wait).response
        response.headers["Retry-After"] = str(wait)
        return response

    async def preflight(self, call: Call) -> Response:
        allowed = {
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
        }
        return Response(204, b"", allowed)

    async def enhance(self, call: Call) -> Response:
        return self._words(call, enhance)

    async def build(self, call: Call) -> Response:
        return self._words(call, build)

    def _words(self, call: Call, write: Any) -> Response:
        text = write(self.body(call))
        return Response.json({"success": True, "data": {"prompt": text}})

    async def models(self, call: Call) -> Response:
        models = [{"slug": slug, "name": name, "description": about} for slug, (name, about) in MODELS.items()]
        return Response.json({"success": True, "data": {"models": models}})

    async def usage(self, call: Call) -> Response:
        quota, now = self.quota(call.customer), self.app.clock.time()
        return Response.json({"success": True, "data": {"usage": quota.usage(now), "plan": quota.plan(now)}})

    async def health(self, call: Call) -> Response:
        given = self.app.settings.get(self.slug, {})
        degraded = bool(given.get("degraded", self.settings["degraded"]))
        checks = {"api": "healthy", "generation": "degraded" if degraded else "healthy"}
        return Response.json({"status": "degraded" if degraded else "healthy", "checks": checks})
