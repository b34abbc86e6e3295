"""The image, video and 3D API of document 001: every call blocks until its media is there, and counts by the hour."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server import fields
from genstep.sandbox.server.calls import Call, Route, Service
from genstep.sandbox.server.messages import BadJson, Refusal, Response
from genstep.sandbox.server.nanobanana.media import Outputs
from genstep.sandbox.server.nanobanana.projects import projects

if TYPE_CHECKING:
    from genstep.sandbox.server.state import Account, Job

REVOKED = ("invalid", "revoked", "disabled")
PLANS = {"free": 100, "pro": 500, "enterprise": 1000}
HOUR = 3600.0
PRICES = {"image": 4, "video": 10, "model3d": 20}
FORMATS = ("png", "jpeg", "webp")
VIDEO_MODELS = ("vidu-q2", "ltx-2")
RESOLUTIONS = {"360p": 360, "520p": 520, "720p": 720, "1080p": 1080}
LONGEST = 60


class NanoBanana(Service):
    """`plan` is ``free``, ``pro`` or ``enterprise``; `per_hour` another limit than the plan's; `refunds` after failure.

    Prices in points are the document's examples: 100 less two images is 92, less a video 82, less a model 62.
    """

    slug = "nanobanana"
    unit = "points"
    credits = 100
    settings: ClassVar[dict[str, Any]] = {"plan": "free", "per_hour": None, "refunds": True}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/api/v1/images", "images", self.images),
            Route("POST", "/api/v1/videos", "videos", self.videos),
            Route("POST", "/api/v1/3d", "3d", self.models),
            Route("GET", "/api/v1/projects", "projects", self.projects),
        ]

    def authenticate(self, call: Call) -> Account:
        token = call.request.bearer
        if not token or any(word in token for word in REVOKED):
            raise refused(401, "Missing API key" if token is None else "Invalid API key")
        call.account = account = self.open_account(token)
        window = account.window("hour", HOUR / self.app.speed)
        if not window.take(call.started, self._limit(account)):
            raise refused(429, "Rate limit exceeded")
        return account

    def error(self, status: int, message: str) -> Response:
        return refused(status, message).response

    def headers(self, call: Call) -> dict[str, str]:
        now, span = self.app.clock.time(), HOUR / self.app.speed
        if call.account is None:
            left = limit = int(self.app.settings.get(self.slug, {}).get("per_hour") or PLANS["free"])
            closes = now + span
        else:
            limit, window = self._limit(call.account), call.account.window("hour", span)
            left, closes = window.left(now, limit), window.closes(now)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(math.ceil(closes)),
        }

    def _limit(self, account: Account) -> int:
        return int(account.settings["per_hour"] or PLANS[account.settings["plan"]])

    async def images(self, call: Call) -> Response:
        body = self._body(call)
        prompt, ratio = self._prompt(body), self._ratio(body, "1:1")
        form = body.get("output_format", "png")
        if form not in FORMATS:
            raise refused(400, f"output_format must be one of {', '.join(FORMATS)}")
        count = fields.whole(body.get("num_images", 1))
        if count is None or not 1 <= count <= 4:
            raise refused(400, "num_images must be a number from 1 to 4")
        if fields.text(body.get("model", "nano-banana")) is None:
            raise refused(400, "model must be a string")
        wanted = {"prompt": prompt, "aspect_ratio": ratio, "output_format": form, "count": count}
        job, outputs = await self._make(call, "image", wanted, PRICES["image"] * count)
        return self._done(call, job, {"images": await outputs.images(), "generation_id": job.id})

    async def videos(self, call: Call) -> Response:
        body = self._body(call)
        prompt, ratio = self._prompt(body), self._ratio(body, "16:9")
        model = body.get("model", "vidu-q2")
        if model not in VIDEO_MODELS:
            raise refused(400, f"model must be one of {', '.join(VIDEO_MODELS)}")
        resolution = body.get("resolution", "720p")
        if not isinstance(resolution, str) or resolution not in RESOLUTIONS:
            raise refused(400, f"resolution must be one of {', '.join(RESOLUTIONS)}")
        duration = fields.number(body.get("duration", 4))
        if duration is None or not 0 < duration <= LONGEST:
            raise refused(400, f"duration must be a number of seconds above 0, at most {LONGEST}")
        wanted = {
            "prompt": prompt,
            "aspect_ratio": ratio,
            "model": model,
            "resolution": resolution,
            "short_side": RESOLUTIONS[resolution],
            "duration": duration,
        }
        job, outputs = await self._make(call, "video", wanted, PRICES["video"])
        return self._done(call, job, {"video": await outputs.video()})

    async def models(self, call: Call) -> Response:
        body = self._body(call)
        url, picture = body.get("image_url"), body.get("image_base64")
        if (url is None) == (picture is None):
            raise refused(400, "Provide exactly one of image_url and image_base64")
        if url is not None and fields.url(url) is None:
            raise refused(400, "image_url must be an http or https URL")
        if picture is not None and fields.picture(picture) is None:
            raise refused(400, "image_base64 must be a PNG, JPEG, WebP, GIF or BMP picture in base64")
        quality = body.get("texture_quality", "standard")
        if quality not in ("no", "standard"):
            raise refused(400, "texture_quality must be no or standard")
        for name, default in (("texture_alignment", "original_image"), ("orientation", "default")):
            if fields.text(body.get(name, default)) is None:
                raise refused(400, f"{name} must be a string")
        wanted = {"prompt": "", "texture_quality": quality, "source": url or picture}
        job, outputs = await self._make(call, "model3d", wanted, PRICES["model3d"])
        return self._done(call, job, {"model": await outputs.model()})

    async def projects(self, call: Call) -> Response:
        found = await projects(self.app, call.customer, call.request.query)
        if isinstance(found, str):
            raise refused(400, found)
        return Response.json({"success": True, "data": found})

    async def _make(self, call: Call, kind: str, wanted: dict[str, Any], price: int) -> tuple[Job, Outputs]:
        account = call.customer
        if account.credits < price:
            raise refused(402, f"Insufficient points: {price} needed, {account.credits} left")
        refunds = bool(account.settings["refunds"])
        job = self.app.jobs.submit(call, secrets.token_hex(12), kind, wanted, price, refunds=refunds)
        outputs = Outputs(self.app, job)
        self.app.jobs.accepted(call)
        if not job.fails:
            self.app.beside(outputs.prepare())
        await self.app.jobs.finish([job])
        if job.failed:
            raise refused(500, "Generation failed")
        return job, outputs

    def _done(self, call: Call, job: Job, data: dict[str, Any]) -> Response:
        took = (job.finished or job.created) - job.created
        data["generation_time"] = round(took * 1000)
        data["remaining_points"] = call.customer.credits
        data["request_id"] = f"req_{secrets.randbelow(10**9):09d}"
        return Response.json({"success": True, "data": data})

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            return call.request.object()
        except BadJson:
            raise refused(400, "Request body is not valid JSON") from None

    def _prompt(self, body: dict[str, Any]) -> str:
        prompt = fields.text(body.get("prompt"))
        if prompt is None:
            raise refused(400, "prompt is required")
        return prompt

    def _ratio(self, body: dict[str, Any], default: str) -> str:
        ratio = fields.ratio(body.get("aspect_ratio", default))
        if ratio is None:
            raise refused(400, "aspect_ratio must be a ratio such as 16:9")
        return ratio


def refused(status: int, message: str) -> Refusal:
    """An error as the document's samples read it: ``{success: false, error}``."""
    return Refusal(Response.json({"success": False, "error": message}, status))
