"""The sixth part of the contract: through the client, everything is paid for once, saved whole, and never guessed."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from genstep import sniff
from genstep.errors import GenstepError, InvalidRequest, RateLimited, SubmissionUncertain
from genstep.models import Generation, Job
from genstep.provider import Reply
from genstep.testing import network
from genstep.testing.contract.flows import needs_calls
from genstep.testing.contract.replies import HTML

if TYPE_CHECKING:
    from genstep.client import AsyncClient
    from genstep.testing.contract.bench import Bench

#: what the client may make of a paid call whose answer was lost
LOST = [Reply(200, {}, body) for body in (HTML, b"", b'{"id": "cut sho')] + [Reply(502, {}, HTML), Reply(500, {}, b"")]
#: seconds that a service asks for: a short pause, and one that is longer than the caller's patience
SHORT, LONG, PATIENCE = 7, 900, 60


class Buys:
    """Buys with a ledger and a store; each test has both to itself."""

    def test_it_is_bought_once_saved_whole_and_then_answered_from_the_ledger(
        self, bench: Bench, wanted: Mapping[str, Any]
    ) -> None:
        bench.expects(wanted.get("kind", "image"))
        told: list[Job] = []

        async def work(client: AsyncClient) -> Generation:
            return await client.generate(wanted, on_progress=told.append)

        made, again = bench.run(work), bench.run(work)
        assert made.status == "completed"
        assert not made.failures, f"fewer results came than were asked for: {made.failures}"
        assert len([asset for asset in made.assets if asset.role == "main"]) >= wanted.get("n", 1)
        for asset in made.assets:
            assert asset.path is not None
            content = asset.path.read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (asset.size, asset.sha256)
            assert sniff.fits(wanted.get("kind", "image") if asset.role == "main" else "image", asset.media_type)
        assert told[-1].status == "completed"
        assert made.cost.unit == bench.kind.unit
        assert (again.from_cache, again.id) == (True, made.id), "the same request was not answered from the ledger"
        assert bench.purchases == 1

    def test_what_was_charged_is_what_was_estimated(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        """Where the provider says its prices are exact, and the service is a real one."""
        bench.expects(wanted.get("kind", "image"))
        made = bench.run(lambda client: client.generate(wanted))
        known = bench.provider().price(bench.prepared(wanted))
        assert made.cost.estimated == known
        if bench.live and bench.kind.exact_prices and known is not None and not made.failures:
            assert made.cost.charged == known

    def test_a_batch_is_one_call_and_one_more_item_is_a_second(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        bench.expects(buyable["kind"])
        batch = bench.provider().batch(bench.prepared(buyable))
        for n, calls in ((batch, 1), (batch + 1, 2)):
            before = bench.purchases
            bench.run(lambda client, n=n: client.submit(buyable, n=n, key=f"{n} of them"))  # type: ignore[misc]
            assert bench.purchases - before == calls, f"{n} items with a batch of {batch}"

    def test_many_requests_share_calls_where_the_service_can(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        bench.expects(buyable["kind"])
        provider, one = bench.provider(), bench.prepared(buyable)
        prompts = [f"a red fox, number {number}" for number in range(3)] if one.prompt else [""]
        shared = provider.submit_batch is not None and provider.group(one.with_fields(n=1)) is not None

        async def work(client: AsyncClient) -> list[Any]:
            requests = [{**buyable, **({"prompt": prompt} if prompt else {})} for prompt in prompts]
            return [outcome async for outcome in client.map(requests)]

        outcomes = bench.run(work)
        if bench.live:
            assert all(isinstance(outcome, Generation) for outcome in outcomes), outcomes
        batch = provider.batch(one) if shared else 1
        assert bench.purchases == -(-len(prompts) // batch)

    def test_a_lost_answer_is_never_paid_for_twice(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        """The service took it, and the connection broke: it is found in the service's list, or it stays uncertain."""
        bench.expects(wanted.get("kind", "image"))
        bench.lose()
        for _ in range(2):
            outcome = bench.run(lambda client: _outcome(client, wanted))
            if isinstance(outcome, Generation):
                assert bench.kind.capabilities.history, "without a list nobody can know what became of it"
            else:
                assert outcome.job_id, "it can be settled by hand"
                assert "perhaps charged" in str(outcome)
        assert bench.purchases == 1

    @needs_calls
    def test_an_unreadable_answer_is_uncertain_and_not_sent_again(
        self, bench: Bench, wanted: Mapping[str, Any]
    ) -> None:
        bench.network.paid_steps = list(LOST)

        async def one(client: AsyncClient, key: str) -> None:
            for _ in range(2):
                with pytest.raises(SubmissionUncertain):
                    await client.generate(wanted, key=key)

        async def work(client: AsyncClient) -> None:
            await asyncio.gather(*(one(client, f"loss {number}") for number in range(len(LOST))))

        bench.run(work)
        assert bench.purchases == len(LOST)

    @needs_calls
    def test_a_request_that_was_not_sent_is_sent_again(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bench.expects(wanted.get("kind", "image"))
        bench.network.paid_steps = [network.unreachable()]
        assert bench.run(lambda client: client.generate(wanted)).status == "completed"
        assert bench.purchases == 2

    @needs_calls
    def test_a_pause_that_the_service_asks_for_is_kept(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bench.expects(wanted.get("kind", "image"))
        bench.network.paid_steps = [Reply(429, {"Retry-After": str(SHORT)}, b"")]
        assert bench.run(lambda client: client.generate(wanted)).status == "completed"
        assert bench.purchases == 2
        assert max(bench.clock.slept) >= SHORT

    @needs_calls
    def test_a_pause_longer_than_the_callers_patience_is_told_at_once(
        self, bench: Bench, wanted: Mapping[str, Any]
    ) -> None:
        bench.network.paid_steps = [Reply(429, {"Retry-After": str(LONG)}, b"")]
        with pytest.raises(RateLimited) as limited:
            bench.run(lambda client: client.generate(wanted, timeout=PATIENCE))
        assert limited.value.retry_after == LONG
        assert bench.purchases == 1

    @needs_calls
    def test_a_refusal_is_no_answer_for_the_next_time(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        bench.expects(wanted.get("kind", "image"))
        bench.network.paid_steps = [Reply(400, {}, b"{}")]
        with pytest.raises(InvalidRequest):
            bench.run(lambda client: client.generate(wanted))
        assert bench.run(lambda client: client.generate(wanted)).status == "completed"

    @needs_calls
    def test_a_key_that_the_service_repeats_is_not_shown(self, bench: Bench, wanted: Mapping[str, Any]) -> None:
        secrets = bench.account.secrets()
        if not secrets:
            assert bench.kind.auth == "none"
            return
        for secret in secrets:
            body = dict.fromkeys(("error", "message", "detail"), f"bad key {secret}")
            nested = {"error": {"code": "invalid", "message": f"bad key {secret}"}}
            bench.network.paid_steps = [Reply(401, {}, json.dumps(each).encode()) for each in (body, nested) * 2]
            for number in range(2):
                with pytest.raises(GenstepError) as refusal:
                    bench.run(lambda client, key=f"{number}": client.generate(wanted, key=key))  # type: ignore[misc]
                assert secret not in f"{refusal.value} {refusal.value!r} {refusal.value.to_dict()}"
            bench.network.paid_steps = []
        kept = b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
        assert not any(secret.encode() in kept for secret in secrets)


async def _outcome(client: AsyncClient, wanted: Mapping[str, Any]) -> Generation | SubmissionUncertain:
    try:
        return await client.generate(wanted)
    except SubmissionUncertain as error:
        return error
