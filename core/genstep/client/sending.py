"""A paid call on its way out: sent once as a task of its own, its outcome written down whatever it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from genstep.errors import (
    BatchTooLarge,
    ConfigurationError,
    GenstepError,
    NotSent,
    SubmissionUncertain,
)
from genstep.ledger import CallRow, LostClaim, Settled
from genstep.ledger.budget import PriceAwaited
from genstep.provider import Accepted, Completed, Provider, Reply, Submitted, Verb
from genstep.transport.pacing import LONGEST

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.assets import AssetStore
    from genstep.client.spool import Spool
    from genstep.clock import Clock
    from genstep.ledger import Ledger
    from genstep.models import GenerationRequest
    from genstep.transport import Transport

T = TypeVar("T")
log = logging.getLogger("genstep")

#: seconds between two looks whether the price of a call under way, for which ours has to wait, is known by now
PRICE_POLL = 0.5


class Sending:
    """How one account's paid calls are sent. ``db`` runs a ledger method on the client's ledger thread; ``look`` reads,
    at once where nothing can hold that up."""

    def __init__(
        self,
        account: Account,
        provider: Provider,
        transport: Transport,
        ledger: Ledger,
        db: Callable[..., Any],
        look: Callable[[Callable[[Ledger], Any]], Awaitable[Any]],
        store: AssetStore,
        spool: Spool,
        clock: Clock,
    ) -> None:
        self.account = account
        self.provider = provider
        #: whether the service's prices are its word, which no charge of the past corrects
        self.exact = provider.exact_prices and type(provider).price is not Provider.price
        self.transport = transport
        self.store = store
        self.ledger = ledger
        self.db = db
        self.look = look
        self.spool = spool
        self.clock = clock
        self.paid: dict[str, asyncio.Task[None]] = {}
        self._started: dict[str, asyncio.Event] = {}
        self.made: dict[str, Completed] = {}
        #: of these, the ones that have not been sent yet: their rows are still ``intent``
        self.unsent: set[str] = set()
        self._watched: dict[str, set[asyncio.Event]] = {}

    # -- sending ------------------------------------------------------------------------------------------------

    def send(
        self, call: CallRow, items: Sequence[GenerationRequest], *, deadline: float | None = None, after: float = 0.0
    ) -> asyncio.Task[None]:
        """Start a paid call as a task of its own, which no cancelled wait interrupts."""
        self._started[call.id] = asyncio.Event()
        self.unsent.add(call.id)
        task = asyncio.create_task(self._send(call, list(items), deadline, after), name=f"genstep paid call {call.id}")
        self.paid[call.id] = task
        task.add_done_callback(lambda _: self.paid.pop(call.id, None))
        task.add_done_callback(lambda _: self.unsent.discard(call.id))
        task.add_done_callback(lambda _: self._started.pop(call.id, asyncio.Event()).set())
        task.add_done_callback(lambda _: self.tell(call.id))
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[None]) -> None:
        """Say what a call could not write down itself; its row stays as it was, and whoever follows it looks again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error, exc_info=None if isinstance(error, GenstepError) else error)

    async def started(self, call: str) -> None:
        """Return once the call is ``sending`` or beyond."""
        event = self._started.get(call)
        if event is not None:
            await event.wait()

    def is_sending(self, call: str) -> bool:
        """Whether a task of this client has the paid call in hand."""
        return call in self.paid

    async def sent(self, call: str) -> None:
        """Return once the service has answered the paid call; cancelling this wait leaves the call alone."""
        if (task := self.paid.get(call)) is not None:
            await asyncio.wait({task})

    async def changed(self, calls: Sequence[str]) -> None:
        """Return when one of these calls has moved."""
        moved = asyncio.Event()
        for call in calls:
            self._watched.setdefault(call, set()).add(moved)
        try:
            await moved.wait()
        finally:
            for call in calls:
                self._watched[call].discard(moved)
                if not self._watched[call]:
                    del self._watched[call]

    def tell(self, call: str) -> None:
        """Wake all who wait for a call to move."""
        for moved in self._watched.get(call, ()):
            moved.set()

    async def _send(self, call: CallRow, items: list[GenerationRequest], deadline: float | None, after: float) -> None:
        paid = Paid(self, call, deadline=deadline)
        try:
            if after:
                await self.clock.sleep(after)
            async with self.transport.pacer.submits:
                result = await self.transport.run(self.verb(items), paid=paid, deadline=deadline)
        except LostClaim:
            log.warning("%s: another process took over the paid call %s", self.provider.slug, call.id)
        except BatchTooLarge as error:
            await self._split(call, items, error, deadline)
        except SubmissionUncertain as error:
            await self.db(self.ledger.uncertain, call.id, call.epoch, self.clock.time(), error)
            log.warning("%s: the answer to the paid call %s was lost; perhaps charged", self.provider.slug, call.id)
        except GenstepError as error:
            await self.refused(call, error, paid)
        except BaseException as error:
            with suppress(LostClaim):
                await self.surprised(call, error, paid)
            if not isinstance(error, Exception):
                raise
        else:
            await self.submitted(call, result)

    def verb(self, items: list[GenerationRequest]) -> Verb[Submitted]:
        if self.provider.submit_batch is not None and any(item != items[0] for item in items):
            return self.provider.submit_batch(items)
        return self.provider.submit(items[0].with_fields(n=len(items)))

    async def submitted(self, call: CallRow, result: Submitted) -> None:
        now = self.clock.time()
        charged = result.credits
        if charged is None and result.balance is not None:
            charged = await self.db(self.ledger.difference, call.id, result.balance)
        settled = Settled(charged, result.balance, None, result.job_id, result.request_id, now)
        if not isinstance(result, Accepted):
            self.made[call.id] = result
        write = self.ledger.accepted if isinstance(result, Accepted) else self.ledger.completed
        try:
            await self.db(write, call.id, call.epoch, now, settled)
        except ConfigurationError as error:
            named = f" as its job {result.job_id}" if result.job_id else ""
            raise ConfigurationError(
                f"{self.provider.slug} took the paid call {call.id}{named}, and that could not be written down: "
                f"{error}; then resume the job: it is not paid again",
                code=error.code,
                provider=self.provider.slug,
            ) from None

    async def refused(self, call: CallRow, error: GenstepError, paid: Paid) -> None:
        """Certainly not charged: nothing was sent, or the service refused it, or gave the money back."""
        if paid.taken and error.charged is not False:
            await self.surprised(call, error, paid)
            return
        await self.db(self.ledger.failed, call.id, call.epoch, self.clock.time(), error, refunded=True)
        self.spool.drop(call.id)

    async def surprised(self, call: CallRow, error: BaseException, paid: Paid) -> None:
        """Something that no table foresees, such as a reply that our parser cannot read: its raw bytes are kept."""
        known = isinstance(error, GenstepError)
        why = str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
        now = self.clock.time()
        if not paid.sent:
            if isinstance(error, asyncio.CancelledError):
                # its client was closed before its turn came: it is sent when somebody asks for it again
                await self.db(self.ledger.not_taken, call.id, call.epoch, now)
                return
            failure = error if isinstance(error, GenstepError) else NotSent(f"it was not sent: {why}", charged=False)
            await self.db(self.ledger.failed, call.id, call.epoch, now, failure, refunded=True)
            return
        status: int | None = getattr(error, "status", None)
        kept = "its reply is kept as it came, " if self.spool.holds(call.id) else ""
        lost = SubmissionUncertain(
            f"the outcome of the paid request is not known: {why}; it is perhaps charged, {kept}"
            "and it is not sent again by itself",
            code="unreadable_reply" if kept else "connection_lost",
            provider=self.provider.slug,
            status=status,
        )
        await self.db(self.ledger.uncertain, call.id, call.epoch, now, lost)

    async def _split(
        self, call: CallRow, items: list[GenerationRequest], error: BatchTooLarge, deadline: float | None
    ) -> None:
        """The plan allows fewer items a call: remember it, and send the parts instead."""
        from genstep.client.orders import call_row

        now = self.clock.time()
        if len(items) <= 1:
            await self.db(self.ledger.failed, call.id, call.epoch, now, error, refunded=True)
            return
        size = min(error.limit or len(items) // 2, len(items) - 1) or 1
        await self.db(self.ledger.learn, call.account, f"batch:{items[0].kind}", size, now)
        members = await self.db(self.ledger.items, call=call.id)
        row = await self.db(self.ledger.request, members[0].request)
        parts = []
        for start in range(0, len(items), size):
            part = items[start : start + size]
            new = call_row(self.provider, part, row, self.ledger.owner, now)
            parts.append((new, part, [(m.request, m.number) for m in members[start : start + size]]))
        await self.db(self.ledger.move_items, [(new, owned) for new, _, owned in parts])
        await self.db(self.ledger.failed, call.id, call.epoch, now, error, refunded=True)
        self.spool.drop(call.id)
        await asyncio.gather(*(self.send(new, part, deadline=deadline) for new, part, _ in parts))


class Paid:
    """What the transport tells about one paid call, written down before it goes on."""

    def __init__(self, life: Sending, call: CallRow, *, sent: bool = False, deadline: float | None = None) -> None:
        self._life = life
        self._call = call
        self._deadline = deadline
        self.sent = sent
        #: the reply says that the service took the call, so an error after it is ours and proves nothing
        self.taken = False

    async def sending(self) -> None:
        life, call = self._life, self._call
        ceiling = life.account.daily_credits
        exact = life.exact and call.estimated is not None
        life.spool.check()
        until = life.clock.monotonic() + LONGEST if self._deadline is None else self._deadline
        while True:
            now = life.clock.time()
            try:
                await life.db(life.ledger.sending, call.id, call.epoch, now, ceiling=ceiling, exact=exact)
                break
            except PriceAwaited as awaited:
                if life.clock.monotonic() + 2 * PRICE_POLL > until:
                    raise awaited.refusal() from None
            await life.clock.sleep(PRICE_POLL)
        self.sent = True
        life.unsent.discard(call.id)
        if (event := life._started.get(call.id)) is not None:
            event.set()

    async def not_taken(self) -> None:
        life, call = self._life, self._call
        if self.sent:
            life.spool.drop(call.id)
            await life.db(life.ledger.not_taken, call.id, call.epoch, life.clock.time())
            self.sent = False
            life.unsent.add(call.id)

    async def received(self, reply: Reply, *before: Reply) -> None:
        try:
            await asyncio.to_thread(self._life.spool.keep, self._call.id, reply, *before)
        except OSError as error:
            why = error.strerror or error
            log.error("the reply of the paid call %s is kept in memory, for its disk fails (%s)", self._call.id, why)

    def accepted(self) -> None:
        self.taken = True
