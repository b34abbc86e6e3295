"""ConceptViz (document 000): submit for credits, poll a task, refunds by themselves."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server import fields
from genstep.sandbox.server.calls import Call, Route, Service
from genstep.sandbox.server.jobs import media_seed
from genstep.sandbox.server.messages import BadJson, Refusal, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.state import Account, Job

KEY = re.compile(r"cvk_[A-Za-z0-9_-]+")
REVOKED = ("invalid", "revoked", "disabled")
PRICES = {"2k": 1, "4k": 2}
SIDES = {"2k": 2048, "4k": 4096}
MOST = 4
FAILED = "Image generation failed. Please try again later."


class ConceptViz(Service):
    """`batch_limit` is how many prompts the account's plan lets into one request (document 000: at most 4)."""

    slug = "conceptviz"
    unit = "credits"
    credits = 80
    settings: ClassVar[dict[str, Any]] = {"batch_limit": MOST}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/api/v1/generate", "generate", self.generate),
            Route("GET", "/api/v1/task/{task_id}", "task", self.task),
        ]

    def authenticate(self, call: Call) -> Account:
        token = call.request.bearer
        if not token:
            raise refused(401, "UNAUTHORIZED", "Missing or invalid Authorization header")
        if not KEY.fullmatch(token) or any(word in token for word in REVOKED):
            raise refused(401, "INVALID_API_KEY", "API key is invalid or disabled")
        return self.open_account(token)

    def error(self, status: int, message: str) -> Response:
        # The document has a closed table of codes; what is none of them is answered as any web server would.
        return Response.text(f"{message}\n", status)

    async def generate(self, call: Call) -> Response:
        prompts, quality, ratio = self._body(call)
        account = call.customer
        price = PRICES[quality] * len(prompts)
        if len(prompts) > account.settings["batch_limit"]:
            raise refused(403, "PLAN_LIMIT_EXCEEDED", "Batch size exceeds your plan limit")
        if account.credits < price:
            message = f"Not enough credits: {price} needed"
            raise refused(402, "INSUFFICIENT_CREDITS", message, credits_remaining=account.credits)
        request = {"prompt": prompts[0], "prompts": prompts, "quality": quality, "aspect_ratio": ratio}
        job = self.app.jobs.submit(call, secrets.token_urlsafe(15), "image", request, price)
        remaining = account.credits
        self.app.jobs.accepted(call)
        if job.rejected:
            raise refused(500, "GENERATION_FAILED", FAILED)
        return Response.json(
            {
                "taskId": job.id,
                "status": "pending",
                "credits_used": price,
                "credits_remaining": remaining,
                "poll_url": f"/api/v1/task/{job.id}",
            }
        )

    def _body(self, call: Call) -> tuple[list[str], str, str]:
        try:
            body = call.request.object()
        except BadJson:
            raise refused(400, "INVALID_BODY", "Request body is not valid JSON") from None
        several = body.get("prompts")
        prompts = [body.get("prompt")] if several is None else several
        if not isinstance(prompts, list) or not all(isinstance(prompt, str | None) for prompt in prompts):
            raise refused(400, "INVALID_BODY", "prompt must be a string, and prompts an array of strings")
        if not prompts or not all(fields.text(prompt) for prompt in prompts):
            raise refused(400, "PROMPT_REQUIRED", "No prompt or prompts provided")
        if len(prompts) > MOST:
            raise refused(400, "TOO_MANY_PROMPTS", f"More than {MOST} prompts in one request")
        quality = body.get("quality", "2k")
        if not isinstance(quality, str) or quality not in PRICES:
            raise refused(400, "INVALID_BODY", 'quality must be "2k" or "4k"')
        ratio = fields.ratio(body.get("aspectRatio", "16:9"))
        if ratio is None:
            raise refused(400, "INVALID_BODY", 'aspectRatio must be a ratio such as "16:9"')
        return prompts, quality, ratio

    async def task(self, call: Call) -> Response:
        job = self.app.state.jobs.get((self.slug, call.params["task_id"]))
        if job is None or job.account is not call.customer:
            raise refused(404, "TASK_NOT_FOUND", "Task ID not found or doesn't belong to your account")
        status = job.status(self.app.clock.time())
        if status == "completed":
            return Response.json({"status": status, "images": self._images(job)})
        if status == "failed":
            return Response.json(
                {
                    "status": status,
                    "error": FAILED,
                    "code": "GENERATION_FAILED",
                    "credits_refunded": job.refunded,
                }
            )
        return Response.json({"status": status})

    def _images(self, job: Job) -> list[dict[str, str]]:
        prompts = job.fields["prompts"]
        if not job.outputs:
            ratio, side = job.fields["aspect_ratio"], self.app.side(SIDES[job.fields["quality"]])
            job.outputs = [
                self.app.assets.add(
                    f"{job.id}-{index}.png",
                    "image",
                    prompt,
                    seed=media_seed(self.app, self.slug, prompt, index),
                    aspect_ratio=ratio,
                    long_side=side,
                    output_format="png",
                )
                for index, prompt in enumerate(prompts, 1)
            ]
        urls = [self.app.assets.url(asset) for asset in job.outputs]
        return [{"url": url, "prompt": prompt} for url, prompt in zip(urls, prompts, strict=True)]


def refused(status: int, code: str, message: str, **more: Any) -> Refusal:
    """An error as the document writes it: ``{error, code}``, and ``credits_remaining`` beside a 402."""
    return Refusal(Response.json({"error": message, "code": code, **more}, status))
