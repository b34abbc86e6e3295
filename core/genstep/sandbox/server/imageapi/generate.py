"""Generating by document 004: one picture or a batch of ``items``, each taken or refused on its own."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from genstep.sandbox.server import fields
from genstep.sandbox.server.imageapi.words import MODELS, refused, request_id
from genstep.sandbox.server.jobs import media_seed
from genstep.sandbox.server.messages import Response

if TYPE_CHECKING:
    from genstep.sandbox.server.calls import Call
    from genstep.sandbox.server.imageapi.service import ImageAPI
    from genstep.sandbox.server.state import Job

PLAN = "10 GB cloud storage"
FAILED = "Image generation failed"
RATE, QUOTA = "Rate limit exceeded", "Quota exceeded"


class Generate:
    """The three generate routes: ``product`` and ``logo`` differ from the plain one in the picture alone."""

    def __init__(self, service: ImageAPI) -> None:
        self._service = service

    async def handle(self, call: Call) -> Response:
        account = call.customer
        body = self._service.body(call)
        if "items" in body:
            wanted = self._items(body["items"], int(account.settings["max_batch"]))
        else:
            single = checked(body)
            if isinstance(single, str):
                raise refused(400, single)
            wanted = [single]
        if account.open >= int(account.settings["concurrency"]):
            return self._service.too_many("Too many concurrent requests", 1.0)
        account.open += 1
        try:
            return await self._answer(call, wanted, batch="items" in body)
        finally:
            account.open -= 1

    def _items(self, items: Any, most: int) -> list[dict[str, Any] | str]:
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise refused(400, "items must be a non-empty array of objects")
        if len(items) > most:
            raise refused(400, f"items: at most {most} in one request")
        return [checked(item) for item in items]

    async def _answer(self, call: Call, wanted: list[dict[str, Any] | str], *, batch: bool) -> Response:
        started: list[Job | str] = []
        quota, wait = self._service.quota(call.customer), 0.0
        for item in wanted:
            full = None if isinstance(item, str) else quota.take(call.started)
            if isinstance(item, str):
                started.append(item)
            elif full is not None:
                started.append(RATE if full[0] == "minute" else QUOTA)
                wait = full[1]
            else:
                started.append(self._start(call, item))
        if not batch and isinstance(started[0], str):
            return self._service.too_many(started[0], wait)
        if call.jobs:
            self._service.app.jobs.accepted(call)
        await self._service.app.jobs.finish(call.jobs)
        failed, now = sum(job.failed for job in call.jobs), self._service.app.clock.time()
        quota.count(now, len(call.jobs) - failed)
        if call.customer.settings["refunds"]:
            for _ in range(failed):
                quota.give_back(now)
        results = [await self._result(job) for job in started]
        if batch:
            return Response.json({"success": True, "data": {"results": results}, "request_id": request_id()})
        if results[0].pop("success"):
            return Response.json({"success": True, "data": results[0], "request_id": request_id()})
        raise refused(500, FAILED)

    def _start(self, call: Call, item: dict[str, Any]) -> Job:
        item = {**item, "variant": call.endpoint}
        refunds = bool(call.customer.settings["refunds"])
        return self._service.app.jobs.submit(call, secrets.token_hex(8), "image", item, 1, refunds=refunds)

    async def _result(self, job: Job | str) -> dict[str, Any]:
        if isinstance(job, str):
            return {"success": False, "error": job}
        if job.fails:
            return {"success": False, "error": FAILED}
        app, wanted = self._service.app, job.fields
        about = (wanted["variant"], wanted["prompt"], wanted["negative_prompt"], wanted["steps"], wanted["model"])
        width, height = wanted["width"], wanted["height"]
        seed = media_seed(app, job.account.slug, *about, wanted["seed"])
        asset = app.assets.add(
            f"{job.id}.png", "image", wanted["prompt"], seed=seed, width=width, height=height, output_format="png"
        )
        job.outputs = [asset]
        stored = bool(job.account.settings["storage"])
        image = app.assets.url(asset)
        if not stored:
            image = f"data:image/png;base64,{base64.b64encode((await app.assets.media(asset)).data).decode()}"
        return {
            "success": True,
            "image": image,
            "seed": wanted["seed"],
            "model": wanted["model"],
            "storage": {"enabled": stored, "stored": stored, "plan": PLAN},
        }


def checked(body: dict[str, Any]) -> dict[str, Any] | str:
    """Return the fields of one picture with the document's defaults, or what is wrong with them."""
    prompt, negative = body.get("prompt"), body.get("negative_prompt", "")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= 2000 or not prompt.strip():
        return "prompt must be a text of 1 to 2000 characters"
    if not isinstance(negative, str) or len(negative) > 1000:
        return "negative_prompt must be a text of at most 1000 characters"
    sizes = {name: fields.whole(body.get(name, 512)) for name in ("width", "height")}
    for name, size in sizes.items():
        if size is None or not 256 <= size <= 1024:
            return f"{name} must be a number from 256 to 1024"
    steps = fields.whole(body.get("num_inference_steps", 4))
    if steps is None or not 1 <= steps <= 50:
        return "num_inference_steps must be a number from 1 to 50"
    seed = fields.number(body.get("seed", secrets.randbelow(2**32)))
    if seed is None:
        return "seed must be a number"
    model = body.get("model", "flux-schnell")
    if not isinstance(model, str) or model not in MODELS:
        return f"model must be one of {', '.join(MODELS)}"
    return {"prompt": prompt, "negative_prompt": negative, **sizes, "steps": steps, "seed": seed, "model": model}
