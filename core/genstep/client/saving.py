"""The end of a paid call: settled after a crash, its results stored, what was refused for rate sent again."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genstep.accounts import LOOPBACK
from genstep.client import found, listed, results
from genstep.client.orders import call_row
from genstep.client.sending import Paid, Sending
from genstep.errors import AssetError, ConfigurationError, GenstepError, NotFound, ProviderUnavailable, RateLimited
from genstep.ledger import CallRow, ItemRow, LostClaim
from genstep.models import GenerationRequest, InputImage
from genstep.outcome import Verdict, judge
from genstep.provider import Completed, Failed, Reply, State, Submitted

if TYPE_CHECKING:
    from genstep.ledger import Ledger

log = logging.getLogger("genstep")

#: how often an item that was refused for its rate is sent again
RATE_TRIES = 5
#: answers to a download that are no file: another status, an error page, nothing, half a picture, a redirect that the
#: guard refuses; at a new URL, or a moment later, the file may come
BAD_ANSWERS = ("asset_status", "asset_type", "asset_empty", "asset_broken", "asset_url_refused")
#: seconds before each further try after such an answer (on a test server on this machine a twentieth of that); the
#: first is for a new URL alone
PAUSES = (0.0, 1.0, 3.0)
#: what another day may mend: the call stays ``completed``, and is gone on with
PASSING = ("download", "asset_not_saved", "asset_unreachable")


class Saving(Sending):
    """How one account's paid calls are recovered and their results saved."""

    def __init__(self, *rooms: Any) -> None:
        super().__init__(*rooms)
        self._tries: dict[str, int] = {}

    @property
    def local(self) -> bool:
        """Whether the account's service is a test server on this machine."""
        return urlsplit(self.transport.base_url).hostname in LOOPBACK

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
            content: results.Content = await self.db(results.content, self.ledger, row.id)
            if content.resumable:
                if not self.is_sending(row.id):
                    self.send(row, content.parts())
            else:
                error = ConfigurationError("it was never sent, and its input image is not kept: run the request again")
                await self.db(self.ledger.failed, row.id, epoch, self.clock.time(), error, refunded=True)
        elif row.state == "sending":
            paid = Paid(self, row, sent=True)
            reply = self.spool.read(row.id)
            if reply is None:
                lost = ProviderUnavailable(f"the process that sent it ended before the answer came{self._there()}")
                await self.surprised(row, lost, paid)
                return
            items = await self.requests(row)
            with suppress(LostClaim):
                try:
                    result = self._replay(items, reply, self.spool.before(row.id), paid)
                except GenstepError as error:
                    perhaps = not paid.taken and judge(reply.status, error, reply) is Verdict.UNCERTAIN
                    await (self.surprised if perhaps else self.refused)(row, error, paid)
                except Exception as error:  # noqa: BLE001  (whatever a parser does, the money is accounted for)
                    await self.surprised(row, error, paid)
                else:
                    # a ledger that cannot be written now says nothing about the reply
                    await self.submitted(row, result)

    def _there(self) -> str:
        """Where the answer may be, of a ledger that machines share: replies are kept on the machine that got them."""
        if self.ledger.place.path is not None:
            return ""
        return " (if that was another machine, resume it there, where its reply may be kept)"

    def _replay(
        self, items: list[GenerationRequest], reply: Reply, before: Sequence[Reply] = (), paid: Paid | None = None
    ) -> Submitted:
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
                if paid is not None:
                    paid.accepted()
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
                await self.save(call.id)
            except GenstepError as error:
                log.warning("the results of the paid call %s are not saved yet (%s); resume its job", call.id, error)

    async def requests(self, row: CallRow) -> list[GenerationRequest]:
        """The items of a call as requests of one each, from what the ledger keeps."""
        content: results.Content = await self.db(results.content, self.ledger, row.id)
        return content.parts()

    async def save(self, call: str) -> bool:
        """Fetch and store everything that a completed call made, once; whether it is ``saved`` now."""
        now = self.clock.time()

        def claim(ledger: Ledger) -> tuple[CallRow, int | None, results.Content]:
            epoch = ledger.claim(call, now)
            return ledger.call(call), epoch, results.content(ledger, call)

        row, epoch, content = await self.db(claim, self.ledger)
        if epoch is None:
            await self.clock.sleep(0.5)
            return False
        saved = False
        try:
            saved = row.state == "completed" and await self._save(row, epoch, content)
        finally:
            if not saved:
                await self.db(self.ledger.release, row.id, epoch)
        return saved

    async def _save(self, row: CallRow, epoch: int, content: results.Content) -> bool:
        wanted: list[ItemRow] = []
        try:
            wanted = await results.missing(self, row.id, epoch, content)
            lacking = await self._fetch(row, epoch, content, wanted) if wanted else []
        except LostClaim:
            return False
        except GenstepError:
            # what could not be fetched before is as it was; anything else is waited for
            if not wanted or any(member.error is None for member in wanted):
                raise
            lacking = []
        failures = [(member.request, member.number, error) for member, error in lacking]
        with suppress(LostClaim):
            whole = await self.db(self.ledger.saved, row.id, epoch, self.clock.time(), failures, content.unwritten)
            self.made.pop(row.id, None)
            # the kept reply is all that a blocking service ever says of what it made
            if whole or self._asks_again(row):
                self.spool.drop(row.id)
            return True
        return False

    async def _fetch(
        self, row: CallRow, epoch: int, content: results.Content, wanted: Sequence[ItemRow]
    ) -> list[tuple[ItemRow, GenstepError]]:
        """Fetch and store what is missing: why items have nothing for good, or the error that waiting may mend."""
        try:
            made = self.made.get(row.id) or (found.made(row.found) if row.found else await self._made_again(row))
        except AssetError as gone:
            return [(member, gone) for member in wanted if member.error is None]
        content = await self._send_again(row, made, content)
        lacking = await results.save(self, row.id, epoch, made, content, wanted)
        return await self._asked_again(row, epoch, made, content, lacking)

    async def _asked_again(
        self,
        row: CallRow,
        epoch: int,
        made: Completed,
        content: results.Content,
        lacking: list[tuple[ItemRow, GenstepError]],
    ) -> list[tuple[ItemRow, GenstepError]]:
        """What is still ``lacking`` for good when each answer that was no file was asked for again."""
        from genstep.assets.content import source_url

        for pause in PAUSES:
            bad = [member for member, error in lacking if error.code in BAD_ANSWERS]
            if not bad:
                break
            await self.clock.sleep(pause * (0.05 if self.local else 1.0))
            renewed = True
            try:
                made = await self._made_again(row, made)
            except AssetError:
                renewed = False
            if renewed or (pause and any(source_url(output) for output in made.outputs)):
                lacking = [(member, error) for member, error in lacking if member not in bad]
                lacking += await results.save(self, row.id, epoch, made, content, bad)
        for member, error in lacking:
            if error.code in PASSING and member.error is None:
                raise error
        return [(member, error) for member, error in lacking if error.code not in PASSING]

    def _asks_again(self, row: CallRow) -> bool:
        """Whether the service itself says again what a call made."""
        return row.job_id is not None and not self.provider.capabilities.blocking

    async def _send_again(self, row: CallRow, made: Completed, content: results.Content) -> results.Content:
        """Items that a success refused for its rate get a call of their own, after the pause that was asked for; what
        is left of this one's content."""
        limits = {f.item: f.error for f in made.failures if isinstance(f.error, RateLimited) and not f.error.quota}
        tries = self._tries.get(row.id, 0)
        members = [m for m in content.items if m.position in limits]
        if not members or tries >= RATE_TRIES or not content.resumable:
            return content
        requests = content.parts(members)
        new = call_row(
            self.provider, requests, content.requests[members[0].request], self.ledger.owner, self.clock.time()
        )
        pauses = [error.retry_after for error in limits.values() if error.retry_after is not None]
        self._tries[new.id] = tries + 1
        await self.db(self.ledger.move_items, [(new, [(m.request, m.number) for m in members])])
        self.send(new, requests, after=max(pauses, default=2.0**tries))
        return replace(content, items=[member for member in content.items if member not in members])

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
