"""Runs a provider's verb: sends what it yields, hands back replies, retries what is free, guards what is paid."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import random
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode, urljoin

from genstep import foreign, redact
from genstep.errors import (
    AssetError,
    AuthenticationError,
    ConfigurationError,
    GenstepError,
    NotFound,
    NotSent,
    ProviderUnavailable,
    RateLimited,
    SubmissionUncertain,
    UnreadableReply,
)
from genstep.outcome import Verdict, judge
from genstep.provider import Reply
from genstep.transport.http import Download, Http, Request, partial
from genstep.transport.pacing import LONGEST, Pacer, Shared, retry_after

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.clock import Clock
    from genstep.provider import Call, Provider, Verb

T = TypeVar("T")
log = logging.getLogger("genstep.http")

#: free calls and calls that certainly were not taken are tried this often, unless a deadline comes first
ATTEMPTS = 5
#: a free verb whose answer came, but cannot be read, is run this often
READINGS = 3
#: seconds that a free verb may take, pauses that the service asks for included
FREE_PATIENCE = 120.0
MAX_REDIRECTS = 5
#: what may be asked twice without doing it twice
_REPEATABLE = ("GET", "DELETE")
#: client errors that a later try may not meet: request time-out, too early
_PASSING = (408, 425)


class PaidCall(Protocol):
    """What the owner of a paid call is told, in this order; each returns when it is durable.

    ``received`` is handed the replies to the free calls ``before`` it in the same flow too; what came of an answer that
    broke off is a reply as well.
    """

    async def sending(self) -> None: ...

    async def not_taken(self) -> None: ...

    async def received(self, reply: Reply, *before: Reply) -> None: ...

    def accepted(self) -> None: ...


class Transport:
    """One account's line to its service."""

    def __init__(
        self, account: Account, provider: Provider, http: Http, clock: Clock, pace: Shared | None = None
    ) -> None:
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
            shared=pace,
            # where the paid call is the wait, its job is never asked for
            reserved=0 if provider.capabilities.blocking else 1,
        )
        #: seconds that the service's clock is ahead of ours, by the Date of its last reply
        self.skew = 0.0
        self._redact = redact.Redactor(account.secrets())
        self._token: str | None = redact.Hidden(account.api_key.get_secret_value()) if account.api_key else None
        self._login_lock = asyncio.Lock()
        self._login_refused: AuthenticationError | None = None
        self._retire: Callable[[], object] = int
        base = (account.base_url or provider.base_url or "").rstrip("/")
        path = provider.base_path
        self.base_url = base if not path or base.endswith(path) else base + path

    # -- verbs --------------------------------------------------------------------------------------------------

    async def run(self, verb: Verb[T], *, paid: PaidCall | None = None, deadline: float | None = None) -> T:
        """Drive a verb to its result. ``deadline`` (monotonic) bounds waiting, never a paid call under way."""
        return await self._run(verb, paid, deadline, [])

    async def ask(self, make: Callable[[], Verb[T]], *, deadline: float | None = None, again: bool = False) -> T:
        """A free verb's result; made anew and run as a whole where a success cannot be read.

        Only what reads or deletes is asked again; ``again`` says that the others may be, too. Without a ``deadline``
        it takes ``FREE_PATIENCE`` seconds at most.
        """
        until = self._clock.monotonic() + FREE_PATIENCE if deadline is None else deadline
        for attempt in range(1, READINGS + 1):
            calls: list[Call] = []
            try:
                return await self._run(make(), None, until, calls, again=again)
            except UnreadableReply as error:
                came_whole = error.status is not None and 200 <= error.status < 300 and error.code != "too_large"
                repeatable = again or all(call.method in _REPEATABLE for call in calls)
                if attempt == READINGS or not came_whole or not repeatable:
                    raise
                await self._pause(error, {}, attempt, until)
        raise AssertionError("unreachable")

    async def _run(
        self, verb: Verb[T], paid: PaidCall | None, deadline: float | None, calls: list[Call], *, again: bool = False
    ) -> T:
        if not isinstance(verb, Generator):
            made: T = await self._run_coroutine(verb, paid)
            return made
        before: list[Reply] = []
        try:
            call = next(verb)
            while True:
                calls.append(call)
                try:
                    reply = await self._call(call, paid, deadline, before, again=again)
                except SubmissionUncertain:
                    verb.close()
                    raise
                except GenstepError as error:
                    call = verb.throw(error)
                else:
                    before.append(reply)
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
        except Exception as error:  # noqa: BLE001  (whatever an SDK raises, its call was perhaps paid)
            # without its cause: what an SDK raises may show the key
            raise self._uncertain(ProviderUnavailable(f"{type(error).__name__}: {error}")) from None

    async def _call(
        self, call: Call, paid: PaidCall | None, deadline: float | None, before: list[Reply], *, again: bool
    ) -> Reply:
        if call.paid and paid is None:
            raise RuntimeError("a paid call outside of submit: this is a bug of the provider")
        logged_in_again = perhaps_done = False
        attempt = 0
        while True:
            attempt += 1
            token = await self._bearer(deadline) if call.auth else None
            reply: Reply | None = None
            try:
                reply = await self._exchange(call, token, paid if call.paid else None, deadline, before)
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
                attempt -= 1
                continue
            if isinstance(failure, NotFound) and perhaps_done and call.method == "DELETE":
                # the answer to the first was lost, and it is gone: it was ours
                return Reply(204, {}, b"")
            verdict = judge(status, failure, reply)
            if call.paid and verdict is Verdict.UNCERTAIN:
                raise self._uncertain(failure) from failure
            if call.paid and verdict is Verdict.AGAIN and paid is not None:
                await paid.not_taken()
            if not self._worth_another(call, failure, verdict, again) or attempt >= ATTEMPTS:
                raise failure
            perhaps_done = perhaps_done or verdict is not Verdict.AGAIN
            await self._pause(failure, headers, attempt, deadline)

    def _worth_another(self, call: Call, failure: GenstepError, verdict: Verdict, again: bool) -> bool:
        repeatable = again or call.method in _REPEATABLE
        if isinstance(failure, RateLimited):
            # a 429 without a word does not say that nothing was done
            return not failure.quota and (verdict is Verdict.AGAIN or repeatable)
        if call.paid or isinstance(failure, NotSent):
            return verdict is Verdict.AGAIN
        passing = isinstance(failure, ProviderUnavailable) or failure.status in _PASSING
        return passing and repeatable

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
        if isinstance(failure, RateLimited) and failure.status is not None and asked is not None:
            await self.pacer.pause(asked)
        if self._clock.monotonic() + wait > (self._clock.monotonic() + LONGEST if deadline is None else deadline):
            raise failure
        log.debug("%s: %s; again in %.1f s", self._provider.slug, type(failure).__name__, wait)
        await self._clock.sleep(wait)

    # -- one exchange -------------------------------------------------------------------------------------------

    async def _exchange(
        self, call: Call, token: str | None, paid: PaidCall | None, deadline: float | None, before: list[Reply]
    ) -> Reply:
        headers = {"Accept": "application/json", "User-Agent": "genstep", **call.headers}
        if token is not None:
            headers["Authorization"] = redact.Hidden(f"Bearer {token}")
        params = {name: str(value) for name, value in (call.params or {}).items() if value is not None}
        url = self.base_url + call.path
        request = Request(call.method, url, params, headers, _content(call, headers), call.read_timeout)
        try:
            await self.pacer.slot(paid=call.paid, deadline=deadline)
            if paid is not None:
                await paid.sending()
        except GenstepError as error:
            error.charged = False
            raise
        began = self._clock.monotonic()
        try:
            reply = await self._http.send(request, fresh=call.paid)
        except GenstepError as error:
            if paid is not None and (came := partial(error)) is not None:
                await paid.received(came, *before)
            raise
        took = self._clock.monotonic() - began
        if paid is not None:
            await paid.received(reply, *before)
        log.debug("%s %s %s -> %d in %.3f s", self._provider.slug, call.method, call.path, reply.status, took)
        if (said := foreign.sent_at(reply.headers)) is not None:
            self.skew = said - self._clock.time()
        with suppress(ConfigurationError):  # a ledger that fails just now is no reason to lose the answer
            await self.pacer.learn(reply.status, reply.headers)
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
        """The key, or a token of one login that all waiting calls share; a login that was refused is not tried again.

        A service locks out who tries a wrong password too often.
        """
        if self._token is None and self._can_login:
            async with self._login_lock:
                if self._token is None:
                    if self._login_refused is not None:
                        raise copy(self._login_refused)
                    try:
                        self._token = await self._log_in(deadline)
                    except AuthenticationError as error:
                        self._login_refused = copy(error)
                        raise
        return self._token

    async def _log_in(self, deadline: float | None) -> str:
        account = self._account
        secret = redact.Hidden(account.password.get_secret_value() if account.password else "")
        verb = self._provider.login
        token = redact.Hidden(
            await self.ask(lambda: verb(account.username or "", secret), deadline=deadline, again=True)
        )
        redact.register_secret(token)
        # kept out of texts for as long as it may be on its way into one, and not for ever
        self._retire = weakref.finalize(self, redact.retire_secret, token)
        return token

    async def _forget(self, token: str | None) -> None:
        """Drop a token that was refused, unless another call has already brought a new one."""
        async with self._login_lock:
            if self._token == token:
                self._token = None
                self._retire()

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
