"""What a client asks the service, or answers from what it has seen: models, balance, prices, history, prompts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from genstep import redact
from genstep.client import orders
from genstep.errors import GenstepError, InvalidRequest, WebhookRejected
from genstep.models import Balance, Estimate, GenerationRequest, Health, HistoryItem, ModelInfo, Webhook
from genstep.provider import Provider

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.client.life import Life
    from genstep.client.session import Session
    from genstep.provider import Page


#: seconds in which a service that is well would have answered
HEALTH_PATIENCE = 3.0


class Asking:
    """The free verbs; each that a provider does not declare raises :class:`InvalidRequest` and says so."""

    _session: Session

    @property
    def account(self) -> Account:
        """The account in use; its secrets stay hidden."""
        return self._session.account

    @property
    def provider(self) -> Provider:
        """The account's provider, with its ``capabilities``."""
        return self._session.provider

    @property
    def why(self) -> str:
        """Why this account is used, in one line."""
        return self._session.why

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the built-in sandbox: real files, play credits."""
        return self._session.is_sandbox

    def _needs(self, verb: str, life: Life | None = None) -> Life:
        life = life or self._session.life
        if not getattr(life.provider.capabilities, verb):
            slug = life.provider.slug
            raise InvalidRequest(f"{slug} has no {verb.replace('_', ' ')}; see: genstep providers", provider=slug)
        return life

    async def models(self, kind: str | None = None) -> list[ModelInfo]:
        """The models that the service offers, of one kind or of all."""
        life = self._needs("models")
        return list(await life.transport.ask(lambda: life.provider.models(kind)))

    async def balance(self) -> Balance:
        """What is left: asked where the service answers, else as its replies last said, with the time of that."""
        life = self._session.life
        if life.provider.capabilities.balance:
            said = await life.transport.ask(life.provider.balance)
            return said if said.as_of else replace(said, as_of=self._session.clock.time())
        seen = await self._session.on_ledger(lambda ledger: ledger.last_balance(self.account.name, life.provider.slug))
        if seen is None:
            note = f"{life.provider.slug} says its balance at most in replies to paid calls, and none was seen yet"
            return Balance(None, life.provider.unit, self._session.clock.time(), {"note": note})
        return Balance(seen[0], life.provider.unit, seen[1])

    async def estimate(self, prompt: str | GenerationRequest | Mapping[str, Any], **fields: Any) -> Estimate:
        """What a request would cost; checked like one that is bought, and nothing is sent that costs money."""
        request = orders.build(prompt, fields)
        return await self._ask_price(await asyncio.to_thread(orders.prepare, request, self.provider))

    async def _ask_price(self, request: GenerationRequest) -> Estimate:
        life = self._session.life
        price = life.provider.price(request)
        if price is not None:
            return Estimate(price, life.provider.unit, exact=life.provider.exact_prices)
        if type(life.provider).estimate is Provider.estimate:
            return Estimate(None, life.provider.unit)
        return await life.transport.ask(lambda: life.provider.estimate(request))

    async def history(self, **filters: Any) -> AsyncIterator[HistoryItem]:
        """The service's own list of past work, page by page behind one iterator; ``filters`` are the service's own."""
        life = self._needs("history")
        cursor: Any = None
        while True:
            page: Page = await life.transport.ask(partial(life.provider.history, cursor, **filters))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None or not page.items:
                return

    async def health(self) -> Health:
        """How the service is: its own word where it has one, else whether it answers at all."""
        life = self._needs("health")
        try:
            soon = self._session.clock.monotonic() + HEALTH_PATIENCE
            return await life.transport.ask(life.provider.health, deadline=soon)
        except GenstepError as error:
            return Health("unreachable", error.to_dict())

    async def enhance(self, prompt: str, tone: str | None = None) -> str:
        """A richer prompt from a short idea."""
        life = self._needs("enhance")
        if not prompt.strip():
            raise InvalidRequest("prompt: it is empty; say what to enhance", field="prompt")
        return await life.transport.ask(lambda: life.provider.enhance(prompt, tone))

    async def build_prompt(self, **parts: str) -> str:
        """One prompt from structured parts, such as ``subject`` and ``mood``."""
        life = self._needs("build_prompt")
        return await life.transport.ask(lambda: life.provider.build_prompt(parts))

    async def whoami(self) -> Mapping[str, Any]:
        """Whose key or login it is, in the service's own words: a free call that proves that it is good."""
        life = self._session.life
        if life.provider.whoami is None:
            raise InvalidRequest(f"{life.provider.slug} does not say whose key it is; see: genstep providers")
        return await life.transport.ask(life.provider.whoami)

    async def list_webhooks(self) -> list[Webhook]:
        """The webhooks registered with the service."""
        life = self._needs("webhooks")
        return list(await life.transport.ask(life.provider.list_webhooks))

    async def create_webhook(self, url: str, events: Sequence[str] | None = None) -> Webhook:
        """Register a webhook; its ``secret`` is only in this reply, so keep it in the account's ``webhook_secret``."""
        life = self._needs("webhooks")
        return await life.transport.ask(lambda: life.provider.create_webhook(url, events))

    async def update_webhook(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change a webhook's ``url`` or ``events``."""
        life = self._needs("webhooks")
        return await life.transport.ask(lambda: life.provider.update_webhook(webhook_id, changes))

    async def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook from the service."""
        life = self._needs("webhooks")
        await life.transport.ask(lambda: life.provider.delete_webhook(webhook_id))

    async def deliver(self, body: bytes, signature: str | None) -> None:
        """Take a webhook delivery. A verified one settles its job; one that cannot be verified for want of a secret
        is only a hint to ask the service; one with a wrong signature raises :class:`WebhookRejected`."""
        import json

        import genstep.webhooks as webhooks

        life = self._needs("webhooks")
        secret, now = self.account.webhook_secret, self._session.clock.time()
        try:
            if secret is not None:
                payload = webhooks.verify(body, signature, redact.Hidden(secret.get_secret_value()), now=now).payload
            else:
                payload = json.loads(body)
            event, job_id = str(payload["event"]), str(payload["data"]["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WebhookRejected("the delivery is not JSON with an event and a data.id", code="malformed") from None
        session, text = self._session, json.dumps(payload)
        slug, verified = life.provider.slug, secret is not None
        await session.on_ledger(lambda ledger: ledger.deliver(slug, event, job_id, text, verified=verified, now=now))
        call = await session.on_ledger(lambda ledger: ledger.call_of_job(slug, job_id))
        if call is not None:
            life.nudge(call.id)
