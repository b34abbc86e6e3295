"""Runs a provider's verb: sends what it yields, hands back replies, retries what is free, guards what is paid."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import random
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode, urljoin

from genstep import redact
from genstep.errors import (
    AssetError,
    AuthenticationError,
    GenstepError,
    ProviderUnavailable,
    RateLimited,
    SubmissionUncertain,
)
from genstep.outcome import Verdict, judge
from genstep.transport.http import Download, Http, Request
from genstep.transport.pacing import Pacer, retry_after

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.clock import Clock
    from genstep.provider import Call, Provider, Reply, Verb

T = TypeVar("T")
log = logging.getLogger("genstep.http")

#: free calls and calls that certainly were not taken are tried this often, unless a deadline comes first
ATTEMPTS = 5
MAX_REDIRECTS = 5


class PaidCall(Protocol):
    """What the owner of a paid call is told, in this order; each returns when it is durable."""

    async def sending(self) -> None: ...

    async def not_taken(self) -> None: ...

    async def received(self, reply: Reply) -> None: ...

    def accepted(self) -> None: ...


class Transport:
    """One account's line to its service."""

    def __init__(self, account: Account, provider: Provider, http: Http, clock: Clock) -> None:
        self._account = account
        self._provider = provider
        self._http = http
        self._clock = clock
        options = account.options
        self.pacer = Pacer(
            clock,
            provider.rate,
            per_second=options.get("requests_per_second"),
            open_submits=int(options.get("open_submits", 8)),
        )
        self._redact = redact.Redactor(account.secrets())
        self._token: str | None = redact.Hidden(account.api_key.get_secret_value()) if account.api_key else None
        self._login_lock = asyncio.Lock()
        base = (account.base_url or provider.base_url or "").rstrip("/")
        path = provider.base_path
        self.base_url = base if not path or base.endswith(path) else base + path

    # -- verbs --------------------------------------------------------------------------------------------------

    async def run(self, verb: Verb[T], *, paid: PaidCall | None = None, deadline: float | None = None) -> T:
        """Drive a verb to its result. ``deadline`` (monotonic) bounds waiting, never a paid call under way."""
        if not isinstance(verb, Generator):
            made: T = await self._run_coroutine(verb, paid)
            return made
        try:
            call = next(verb)
            while True:
                try:
                    reply = await self._call(call, paid, deadline)
                except SubmissionUncertain:
                    verb.close()
                    raise
                except GenstepError as error:
                    call = verb.throw(error)
                else:
                    call = verb.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        except GenstepError as error:
            raise self._known(error) from error.__cause__

    async def _run_coroutine(self, verb: Any, paid: PaidCall | None) -> Any:
        """A verb through a service's own SDK: anything but :class:`NotSent` leaves a paid outcome unknown."""
        if paid is None:
            return await verb if inspect.isawaitable(verb) else verb
        try:
            await paid.sending()
        except BaseException:
            if inspect.iscoroutine(verb):
                verb.close()
            raise
        try:
            return await verb
        except GenstepError as error:
            if judge(None, error) is Verdict.UNCERTAIN:
                raise self._uncertain(error) from error
            await paid.not_taken()
            raise self._known(error) from error.__cause__
        except Exception as error:
            raise self._uncertain(ProviderUnavailable(f"{type(error).__name__}: {error}")) from error

    async def _call(self, call: Call, paid: PaidCall | None, deadline: float | None) -> Reply:
        if call.paid and paid is None:
            raise RuntimeError("a paid call outside of submit: this is a bug of the provider")
        logged_in_again = False
        for attempt in range(1, ATTEMPTS + 1):
            token = await self._bearer(deadline) if call.auth else None
            try:
                reply = await self._exchange(call, token, paid if call.paid else None, deadline)
            except GenstepError as error:
                failure, status = error, error.status
                headers: Mapping[str, str] = {}
            else:
                mistake = self._provider.error(call, reply)
                if mistake is None:
                    if call.paid and paid is not None:
                        paid.accepted()
                    return reply
                failure, status, headers = self._known(mistake), reply.status, reply.headers
            if isinstance(failure, AuthenticationError) and call.auth and self._can_login and not logged_in_again:
                logged_in_again = True
                if call.paid and paid is not None:
                    await paid.not_taken()
                await self._forget(token)
                continue
            verdict = judge(status, failure)
            if call.paid and verdict is Verdict.UNCERTAIN:
                raise self._uncertain(failure) from failure
            if call.paid and verdict is Verdict.AGAIN and paid is not None:
                await paid.not_taken()
            if not self._worth_another(call, failure, verdict) or attempt == ATTEMPTS:
                raise failure
            await self._pause(failure, headers, attempt, deadline)
        raise AssertionError("unreachable")

    def _worth_another(self, call: Call, failure: GenstepError, verdict: Verdict) -> bool:
        if isinstance(failure, RateLimited):
            return not failure.quota
        if call.paid:
            return verdict is Verdict.AGAIN
        return isinstance(failure, ProviderUnavailable) and call.method in ("GET", "DELETE")

    async def _pause(
        self, failure: GenstepError, headers: Mapping[str, str], attempt: int, deadline: float | None
    ) -> None:
        """Back off with jitter, or as long as the service asks; an error at once where that is past the deadline."""
        wait = random.uniform(0.5, 1.0) * min(0.5 * 2**attempt, 20.0)  # noqa: S311  (jitter, not a secret)
        asked = failure.retry_after if isinstance(failure, RateLimited) else None
        if asked is None:
            asked = retry_after(headers, self._clock.time())
        if asked is not None:
            wait = max(asked, 0.05)
        if deadline is not None and self._clock.monotonic() + wait > deadline:
            raise failure
        log.debug("%s: %s; again in %.1f s", self._provider.slug, type(failure).__name__, wait)
        await self._clock.sleep(wait)

    # -- one exchange -------------------------------------------------------------------------------------------

    async def _exchange(self, call: Call, token: str | None, paid: PaidCall | None, deadline: float | None) -> Reply:
        headers = {"Accept": "application/json", "User-Agent": "genstep", **call.headers}
        if token is not None:
            headers["Authorization"] = redact.Hidden(f"Bearer {token}")
        params = {name: str(value) for name, value in (call.params or {}).items() if value is not None}
        url = self.base_url + call.path
        request = Request(call.method, url, params, headers, _content(call, headers), call.read_timeout)
        await self.pacer.slot(paid=call.paid, deadline=deadline)
        if paid is not None:
            try:
                await paid.sending()
            except GenstepError as error:
                error.charged = False
                raise
        began = self._clock.monotonic()
        reply = await self._http.send(request, fresh=call.paid)
        took = self._clock.monotonic() - began
        log.debug("%s %s %s -> %d in %.3f s", self._provider.slug, call.method, call.path, reply.status, took)
        self.pacer.learn(reply.status, reply.headers)
        if paid is not None:
            await paid.received(reply)
        return reply

    @asynccontextmanager
    async def fetch(self, url: str, *, start: int = 0) -> AsyncIterator[Download]:
        """A result's file, from ``start`` bytes on: guarded, without the key, each redirect checked like the first."""
        from genstep import guard

        headers = {"User-Agent": "genstep", **({"Range": f"bytes={start}-"} if start else {})}
        for _ in range(MAX_REDIRECTS):
            target = await guard.resolve(url, allowed=self._account.allowed_hosts, own=self.base_url or None)
            async with self._http.download(target, headers) as download:
                if download.location is None:
                    yield download
                    return
                url = urljoin(url, download.location)
        raise AssetError("the result's address redirects too often", code="download")

    # -- login --------------------------------------------------------------------------------------------------

    @property
    def _can_login(self) -> bool:
        return self._provider.auth == "login" and self._account.password is not None

    async def _bearer(self, deadline: float | None) -> str | None:
        """The key, or a token of one login that all waiting calls share."""
        if self._token is None and self._can_login:
            async with self._login_lock:
                if self._token is None:
                    account = self._account
                    secret = redact.Hidden(account.password.get_secret_value() if account.password else "")
                    verb = self._provider.login(account.username or "", secret)
                    self._token = token = redact.Hidden(await self.run(verb, deadline=deadline))
                    redact.register_secret(token)
        return self._token

    async def _forget(self, token: str | None) -> None:
        """Drop a token that was refused, unless another call has already brought a new one."""
        async with self._login_lock:
            if self._token == token:
                self._token = None

    # -- errors -------------------------------------------------------------------------------------------------

    def _known(self, error: GenstepError) -> GenstepError:
        error.provider = error.provider or self._provider.slug
        error.args = (redact.clean(self._redact.clean(error.message)), *error.args[1:])
        return error

    def _uncertain(self, cause: GenstepError) -> SubmissionUncertain:
        why = self._known(cause).message
        return SubmissionUncertain(
            f"the answer to the paid request was lost: {why}; it is perhaps charged and is not sent again by itself",
            provider=self._provider.slug,
            code=cause.code,
            status=cause.status,
            request_id=cause.request_id,
        )


def _content(call: Call, headers: dict[str, str]) -> bytes | None:
    """The body of a call, whose type goes into its ``headers``."""
    if call.json is not None:
        headers["Content-Type"] = "application/json"
        return json.dumps(call.json, ensure_ascii=False, separators=(",", ":")).encode()
    if call.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return urlencode(call.form).encode()
    return None
