"""The fifth part of the contract: each verb that is declared answers, and each that is not says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from genstep.errors import InvalidRequest
from genstep.models import Balance, Health, Webhook
from genstep.testing.contract.flows import sendable

if TYPE_CHECKING:
    from genstep.client import AsyncClient
    from genstep.models import Estimate, HistoryItem, ModelInfo
    from genstep.provider import Provider
    from genstep.testing.contract.bench import Bench

HOOK = "https://hooks.example/genstep"
#: so many entries of a history are enough to see what they are
ENOUGH = 120


async def _read(client: AsyncClient) -> list[HistoryItem]:
    found = []
    async for item in client.history():
        found.append(item)
        if len(found) == ENOUGH:
            break
    return found


#: what ``capabilities`` says, and how it is asked for
ASKED: Mapping[str, Callable[[AsyncClient], Any]] = {
    "models": lambda client: client.models(),
    "history": _read,
    "health": lambda client: client.health(),
    "enhance": lambda client: client.enhance("a fox"),
    "build_prompt": lambda client: client.build_prompt(subject="a fox"),
    "webhooks": lambda client: client.list_webhooks(),
}


def free_flows(provider: Provider) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The free verbs that the provider declares and that need no job, each with how it is begun."""
    flows: dict[str, Callable[[], Any]] = {
        "models": lambda: provider.models(None),
        "balance": provider.balance,
        "health": provider.health,
        "history": lambda: provider.history(None),
        "enhance": lambda: provider.enhance("a fox", None),
        "build_prompt": lambda: provider.build_prompt({"subject": "a fox"}),
        "webhooks": provider.list_webhooks,
    }
    yield from ((name, flow) for name, flow in flows.items() if getattr(provider.capabilities, name))
    if provider.capabilities.webhooks:
        yield "create_webhook", lambda: provider.create_webhook(HOOK, None)
    if provider.whoami is not None:
        yield "whoami", provider.whoami


class Verbs:
    """Asks through the client, as a user would."""

    def test_free_verbs_cost_nothing_and_make_calls_that_can_be_sent(self, bench: Bench) -> None:
        for _, flow in free_flows(bench.provider()):
            _, tape = bench.ask(flow())
            for call, _ in tape:
                assert not call.paid
                sendable(call, bench.account.secrets())
        assert bench.purchases == 0

    def test_what_is_not_declared_is_refused_without_a_request(self, bench: Bench) -> None:
        async def work(client: AsyncClient) -> None:
            for name, ask in ASKED.items():
                if not getattr(bench.kind.capabilities, name):
                    with pytest.raises(InvalidRequest, match=bench.kind.slug):
                        await ask(client)

        bench.run(work)
        assert bench.network.sent == []

    def test_what_is_declared_answers(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        declared = bench.kind.capabilities

        async def work(client: AsyncClient) -> None:
            if declared.models:
                _is_models(await client.models(), set(declared.kinds))
                assert set(await client.models(buyable["kind"])) <= set(await client.models())
            if declared.history:
                items = await _read(client)
                assert all(item.id for item in items)
                assert len({item.id for item in items}) == len(items), "an entry of the history came twice"
            if declared.health:
                health = await client.health()
                assert isinstance(health, Health)
                assert health.status != "unreachable", f"it cannot be reached: {health.details}"
            for helper in ("enhance", "build_prompt"):
                if getattr(declared, helper):
                    assert (await ASKED[helper](client)).strip()
            balance = await client.balance()
            assert isinstance(balance, Balance)
            assert balance.unit == bench.kind.unit
            assert isinstance(balance.amount, (int, float)) or not declared.balance

        bench.run(work)
        assert bench.purchases == 0

    def test_the_estimate_is_what_the_price_says(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        async def work(client: AsyncClient) -> Estimate:
            return await client.estimate(buyable)

        found = bench.run(work)
        known = bench.provider().price(bench.prepared(buyable))
        assert found.unit == bench.kind.unit
        assert known is None or found.amount == known
        assert found.amount is None or found.amount >= 0
        assert bench.purchases == 0

    def test_webhooks_come_and_go(self, bench: Bench) -> None:
        if not bench.kind.capabilities.webhooks:
            with pytest.raises(NotImplementedError):
                bench.provider().create_webhook(HOOK, None)
            return

        async def work(client: AsyncClient) -> None:
            made = await client.create_webhook(HOOK)
            assert isinstance(made, Webhook)
            assert made.id
            assert repr(made.secret) not in repr(made) or made.secret is None, "a secret is not shown"
            assert made.id in {hook.id for hook in await client.list_webhooks()}
            changed = await client.update_webhook(made.id, url=f"{HOOK}/2")
            assert (changed.id, changed.url) == (made.id, f"{HOOK}/2")
            await client.delete_webhook(made.id)
            if bench.live:
                assert made.id not in {hook.id for hook in await client.list_webhooks()}

        bench.run(work)

    def test_a_job_is_cancelled_where_that_is_declared(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        bench.expects(buyable["kind"])

        async def work(client: AsyncClient) -> None:
            job = await client.submit(buyable)
            after = await client.cancel(job.id)
            if bench.kind.capabilities.cancel:
                assert after.status in ("cancelled", "completed") or after.message, "nothing says what became of it"
            else:
                assert after.status != "cancelled", "what is not declared cannot be done"
                assert after.message or after.status in ("completed", "failed", "processing")

        bench.run(work)

    def test_a_record_is_deleted_where_that_is_declared(self, bench: Bench, buyable: Mapping[str, Any]) -> None:
        bench.expects(buyable["kind"])

        async def work(client: AsyncClient) -> None:
            made = await client.generate(buyable)
            if not bench.kind.capabilities.delete:
                with pytest.raises(InvalidRequest, match=bench.kind.slug):
                    await client.delete(made.id, remote=True)
            await client.delete(made.id, remote=bench.kind.capabilities.delete)
            left = await client.show(made.id)
            assert (left.request.prompt, left.assets) == ("", ())
            assert not any(asset.path and asset.path.exists() for asset in made.assets)

        bench.run(work)


def _is_models(models: list[ModelInfo], kinds: set[str]) -> None:
    assert models, "a list of models that has none"
    assert all(model.id for model in models)
    # a service may name a model once for each kind that it makes
    assert len({(model.id, model.kind) for model in models}) == len(models)
    assert {model.kind for model in models} - {None} <= kinds
    assert all(model.price is None or model.price >= 0 for model in models)
