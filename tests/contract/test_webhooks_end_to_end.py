"""Webhooks of AI Visual Studio: registered, listed, changed and removed; and a signed delivery settles its job."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.customer import Customer
from tests.contract.mailbox import Mailbox, listening

import genstep
from genstep import webhooks
from genstep.clock import SystemClock
from genstep.sandbox.server import SandboxServer

HOOK = "https://hooks.example/genstep"
SECRET = "whsec_fakefakefakefake"
#: longer than any test: who polls in this time was not settled by a delivery
NEVER = 100_000.0


@pytest.fixture(scope="module")
def server():
    with SandboxServer(speed=1000.0, long_side=64, webhook_secret=SECRET) as server:
        yield server


@pytest.fixture
def buyer(customer):
    return customer("aivisualstudio")


def test_a_webhook_is_registered_for_all_events_and_its_secret_is_told_once(buyer):
    made = buyer.ask("create_webhook", HOOK)
    assert (made.url, set(made.events)) == (HOOK, {"generation.completed", "generation.failed"})
    assert made.secret
    assert made.secret not in repr(made)
    [shown] = buyer.ask("list_webhooks")
    assert (shown.id, shown.url, shown.secret) == (made.id, HOOK, None)


def test_a_webhook_is_changed_and_removed(buyer):
    made = buyer.ask("create_webhook", HOOK, ["generation.failed"])
    assert made.events == ("generation.failed",)
    changed = buyer.ask("update_webhook", made.id, url=f"{HOOK}/2", events=["generation.completed"])
    assert (changed.url, changed.events) == (f"{HOOK}/2", ("generation.completed",))
    [shown] = buyer.ask("list_webhooks")
    assert (shown.url, shown.events) == (f"{HOOK}/2", ("generation.completed",))
    buyer.ask("delete_webhook", made.id)
    assert buyer.ask("list_webhooks") == []
    assert [sent.method for sent in buyer.network.sent] == ["POST", "PATCH", "GET", "DELETE", "GET"]


@pytest.mark.parametrize(
    ("verb", "given", "fields", "name"),
    [
        ("create_webhook", ("http://hooks.example",), {}, "url"),
        ("create_webhook", ("nowhere",), {}, "url"),
        ("create_webhook", (HOOK, ["generation.started"]), {}, "events"),
        ("create_webhook", (HOOK, []), {}, "events"),
        ("update_webhook", ("wh_1",), {}, None),
        ("update_webhook", ("wh_1",), {"color": "red"}, None),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_before_it_is_sent(buyer, verb, given, fields, name):
    with pytest.raises(genstep.InvalidRequest) as refusal:
        buyer.ask(verb, *given, **fields)
    assert (refusal.value.field, buyer.network.sent) == (name, [])


@pytest.mark.parametrize("slug", ["conceptviz", "nanobanana", "imaginelab", "imageapi"])
def test_a_service_without_webhooks_says_so(customer, slug):
    other = customer(slug)
    with pytest.raises(genstep.InvalidRequest, match=f"{slug} has no webhooks"):
        other.ask("create_webhook", HOOK)
    assert other.network.sent == []


class Waiting:
    """A customer whose jobs end by a delivery alone: it polls never."""

    def __init__(self, server, folder, *, secret=SECRET):
        self.server, self.folder, self.secret = server, folder, secret
        self.mailbox: Mailbox | None = None
        self.polls = 0

    def run(self, work):
        """Run ``work(client, mailbox)`` with a client and its receiver, on one loop."""
        return asyncio.run(self._run(work))

    async def _run(self, work):
        async with listening(Mailbox()) as self.mailbox:
            known = {"webhook_url": self.mailbox.url, "webhook_secret": self.secret}
            options = {"poll_interval": NEVER}
            buyer = Customer(self.server, "aivisualstudio", self.folder, options=options, clock=SystemClock(), **known)
            async with buyer.client() as client:
                self.mailbox.app = webhooks.receiver(client)
                try:
                    return await work(client, self.mailbox)
                finally:
                    self.polls = sum(sent.method == "GET" for sent in buyer.network.sent)


async def a_fox(client, _):
    return await client.generate("a fox", timeout=20)


def test_a_signed_delivery_settles_its_job_without_a_poll(server, tmp_path):
    waiting = Waiting(server, tmp_path)
    made = waiting.run(a_fox)
    assert (made.status, len(made.assets), made.cost.charged) == ("completed", 1, 5)
    assert (waiting.polls, waiting.mailbox.statuses) == (0, [200])
    body, signature = waiting.mailbox.received[0]
    assert signature.startswith("t=")
    assert b'"generation.completed"' in body


def test_a_failed_job_is_settled_by_its_delivery(server, tmp_path):
    waiting = Waiting(server, tmp_path)
    server.control.fault("fail", "aivisualstudio")
    with pytest.raises(genstep.GenerationFailed):
        waiting.run(a_fox)
    assert (waiting.polls, waiting.mailbox.statuses) == (0, [200])


def test_a_delivery_that_comes_twice_is_taken_once(server, tmp_path):
    waiting = Waiting(server, tmp_path)
    server.control.fault("duplicate", "aivisualstudio")

    async def until_both_came(client, mailbox):
        made = await a_fox(client, mailbox)
        assert [await mailbox.answered(), await mailbox.answered()] == [200, 200]
        return made, await client.show(made.id)

    made, after = waiting.run(until_both_came)
    assert (made.status, len(made.assets), after.assets) == ("completed", 1, made.assets)
    assert waiting.polls == 0


def test_without_the_secret_a_delivery_is_a_hint_to_ask(server, tmp_path):
    waiting = Waiting(server, tmp_path, secret=None)
    assert waiting.run(a_fox).status == "completed"
    assert (waiting.polls, waiting.mailbox.statuses) == (1, [200])


@pytest.mark.parametrize("fault", ["forged", "old"])
def test_a_delivery_with_a_wrong_signature_or_time_settles_nothing(server, tmp_path, fault):
    waiting = Waiting(server, tmp_path)
    server.control.fault(fault, "aivisualstudio")

    async def until_it_was_refused(client, mailbox):
        job = await client.submit("a fox")
        assert await mailbox.answered() == 401
        return await client.status(job.id, ask=False), await client.status(job.id)

    before, asked = waiting.run(until_it_was_refused)
    assert before.status == "processing"
    assert asked.provider_job_ids == before.provider_job_ids
    assert waiting.polls == 1


def test_a_registered_webhook_delivers_with_the_secret_of_its_creation(server, tmp_path):
    async def work():
        async with listening(Mailbox()) as mailbox:
            options = {"poll_interval": NEVER}
            buyer = Customer(server, "aivisualstudio", tmp_path, options=options, clock=SystemClock())
            async with buyer.client() as client:
                hook = await client.create_webhook(mailbox.url)
            known = {"api_key": buyer.key, "webhook_secret": hook.secret, "options": options}
            buyer = Customer(server, "aivisualstudio", tmp_path, clock=SystemClock(), **known)
            async with buyer.client() as client:
                mailbox.app = webhooks.receiver(client)
                return await a_fox(client, mailbox), mailbox

    made, mailbox = asyncio.run(work())
    assert (made.status, mailbox.statuses) == ("completed", [200])
