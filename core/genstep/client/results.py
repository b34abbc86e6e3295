"""What came of a request: results fetched and stored, and the public objects read back from the ledger."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstep.assets import stem_for
from genstep.errors import AssetError, GenerationFailed, GenstepError, from_dict
from genstep.ledger import CallRow, ItemRow, Ledger, RequestRow, request_status
from genstep.ledger.records import FORGOTTEN
from genstep.models import Asset, Cost, Generation, GenerationRequest, InputImage, Job

if TYPE_CHECKING:
    from genstep.client.sending import Sending
    from genstep.clock import Clock
    from genstep.provider import Completed, Output

log = logging.getLogger("genstep")

#: a broken download is tried this often before the error reaches the user; the job stays and can be resumed
DOWNLOAD_ATTEMPTS = 4
DOWNLOADS_AT_ONCE = 4


def request_of(row: RequestRow) -> GenerationRequest:
    """The request as the ledger keeps it: without input media."""
    fields = {"kind": row.kind, **json.loads(row.request)}
    if str(fields.get("image", "")).startswith("sha256:"):
        fields["image"] = InputImage(sha256=fields["image"].removeprefix("sha256:"))
    return GenerationRequest(**fields)


async def save(
    life: Sending, ledger: Ledger, db: Callable[..., Any], row: CallRow, epoch: int, made: Completed, clock: Clock
) -> None:
    """Store every output of a call and write down what each item got: files, or the reason why not."""
    members: list[ItemRow] = await db(ledger.items, call=row.id)
    requests = {m.request: await db(ledger.request, m.request) for m in members}
    refused = {failure.item: failure.error for failure in made.failures}
    outputs = assign(made.outputs, {m.position: request_of(requests[m.request]).prompt for m in members})
    at_once = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def item(member: ItemRow) -> tuple[str, int, list[Asset]]:
        kept = requests[member.request]
        saved = []
        for output in outputs[member.position]:
            async with at_once:
                asset = await _store(life, kept, member, output, clock)
            if asset is not None:
                saved.append(asset)
        return member.request, member.number, saved

    # a deleted request that shared the call stays deleted
    members = [member for member in members if requests[member.request].request != FORGOTTEN]
    wanted = [member for member in members if member.position in outputs]
    done = await asyncio.gather(*(item(member) for member in wanted), return_exceptions=True)
    for problem in done:
        if isinstance(problem, BaseException):
            raise problem
    nothing = GenerationFailed("the service answered without a result for this item", code="missing")
    failures = [(m.request, m.number, refused.get(m.position, nothing)) for m in members if m not in wanted]
    stored = [one for one in done if not isinstance(one, BaseException)]
    await db(ledger.saved, row.id, epoch, clock.time(), stored, failures)


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


async def _store(life: Sending, kept: RequestRow, member: ItemRow, output: Output, clock: Clock) -> Asset | None:
    """The saved file; None for a preview that cannot be had, which must not cost the result itself."""
    request = request_of(kept)
    seed = output.seed if output.seed is not None else request.items()[member.number].seed
    about: dict[str, Any] = {
        "id": kept.id,
        "provider": kept.provider,
        "kind": kept.kind,
        "model": output.metadata.get("model", kept.model),
        "prompt": output.prompt or kept.prompt,
        "seed": seed,
        "request": json.loads(kept.request),
        "fingerprint": kept.fingerprint,
        "created_at": clock.time(),
    }
    number = member.number + 1
    stem = stem_for(kept.prompt or kept.kind, kept.id, number) + (f"-{output.role}" if output.role != "main" else "")
    kind = kept.kind if output.role == "main" else "image"
    for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
        try:
            return await life.store.save(output, stem=stem, kind=kind, fetch=life.transport.fetch, about=about)
        except AssetError as error:
            error.provider, error.job_id = error.provider or kept.provider, kept.id
            if error.code != "download" or attempt == DOWNLOAD_ATTEMPTS:
                if output.role == "main":
                    raise
                log.warning("job %s: its %s could not be saved (%s)", kept.id, output.role, error)
                return None
            await clock.sleep(0.25 * 2**attempt)
    raise AssertionError("unreachable")


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
        done=sum(state in ("saved", "failed", "cancelled", "uncertain") for state in states),
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
    return Generation(
        id=row.id,
        status=status,
        request=request_of(row),
        provider=row.provider,
        model=row.model,
        job_ids=tuple(call.job_id for call in calls if call.job_id),
        assets=tuple(asset_of(data) for _, data in ledger.assets(row.id)),
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
    return Asset(**{**data, "path": Path(data["path"]) if data["path"] else None})


def _states(calls: Sequence[CallRow], items: Sequence[ItemRow]) -> list[str]:
    by_id = {call.id: call.state for call in calls}
    return ["failed" if item.error and by_id[item.call] == "saved" else by_id[item.call] for item in items]
