"""What came of a request: results fetched and stored, and the public objects read back from the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstep.assets import stem_for
from genstep.errors import AssetError, GenerationFailed, GenstepError, from_dict
from genstep.ledger import CallRow, ItemRow, Ledger, RequestRow, request_status
from genstep.models import Asset, Cost, Generation, GenerationRequest, Job

if TYPE_CHECKING:
    from genstep.client.life import Life
    from genstep.clock import Clock
    from genstep.provider import Completed, Output

#: a broken download is tried this often before the error reaches the user; the job stays and can be resumed
DOWNLOAD_ATTEMPTS = 4
DOWNLOADS_AT_ONCE = 4


def request_of(row: RequestRow) -> GenerationRequest:
    """The request as the ledger keeps it: without input media."""
    return GenerationRequest(**json.loads(row.request)) if row.request != "{}" else GenerationRequest("", kind=row.kind)


async def save(
    life: Life, ledger: Ledger, db: Callable[..., Any], row: CallRow, epoch: int, made: Completed, clock: Clock
) -> None:
    """Store every output of a call and write down what each item got: files, or the reason why not."""
    members: list[ItemRow] = await db(ledger.items, call=row.id)
    requests = {m.request: await db(ledger.request, m.request) for m in members}
    refused = {failure.item: failure.error for failure in made.failures}
    outputs: dict[int, list[Output]] = {}
    for output in made.outputs:
        outputs.setdefault(min(output.item, len(members) - 1), []).append(output)
    at_once = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def item(position: int, member: ItemRow) -> tuple[str, int, list[Asset]]:
        kept = requests[member.request]
        saved = []
        for output in outputs[position]:
            async with at_once:
                saved.append(await _store(life, kept, member, output, clock))
        return member.request, member.number, saved

    wanted = [(p, m) for p, m in enumerate(members) if p in outputs]
    done = await asyncio.gather(*(item(p, m) for p, m in wanted), return_exceptions=True)
    for problem in done:
        if isinstance(problem, BaseException):
            raise problem
    nothing = GenerationFailed("the service answered without a result for this item", code="missing")
    failures = [(m.request, m.number, refused.get(p, nothing)) for p, m in enumerate(members) if p not in outputs]
    stored = [one for one in done if not isinstance(one, BaseException)]
    await db(ledger.saved, row.id, epoch, clock.time(), stored, failures)


async def _store(life: Life, kept: RequestRow, member: ItemRow, output: Output, clock: Clock) -> Asset:
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
                raise
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
    refunds = {call.refunded for call in calls if call.state == "failed"}
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
