"""The ledger's life of a paid call, driven by hypothesis: sent once, along the diagram, under one owner."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from genstep.errors import GenerationFailed, SubmissionUncertain
from genstep.ledger import CallRow, Ledger, LostClaim, RequestRow, Settled
from genstep.ledger import owner as owners

#: the diagram of the architecture, as the moves that a call may make
MOVES = {
    "intent": {"sending", "failed", "cancelled"},
    "sending": {"intent", "submitted", "completed", "failed", "uncertain"},
    "submitted": {"processing", "completed", "failed", "cancelled"},
    "processing": {"completed", "failed", "cancelled"},
    "completed": {"saved", "failed"},
    "uncertain": {"submitted", "processing", "completed", "failed"},
    "saved": {"completed"},
    "failed": set(),
    "cancelled": set(),
}
PRICE = 5.0


class Life(RuleBasedStateMachine):
    """One call and two owners of whom at most one lives; what the machine believes is beside what the ledger says."""

    where: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(self.where)
        with self.ledger._change() as db:
            for table in ("requests", "calls", "items"):
                db.execute(f"DELETE FROM {table}")  # of the example before
        self.now = 1_800_000_000.0
        now, url, owner = self.now, "https://toy.example", self.ledger.owner
        row = RequestRow("r", "f", "a", "toy", url, "image", None, "fox", '{"n": 1}', "credits", now)
        call = CallRow("c", "a", "toy", url, "intent", owner, 1, now, now, estimated=PRICE)
        self.ledger.open([row], lambda opened: [(call, [("r", 0)])])
        self.epochs = [1]
        self.path = ["intent"]
        #: requests that went out and may have arrived, and what was said of them
        self.out = 0
        self.sent_at_all = False

    def teardown(self) -> None:
        self.ledger.close()

    @property
    def row(self) -> CallRow:
        return self.ledger.call("c")

    def write(self, method: str, *values: Any, **named: Any) -> bool:
        """Try a step as the owner knows it: it works and moves along the diagram, or is refused and moves nothing."""
        self.now += 1.0
        before = self.row
        try:
            getattr(self.ledger, method)("c", *values, **named)
        except LostClaim:
            assert self.row == before, f"{method} was refused, and changed the row"
            return False
        after = self.row.state
        if after != before.state:
            assert after in MOVES[before.state], f"{method} took the call from {before.state} to {after}"
            self.path.append(after)
        return True

    # -- the steps, each with the newest epoch or a stale one -------------------------------------------------------

    @rule(data=st.data())
    def sending(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write("sending", epoch, self.now):
            assert epoch == self.epochs[-1], "a stale owner sent the call"
            assert self.out == 0, "the call is on its way a second time"
            self.out, self.sent_at_all = 1, True

    @rule(data=st.data())
    def not_taken(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write("not_taken", epoch, self.now):
            assert epoch == self.epochs[-1]
            self.out = 0

    @rule(data=st.data(), how=st.sampled_from(["accepted", "completed"]))
    def answered(self, data: st.DataObject, how: str) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write(how, epoch, self.now, Settled(PRICE, 95.0, None, "job", None, self.now)):
            assert epoch == self.epochs[-1]
            assert self.sent_at_all

    @rule(data=st.data(), refunded=st.sampled_from([True, False, None]))
    def failed(self, data: st.DataObject, refunded: bool | None) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write("failed", epoch, self.now, GenerationFailed("it broke"), refunded=refunded):
            assert epoch == self.epochs[-1]

    @rule(data=st.data())
    def lost(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write("uncertain", epoch, self.now, SubmissionUncertain("lost")):
            assert epoch == self.epochs[-1]
            assert self.path[-2:] == ["sending", "uncertain"]

    @rule(data=st.data())
    def saved(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.epochs))
        if self.write("saved", epoch, self.now, []):
            assert epoch == self.epochs[-1]

    @rule()
    def cancelled(self) -> None:
        self.write("cancelled", self.now)

    # -- owners come and go ---------------------------------------------------------------------------------------

    @rule()
    def crash_and_claim(self) -> None:
        """The owner dies; a new process claims the row, which raises the epoch."""
        owners.retire(self.ledger.owner)
        self.ledger.owner = owners.new()
        epoch = self.ledger.claim("c", self.now)
        if epoch is not None:
            assert epoch >= self.epochs[-1]
            if epoch != self.epochs[-1]:
                self.epochs.append(epoch)

    @precondition(lambda self: len(self.epochs) > 1)
    @rule()
    def release_by_a_stale_owner(self) -> None:
        owner = self.row.owner
        self.ledger.release("c", self.epochs[0])
        assert self.row.owner == owner

    # -- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def the_charge_is_not_lost(self) -> None:
        row = self.row
        spent = self.ledger.spent_today("a", "toy", self.now)
        if row.refunded or row.state == "intent" or row.sent_at is None:
            assert spent == 0
        else:
            assert spent == PRICE, f"{row.state}: {spent:g} of {PRICE:g}"

    @invariant()
    def a_final_state_is_final(self) -> None:
        for state in ("failed", "cancelled"):
            if state in self.path:
                assert self.path[-1] == state


def test_a_paid_call_keeps_to_the_diagram_whatever_its_owners_do(ledger_where):
    # each step is a durable write: a fifth of the examples takes as long as all of a pure function
    machine = type("LifeThere", (Life,), {"where": ledger_where})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
    )
