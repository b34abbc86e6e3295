"""AI Visual Studio (document 003): images and videos by job, a list of past work, model prices, signed webhooks.

Left out, because the document keeps it for a browser's session cookie: ``/keys`` (create, list, revoke API keys).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from genstep import foreign
from genstep.accounts import LOOPBACK
from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.errors import GenstepError, InvalidRequest, UnreadableReply
from genstep.models import Estimate, HistoryItem, InputImage, ModelInfo, Webhook
from genstep.provider import (
    Accepted,
    Call,
    Completed,
    Delete,
    Failed,
    Get,
    Listing,
    Page,
    Paid,
    Patch,
    Post,
    Provider,
    Rate,
    Reply,
    State,
    Submitted,
    Timing,
)
from genstep.providers.aivisualstudio import replies

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

#: "Available Events", and the state that each one reports
EVENTS: Mapping[Any, type[State]] = {"generation.completed": Completed, "generation.failed": Failed}
#: the filters of the list, and the most entries of one page
FILTERS = {
    "type": Field(values=("image", "video")),
    "status": Field(values=("processing", "completed", "failed")),
    "limit": Field(minimum=1, maximum=100, integer=True, default=100),
}
_IMAGE = KindSpec(
    fields={
        "model": Field(type=str, default="prunaai/z-image-turbo", about="an id out of: genstep models"),
        "aspect_ratio": Field(values=("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")),
        "output_format": Field(values=("webp", "png", "jpeg"), default="webp"),
    }
)
_VIDEO = KindSpec(
    fields={
        "model": Field(type=str, default="minimax/hailuo-2.3-fast", about="an id out of: genstep models"),
        "aspect_ratio": Field(values=("16:9", "9:16", "1:1", "4:3", "3:4"), default="16:9"),
        "duration": Field(minimum=1, maximum=10, integer=True, default=5, about="seconds"),
        "image": Field(about="the first frame, by its public URL"),
    },
    input_image=frozenset({"url"}),
)


class AIVisualStudio(Provider):
    """One job an item. The end of a job is delivered to the account's ``webhook_url``, where it has one."""

    slug = "aivisualstudio"
    title = "AI Visual Studio"
    base_url = "https://aivisualstudio.co/api/v1"
    base_path = "/api/v1"
    key_prefix = "avs_live_"
    capabilities = Capabilities({"image": _IMAGE, "video": _VIDEO}, history=True, models=True, webhooks=True)
    #: "60 requests per minute per API key"
    rate = Rate(60, 60.0)
    #: the document's example of an image took 15 s; of videos it says nothing
    timing = Timing(median=15.0)

    def prepare(self, request: GenerationRequest) -> GenerationRequest:
        if request.image is not None and _address(request) is None:
            raise InvalidRequest(f"image: {self.slug} takes a public http(s) URL, no file or bytes", field="image")
        return request

    def timing_for(self, request: GenerationRequest) -> Timing:
        return Timing(median=120.0) if request.kind == "video" else self.timing

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        return None if reply.ok else replies.error(call, reply, self.slug)

    def event(self, payload: Mapping[str, Any]) -> tuple[str, State] | None:
        """One of the two events ("Webhook Payload"); a delivery that contradicts itself settles nothing."""
        record, name = foreign.table(payload.get("data")), foreign.text(payload.get("event"))
        job_id, state = foreign.identifier(record.get("id")), replies.state(record)
        if job_id is None or state is None or name not in EVENTS or not isinstance(state, EVENTS[name]):
            return None
        return job_id, state

    def matches(self, request: GenerationRequest, item: HistoryItem) -> bool:
        """Beside kind and prompt, what the record says of model, ratio, format and duration."""
        asked = {"output_format": "jpg" if request.output_format == "jpeg" else request.output_format}
        return super().matches(request, item) and not any(
            name in item.metadata and wanted is not None and item.metadata[name] not in (wanted, None)
            for name in ("model", "aspect_ratio", "output_format", "duration")
            for wanted in [asked.get(name, getattr(request, name))]
        )

    def submit(self, request: GenerationRequest) -> Generator[Call, Reply, Submitted]:
        body = {
            "prompt": request.prompt,
            "model": request.model,
            "aspect_ratio": request.aspect_ratio,
            "output_format": "jpg" if request.output_format == "jpeg" else request.output_format,
            "duration": None if request.duration is None else int(request.duration),
            "first_frame_image": _address(request),
            "webhook_url": self.account.webhook_url,
        }
        given = {name: value for name, value in body.items() if value is not None}
        reply = yield Paid(f"/generate/{request.kind}", json=given)
        # only the id is required: a job that was paid for is not lost to a missing price
        job_id = foreign.need(foreign.identifier(reply["id"]), reply, "with an 'id' that is none")
        return Accepted(job_id, credits=foreign.number(reply.get("credits_charged")))

    def poll(self, job_id: str) -> Generator[Call, Reply, State]:
        reply = yield Get(f"/generations/{quote(job_id, safe='')}")
        state = replies.state(replies.record(reply))
        if state is None:
            raise reply.unreadable("without a 'status', or completed without an 'output_url'")
        return state

    def estimate(self, request: GenerationRequest) -> Generator[Call, Reply, Estimate]:
        """``credits_per_generation`` of the model, out of the list of models."""
        models = yield from self.models(request.kind)
        wanted = request.model or self.capabilities.spec(request.kind, self.slug).fields["model"].default
        price = next((model.price for model in models if model.id == wanted), None)
        return Estimate(None if price is None else price * request.n, self.unit, exact=False)

    def models(self, kind: str | None) -> Generator[Call, Reply, list[ModelInfo]]:
        reply = yield Get("/models", params={"type": kind} if kind else None)
        models = [replies.model(row) for row in foreign.listing(reply, "data")]
        return [model for model in models if model is not None]

    def history(self, cursor: Any, **filters: Any) -> Generator[Call, Reply, Page]:
        """One page from offset ``cursor``; by ``kind`` (or ``type``) and ``status``, ``limit`` entries (1 to 100)."""
        params = _filters(filters)
        offset = int(cursor or 0)
        reply = yield Get("/generations", params={**params, "offset": offset})
        rows = foreign.listing(reply, "data")
        total, end = foreign.whole(reply.get("total")), offset + len(rows)
        more = len(rows) >= params["limit"] if total is None else end < total
        items = [replies.item(row) for row in rows]
        return Page(tuple(item for item in items if item is not None), end if rows and more else None)

    def listing(self, cursor: Any, jobs: Collection[str]) -> Generator[Call, Reply, Listing]:
        """``GET /generations``. Its order is not stated: where it goes from old to new, we begin near its end."""
        limit = int(FILTERS["limit"].default)
        offset = int(cursor or 0)
        reply = yield Get("/generations", params={"limit": limit, "offset": offset})
        rows = [row for row in foreign.listing(reply, "data") if isinstance(row, dict)]
        states = replies.states(rows, jobs)
        total, end = foreign.whole(reply.get("total")), offset + len(rows)
        more = len(rows) >= limit if total is None else bool(rows) and end < total
        first, last = (foreign.moment(row.get("created_at")) for row in (rows[0], rows[-1])) if rows else (None, None)
        if first is not None and last is not None and first < last and total is not None:
            start = max(0, total - max(len(jobs), limit // 2))
            return Listing(states, max(end, start) if more else None, start=start)
        return Listing(states, end if more else None, last)

    def list_webhooks(self) -> Generator[Call, Reply, list[Webhook]]:
        reply = yield Get("/webhooks")
        try:
            rows = foreign.listing(reply, "data", "webhooks", "items")
        except UnreadableReply:
            raise reply.unreadable("without a list of webhooks", secret=True) from None
        hooks = [replies.webhook(foreign.table(row), {}) for row in rows]
        return [hook for hook in hooks if hook is not None]

    def create_webhook(self, url: str, events: Sequence[str] | None) -> Generator[Call, Reply, Webhook]:
        """``POST /webhooks``, for all events where ``events`` is None; the secret where the reply names one."""
        body = self._webhook({"url": url} if events is None else {"url": url, "events": events})
        reply = yield Post("/webhooks", json=body)
        hook = replies.webhook(foreign.table(reply.data.get("data")) or reply.data, body)
        if hook is None:
            raise reply.unreadable("without the new webhook's id; see: genstep webhooks list", secret=True)
        return hook

    def update_webhook(self, webhook_id: str, changes: Mapping[str, Any]) -> Generator[Call, Reply, Webhook]:
        """Change ``url`` or ``events``. Verb (PATCH) and reply are not in the document: an empty reply will do."""
        body = self._webhook(changes)
        reply = yield Patch(f"/webhooks/{quote(webhook_id, safe='')}", json=body)
        record = foreign.table(reply.data.get("data")) or reply.data
        return replies.webhook({**record, "id": webhook_id}, body) or Webhook(webhook_id, body.get("url", ""))

    def delete_webhook(self, webhook_id: str) -> Generator[Call, Reply, None]:
        yield Delete(f"/webhooks/{quote(webhook_id, safe='')}")

    def _webhook(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A webhook's fields, checked: "HTTPS URL" (plain http only between loopbacks), "Available Events"."""
        body = {name: value for name, value in fields.items() if value is not None}
        if not body or set(body) - {"url", "events"}:
            raise InvalidRequest("webhook: takes url and events, at least one of them")
        if "url" in body:
            there, here = urlsplit(foreign.url(body["url"]) or ""), urlsplit(self.account.base_url or self.base_url)
            if there.scheme != "https" and not {there.hostname, here.hostname} <= LOOPBACK:
                raise InvalidRequest("url: a webhook takes a whole https URL", field="url")
        if "events" in body:
            events = body["events"] if isinstance(body["events"], (list, tuple)) else ()
            if not events or not all(isinstance(event, str) and event in EVENTS for event in events):
                raise InvalidRequest(f"events: takes {', '.join(EVENTS)}; leave it out for all", field="events")
            body["events"] = list(events)
        return body


def _address(request: GenerationRequest) -> str | None:
    """The URL of the first frame; None where there is none, or only bytes."""
    image = request.image
    return foreign.url(image.url if isinstance(image, InputImage) else image)


def _filters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The list's query parameters, checked before anything is sent."""
    params: dict[str, Any] = {"limit": FILTERS["limit"].default}
    for name, value in given.items():
        key = "type" if name == "kind" else name
        if key not in FILTERS:
            raise InvalidRequest(f"history: no filter {name!r}; it takes kind, status, limit", field=name)
        problem = None if value is None else FILTERS[key].problem(value)
        if problem:
            raise InvalidRequest(f"{name}: takes {problem}, not {value!r:.40}", field=name)
        params.update({} if value is None else {key: value})
    return {**params, "limit": int(params["limit"])}
