"""Nano Banana (document 001): one blocking call each for images, video and 3D models, and the list of past work.

The document lost the paths of video and 3D and names no host: the account names the host, and may set the paths.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from genstep import foreign
from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.errors import GenerationFailed, GenstepError, InvalidRequest, ProviderUnavailable, RateLimited
from genstep.models import HistoryItem, InputImage
from genstep.provider import (
    Call,
    Completed,
    Get,
    ItemFailure,
    Output,
    Page,
    Paid,
    Provider,
    Rate,
    Reply,
    Submitted,
    Timing,
)
from genstep.statuses import error_for_status

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.models import GenerationRequest

#: requests an hour for one key, by plan
PLANS = {"free": 100, "pro": 500, "enterprise": 1000}
#: the list's own word for each of our kinds
TYPES = {"image": "images", "video": "videos", "model3d": "3d"}
#: seconds that a blocking call keeps reading
READ_TIMEOUT = 600.0


class NanoBanana(Provider):
    """Images, video and 3D by one blocking call each; counts in points, of which every reply names the rest."""

    slug = "nanobanana"
    title = "Nano Banana"
    base_path = "/api/v1"
    unit = "points"
    exact_prices = False
    #: of 100 requests an hour, looking something up takes as few as can be
    long_pages: ClassVar[Mapping[str, Any]] = {"limit": 100}
    account_options: ClassVar[Mapping[str, Field]] = {
        "plan": Field(values=tuple(PLANS), about="sets the hourly limit before the first reply tells it"),
        "videos_path": Field(type=str, default="/videos", about="where videos are made, below /api/v1"),
        "model3d_path": Field(type=str, default="/3d", about="where 3D models are made, below /api/v1"),
    }
    capabilities = Capabilities(
        {
            "image": KindSpec(
                fields={
                    "aspect_ratio": Field(values=("1:1", "16:9", "4:3"), open=True, ratio=True, default="1:1"),
                    "output_format": Field(values=("png", "jpeg", "webp"), default="png"),
                    "model": Field(values=("nano-banana",), open=True, type=str, default="nano-banana"),
                },
                batch=4,
            ),
            "video": KindSpec(
                fields={
                    "aspect_ratio": Field(values=("16:9",), open=True, ratio=True, default="16:9"),
                    "resolution": Field(values=("360p", "520p", "720p", "1080p"), default="720p"),
                    "duration": Field(type=(int, float), default=4.0, about="seconds"),
                    "model": Field(values=("vidu-q2", "ltx-2"), default="vidu-q2"),
                },
            ),
            "model3d": KindSpec(
                prompt=None,
                fields={
                    "image": Field(
                        values=("chair.jpg", "https://example.com/object.jpg"),
                        open=True,
                        required=True,
                        about="the picture of the object",
                    )
                },
                options={
                    "texture_quality": Field(values=("standard", "no"), default="standard"),
                    "texture_alignment": Field(
                        values=("original_image",), open=True, type=str, default="original_image"
                    ),
                    "orientation": Field(values=("default",), open=True, type=str, default="default"),
                },
            ),
        },
        blocking=True,
        history=True,
    )

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        limit = PLANS.get(account.options.get("plan", ""))
        self.rate = Rate(limit, 3600.0) if limit else None

    def timing_for(self, request: GenerationRequest) -> Timing:
        """The ``generation_time`` of the document's examples, in milliseconds there."""
        return Timing(median={"image": 2.45, "video": 32.45}.get(request.kind, 45.678))

    def price(self, request: GenerationRequest) -> float | None:
        """The document states none: the account's ``price``, one number or a table by kind."""
        price = self.account.options.get("price")
        each = foreign.number(price.get(request.kind) if isinstance(price, dict) else price)
        return None if each is None else each * request.n

    # -- the paid call ------------------------------------------------------------------------------------------

    def submit(self, request: GenerationRequest) -> Generator[Call, Reply, Submitted]:
        path, body = self._asked(request)
        reply = yield Paid(path, json=body, read_timeout=READ_TIMEOUT)
        data = foreign.table(reply["data"])
        found = {"image": "images", "video": "video", "model3d": "model"}[request.kind]
        if found not in data:
            raise reply.unreadable(f"without data.{found}")
        entries = data[found] if request.kind == "image" else [data[found]]
        outputs, failures = _results(entries, request, data)
        if not outputs:
            raise reply.unreadable(f"without a url in data.{found}")
        return Completed(
            outputs=outputs,
            failures=failures,
            job_id=foreign.identifier(outputs[0].metadata.get("generation_id")),
            balance=foreign.number(data.get("remaining_points")),
            request_id=foreign.identifier(data.get("request_id")),
        )

    def _asked(self, request: GenerationRequest) -> tuple[str, dict[str, Any]]:
        """The path and body of a request, each field in the document's own word."""
        if request.kind == "model3d":
            return self._path("model3d_path"), {**_picture(request), **request.options}
        body: dict[str, Any] = {"prompt": request.prompt}
        taken = {name: getattr(request, name) for name in self.capabilities.kinds[request.kind].fields}
        body.update({name: value for name, value in taken.items() if value is not None})
        if request.kind == "image":
            return "/images", {**body, "num_images": request.n}
        duration = body.get("duration")
        if isinstance(duration, float) and duration.is_integer():
            body["duration"] = int(duration)
        return self._path("videos_path"), body

    def _path(self, option: str) -> str:
        path: str = self.account.options.get(option, self.account_options[option].default)
        return "/" + path.strip("/").removeprefix("api/v1/")

    # -- past work ----------------------------------------------------------------------------------------------

    def history(self, cursor: Any, **filters: Any) -> Generator[Call, Reply, Page]:
        """``GET /projects``: filters ``kind`` (or the document's ``type``), ``sort``, ``order``, ``limit`` to 100."""
        number = cursor or 1
        reply = yield Get("/projects", params={**_filters(filters), "page": number})
        data = foreign.table(reply["data"])
        projects = foreign.need(foreign.rows(data.get("projects")), reply, "without a list data.projects")
        more = foreign.flag(foreign.table(data.get("pagination")).get("has_more"))
        items = tuple(item for item in map(_past, projects) if item is not None)
        return Page(items, next=number + 1 if more and projects else None)

    # -- errors -------------------------------------------------------------------------------------------------

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        """The body first: a 200 can say ``success: false``; then the status, as the document lists no codes."""
        body = reply.data
        refused = body.get("success") is False
        if reply.ok and not refused:
            return None
        said = foreign.said(body.get("error")) or (reply.line() if not refused else "it does not say why")
        request_id = foreign.identifier(body.get("request_id", foreign.table(body.get("data")).get("request_id")))
        known: dict[str, Any] = {"provider": self.slug, "request_id": request_id}
        if reply.ok and call.paid:
            return GenerationFailed(
                f"Nano Banana did not make it: {said}; change the prompt, or look at the points left on its site",
                status=reply.status,
                **known,
            )
        if reply.ok:
            return ProviderUnavailable(f"Nano Banana refused: {said}; try again later", status=reply.status, **known)
        if reply.status == 429:
            wait = foreign.retry_after(reply.headers)
            return RateLimited(f"too many requests: {said}; try again later", retry_after=wait, status=429, **known)
        return error_for_status(reply, said, **known)


def _picture(request: GenerationRequest) -> dict[str, str]:
    """Exactly one of ``image_url`` and ``image_base64`` (bare, without a data-URL prefix)."""
    image = request.image
    if not isinstance(image, InputImage) or not (image.url or image.data):
        raise InvalidRequest("image: nanobanana needs a picture for model3d, as a URL or a file", field="image")
    return {"image_url": image.url} if image.url else {"image_base64": image.base64()}


def _results(
    entries: Any, request: GenerationRequest, data: Mapping[str, Any]
) -> tuple[tuple[Output, ...], tuple[ItemFailure, ...]]:
    """What was made, item by item; one that is missing or has no URL fails alone, for the rest was paid for."""
    shared = {name: data[name] for name in ("generation_id", "generation_time") if name in data}
    outputs: list[Output] = []
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        facts = foreign.table(entry)
        where = foreign.url(facts.get("url"))
        if where is None:
            continue
        item = min(number, request.n - 1)
        metadata = foreign.plain({**shared, **facts})
        for address in ("url", "preview_image"):
            metadata.pop(address, None)
        media_type = foreign.text(facts.get("content_type"))
        prompt = request.prompt or None
        outputs.append(Output(url=where, item=item, media_type=media_type, prompt=prompt, metadata=metadata))
        preview = foreign.url(facts.get("preview_image"))
        if preview is not None:
            outputs.append(Output(url=preview, item=item, role="preview"))
    missing = set(range(request.n)) - {output.item for output in outputs}
    why = f"Nano Banana returned {request.n - len(missing)} of {request.n}; ask for the missing again"
    failures = tuple(ItemFailure(item, GenerationFailed(why, code="missing")) for item in sorted(missing))
    return tuple(outputs), failures


def _filters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The document's query, with its defaults, or :class:`InvalidRequest`."""
    given = {name: value for name, value in given.items() if value is not None}
    kind = given.pop("kind", None)
    if kind is not None:
        given.setdefault("type", TYPES.get(kind, kind))
    takes = {
        "type": Field(values=("all", *TYPES.values()), default="all"),
        "limit": Field(minimum=1, maximum=100, integer=True, default=20),
        "sort": Field(type=str, default="createdAt"),
        "order": Field(values=("desc", "asc"), default="desc"),
    }
    for name, value in given.items():
        if name not in takes:
            raise InvalidRequest(f"{name}: no filter of nanobanana; it takes kind, {', '.join(takes)}", field=name)
        problem = takes[name].problem(value)
        if problem:
            raise InvalidRequest(f"{name}: nanobanana takes {problem}, not {value!r:.60}", field=name)
    return {name: given.get(name, declared.default) for name, declared in takes.items()}


def _past(row: Mapping[str, Any]) -> HistoryItem | None:
    """One project; the document names no status: what is listed is done."""
    identity = foreign.identifier(row.get("id"))
    if identity is None:
        return None
    kinds = {"image": "image", "video": "video", "3d": "model3d", "model": "model3d", "model3d": "model3d"}
    where = foreign.url(row.get("url"))
    thumbnail = foreign.url(row.get("thumbnail"))
    metadata = {**foreign.table(row.get("metadata")), **({"thumbnail": thumbnail} if thumbnail else {})}
    return HistoryItem(
        id=identity,
        kind=kinds.get((foreign.text(row.get("type")) or "").rstrip("s").lower()),
        prompt=foreign.text(row.get("prompt")),
        status="completed",
        created_at=foreign.moment(row.get("created_at")),
        urls=(where,) if where else (),
        metadata=foreign.plain(metadata),
    )
