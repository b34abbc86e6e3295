"""What came of a request: results fetched and stored, and the public objects read back from the ledger."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstep.assets import path_of, stem_for
from genstep.errors import AssetError, GenerationFailed, GenstepError, from_dict
from genstep.ledger import CallRow, ItemRow, Ledger, RequestRow, request_status
from genstep.ledger.records import FORGOTTEN, item_state
from genstep.models import Asset, Cost, Generation, GenerationRequest, InputImage, Job

if TYPE_CHECKING:
    from genstep.client.sending import Sending
    from genstep.ledger.store import Stored
    from genstep.provider import Completed, Output

log = logging.getLogger("genstep")

DOWNLOADS_AT_ONCE = 4


def request_of(row: RequestRow) -> GenerationRequest:
    """The request as the ledger keeps it: without input media."""
    fields = {"kind": row.kind, **json.loads(row.request)}
    if str(fields.get("image", "")).startswith("sha256:"):
        fields["image"] = InputImage(sha256=fields["image"].removeprefix("sha256:"))
    return GenerationRequest(**fields)


@dataclass(frozen=True, slots=True)
class Content:
    """What the ledger has of a paid call's items: their rows in order, their requests and their files.

    ``unwritten`` are the files of a call's only item, which are written down together with the call's end.
    """

    items: list[ItemRow]
    requests: dict[str, RequestRow]
    assets: dict[tuple[str, int], list[Asset]]
    unwritten: list[Stored] = field(default_factory=list)

    @property
    def resumable(self) -> bool:
        """Whether the call can be made again from what is kept: input media are not."""
        return all(kept.resumable for kept in self.requests.values())

    def parts(self, members: Sequence[ItemRow] = ()) -> list[GenerationRequest]:
        """The items (or these of them) as requests of one each."""
        whole = {name: request_of(kept).items() for name, kept in self.requests.items()}
        return [whole[member.request][member.number] for member in members or self.items]


def content(ledger: Ledger, call: str) -> Content:
    """All that saving a call needs to know, read at once."""
    items = ledger.items(call=call)
    names = dict.fromkeys(item.request for item in items)
    requests = {name: row for name in names if (row := ledger.request(name)) is not None}
    assets: dict[tuple[str, int], list[Asset]] = {}
    for name in names:
        for number, data in ledger.assets(name):
            assets.setdefault((name, number), []).append(asset_of(data))
    return Content(items, requests, assets)


async def missing(life: Sending, call: str, epoch: int, content: Content) -> list[ItemRow]:
    """The items of a call that have neither their files nor a refusal; those that could not be fetched among them.

    Of files that are found again, nothing is said to be missing any more.
    """
    found = []
    for member in content.items:
        # a deleted request that shared the call stays deleted
        if content.requests[member.request].request == FORGOTTEN or item_state("saved", member.error) == "failed":
            continue
        assets = content.assets.get((member.request, member.number), [])
        if not assets or not await asyncio.to_thread(lambda those: all(map(life.store.exists, those)), assets):
            found.append(member)
        elif member.error is not None:
            await life.db(life.ledger.stored, call, epoch, member.request, member.number)
    return found


async def save(
    life: Sending, call: str, epoch: int, made: Completed, content: Content, wanted: Sequence[ItemRow]
) -> list[tuple[ItemRow, GenstepError]]:
    """Store what a call made for the ``wanted`` of its items, each written down at once; why the others have nothing.

    An :class:`AssetError` among the reasons ends neither the others nor the call.
    """
    members, requests = content.items, content.requests
    refused = {failure.item: failure.error for failure in made.failures}
    outputs = assign(made.outputs, {m.position: requests[m.request].prompt for m in members})
    nothing = GenerationFailed("the service answered without a result for this item", code="missing")
    at_once = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def item(member: ItemRow) -> tuple[ItemRow, GenstepError | None]:
        if member.position not in outputs:
            return member, refused.get(member.position, nothing)
        saved = []
        for output in outputs[member.position]:
            async with at_once:
                try:
                    asset = await _store(life, requests[member.request], member, output)
                except AssetError as error:
                    return member, error
            if asset is not None:
                saved.append(asset)
        if len(members) == 1:
            content.unwritten.append((member.request, member.number, saved))
        else:
            await life.db(life.ledger.stored, call, epoch, member.request, member.number, saved)
        return member, None

    # one that was moved to a call of its own is no more of ours
    here = {(member.request, member.number) for member in members}
    ours = [member for member in wanted if (member.request, member.number) in here]
    done = await asyncio.gather(*(item(member) for member in ours), return_exceptions=True)
    lacking = []
    for outcome in done:
        # trouble of ours, such as a full disk or a ledger that is away, says nothing about what was made and paid
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome[1] is not None:
            lacking.append((outcome[0], outcome[1]))
    return lacking


def assign(outputs: Sequence[Output], prompts: Mapping[int, str]) -> dict[int, list[Output]]:
    """Which output belongs to the item at which position: by its prompt where that fits, then by position."""
    places: dict[int, int] = {}
    free = sorted(prompts)
    mains = {output.item: output for output in outputs if output.role == "main"}
    for by_prompt in (True, False):
        for place, output in mains.items():
            fits = [item for item in free if prompts[item] == output.prompt] if by_prompt else free
            if place not in places and fits:
                places[place] = place if place in fits else fits[0]
                free.remove(places[place])
    found: dict[int, list[Output]] = {}
    for output in outputs:
        found.setdefault(places.get(output.item, max(prompts, default=0)), []).append(output)
    return found


async def _store(life: Sending, kept: RequestRow, member: ItemRow, output: Output) -> Asset | None:
    """The saved file; None for a preview that cannot be had, which must not cost the result itself."""
    request = json.loads(kept.request)
    first = request.get("seed")
    seed = output.seed if output.seed is not None or first is None else first + member.number
    about: dict[str, Any] = {
        "id": kept.id,
        "provider": kept.provider,
        "kind": kept.kind,
        "model": output.metadata.get("model", kept.model),
        "prompt": output.prompt or kept.prompt,
        "seed": seed,
        "request": request,
        "fingerprint": kept.fingerprint,
        "created_at": life.clock.time(),
    }
    number = member.number + 1
    stem = stem_for(kept.prompt or kept.kind, kept.id, number) + (f"-{output.role}" if output.role != "main" else "")
    kind = kept.kind if output.role == "main" else "image"
    try:
        return await life.store.save(
            output,
            stem=stem,
            kind=kind,
            fetch=life.transport.fetch,
            about=about,
            clock=life.clock,
            say_prompt=life.account.options.get("xmp_prompt", False),
        )
    except AssetError as error:
        error.provider, error.job_id = error.provider or kept.provider, kept.id
        if output.role == "main":
            raise
        log.warning("job %s: its %s could not be saved (%s)", kept.id, output.role, error)
        return None


def job(ledger: Ledger, row: RequestRow, *, message: str = "") -> Job:
    """A request as a public job."""
    calls = ledger.calls(row.id)
    items = ledger.items(request=row.id)
    states = _states(calls, items)
    known = [call.progress for call in calls if call.progress is not None]
    return Job(
        id=row.id,
        provider=row.provider,
        provider_job_ids=tuple(call.job_id for call in calls if call.job_id),
        status=request_status(states),
        progress=sum(known) / len(calls) if known else None,
        cost=cost(row, calls, ledger.shares(row.id)),
        account=row.account,
        kind=row.kind,
        prompt=row.prompt,
        created_at=row.created_at,
        done=sum(state in ("saved", "failed", "unfetched", "cancelled", "uncertain") for state in states),
        total=len(items),
        message=message,
    )


def generation(ledger: Ledger, row: RequestRow, *, from_cache: bool = False) -> Generation:
    """A request with all that was made of it."""
    calls = ledger.calls(row.id)
    items = ledger.items(request=row.id)
    by_id = {call.id: call for call in calls}
    ends = [call.updated_at for call in calls]
    status = request_status(_states(calls, items))
    # what is known of files that cannot be found any more is kept, for they may come back with their disk
    lost = {item.number for item in items if item_state(by_id[item.call].state, item.error) == "unfetched"}
    return Generation(
        id=row.id,
        status=status,
        request=request_of(row),
        provider=row.provider,
        model=row.model,
        job_ids=tuple(call.job_id for call in calls if call.job_id),
        assets=tuple(asset_of(data) for number, data in ledger.assets(row.id) if number not in lost),
        failures=tuple(error for item in items if (error := failure(item, by_id[item.call], row)) is not None),
        cost=cost(row, calls, ledger.shares(row.id)),
        created_at=row.created_at,
        completed_at=max(ends) if ends and status in ("completed", "failed", "cancelled") else None,
        from_cache=from_cache,
        request_id=next((call.request_id for call in calls if call.request_id), None),
    )


def failure(item: ItemRow, call: CallRow, row: RequestRow) -> GenstepError | None:
    """Why an item was not made, or None where it was, or still may be."""
    data = item.error if call.state == "saved" else call.error if call.state in ("failed", "uncertain") else None
    if call.state == "cancelled":
        return GenerationFailed("it was cancelled", code="cancelled", refunded=call.refunded, job_id=row.id)
    if data is None:
        return None
    error = from_dict(data)
    error.job_id = row.id
    error.provider = error.provider or row.provider
    return error


def cost(row: RequestRow, calls: Sequence[CallRow], shares: Mapping[str, float]) -> Cost:
    """The sum over a request's paid calls, in its account's own unit; of a shared call, the share of its items."""
    paid = [call for call in calls if call.refunded is not True]
    charged = [call.charged * shares[call.id] for call in paid if call.charged is not None]
    estimated = [call.estimated * shares[call.id] for call in calls if call.estimated is not None]
    balances = [call.balance for call in calls if call.balance is not None]
    refunds = {call.refunded for call in calls if call.state in ("failed", "cancelled")}
    return Cost(
        charged=sum(charged) if charged else None if paid else 0.0,
        unit=row.unit,
        estimated=sum(estimated) if estimated else None,
        balance=balances[-1] if balances else None,
        refunded=None if not refunds else True if refunds == {True} else False if False in refunds else None,
    )


def asset_of(data: Mapping[str, Any]) -> Asset:
    """A saved asset from its plain data."""
    known = {name: value for name, value in data.items() if name != "copies"}
    return Asset(**{**known, "path": Path(data["path"]) if data["path"] else None})


def copies_of(data: Mapping[str, Any]) -> list[Asset]:
    """The copies of a saved asset in other output folders."""
    asset = asset_of(data)
    return [replace(asset, uri=uri, path=path_of(uri)) for uri in data.get("copies", ())]


def _states(calls: Sequence[CallRow], items: Sequence[ItemRow]) -> list[str]:
    by_id = {call.id: call.state for call in calls}
    return [item_state(by_id[item.call], item.error) for item in items]
