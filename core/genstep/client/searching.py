"""An uncertain paid call looked for in the service's own list, and claimed where there is no doubt (rule 4)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from genstep import foreign
from genstep.client import found
from genstep.client.saving import Saving
from genstep.errors import AssetError, GenstepError, NotFound, SubmissionUncertain, from_dict
from genstep.ledger import CallRow, LostClaim, Settled
from genstep.provider import Completed, ItemFailure, Output, Provider

if TYPE_CHECKING:
    from genstep.models import GenerationRequest, HistoryItem
    from genstep.provider import Page

log = logging.getLogger("genstep")

#: when to look, in seconds after the answer was lost; on a test server on this machine a twentieth of that
LOOKS = (0.0, 5.0, 35.0, 155.0)
#: how far a service's times may be off from its own Date header, in seconds; both may leave out fractions
SKEW = 5.0
#: how long a service may work on a call whose answer was lost, where the call itself does not say, in seconds
OPEN = 120.0
#: pages of the list that are read at most
PAGES = 20
#: seconds for which a page of the list serves all calls that are looked for; on a test server a twentieth of that
SHARED = 2.0


class Searching(Saving):
    """How one account's uncertain calls are settled without a human."""

    def __init__(self, *rooms: Any) -> None:
        super().__init__(*rooms)
        self._turn = asyncio.Lock()
        #: by kind and number: when it was asked for, and what came
        self._pages: dict[tuple[str, int], tuple[float, Page]] = {}

    @property
    def searches(self) -> bool:
        """Whether the service has a list in which a lost call can be found."""
        return self.provider.capabilities.history

    def settles(self, call: str) -> bool:
        """Whether an uncertain call may be settled without a human: by the service's list, or by a reply kept here.

        The reply of a call that another machine on the same ledger gave up is on the machine that got it.
        """
        return self.searches or self.spool.holds(call)

    async def search(self, row: CallRow) -> None:
        """Look for an uncertain call until it is found or the last look is over; an old one is looked for once."""
        if await self._read_again(row) or not self.searches:
            return
        since, pace = row.updated_at, 0.05 if self.local else 1.0
        for look in (0.0, *(after * pace for after in LOOKS[1:])):
            wait = since + look - self.clock.time()
            if look and wait <= 0:
                continue
            if look:
                await self.clock.sleep(wait)
            row = await self.db(self.ledger.call, row.id)
            if row.state != "uncertain":
                return
            try:
                if await self._look(row):
                    return
            except GenstepError as error:
                log.warning("%s: its list could not be read (%s)", self.provider.slug, error)

    async def _read_again(self, row: CallRow) -> bool:
        """A reply that came and could not be read may be readable by now: a newer version knows more."""
        reply = self.spool.read(row.id)
        if reply is None or not reply.ok or (epoch := await self._claim(row)) is None:
            return False
        try:
            result = self._replay(await self.requests(row), reply, self.spool.before(row.id))
            await self.submitted(await self.db(self.ledger.call, row.id), result)
        except LostClaim:
            return True
        except Exception as error:  # noqa: BLE001  (it stays as it was)
            log.info("the kept reply of the paid call %s still cannot be read (%s)", row.id, error)
            return False
        finally:
            await self.db(self.ledger.release, row.id, epoch)
        return True

    async def _claim(self, row: CallRow) -> int | None:
        epoch: int | None = await self.db(self.ledger.claim, row.id, self.clock.time())
        return epoch

    async def _look(self, row: CallRow) -> bool:
        """Look once; True where the call is uncertain no more."""
        request = (await self.requests(row))[0]
        fits = await self._candidates(row, request)
        twins = await self._twins(row, request)
        if len(fits) != len(twins) or any(one.state != "uncertain" for one in twins):
            await self._note_candidates(row, fits)
            return False
        place = next(number for number, one in enumerate(twins) if one.id == row.id)
        await self.claim(row, fits[place])
        return True

    async def _candidates(self, row: CallRow, request: GenerationRequest) -> list[HistoryItem]:
        """The entries of the list that might be the call and are no other's, oldest first."""
        fits: list[HistoryItem] = []
        sent = row.sent_at or row.created_at
        # a page from before the answer was lost may not have the job yet
        fresh = max(row.updated_at, self.clock.time() - SHARED * (0.05 if self.local else 1.0))
        cursor: Any = None
        for number in range(PAGES):
            page = await self._page(request.kind, number, cursor, fresh)
            # the service's own clock, by the Date of this very reply
            first = sent + self.transport.skew - SKEW
            last = first + 2 * SKEW + max(OPEN, 600.0 if self.provider.capabilities.blocking else 0.0)
            for item in page.items:
                timely = item.created_at is None or first <= item.created_at <= last
                if timely and self.provider.matches(request, item):
                    fits.append(item)
            times = [item.created_at for item in page.items if item.created_at is not None]
            cursor = page.next
            if cursor is None or (times and times[0] >= times[-1] and times[-1] < first):
                break
        claimed = await self.db(self.ledger.claimed, row.provider, [item.id for item in fits])
        unclaimed = {item.id: item for item in fits if item.id not in claimed}
        return sorted(unclaimed.values(), key=lambda item: item.created_at or 0.0)

    async def _page(self, kind: str, number: int, cursor: Any, fresh: float) -> Page:
        """A page of the list that was asked for at ``fresh`` or later: calls lost together are looked for together."""
        async with self._turn:
            when, page = self._pages.get((kind, number), (0.0, None))
            if page is None or when < fresh:
                when = self.clock.time()
                page = await self.transport.run(self.provider.history(cursor, kind=kind, **self.provider.long_pages))
                self._pages[kind, number] = when, page
            return page

    async def _twins(self, row: CallRow, request: GenerationRequest) -> list[CallRow]:
        """The calls that ask for the same, whose jobs are not known either; oldest first, ``row`` among them."""
        unclear: list[CallRow] = await self.db(self.ledger.unclear, row.account, row.provider)
        asked = {other.id: (await self.requests(other))[0].canonical() for other in unclear}
        twins = [other for other in unclear if other.id == row.id or asked[other.id] == request.canonical()]
        return sorted(twins, key=lambda one: (one.sent_at or one.created_at, one.id))

    async def _note_candidates(self, row: CallRow, fits: list[HistoryItem]) -> None:
        """Say which jobs it may be, for whoever settles it by hand."""
        known = from_dict(row.error or {})
        if not fits or (isinstance(known, SubmissionUncertain) and known.candidates == tuple(one.id for one in fits)):
            return
        ids = ", ".join(one.id for one in fits)
        lost = SubmissionUncertain(
            f"{known.message.partition('; it may be')[0]}; it may be {ids} in the service's list: "
            "settle it with genstep resume ID --claim JOB, --charged or --not-charged",
            candidates=tuple(one.id for one in fits),
            code=known.code,
            provider=self.provider.slug,
            status=known.status,
        )
        await self.db(self.ledger.candidates, row.id, lost)

    async def claim(self, row: CallRow, item: HistoryItem) -> None:
        """The call became this entry of the list."""
        charged = _charged(item)
        if charged is None:
            await self.expect(row)
        epoch = await self._claim(row)
        if epoch is None:
            return
        now = self.clock.time()
        settled = Settled(charged, None, None, item.id, None, now)
        log.info("%s: the paid call %s was found as its job %s", self.provider.slug, row.id, item.id)
        try:
            if not self.provider.capabilities.blocking:
                await self.db(self.ledger.accepted, row.id, epoch, now, settled)
                return
            members = await self.db(self.ledger.items, call=row.id)
            outputs = tuple(Output(url=url, item=number) for number, url in enumerate(item.urls[: len(members)]))
            # it was paid for with the others, so an equal request shall not buy it again
            why = "its answer was lost, and the service's list names no file of it; fresh=True (--fresh) buys it anew"
            missing = AssetError(why, code="gone", provider=self.provider.slug)
            failures = tuple(ItemFailure(one, missing) for one in range(len(outputs), len(members)))
            self.made[row.id] = made = Completed(outputs, failures, job_id=item.id)
            await self.db(self.ledger.completed, row.id, epoch, now, settled, found=found.plain(made))
        except LostClaim:
            return
        finally:
            await self.db(self.ledger.release, row.id, epoch)
            self.tell(row.id)

    async def expect(self, row: CallRow) -> None:
        """A call whose charge nobody said counts as what it is believed to cost, by experience or by the service."""
        if await self.db(self.ledger.expect, row.id) is not None or type(self.provider).estimate is Provider.estimate:
            return
        requests = await self.requests(row)
        asked = requests[0].with_fields(n=len(requests))
        try:
            price = (await self.transport.ask(lambda: self.provider.estimate(asked))).amount
        except GenstepError as error:
            log.warning("%s: what the paid call %s cost is not known (%s)", self.provider.slug, row.id, error)
        else:
            await self.db(self.ledger.expect, row.id, price)

    async def claim_by_hand(self, row: CallRow, job_id: str) -> None:
        """The call became the service's job ``job_id``, says the user; :class:`NotFound` where there is none."""
        cursor: Any = None
        for _ in range(PAGES):
            page = await self.transport.run(self.provider.history(cursor, **self.provider.long_pages))
            for item in page.items:
                if item.id == job_id:
                    await self.claim(row, item)
                    return
            if (cursor := page.next) is None:
                break
        raise NotFound(f"{self.provider.slug} lists no job {job_id}; see: genstep history", code="claim")


def _charged(item: HistoryItem) -> float | None:
    """What an entry of the list says that it cost (documents 002 and 003)."""
    said = (foreign.number(item.metadata.get(name)) for name in ("credit_cost", "credits_charged"))
    return next((amount for amount in said if amount is not None), None)
