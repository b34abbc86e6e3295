"""New URLs for what a blocking service made, out of its list of past work, by the ids that its reply named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genstep.client import results
from genstep.errors import AssetError
from genstep.provider import Completed, Failed, ItemFailure, Output

if TYPE_CHECKING:
    from genstep.client.sending import Sending
    from genstep.ledger import CallRow, ItemRow

#: pages of the list that are read at most
PAGES = 20


async def again(life: Sending, row: CallRow, before: Completed | None) -> Completed | Failed:
    """What a paid call made (as its reply said ``before``, or as the ledger knows it), at the URLs of the list."""
    gone = Failed("it is not listed")
    if not life.provider.capabilities.history:
        return gone
    wanted = list(before.outputs) if before is not None else await _known(life, row)
    found: dict[str, str] = {}
    names = set[str]().union(*(_names(output) for output in wanted))
    cursor: Any = None
    for _ in range(PAGES if names else 0):
        page = await life.transport.run(life.provider.history(cursor, **life.provider.long_pages))
        found |= {item.id: item.urls[0] for item in page.items if item.id in names and item.urls}
        cursor = page.next
        if cursor is None or all(_names(output) & found.keys() for output in wanted):
            break
    # an entry is one file: where several results bear its id, it is the first of them
    owners: dict[str, int] = {}
    for number, output in enumerate(wanted):
        for name in sorted(_names(output) & found.keys())[:1]:
            owners.setdefault(name, number)
    if not owners:
        return gone
    new = {number: replace(wanted[number], url=found[name], data=None, text=None) for name, number in owners.items()}
    if before is not None:
        outputs = tuple(new.get(number, output) for number, output in enumerate(wanted))
        return Completed(outputs, before.failures)
    # they were paid for: an equal request shall not buy them again
    lost = AssetError("the service's list names no file of it any more; fresh=True (--fresh) buys it anew", code="gone")
    have = {output.item for output in new.values()}
    items = sorted({output.item for output in wanted} - have)
    return Completed(tuple(new.values()), tuple(ItemFailure(item, lost) for item in items))


async def _known(life: Sending, row: CallRow) -> list[Output]:
    """The results of a call as far as the ledger keeps them: without any URL."""
    members: list[ItemRow] = await life.db(life.ledger.items, call=row.id)
    outputs = []
    for member in members:
        for number, data in await life.db(life.ledger.assets, member.request):
            asset = results.asset_of(data)
            if number == member.number:
                outputs.append(
                    Output(
                        item=member.position,
                        role=asset.role,
                        prompt=asset.prompt,
                        seed=asset.seed,
                        metadata=asset.metadata,
                    )
                )
    return outputs


def _names(output: Output) -> set[str]:
    """Everything in a result's metadata that may be its id in the list."""
    return {str(value) for value in output.metadata.values() if isinstance(value, (str, int)) and str(value)}
