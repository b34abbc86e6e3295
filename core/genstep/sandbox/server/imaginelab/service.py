"""ImagineLab (document 002): log in or bring a key, create a generation, poll its status, read its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from genstep.sandbox.server import fields
from genstep.sandbox.server.calls import Call, Route, Service
from genstep.sandbox.server.clock import stamp
from genstep.sandbox.server.imaginelab.login import Logins, refused
from genstep.sandbox.server.imaginelab.media import make_outputs
from genstep.sandbox.server.messages import BadJson, Response

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Account, Job

MINUTE = 60.0
PRICES = {"text": 2, "voice": 3, "image": 5, "music": 8, "infographic": 10, "video": 15}
# The document names one model; the others are the sandbox's own, and say so.
MODELS = {
    "seedream-5.0-lite": "image",
    "sandbox-video": "video",
    "sandbox-voice": "voice",
    "sandbox-music": "music",
    "sandbox-infographic": "infographic",
    "sandbox-text": "text",
}


class ImagineLab(Service):
    """Settings choose where the document is silent.

    `refunds`: a failed generation gives its credits back. `per_minute`: a rate limit (429). `envelope`: the list is
    bare (None) or under this key. `page_size`: entries of a list. `page_parameter`: a query parameter that turns
    pages (None: every list is the first page). `outputs_as_objects`: ``{url | text, type}`` in place of strings.
    `reason_key`: where a failed record says why (None: nowhere).
    """

    slug = "imaginelab"
    unit = "credits"
    credits = 100
    settings: ClassVar[dict[str, Any]] = {
        "refunds": True,
        "per_minute": None,
        "envelope": None,
        "page_size": 50,
        "page_parameter": None,
        "outputs_as_objects": False,
        "reason_key": None,
    }

    def __init__(self, app: App) -> None:
        self.app = app
        self.logins = Logins(self)
        super().__init__(app)

    def routes(self) -> list[Route]:
        # The first that fits answers: /generations/models is no id.
        return [
            *self.logins.routes(),
            Route("GET", "/api/v1/generations/models", "models", self.models),
            Route("POST", "/api/v1/generations", "generate", self.generate),
            Route("GET", "/api/v1/generations", "list", self.history),
            Route("GET", "/api/v1/generations/{id}/status", "status", self.status),
            Route("GET", "/api/v1/generations/{id}", "record", self.record),
            Route("DELETE", "/api/v1/generations/{id}", "delete", self.delete),
        ]

    def label(self, key: str) -> str:
        user, at, host = key.rpartition("@")
        return f"{user[:2]}…@{host}" if at else super().label(key)

    def open_account(self, key: str) -> Account:
        account = super().open_account(key)
        account.email = key if "@" in key else f"{account.id}@sandbox.invalid"
        return account

    def authenticate(self, call: Call) -> Account:
        call.account = account = self.logins.account(call.request.bearer)
        limit = account.settings["per_minute"]
        window = account.window("minute", MINUTE / self.app.speed)
        if limit is not None and not window.take(call.started, int(limit)):
            raise refused(429, "Rate limited, slow down")
        return account

    def error(self, status: int, message: str) -> Response:
        return refused(status, message).response

    async def models(self, call: Call) -> Response:
        return Response.json([{"name": name, "type": kind} for name, kind in MODELS.items()])

    async def generate(self, call: Call) -> Response:
        request = self._body(call)
        account, kind = call.customer, request["generation_type"]
        price = PRICES[kind]
        if account.credits < price:
            raise refused(402, "Insufficient credits")
        refunds = bool(account.settings["refunds"])
        job = self.app.jobs.submit(call, self.logins.next_id(), kind, request, price, refunds=refunds)
        self.app.jobs.accepted(call)
        if job.rejected:
            raise refused(502, "Upstream model error")
        return Response.json(self._record(job, status="pending"), 201)

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            body = call.request.object()
        except BadJson as wrong:
            raise refused(400, str(wrong).capitalize()) from None
        kind, model, prompt = body.get("generation_type"), body.get("model_name"), fields.text(body.get("prompt"))
        if not isinstance(kind, str) or kind not in PRICES:
            raise refused(400, f"generation_type must be one of {', '.join(PRICES)}")
        if not isinstance(model, str) or MODELS.get(model) != kind:
            raise refused(400, f"model_name must be one of /generations/models for {kind}")
        if prompt is None:
            raise refused(400, "prompt is required")
        settings = body.get("settings") or {}
        if not isinstance(settings, dict):
            raise refused(400, "settings must be an object")
        if "aspect_ratio" in settings and fields.ratio(settings["aspect_ratio"]) is None:
            raise refused(400, "settings.aspect_ratio must be a ratio such as 16:9")
        if isinstance(project := body.get("project_id"), bool) or not isinstance(project, int | str | None):
            raise refused(400, "project_id must be an id or null")
        return {"generation_type": kind, "model_name": model, "prompt": prompt, "settings": settings}

    async def history(self, call: Call) -> Response:
        account = call.customer
        jobs = [job for job in reversed(account.jobs) if not job.deleted]
        size, name = int(account.settings["page_size"]), account.settings["page_parameter"]
        page = max(1, fields.digits(call.request.query.get(name, "1")) or 1) if name else 1
        records = [self._record(job) for job in jobs[(page - 1) * size : page * size]]
        envelope = account.settings["envelope"]
        return Response.json({envelope: records} if envelope else records)

    async def status(self, call: Call) -> Response:
        job, now = self._job(call), self.app.clock.time()
        return Response.json({"id": int(job.id), "status": job.status(now), "progress": job.progress(now)})

    async def record(self, call: Call) -> Response:
        return Response.json(self._record(self._job(call)))

    async def delete(self, call: Call) -> Response:
        self._job(call).deleted = True
        return Response.json({})

    def _job(self, call: Call) -> Job:
        job = self.app.state.jobs.get((self.slug, call.params["id"]))
        if job is None or job.deleted or job.account is not call.customer:
            raise refused(404, "Generation not found")
        return job

    def _record(self, job: Job, *, status: str | None = None) -> dict[str, Any]:
        settings = job.account.settings
        record = {
            "id": int(job.id),
            "user_id": job.account.number,
            "generation_type": job.kind,
            "model_name": job.fields["model_name"],
            "prompt": job.fields["prompt"],
            "status": status or job.status(self.app.clock.time()),
            "credit_cost": job.price,
            "created_at": stamp(job.created),
            "outputs": self._outputs(job, as_objects=bool(settings["outputs_as_objects"])),
        }
        if job.failed and settings["reason_key"]:
            record[settings["reason_key"]] = "Upstream model error"
        return record

    def _outputs(self, job: Job, *, as_objects: bool) -> list[Any]:
        if job.finished is None or job.fails:
            return []
        make_outputs(self.app, job)
        urls = [self.app.assets.url(asset) for asset in job.outputs]
        if not as_objects:
            return urls + job.texts
        return [{"url": url, "type": job.kind} for url in urls] + [{"text": t, "type": "text"} for t in job.texts]
