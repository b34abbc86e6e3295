"""The built-in sandbox: a service of every kind inside this process. No key, no network, play credits, real files.

It is what answers where no account is set up, and the only provider that declares cancel.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from genstep.capabilities import Field
from genstep.errors import ConfigurationError, InsufficientCredits, InvalidRequest, NotFound
from genstep.models import Balance, Health, HistoryItem, InputImage, ModelInfo
from genstep.provider import Accepted, Completed, Failed, Output, Page, Provider, Running, State, Timing
from genstep.sandbox.jobs import Jobs, Work
from genstep.sandbox.offer import CAPABILITIES, DAILY, MODEL, PARTS, PRICES, SECONDS
from genstep.sandbox.shape import size

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.models import GenerationRequest

#: entries of a page of past work
PAGE = 50


class Sandbox(Provider):
    """Makes real files of every kind by itself, each marked as sandbox; ``clock`` gives Unix seconds."""

    slug = "sandbox"
    title = "Built-in sandbox"
    auth = "none"
    timing = Timing(median=0.8, sigma=0.1, gap=0.1, least=0.05, most=1.0)
    account_options: ClassVar[Mapping[str, Field]] = {
        "folder": Field(type=str, about="where its jobs are kept"),
        "play_credits": Field(minimum=0, default=DAILY, about="credits a UTC day; they are worth nothing"),
    }
    capabilities = CAPABILITIES

    def __init__(self, account: Account, *, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(account)
        chosen = folder or account.options.get("folder")
        if chosen is None:
            from genstep.config import home

            chosen = home() / "sandbox"
        self._clock = clock
        self._jobs = Jobs(Path(chosen), float(account.options.get("play_credits", DAILY)), clock)

    # -- pure ---------------------------------------------------------------------------------------------------

    def prepare(self, request: GenerationRequest) -> GenerationRequest:
        """Size and seed are settled here, and what cannot be made here is refused before a job starts."""
        from genstep.sandbox import media

        lacking = media.available(request.kind, request.output_format)
        if lacking is not None:
            how = "" if "pip" in lacking else "; run: pip install 'genstep[media]'"
            raise InvalidRequest(f"output_format: {lacking}{how}", field="output_format", provider=self.slug)
        if not request.prompt.strip() and request.image is None:
            raise InvalidRequest("prompt: a 3D model needs a prompt or an image", field="prompt", provider=self.slug)
        if request.kind == "video" and not (request.resolution or request.width or request.height):
            request = request.with_fields(resolution="360p")
        width, height = size(request) or (None, None)
        seed = request.seed if request.seed is not None else _seed(request)
        return request.with_fields(width=width, height=height, seed=seed)

    def group(self, request: GenerationRequest) -> Hashable:
        return request.kind, request.quality, json.dumps(request.options, sort_keys=True)

    def price(self, request: GenerationRequest) -> float:
        return PRICES[request.kind] * (2 if request.quality == "4k" else 1) * request.n

    def timing_for(self, request: GenerationRequest) -> Timing:
        seconds = _seconds(request)
        return Timing(max(seconds, 0.05), sigma=0.1, gap=max(0.1, seconds / 20), least=0.05, most=max(1.0, seconds / 5))

    # -- a job --------------------------------------------------------------------------------------------------

    async def submit(self, request: GenerationRequest) -> Accepted:
        return await self.submit_batch(request.items())

    async def submit_batch(self, requests: Sequence[GenerationRequest]) -> Accepted:
        work = await asyncio.to_thread(self._start, requests)
        return Accepted(work.id, credits=work.credits, balance=await asyncio.to_thread(self._jobs.left))

    def _start(self, requests: Sequence[GenerationRequest]) -> Work:
        first = requests[0]
        price = sum(self.price(request) for request in requests)
        items, inputs = zip(*(_item(request) for request in requests), strict=True)
        fail = bool(first.options.get("fail"))
        work = self._jobs.create(first.kind, items, inputs, seconds=_seconds(first), price=price, fail=fail)
        if work is None:
            left = self._jobs.left()
            raise InsufficientCredits(
                f"the sandbox has {left:g} play credits left today, not {price:g}; set its option play_credits higher",
                required=price,
                available=left,
                provider=self.slug,
                charged=False,
            )
        return work

    async def poll(self, job_id: str) -> State:
        return await asyncio.to_thread(self._look, job_id)

    def _look(self, job_id: str) -> State:
        work, now = self._found(job_id), self._clock()
        status = work.status(now)
        if status == "processing":
            return Running(work.progress(now), status)
        if status == "cancelled":
            return Failed("it was cancelled, and its credits were given back", code="CANCELLED", refunded=True)
        if status == "failed":
            self._jobs.give_back(job_id, cancelled=False)
            return Failed("it failed because options.fail asked for that", code="SANDBOX_FAILED", refunded=True)
        try:
            outputs = [output for number, item in enumerate(work.items) for output in self._make(work, number, item)]
        except ValueError as error:
            self._jobs.give_back(job_id, cancelled=False)
            return Failed(f"the sandbox cannot make it: {error}", code="SANDBOX_FAILED", refunded=True)
        except RuntimeError as error:
            raise ConfigurationError(f"{error}; then resume the job", provider=self.slug, job_id=job_id) from None
        return Completed(tuple(outputs), job_id=job_id, credits=work.credits, completed_at=work.ready_at)

    def _make(self, work: Work, number: int, item: dict[str, Any]) -> list[Output]:
        """The files of one item; the same each time that it is asked."""
        from genstep.sandbox import media

        wanted = {name: value for name, value in item.items() if name != "prompt"}
        prompt, picture = item["prompt"], self._jobs.input(work.id, number)
        made = media.make(work.kind, prompt, image=picture, **wanted)
        about = {"prompt": prompt or None, "seed": item["seed"], "item": number}
        facts = {"model": MODEL, "sandbox": True}
        if work.kind == "text":
            return [Output(text=made.data.decode("utf-8"), media_type=made.media_type, metadata=facts, **about)]
        outputs = [Output(data=made.data, media_type=made.media_type, metadata=facts, **about)]
        if work.kind == "model3d":
            preview = media.make(
                "image", prompt or "a 3D model", seed=item["seed"], width=512, height=512, image=picture
            )
            outputs.append(Output(data=preview.data, media_type=preview.media_type, role="preview", **about))
        return outputs

    async def cancel(self, job_id: str) -> bool:
        """True where it was still running; its credits are given back."""
        return await asyncio.to_thread(self._stop, job_id)

    def _stop(self, job_id: str) -> bool:
        status = self._found(job_id).status(self._clock())
        if status == "processing":
            self._jobs.give_back(job_id, cancelled=True)
        return status in ("processing", "cancelled")

    async def delete(self, job_id: str) -> None:
        if not await asyncio.to_thread(self._jobs.delete, job_id):
            raise _unknown(job_id)

    def _found(self, job_id: str) -> Work:
        work = self._jobs.read(job_id)
        if work is None:
            raise _unknown(job_id)
        return work

    # -- what else it can be asked ------------------------------------------------------------------------------

    async def history(self, cursor: Any, **filters: Any) -> Page:
        """Newest first; ``kind``, ``status`` and ``limit`` (a page) filter."""
        given = {name: value for name, value in filters.items() if value is not None}
        for name in given:
            if name not in ("kind", "status", "limit"):
                raise InvalidRequest(f"{name}: no filter of sandbox; it takes kind, status, limit", field=name)
        return await asyncio.to_thread(self._page, cursor, int(given.pop("limit", PAGE)), given)

    def _page(self, cursor: str | None, limit: int, filters: Mapping[str, str]) -> Page:
        now = self._clock()
        items: list[HistoryItem] = []
        for job_id in self._jobs.newest(cursor):
            work = self._jobs.read(job_id)
            if work is None:
                continue
            facts = {"kind": work.kind, "status": work.status(now)}
            if any(facts[name] != value for name, value in filters.items()):
                continue
            if len(items) == max(limit, 1):
                return Page(tuple(items), next=items[-1].id)
            prompt = work.items[0]["prompt"] or None
            items.append(HistoryItem(work.id, work.kind, prompt, facts["status"], work.created_at))
        return Page(tuple(items))

    async def models(self, kind: str | None) -> list[ModelInfo]:
        said = "made on this machine; the same prompt and seed make the same file"
        return [ModelInfo(MODEL, "Sandbox 1", each, PRICES[each], said) for each in PRICES if kind in (None, each)]

    async def balance(self) -> Balance:
        left = await asyncio.to_thread(self._jobs.left)
        return Balance(left, self.unit, as_of=self._clock(), details={"play": True})

    async def health(self) -> Health:
        from genstep.sandbox import media

        lacking = {kind: media.available(kind, None) for kind in PRICES}
        return Health("healthy", {kind: why or "ok" for kind, why in lacking.items()})

    async def enhance(self, prompt: str, tone: str | None) -> str:
        if not prompt.strip():
            raise InvalidRequest("prompt: it is empty; say what to enhance", field="prompt", provider=self.slug)
        mood = tone or "calm and clear"
        return f"{prompt.strip()}, {mood}, soft side light, a simple background, a strong silhouette, fine texture"

    async def build_prompt(self, parts: Mapping[str, str]) -> str:
        given = {name: value.strip() for name, value in parts.items() if value and value.strip()}
        unknown = [name for name in given if name not in PARTS]
        if unknown or not given:
            why = "no part of a prompt" if unknown else "at least one part is needed"
            name = unknown[0] if unknown else PARTS[0]
            raise InvalidRequest(f"{name}: {why}; it takes {', '.join(PARTS)}", field=name, provider=self.slug)
        return ", ".join(given[name] for name in PARTS if name in given)


def _item(request: GenerationRequest) -> tuple[dict[str, Any], bytes | None]:
    """What the media makers are asked for, and the input picture."""
    names = ("prompt", "width", "height", "output_format", "duration")
    item = {name: value for name in names if (value := getattr(request, name)) is not None}
    item["seed"] = request.seed if request.seed is not None else _seed(request)
    image = request.image
    return item, image.data if isinstance(image, InputImage) else None


def _seed(request: GenerationRequest) -> int:
    """A seed that follows from what is asked, so that the same prompt makes the same picture."""
    asked = {name: value for name, value in request.canonical().items() if name in ("kind", "prompt", "image", "model")}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _seconds(request: GenerationRequest) -> float:
    asked = request.options.get("seconds", SECONDS[request.kind])
    return float(asked) if math.isfinite(asked) else 0.0


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"the sandbox knows no job {job_id[:60]!r}; was it deleted?", provider="sandbox", job_id=job_id)
