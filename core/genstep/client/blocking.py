"""``Client``: ``AsyncClient`` on a private event-loop thread; it works in scripts, threads and running loops."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  (its exit hook has to be there before ours)
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from genstep.client import loop
from genstep.client.verbs import AsyncClient

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.client.buying import OnProgress, Prompt
    from genstep.client.session import Session
    from genstep.errors import GenstepError
    from genstep.models import (
        Balance,
        Estimate,
        Generation,
        Health,
        HistoryItem,
        HttpOptions,
        Job,
        ModelInfo,
        Webhook,
    )
    from genstep.provider import Provider

T = TypeVar("T")
#: not of clients: a call under way keeps its session alive, even where nobody holds the client any more
_open: weakref.WeakSet[Session] = weakref.WeakSet()
_sources: weakref.WeakSet[Any] = weakref.WeakSet()


class Client:
    """One account's client; every verb of :class:`AsyncClient`, blocking. See there for what the verbs do.

    Stop (KeyboardInterrupt) ends the wait, never a paid call: the job is kept and can be resumed.
    """

    def __init__(
        self,
        account: str | Account | None = None,
        *,
        ledger: str | os.PathLike[str] | None = None,
        output: str | os.PathLike[str] | None = None,
        http: HttpOptions | None = None,
    ) -> None:
        self._make: Callable[[], AsyncClient] = lambda: AsyncClient(account, ledger=ledger, output=output, http=http)
        self._made: tuple[int, AsyncClient] | None = None
        _ = self._client

    @property
    def _client(self) -> AsyncClient:
        """The client behind, made anew in a forked child: connections and threads do not cross a fork."""
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self._make())
            _open.add(self._made[1]._session)
        return self._made[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close; a paid call under way is waited for, since its answer was paid for."""
        made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            loop.run(made[1].aclose())
            _open.discard(made[1]._session)

    account = property(lambda self: self._client.account, doc=AsyncClient.account.__doc__)
    why = property(lambda self: self._client.why, doc=AsyncClient.why.__doc__)
    is_sandbox = property(lambda self: self._client.is_sandbox, doc=AsyncClient.is_sandbox.__doc__)

    @property
    def provider(self) -> Provider:
        """The account's provider, with its ``capabilities``."""
        return self._client.provider

    def generate(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        on_progress: OnProgress | None = None,
        **fields: Any,
    ) -> Generation:
        """Submit, wait and save; what was paid for before is answered from the ledger unless ``fresh``."""
        known: dict[str, Any] = {"timeout": timeout, "max_credits": max_credits, "key": key, "fresh": fresh, **fields}
        return self._telling(lambda tell: self._client.generate(prompt, on_progress=tell, **known), on_progress)

    def submit(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        on_progress: OnProgress | None = None,
        **fields: Any,
    ) -> Job:
        """Return when the service has accepted the job; where the paid call is the wait, when it is on its way."""
        known: dict[str, Any] = {"timeout": timeout, "max_credits": max_credits, "key": key, "fresh": fresh, **fields}
        return self._telling(lambda tell: self._client.submit(prompt, on_progress=tell, **known), on_progress)

    def wait(self, job_id: str, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> Generation:
        """Wait for a job of the ledger, whoever started it, and save its results."""
        return self._telling(lambda tell: self._client.wait(job_id, timeout=timeout, on_progress=tell), on_progress)

    def resume(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        claim: str | None = None,
        charged: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> Generation:
        """Go on with a job after a timeout or a crash; an uncertain one is settled by ``claim`` or ``charged``."""
        known: dict[str, Any] = {"timeout": timeout, "claim": claim, "charged": charged}
        return self._telling(lambda tell: self._client.resume(job_id, on_progress=tell, **known), on_progress)

    def map(
        self,
        requests: Iterable[Prompt],
        *,
        concurrency: int = 8,
        max_credits: float | None = None,
        key: str = "",
        fresh: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Generation | GenstepError]:
        """Many requests, in the service's own batch form where it has one; outcomes in order of completion."""
        from genstep.client.many import as_list

        known: dict[str, Any] = {"key": key, "fresh": fresh, "timeout": timeout}
        return _iterate(self._client.map(as_list(requests), concurrency=concurrency, max_credits=max_credits, **known))

    def status(self, job_id: str, *, ask: bool = True) -> Job:
        """The job as it stands; with ``ask`` the service is asked once where it is not done."""
        return loop.run(self._client.status(job_id, ask=ask))

    def jobs(self, status: str | None = None, since: float | None = None, *, limit: int | None = None) -> list[Job]:
        """What the ledger knows, newest first; ``since`` in Unix seconds."""
        return loop.run(self._client.jobs(status, since, limit=limit))

    def show(self, job_id: str) -> Generation:
        """All that the ledger holds of a job, without asking the service."""
        return loop.run(self._client.show(job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel where the service can; else the job is kept and ``message`` of what comes back says so."""
        return loop.run(self._client.cancel(job_id))

    def delete(self, job_id: str, *, remote: bool = False) -> None:
        """Remove prompt, inputs and files of a finished job; with ``remote`` at the service too, where it can."""
        loop.run(self._client.delete(job_id, remote=remote))

    def purge(self, older_than: float) -> int:
        """Delete all finished jobs that were made more than ``older_than`` seconds ago; how many it were."""
        return loop.run(self._client.purge(older_than))

    def models(self, kind: str | None = None) -> list[ModelInfo]:
        """The models that the service offers, of one kind or of all."""
        return loop.run(self._client.models(kind))

    def balance(self) -> Balance:
        """What is left: asked where the service answers, else as its replies last said, with the time of that."""
        return loop.run(self._client.balance())

    def estimate(self, prompt: Prompt, **fields: Any) -> Estimate:
        """What a request would cost; checked like one that is bought, and nothing is sent that costs money."""
        return loop.run(self._client.estimate(prompt, **fields))

    def history(self, **filters: Any) -> Iterator[HistoryItem]:
        """The service's own list of past work, page by page behind one iterator."""
        return _iterate(self._client.history(**filters))

    def health(self) -> Health:
        """How the service is, by its own word."""
        return loop.run(self._client.health())

    def enhance(self, prompt: str, tone: str | None = None) -> str:
        """A richer prompt from a short idea."""
        return loop.run(self._client.enhance(prompt, tone))

    def build_prompt(self, **parts: str) -> str:
        """One prompt from structured parts, such as ``subject`` and ``mood``."""
        return loop.run(self._client.build_prompt(**parts))

    def whoami(self) -> Mapping[str, Any]:
        """Whose key or login it is, in the service's own words: a free call that proves that it is good."""
        return loop.run(self._client.whoami())

    def list_webhooks(self) -> list[Webhook]:
        """The webhooks registered with the service."""
        return loop.run(self._client.list_webhooks())

    def create_webhook(self, url: str, events: Sequence[str] | None = None) -> Webhook:
        """Register a webhook; its ``secret`` is only in this reply."""
        return loop.run(self._client.create_webhook(url, events))

    def update_webhook(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change a webhook's ``url`` or ``events``."""
        return loop.run(self._client.update_webhook(webhook_id, **changes))

    def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook from the service."""
        loop.run(self._client.delete_webhook(webhook_id))

    def deliver(self, body: bytes, signature: str | None) -> None:
        """Take a webhook delivery; see :func:`genstep.webhooks.receiver`."""
        loop.run(self._client.deliver(body, signature))

    def _telling(self, work: Callable[[Any], Coroutine[Any, Any, T]], listener: OnProgress | None) -> T:
        return loop.run(work(None)) if listener is None else loop.run_telling(work, listener)


def _iterate(source: Any) -> Iterator[Any]:
    """An async iterator, taken item by item on the loop."""
    _sources.add(source)
    while True:
        try:
            taken = loop.run(anext(source))
        except StopAsyncIteration:
            return
        try:
            yield taken
        except GeneratorExit:
            # at the very end of the process the loop's thread has stopped already
            if not sys.is_finalizing():
                loop.run(source.aclose())
            raise


_default: Client | None = None


def generate(prompt: Prompt, **fields: Any) -> Generation:
    """Generate with the default account; without one, with the built-in sandbox. See :meth:`Client.generate`."""
    global _default
    if _default is None:
        _default = Client()
    return _default.generate(prompt, **fields)


def _close_all() -> None:
    """At the end of the process: wait for paid calls under way, so that nothing paid for is cut off."""
    loop.settle()
    for source in list(_sources):
        with suppress(RuntimeError):  # a daemon thread waits for it just now
            loop.run(source.aclose())
    for session in list(_open):
        loop.run(session.aclose())


# Thread pools refuse work once their own exit hook has run, which is before any `atexit` function; hooks of `threading`
# run last in, first out, so ours comes before theirs.
getattr(threading, "_register_atexit", atexit.register)(_close_all)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)
    os.register_at_fork(after_in_child=_sources.clear)
