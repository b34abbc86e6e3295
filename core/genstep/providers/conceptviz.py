"""ConceptViz (document 000): submit, task id, poll. Science diagrams, up to four prompts in one task."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from genstep import foreign
from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.errors import (
    AuthenticationError,
    BatchTooLarge,
    GenerationFailed,
    GenstepError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
)
from genstep.provider import (
    Accepted,
    Call,
    Completed,
    Failed,
    Get,
    Output,
    Paid,
    Provider,
    Reply,
    Running,
    State,
    Submitted,
    Timing,
)
from genstep.statuses import error_for_status

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

#: credits an image, by quality
PRICES = {"2k": 1.0, "4k": 2.0}
#: "Max images per request"
MOST = 4


class ConceptViz(Provider):
    """Diagrams by the document's ``POST /generate`` and ``GET /task/{taskId}``; it has no other routes."""

    slug = "conceptviz"
    title = "ConceptViz"
    base_url = "https://conceptviz.app/api/v1"
    base_path = "/api/v1"
    key_prefix = "cvk_"
    #: "30-90 seconds typical", "3-5 seconds recommended"
    timing = Timing(median=52.0, sigma=0.43, gap=5.0, least=3.0)
    account_options: ClassVar[Mapping[str, Field]] = {
        "batch": Field(
            minimum=1, maximum=MOST, integer=True, about="pictures in one task, where the plan allows fewer than four"
        ),
    }
    capabilities = Capabilities(
        {
            "image": KindSpec(
                fields={
                    "quality": Field(values=tuple(PRICES), default="2k", about="resolution of the picture"),
                    "aspect_ratio": Field(values=("16:9", "1:1"), open=True, ratio=True, about="width to height"),
                },
                batch=MOST,
            )
        }
    )

    def group(self, request: GenerationRequest) -> Hashable:
        """One task has one quality and one ratio."""
        return request.quality, request.aspect_ratio

    def batch(self, request: GenerationRequest) -> int:
        return int(self.account.options.get("batch", super().batch(request)))

    def price(self, request: GenerationRequest) -> float:
        return PRICES[request.quality or "2k"] * request.n

    def submit(self, request: GenerationRequest) -> Generator[Call, Reply, Submitted]:
        return self._start(request, [request.prompt] * request.n)

    def submit_batch(self, requests: Sequence[GenerationRequest]) -> Generator[Call, Reply, Submitted]:
        return self._start(requests[0], [request.prompt for request in requests])

    def _start(self, request: GenerationRequest, prompts: list[str]) -> Generator[Call, Reply, Submitted]:
        """Never both ``prompt`` and ``prompts``: the document lets ``prompts`` win."""
        body: dict[str, Any] = {"prompt": prompts[0]} if len(prompts) == 1 else {"prompts": prompts}
        body["quality"] = request.quality or "2k"
        if request.aspect_ratio is not None:
            body["aspectRatio"] = request.aspect_ratio
        reply = yield Paid("/generate", json=body)
        return Accepted(
            foreign.need(foreign.identifier(reply["taskId"]), reply, "with a taskId that is no id"),
            credits=foreign.number(reply.get("credits_used")),
            balance=foreign.number(reply.get("credits_remaining")),
        )

    def poll(self, job_id: str) -> Generator[Call, Reply, State]:
        """``poll_url`` is not followed: a key goes to no address taken from a reply."""
        try:
            reply = yield Get(f"/task/{quote(job_id, safe='')}")
        except GenerationFailed as failed:
            return Failed(failed.message, code=failed.code, refunded=failed.refunded)
        status = foreign.need(foreign.text(reply["status"]), reply, "with a status that is no word")
        if status == "completed":
            return Completed(outputs=_pictures(reply), job_id=job_id)
        if status == "failed":
            code = foreign.text(reply.get("code"))
            refunded = foreign.flag(reply.get("credits_refunded"))
            return Failed(
                foreign.said(reply.get("error")) or "ConceptViz could not make it, and does not say why",
                code=code,
                refunded=True if refunded is None and code == "GENERATION_FAILED" else refunded,
            )
        return Running(status=status)

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        """The document's codes decide, whatever the status; a body without one is judged by its status."""
        if reply.ok:
            return None
        body = reply.data
        code = foreign.text(body.get("code"))
        said = foreign.said(body.get("error")) or reply.line()
        known: dict[str, Any] = {"provider": self.slug, "code": code, "status": reply.status}
        if code in ("INVALID_BODY", "PROMPT_REQUIRED", "TOO_MANY_PROMPTS"):
            field = {"PROMPT_REQUIRED": "prompt", "TOO_MANY_PROMPTS": "n"}.get(code)
            return InvalidRequest(f"ConceptViz refused the request: {said}", field=field, **known)
        if code in ("UNAUTHORIZED", "INVALID_API_KEY"):
            return AuthenticationError(
                f"ConceptViz refused the key ({said}); make or enable one under Settings > API Keys", **known
            )
        if code == "INSUFFICIENT_CREDITS":
            return InsufficientCredits(
                f"not enough ConceptViz credits ({said}); buy some, or ask for fewer pictures or quality 2k",
                required=_price_of(call.json),
                available=foreign.number(body.get("credits_remaining")),
                **known,
            )
        if code == "PLAN_LIMIT_EXCEEDED":
            return BatchTooLarge(
                f"your ConceptViz plan takes fewer pictures in one task ({said}); set the account's option batch",
                **known,
            )
        if code == "TASK_NOT_FOUND":
            return NotFound(
                f"ConceptViz knows no such task for this account ({said}); is it another account's?", **known
            )
        if code == "GENERATION_FAILED":
            return GenerationFailed(
                f"ConceptViz could not make it and gave the credits back ({said}); try again later",
                refunded=True,
                charged=False,
                **known,
            )
        if reply.status == 429:
            wait = foreign.retry_after(reply.headers)
            return RateLimited(f"ConceptViz asks for a pause ({said}); try again later", retry_after=wait, **known)
        return error_for_status(reply, said, **{name: known[name] for name in ("provider", "code")})


def _pictures(reply: Reply) -> tuple[Output, ...]:
    """The pictures in the document's order, each with its prompt, by which the caller matches them."""
    pictures = reply["images"]
    if not isinstance(pictures, list) or not pictures:
        raise reply.unreadable("completed, but without images")
    return tuple(
        Output(
            url=foreign.need(foreign.url(foreign.table(picture).get("url")), reply, "with an image that has no url"),
            item=item,
            prompt=foreign.text(foreign.table(picture).get("prompt")),
        )
        for item, picture in enumerate(pictures)
    )


def _price_of(body: Any) -> float | None:
    """What a submitted body would have cost."""
    if not isinstance(body, dict) or body.get("quality") not in PRICES:
        return None
    return PRICES[body["quality"]] * len(body.get("prompts", [None]))
