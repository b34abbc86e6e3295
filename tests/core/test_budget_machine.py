"""The budget as a state machine: many callers, crashes, refunds and midnights beside a model that only adds up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from genstep import errors
from genstep.ledger import CallRow, Ledger, LostClaim, RequestRow, Settled

DAY = 86400.0
CEILING = 30.0
#: prices whose sums are exact
PRICES = st.integers(0, 80).map(lambda quarter: quarter / 4)


@dataclass
class Call:
    """What the model knows of one paid call."""

    name: str
    caller: int
    price: float
    epoch: int = 1
    day: int | None = None
    money: float = 0.0
    refunds: int = 0


class Budgets(RuleBasedStateMachine):
    """Each caller is a client of its own on the one ledger."""

    where: ClassVar[str]
    intents = Bundle("intents")
    sent = Bundle("sent")
    accepted = Bundle("accepted")
    unclear = Bundle("unclear")

    @initialize(callers=st.integers(2, 4))
    def begin(self, callers: int) -> None:
        self.ledgers = [Ledger(self.where) for _ in range(callers)]
        with self.ledgers[0]._change() as db:
            for table in ("requests", "calls", "items"):
                db.execute(f"DELETE FROM {table}")  # of the example before
        if "://" not in self.where:
            for ledger in self.ledgers:
                ledger._db.execute("PRAGMA synchronous = OFF")  # no power is lost here
        self.now = 1_800_000_000.0
        self.calls: list[Call] = []

    def teardown(self) -> None:
        for ledger in getattr(self, "ledgers", []):
            ledger.close()

    def ledger(self, call: Call) -> Ledger:
        return self.ledgers[call.caller]

    def spent(self) -> float:
        return sum(call.money for call in self.calls if call.day == self.now // DAY and not call.refunds)

    # -- what callers do ----------------------------------------------------------------------------------------------

    @rule(target=intents, caller=st.integers(0, 3), price=PRICES)
    def ask(self, caller: int, price: float) -> Call:
        call = Call(f"c{len(self.calls)}", caller % len(self.ledgers), price)
        self.calls.append(call)
        text = json.dumps({"prompt": call.name, "n": 1})
        row = RequestRow(call.name, call.name, "studio", "toy", "", "image", None, call.name, text, "credits", self.now)
        ledger = self.ledger(call)
        new = CallRow(call.name, "studio", "toy", "", "intent", ledger.owner, 1, self.now, self.now, estimated=price)
        ledger.open([row], lambda opened: [(new, [(call.name, 0)])])
        return call

    @rule(target=sent, call=consumes(intents))
    def send(self, call: Call) -> Call:
        ledger = self.ledger(call)
        if self.spent() + call.price > CEILING:
            with pytest.raises(errors.BudgetExceeded) as refused:
                ledger.sending(call.name, call.epoch, self.now, ceiling=CEILING, exact=True)
            assert (refused.value.required, refused.value.available) == (call.price, CEILING - self.spent())
            assert ledger.call(call.name).sent_at is None
        else:
            ledger.sending(call.name, call.epoch, self.now, ceiling=CEILING, exact=True)
            call.day, call.money = int(self.now // DAY), call.price
        return call

    @rule(target=accepted, call=consumes(sent), part=st.integers(0, 4))
    def accept(self, call: Call, part: int) -> Call:
        """The service takes it, for at most what was expected."""
        if call.day is not None:
            call.money = call.price * part / 4
            settled = Settled(charged=call.money, job_id=call.name, answered_at=self.now)
            self.ledger(call).accepted(call.name, call.epoch, self.now, settled)
        return call

    @rule(target=intents, call=consumes(sent))
    def not_taken(self, call: Call) -> Call:
        if call.day is not None:
            self.ledger(call).not_taken(call.name, call.epoch, self.now)
            call.day, call.money = None, 0.0
        return call

    @rule(target=unclear, call=consumes(sent))
    def lose_the_answer(self, call: Call) -> Call:
        if call.day is not None:
            self.ledger(call).uncertain(call.name, call.epoch, self.now, errors.SubmissionUncertain("lost"))
        return call

    @rule(call=consumes(accepted), refunded=st.sampled_from([True, False, None]), times=st.integers(1, 3))
    def fail(self, call: Call, refunded: bool | None, times: int) -> None:
        """The job fails, as several pollers may notice; the first one's word stands."""
        if call.day is None:
            return
        for number in range(times):
            said = refunded if number == 0 else True
            try:
                ledger = self.ledgers[(call.caller + number) % len(self.ledgers)]
                ledger.failed(call.name, None, self.now, errors.GenerationFailed("no"), refunded=said)
            except LostClaim:
                assert number > 0
            else:
                assert number == 0
                call.refunds += refunded is True

    @rule(call=consumes(accepted))
    def save(self, call: Call) -> None:
        if call.day is None:
            return
        ledger = self.ledger(call)
        ledger.completed(call.name, None, self.now, Settled())
        epoch = ledger.claim(call.name, self.now)
        ledger.saved(call.name, epoch, self.now, [])
        ledger.release(call.name, epoch)

    @rule(call=consumes(unclear), charged=st.booleans())
    def settle_by_hand(self, call: Call, charged: bool) -> None:
        if call.day is None:
            return
        ledger = self.ledger(call)
        epoch = ledger.claim(call.name, self.now)
        ledger.failed(call.name, epoch, self.now, errors.GenerationFailed("by hand"), refunded=not charged)
        call.refunds += not charged

    @rule(target=unclear, call=consumes(sent))
    def crash(self, call: Call) -> Call:
        """The caller dies while it sends; another takes the call over, and what the dead one still writes is void."""
        if call.day is None:
            return call
        dead, heir = self.ledger(call), self.ledgers[(call.caller + 1) % len(self.ledgers)]
        with dead._change() as db:
            db.execute("UPDATE calls SET owner = '0:0:0:0' WHERE id = ?", (call.name,))
        epoch = heir.claim(call.name, self.now)
        with pytest.raises(LostClaim):
            dead.failed(call.name, call.epoch, self.now, errors.NotSent("no"), refunded=True)
        heir.uncertain(call.name, epoch, self.now, errors.SubmissionUncertain("lost"))
        call.caller, call.epoch = self.ledgers.index(heir), epoch
        return call

    @rule(seconds=st.sampled_from([1.0, 3600.0, DAY / 2, DAY]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # -- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def the_ledger_adds_up_like_the_model_and_stays_below_the_ceiling(self) -> None:
        if not hasattr(self, "calls"):
            return
        for ledger in self.ledgers:
            assert ledger.spent_today("studio", "toy", self.now) == self.spent()
        assert self.spent() <= CEILING
        assert all(call.refunds <= 1 for call in self.calls)


def test_whatever_happens_to_calls_the_ceiling_holds_and_the_sums_are_right(ledger_where):
    # a step is several exchanges with a server, and a file's are none
    share = 20 if "://" in ledger_where else 5
    machine = type("BudgetsThere", (Budgets,), {"where": ledger_where})
    examples = max(5, settings().max_examples // share)
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=40))
