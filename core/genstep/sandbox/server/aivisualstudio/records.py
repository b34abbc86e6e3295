"""What document 003 says of a generation: the reply to a submit, a record, a page of the list, an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstep.sandbox.server import fields
from genstep.sandbox.server.clock import stamp
from genstep.sandbox.server.jobs import media_seed, times_asked
from genstep.sandbox.server.messages import Refusal, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Account, Job

IMAGE_SIDE, VIDEO_SIDE = 1024, 768
STATUSES = ("processing", "completed", "failed")


def refused(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Refusal:
    """An error as the document writes it: ``{error: {code, message, details}}``."""
    return Refusal(Response.json({"error": {"code": code, "message": message, "details": details or {}}}, status))


def submitted(job: Job) -> dict[str, Any]:
    """The reply to a generation that was taken; there is no ``pending`` here."""
    return {
        "id": job.id,
        "status": "processing",
        "prompt": job.fields["prompt"],
        "model": job.fields["model"],
        "type": job.kind,
        "credits_charged": job.price,
        "created_at": stamp(job.created),
    }


def record(app: App, job: Job) -> dict[str, Any]:
    """A generation as a webhook's ``data`` shows it; ``output_url``, ``completed_at`` are null until it has ended."""
    url: Any = None
    if job.finished is not None and not job.fails:
        url = app.assets.url(_output(app, job))
        if job.account.settings["output_as_list"]:
            url = [url]
    return {
        "id": job.id,
        "type": job.kind,
        "status": _status(app, job),
        "prompt": job.fields["prompt"],
        "output_url": url,
        "created_at": stamp(job.created),
        "completed_at": None if job.finished is None else stamp(job.finished),
    }


def _status(app: App, job: Job) -> str:
    status = job.status(app.clock.time())
    return "processing" if status == "pending" else status


def _output(app: App, job: Job) -> Any:
    if not job.outputs:
        wanted = job.fields
        options: dict[str, Any] = {"aspect_ratio": wanted["aspect_ratio"]}
        if job.kind == "image":
            name = f"{job.id}.{wanted['output_format']}"
            options["output_format"] = wanted["output_format"]
            options["long_side"] = app.side(IMAGE_SIDE)
        else:
            name = f"{job.id}.mp4"
            options["duration"] = float(wanted["duration"])
            options["long_side"] = app.side(VIDEO_SIDE)
        asked = (wanted["model"], wanted["prompt"], wanted.get("first_frame_image"), times_asked(job))
        seed = media_seed(app, job.account.slug, *asked)
        job.outputs = [app.assets.add(name, job.kind, wanted["prompt"], seed=seed, **options)]
    return job.outputs[0]


def page(app: App, account: Account, query: Mapping[str, str]) -> dict[str, Any]:
    """The list: ``{data, total}``, filtered by ``type`` and ``status``, from ``offset``, at most ``limit`` (100)."""
    kind, status = query.get("type"), query.get("status")
    if kind not in (None, "image", "video"):
        raise refused(400, "invalid_request", "type must be image or video")
    if status not in (None, *STATUSES):
        raise refused(400, "invalid_request", f"status must be one of {', '.join(STATUSES)}")
    limit, offset = fields.digits(query.get("limit", "20")), fields.digits(query.get("offset", "0"))
    if limit is None or not 1 <= limit <= 100:
        raise refused(400, "invalid_request", "limit must be an integer from 1 to 100")
    if offset is None:
        raise refused(400, "invalid_request", "offset must be an integer from 0")
    found = [j for j in account.jobs if kind in (None, j.kind) and status in (None, _status(app, j))]
    if account.settings["order"] == "newest":
        found.reverse()
    return {"data": [record(app, job) for job in found[offset : offset + limit]], "total": len(found)}
