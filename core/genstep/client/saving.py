"""The end of a paid call: settled after a crash, its results stored, what was refused for rate sent again."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from genstep.client import found, listed, results
from genstep.client.orders import call_row
from genstep.client.sending import Paid, Sending
from genstep.errors import AssetError, ConfigurationError, GenstepError, NotFound, ProviderUnavailable, RateLimited
from genstep.ledger import CallRow, ItemRow, LostClaim
from genstep.ledger.records import item_state
from genstep.models import GenerationRequest, InputImage
from genstep.provider import Completed, Failed, Reply, State, Submitted

log = logging.getLogger("genstep")

#: how often an item that was refused for its rate is sent again
RATE_TRIES = 5
#: what a URL that has expired looks like: another status, an error page instead of the file, nothing; a new one may do
EXPIRED = ("asset_status", "asset_type", "asset_empty")
#: what another day may mend: the call stays ``completed``, and is gone on with
PASSING = ("download", "asset_not_saved", "asset_unreachable")


class Saving(Sending):
    """How one account's paid calls are recovered and their results saved."""

    def __init__(self, *rooms: Any) -> None:
        super().__init__(*rooms)
        self._tries: dict[str, int] = {}

    async def recover(self, row: CallRow) -> None:
        """A call that was being sent, by somebody who lives (wait for them) or died (settle it)."""
        ours = row.owner == self.ledger.owner
        busy = self.clock.time() - row.updated_at < 1.0 if ours else await self.db(self.ledger.alive, row.owner)
        if busy:
            await self.clock.sleep(0.05 if ours else 0.5)
            return
        epoch = await self.db(self.ledger.claim, row.id, self.clock.time())
        if epoch is None:
            return
        row = await self.db(self.ledger.call, row.id)
        if row.state == "intent":
            if await self._can_be_rebuilt(row):
                requests = await self.requests(row)
                if not self.is_sending(row.id):
                    self.send(row, requests)
            else:
                error = ConfigurationError("it was never sent, and its input image is not kept: run the request again")
                await self.db(self.ledger.failed, row.id, epoch, self.clock.time(), error, refunded=True)
        elif row.state == "sending":
            paid = Paid(self, row, sent=True)
            reply = self.spool.read(row.id)
            if reply is None:
                lost = ProviderUnavailable("the process that sent it ended before the answer came")
                await self.surprised(row, lost, paid)
                return
            paid.taken = reply.ok
            try:
                await self.submitted(row, self._replay(await self.requests(row), reply, self.spool.before(row.id)))
            except GenstepError as error:
                await self.refused(row, error, paid)
            except Exception as error:  # noqa: BLE001  (whatever a parser does, the money is accounted for)
                await self.surprised(row, error, paid)

    def _replay(self, items: list[GenerationRequest], reply: Reply, before: Sequence[Reply] = ()) -> Submitted:
        """Parse a kept reply as if it had just come, after those to the free calls ``before`` it."""
        # the inputs are not kept, and what the reply says does not depend on them
        stand_in = InputImage(url="https://input.invalid/")
        verb = self.verb([item if item.image is None else item.with_fields(image=stand_in) for item in items])
        if not isinstance(verb, Generator):
            raise ProviderUnavailable("a reply of this provider cannot be read again")
        call = next(verb)
        try:
            for earlier in before:
                call = verb.send(earlier)
            error = self.provider.error(call, reply)
            if error is not None:
                verb.throw(error)
            else:
                verb.send(reply)
        except StopIteration as done:
            result: Submitted = done.value
            return result
        raise ProviderUnavailable("the kept reply does not end the submit flow")

    async def submitted(self, call: CallRow, result: Submitted) -> None:
        """What comes with the reply itself is saved with it, whoever waits: it may not be had again."""
        await super().submitted(call, result)
        if isinstance(result, Completed):
            try:
                await self.save(await self.db(self.ledger.call, call.id))
            except GenstepError as error:
                log.warning("the results of the paid call %s are not saved yet (%s); resume its job", call.id, error)

    async def requests(self, row: CallRow, members: Sequence[ItemRow] = ()) -> list[GenerationRequest]:
        """The items of a call (or these of them) as requests of one each, from what the ledger keeps."""
        members = members or await self.db(self.ledger.items, call=row.id)
        whole: dict[str, list[GenerationRequest]] = {}
        for member in members:
            if member.request not in whole:
                kept = await self.db(self.ledger.request, member.request)
                whole[member.request] = results.request_of(kept).items()
        return [whole[member.request][member.number] for member in members]

    async def _can_be_rebuilt(self, row: CallRow) -> bool:
        members = await self.db(self.ledger.items, call=row.id)
        rows = [await self.db(self.ledger.request, member.request) for member in members]
        return all(kept.resumable for kept in rows)

    async def save(self, row: CallRow) -> None:
        """Fetch and store everything that a completed call made, once."""
        epoch = await self.db(self.ledger.claim, row.id, self.clock.time())
        if epoch is None:
            await self.clock.sleep(0.5)
            return
        try:
            await self._save(row, epoch)
        finally:
            await self.db(self.ledger.release, row.id, epoch)

    async def _save(self, row: CallRow, epoch: int) -> None:
        wanted: list[ItemRow] = []
        try:
            wanted = await results.missing(self, row.id, epoch)
            lacking = await self._fetch(row, epoch, wanted) if wanted else []
        except LostClaim:
            return
        except GenstepError:
            # what could not be fetched before is as it was; anything else is waited for
            if not wanted or any(member.error is None for member in wanted):
                raise
            lacking = []
        failures = [(member.request, member.number, error) for member, error in lacking]
        with suppress(LostClaim):
            await self.db(self.ledger.saved, row.id, epoch, self.clock.time(), failures)
            self.made.pop(row.id, None)
            items = await self.db(self.ledger.items, call=row.id)
            # the kept reply is all that a blocking service ever says of what it made
            if self._asks_again(row) or all(item_state("saved", item.error) != "unfetched" for item in items):
                self.spool.drop(row.id)

    async def _fetch(self, row: CallRow, epoch: int, wanted: Sequence[ItemRow]) -> list[tuple[ItemRow, GenstepError]]:
        """Fetch and store what is missing: why items have nothing for good, or the error that waiting may mend."""
        try:
            made = self.made.get(row.id) or (found.made(row.found) if row.found else await self._made_again(row))
        except AssetError as gone:
            return [(member, gone) for member in wanted if member.error is None]
        await self._send_again(row, made)
        lacking = await results.save(self, row, epoch, made, wanted)
        expired = [member for member, error in lacking if error.code in EXPIRED]
        if expired:
            with suppress(AssetError):
                again = await self._made_again(row, made)
                lacking = [(member, error) for member, error in lacking if member not in expired]
                lacking += await results.save(self, row, epoch, again, expired)
        for member, error in lacking:
            if error.code in PASSING and member.error is None:
                raise error
        return [(member, error) for member, error in lacking if error.code not in PASSING]

    def _asks_again(self, row: CallRow) -> bool:
        """Whether the service itself says again what a call made."""
        return row.job_id is not None and not self.provider.capabilities.blocking

    async def _send_again(self, row: CallRow, made: Completed) -> None:
        """Items that a success refused for its rate get a call of their own, after the pause that was asked for."""
        limits = {f.item: f.error for f in made.failures if isinstance(f.error, RateLimited) and not f.error.quota}
        tries = self._tries.get(row.id, 0)
        members = [m for m in await self.db(self.ledger.items, call=row.id) if m.position in limits]
        if not members or tries >= RATE_TRIES or not await self._can_be_rebuilt(row):
            return
        requests = await self.requests(row, members)
        kept = await self.db(self.ledger.request, members[0].request)
        new = call_row(self.provider, requests, kept, self.ledger.owner, self.clock.time())
        pauses = [error.retry_after for error in limits.values() if error.retry_after is not None]
        self._tries[new.id] = tries + 1
        await self.db(self.ledger.move_items, [(new, [(m.request, m.number) for m in members])])
        self.send(new, requests, after=max(pauses, default=2.0**tries))

    async def _made_again(self, row: CallRow, before: Completed | None = None) -> Completed:
        """What a completed call made: asked again, or read from the kept reply or, with new URLs for those that it
        said ``before``, from the service's list."""
        if self._asks_again(row):
            try:
                result: Submitted | State = await self.transport.run(self.provider.poll(row.job_id or ""))
            except NotFound:
                result = Failed("it is not known any more")
        elif before is None and (reply := self.spool.read(row.id)) is not None:
            result = self._replay(await self.requests(row), reply, self.spool.before(row.id))
        else:
            result = await listed.again(self, row, before)
        if not isinstance(result, Completed):
            raise AssetError(
                "the service no longer says what it made; try again later, or buy it anew with fresh=True (--fresh)",
                code="gone",
            )
        self.made[row.id] = result
        return result
