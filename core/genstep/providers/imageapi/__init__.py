"""ImageAPI (document 004): one blocking call, alone or a batch of ``items``, and the free routes beside it."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genstep import foreign
from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.errors import (
    GenerationFailed,
    GenstepError,
    InvalidRequest,
)
from genstep.models import Balance, Health, ModelInfo
from genstep.provider import (
    Call,
    Completed,
    Get,
    ItemFailure,
    Output,
    Paid,
    Post,
    Provider,
    Reply,
    Submitted,
    Timing,
)
from genstep.providers.imageapi.errors import health_report, item_error, read_error
from genstep.providers.imageapi.sizes import fit

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

MODELS = (
    "flux-schnell", "flux-2-klein-9b", "flux-2-klein-4b", "flux-2-dev", "lucid-origin", "phoenix-1", "stable-diffusion",
    "sdxl-lightning", "dreamshaper-8-lcm",
)  # fmt: skip
#: the fields of POST /prompt/build
PARTS = ("subject", "setting", "mood", "art_style", "lighting", "camera", "extras")
#: items in one call until the workspace's own limit is known; the document states none
ITEMS = 4
READ_TIMEOUT = 600.0


class ImageAPI(Provider):
    """Pictures by ``POST /generate``, tuned for products or logos by ``variant``; counts in requests."""

    slug = "imageapi"
    title = "ImageAPI"
    base_url = "https://imageapi.org/api/v1"
    base_path = "/api/v1"
    key_prefix = "sk_"
    unit = "requests"
    timing = Timing(median=8.0)
    account_options: ClassVar[Mapping[str, Field]] = {
        "batch": Field(minimum=1, integer=True, default=ITEMS, about="items that the workspace takes in one call"),
        "product_path": Field(type=str, default="/generate/product", about="where variant=product is, below /api/v1"),
        "logo_path": Field(type=str, default="/generate/logo", about="where variant=logo is, below /api/v1"),
    }
    capabilities = Capabilities(
        {
            "image": KindSpec(
                prompt=Field(required=True, min_length=1, max_length=2000),
                fields={
                    "negative_prompt": Field(min_length=0, max_length=1000, about="what to avoid"),
                    "aspect_ratio": Field(values=("1:1", "16:9"), open=True, ratio=True, about="sent as a size"),
                    "width": Field(minimum=256, maximum=1024, integer=True, about="pixels; 512 if not said"),
                    "height": Field(minimum=256, maximum=1024, integer=True, about="pixels; 512 if not said"),
                    "steps": Field(minimum=1, maximum=50, integer=True),
                    "seed": Field(integer=True, about="for reproducible results"),
                    "model": Field(values=MODELS, open=True, type=str, default="flux-schnell"),
                    "variant": Field(values=("product", "logo")),
                },
                batch=ITEMS,
            )
        },
        blocking=True,
        models=True,
        balance=True,
        health=True,
        enhance=True,
        build_prompt=True,
    )

    def prepare(self, request: GenerationRequest) -> GenerationRequest:
        """A ratio becomes a size, for the service knows no ratio."""
        width, height = fit(request.aspect_ratio, request.width, request.height)
        return request.with_fields(aspect_ratio=None, width=width, height=height)

    def group(self, request: GenerationRequest) -> Hashable:
        """Each item has its own fields; only the route is shared."""
        return request.variant or ""

    def batch(self, request: GenerationRequest) -> int:
        return int(self.account.options.get("batch", super().batch(request)))

    def price(self, request: GenerationRequest) -> float:
        """One request of the plan's quota an image: the document's batch shows the limit met item by item."""
        return float(request.n)

    # -- the paid call ------------------------------------------------------------------------------------------

    def submit(self, request: GenerationRequest) -> Generator[Call, Reply, Submitted]:
        return self._generate(request.items())

    def submit_batch(self, requests: Sequence[GenerationRequest]) -> Generator[Call, Reply, Submitted]:
        return self._generate(requests)

    def _generate(self, requests: Sequence[GenerationRequest]) -> Generator[Call, Reply, Submitted]:
        items = [_item(request) for request in requests]
        body = items[0] if len(items) == 1 else {"items": items}
        reply = yield Paid(self._path(requests[0].variant), json=body, read_timeout=READ_TIMEOUT)
        data = reply["data"]
        if len(items) == 1 and isinstance(data, dict) and "results" not in data:
            if foreign.text(data.get("image")) is None:
                raise reply.unreadable("without data.image")
            data = {"results": [data]}
        results = foreign.table(data).get("results")
        if not isinstance(results, list) or not results:
            raise reply.unreadable("without a list data.results")
        found = [
            _result(number, request, results[number] if number < len(results) else None)
            for number, request in enumerate(requests)
        ]
        return Completed(
            outputs=tuple(each for each in found if isinstance(each, Output)),
            failures=tuple(each for each in found if isinstance(each, ItemFailure)),
            credits=float(sum(isinstance(each, Output) for each in found)),
            request_id=foreign.identifier(reply.get("request_id")),
        )

    def _path(self, variant: str | None) -> str:
        if variant is None:
            return "/generate"
        option = f"{variant}_path"
        path: str = self.account.options.get(option, self.account_options[option].default)
        return "/" + path.strip("/").removeprefix("api/v1/")

    # -- free routes --------------------------------------------------------------------------------------------

    def models(self, kind: str | None) -> Generator[Call, Reply, list[ModelInfo]]:
        """The public list; its envelope is not documented, so a bare list, ``data`` and ``models`` are all read."""
        reply = yield Get("/models", auth=False)
        found = reply.json
        for name in ("data", "models"):
            found = found.get(name, found) if isinstance(found, dict) else found
        models = foreign.need(foreign.rows(found), reply, "without a list of models")
        named = ((foreign.identifier(row.get("slug")), row) for row in models)
        return [
            ModelInfo(
                id=slug,
                name=foreign.text(row.get("name")) or slug,
                kind="image",
                description=foreign.text(row.get("description")) or "",
            )
            for slug, row in named
            if slug is not None and kind in (None, "image")
        ]

    def balance(self) -> Generator[Call, Reply, Balance]:
        """Requests left, the smaller of the day's and the month's; ``details``: ``usage`` and ``plan`` as they came."""
        reply = yield Get("/usage")
        data = foreign.table(reply["data"])
        plan = foreign.table(data.get("plan"))
        left = [foreign.number(plan.get(name)) for name in ("remaining_today", "remaining_month")]
        known = [each for each in left if each is not None]
        if not known:
            raise reply.unreadable("without data.plan.remaining_today")
        return Balance(min(known), self.unit, as_of=foreign.sent_at(reply.headers) or 0.0, details=foreign.plain(data))

    def health(self) -> Generator[Call, Reply, Health]:
        reply = yield Get("/health", auth=False)
        details = health_report(reply)
        status = foreign.need(foreign.text(details.get("status")), reply, "without a status")
        return Health(status, {name: value for name, value in details.items() if name != "status"})

    def enhance(self, prompt: str, tone: str | None) -> Generator[Call, Reply, str]:
        if not prompt.strip():
            raise InvalidRequest("prompt: it is empty; say what to enhance", field="prompt")
        body = {"prompt": prompt} if tone is None else {"prompt": prompt, "tone": tone}
        reply = yield Post("/prompt/enhance", json=body)
        return _prompt(reply)

    def build_prompt(self, parts: Mapping[str, str]) -> Generator[Call, Reply, str]:
        body = {name: value for name, value in parts.items() if value}
        unknown = [name for name in body if name not in PARTS]
        if unknown or not body:
            why = "no part of a prompt" if unknown else "at least one part is needed"
            name = unknown[0] if unknown else "subject"
            raise InvalidRequest(f"{name}: {why}; imageapi takes {', '.join(PARTS)}", field=name)
        reply = yield Post("/prompt/build", json=body)
        return _prompt(reply)

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        return read_error(call, reply)


def _item(request: GenerationRequest) -> dict[str, Any]:
    """One item, or a whole body, in the document's words."""
    names = ("prompt", "negative_prompt", "width", "height", "seed", "model")
    item: dict[str, Any] = {name: getattr(request, name) for name in names}
    item["num_inference_steps"] = request.steps
    return {name: value for name, value in item.items() if value is not None}


def _result(number: int, request: GenerationRequest, result: Any) -> Output | ItemFailure:
    """One item of a reply: a hosted URL, or the picture itself in a data URL (where the plan has no storage)."""
    facts = foreign.table(result)
    image = foreign.text(facts.get("image"))
    if facts.get("success") is False or image is None:
        said = foreign.said(facts.get("error")) or "the reply has no picture for it and does not say why"
        return ItemFailure(number, item_error(said))
    where = foreign.url(image)
    made = None if where else foreign.picture(image)
    if where is None and made is None:
        why = "ImageAPI answered with a cut or malformed picture; ask for it again"
        return ItemFailure(number, GenerationFailed(why, provider="imageapi", code="malformed_image"))
    data, media_type = made or (None, None)
    metadata = foreign.plain({name: facts[name] for name in ("model", "storage") if name in facts})
    seed = foreign.whole(facts.get("seed"))
    return Output(where, data, item=number, media_type=media_type, prompt=request.prompt, seed=seed, metadata=metadata)


def _prompt(reply: Reply) -> str:
    data = reply["data"]
    return foreign.need(foreign.text(foreign.table(data).get("prompt")), reply, "without data.prompt")
