"""AI Visual Studio (document 003): scopes, 60 requests a minute, submit, poll or list, signed webhooks."""

from __future__ import annotations

import math
import re
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server import fields
from genstep.sandbox.server.aivisualstudio.hooks import Hooks
from genstep.sandbox.server.aivisualstudio.records import page, record, refused, submitted
from genstep.sandbox.server.calls import Call, Handler, Route, Service
from genstep.sandbox.server.messages import BadJson, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Account, Job, Window

KEY = re.compile(r"avs_live_[A-Za-z0-9_-]+")
REVOKED = ("invalid", "revoked", "disabled")
SCOPES = ("read", "generate:image", "generate:video", "webhooks")
MINUTE = 60.0
IMAGE_MODEL, VIDEO_MODEL = "prunaai/z-image-turbo", "minimax/hailuo-2.3-fast"
MODELS: tuple[dict[str, Any], ...] = (
    {
        "id": IMAGE_MODEL,
        "name": "Z-Image Turbo",
        "type": "image",
        "credits_per_generation": 5,
        "description": "Fast image generation",
        "category": "image-generation",
    },
    {
        "id": VIDEO_MODEL,
        "name": "Hailuo 2.3 Fast",
        "type": "video",
        "credits_per_generation": 450,
        "description": "Fast video generation",
        "category": "video-generation",
    },
)
IMAGE_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
VIDEO_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
FORMATS = ("webp", "png", "jpg")
CODES = {400: "invalid_request", 401: "invalid_api_key", 404: "not_found", 429: "rate_limited"}


class AIVisualStudio(Service):
    """Settings of an account, and what the document leaves open.

    `scopes` and `ip_allowlist` (None: any address) of its key; `per_minute` requests; `refunds` after a failure.
    `order` of the list (``newest`` or ``oldest`` first); `record_in_data`: a single record stands under ``data``;
    `output_as_list`: ``output_url`` is a list.
    """

    slug = "aivisualstudio"
    unit = "credits"
    credits = 1000
    settings: ClassVar[dict[str, Any]] = {
        "scopes": SCOPES,
        "ip_allowlist": None,
        "per_minute": 60,
        "refunds": True,
        "order": "newest",
        "record_in_data": False,
        "output_as_list": False,
    }

    def __init__(self, app: App) -> None:
        self.hooks = Hooks(app)
        super().__init__(app)

    def routes(self) -> list[Route]:
        hooks = self.hooks
        return [
            self._route("POST", "/generate/image", "generate-image", self.image, "generate:image"),
            self._route("POST", "/generate/video", "generate-video", self.video, "generate:video"),
            self._route("GET", "/generations", "list", self.history, "read"),
            self._route("GET", "/generations/{id}", "record", self.record, "read"),
            self._route("GET", "/models", "models", self.models, "read"),
            self._route("POST", "/webhooks", "webhook-create", hooks.create, "webhooks"),
            self._route("GET", "/webhooks", "webhook-list", hooks.shown, "webhooks"),
            self._route("PATCH", "/webhooks/{id}", "webhook-update", hooks.update, "webhooks"),
            self._route("DELETE", "/webhooks/{id}", "webhook-delete", hooks.delete, "webhooks"),
            Route("POST", "/api/v1/keys", "keys", self.keys, auth=False),
            Route("GET", "/api/v1/keys", "keys", self.keys, auth=False),
            Route("DELETE", "/api/v1/keys/{id}", "keys", self.keys, auth=False),
        ]

    def _route(self, method: str, path: str, endpoint: str, handler: Handler, scope: str) -> Route:
        async def scoped(call: Call) -> Response:
            if scope not in call.customer.settings["scopes"]:
                details = {"required": scope}
                raise refused(403, "insufficient_scope", f"API key doesn't have the {scope} scope", details)
            return await handler(call)

        return Route(method, f"/api/v1{path}", endpoint, scoped)

    def authenticate(self, call: Call) -> Account:
        token = call.request.bearer
        if token is None:
            raise refused(401, "missing_api_key", "No API key provided in request")
        if not KEY.fullmatch(token) or any(word in token for word in REVOKED):
            raise refused(401, "invalid_api_key", "API key is invalid or revoked")
        if "expired" in token:
            raise refused(401, "expired_api_key", "API key has expired")
        known = self.app.state.find(self.slug, token)
        call.account = account = known or self.open_account(token)
        if known is None and "readonly" in token:
            account.settings["scopes"] = ("read",)
        if not self._window(account).take(call.started, account.settings["per_minute"]):
            raise refused(429, "rate_limited", "Too many requests, please slow down")
        allowed = account.settings["ip_allowlist"]
        if allowed is not None and call.request.client not in allowed:
            raise refused(403, "ip_not_allowed", "Request from unauthorized IP address")
        return account

    def _window(self, account: Account) -> Window:
        return account.window("minute", MINUTE / self.app.speed)

    def error(self, status: int, message: str) -> Response:
        # The document's table of codes is closed: a wrong method on a known path is a resource that is not there.
        status = 404 if status == 405 else status
        return refused(status, CODES.get(status, "internal_error"), message).response

    def headers(self, call: Call) -> dict[str, str]:
        now, account = self.app.clock.time(), call.account
        if account is None:
            given = self.app.settings.get(self.slug, {})
            left = limit = int(given.get("per_minute", self.settings["per_minute"]))
            closes = now + MINUTE / self.app.speed
        else:
            limit, window = int(account.settings["per_minute"]), self._window(account)
            left, closes = window.left(now, limit), window.closes(now)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(math.ceil(closes)),
        }

    async def image(self, call: Call) -> Response:
        body = self._body(call)
        form = body.get("output_format", "webp")
        if form not in FORMATS:
            raise refused(400, "invalid_request", f"output_format must be one of {', '.join(FORMATS)}")
        wanted = {
            **self._common(body, "image", IMAGE_MODEL),
            "aspect_ratio": self._ratio(body, IMAGE_RATIOS, "1:1"),
            "output_format": form,
        }
        return self._submit(call, "image", wanted)

    async def video(self, call: Call) -> Response:
        body = self._body(call)
        duration, first = body.get("duration", 5), body.get("first_frame_image")
        if isinstance(duration, bool) or not isinstance(duration, int) or not 1 <= duration <= 10:
            raise refused(400, "invalid_request", "duration must be an integer from 1 to 10")
        if first is not None and fields.url(first) is None:
            raise refused(400, "invalid_request", "first_frame_image must be a URL")
        wanted = {
            **self._common(body, "video", VIDEO_MODEL),
            "aspect_ratio": self._ratio(body, VIDEO_RATIOS, "16:9"),
            "duration": duration,
            "first_frame_image": first,
        }
        return self._submit(call, "video", wanted)

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            return call.request.object()
        except BadJson as wrong:
            raise refused(400, "invalid_request", str(wrong).capitalize()) from None

    def _common(self, body: dict[str, Any], kind: str, default: str) -> dict[str, Any]:
        prompt, model = fields.text(body.get("prompt")), body.get("model", default)
        if prompt is None:
            raise refused(400, "invalid_request", "prompt is required")
        if not any(known["id"] == model and known["type"] == kind for known in MODELS):
            raise refused(400, "invalid_request", f"model must be one of GET /api/v1/models?type={kind}")
        hook = body.get("webhook_url")
        if hook is not None and not self.hooks.takes(hook):
            raise refused(400, "invalid_request", "webhook_url must be an https URL")
        return {"prompt": prompt, "model": model, "webhook_url": hook}

    def _ratio(self, body: dict[str, Any], allowed: tuple[str, ...], default: str) -> str:
        ratio = body.get("aspect_ratio", default)
        if not isinstance(ratio, str) or ratio not in allowed:
            raise refused(400, "invalid_request", f"aspect_ratio must be one of {', '.join(allowed)}")
        return ratio

    def _submit(self, call: Call, kind: str, wanted: dict[str, Any]) -> Response:
        account = call.customer
        price = next(model["credits_per_generation"] for model in MODELS if model["id"] == wanted["model"])
        if account.credits < price:
            message = f"You need {price} credits but only have {account.credits}"
            details = {"required": price, "available": account.credits}
            raise refused(403, "insufficient_credits", message, details)
        refunds = bool(account.settings["refunds"])
        job = self.app.jobs.submit(call, f"gen_{secrets.token_hex(6)}", kind, wanted, price, refunds=refunds)
        self.app.jobs.accepted(call)
        if job.rejected:
            raise refused(500, "internal_error", "Unexpected server error")
        self.app.jobs.watch(job)  # a webhook may be waiting for its end, though nobody asks
        return Response.json(submitted(job))

    async def history(self, call: Call) -> Response:
        return Response.json(page(self.app, call.customer, call.request.query))

    async def record(self, call: Call) -> Response:
        found: Job | None = self.app.state.jobs.get((self.slug, call.params["id"]))
        if found is None or found.account is not call.customer:
            raise refused(404, "not_found", "Generation not found")
        shown = record(self.app, found)
        return Response.json({"data": shown} if call.customer.settings["record_in_data"] else shown)

    async def models(self, call: Call) -> Response:
        kind = call.request.query.get("type")
        if kind not in (None, "image", "video"):
            raise refused(400, "invalid_request", "type must be image or video")
        found = [model for model in MODELS if kind in (None, model["type"])]
        return Response.json({"data": found, "total": len(found)})

    async def keys(self, call: Call) -> Response:
        # Document 003, "API Keys": a browser's session alone, never an API key; the sandbox has no web login.
        raise refused(401, "invalid_api_key", "API keys are managed in a web session, not with an API key")
