"""The plug-in interface: the calls that a provider yields, the replies it is handed, what its verbs return.

A verb is a generator that yields a :class:`Call` and is handed a :class:`Reply`: pure, without I/O, retry, sleep or
storage. The transport drives it, adds the account's auth, paces, retries what is free, and throws the provider's own
:meth:`Provider.error` into it. A service that comes with its own SDK may write a verb as a coroutine instead.
"""

from __future__ import annotations

import json as _json
from collections.abc import Awaitable, Callable, Collection, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from genstep import redact
from genstep.errors import GenstepError, UnreadableReply
from genstep.statuses import error_for_status

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.capabilities import Capabilities, Field
    from genstep.models import Balance, Estimate, GenerationRequest, Health, HistoryItem, ModelInfo, Webhook

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call: ``path`` is below the account's base URL. ``json`` and ``form`` are bodies; ``auth`` False sends
    no key (a login, a public route). ``paid`` marks the one call of a submit flow that costs money."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: bool = True
    paid: bool = False
    read_timeout: float | None = None


def Get(path: str, **call: Any) -> Call:
    """A free call that reads."""
    return Call("GET", path, **call)


def Post(path: str, **call: Any) -> Call:
    """A free call that posts (login, prompt helpers, webhooks)."""
    return Call("POST", path, **call)


def Patch(path: str, **call: Any) -> Call:
    """A free call that updates."""
    return Call("PATCH", path, **call)


def Delete(path: str, **call: Any) -> Call:
    """A free call that deletes."""
    return Call("DELETE", path, **call)


def Paid(path: str, *, method: str = "POST", **call: Any) -> Call:
    """The paid call: exactly one in a submit flow; ``read_timeout`` in seconds for a service that answers when done."""
    return Call(method, path, paid=True, **call)


class Reply:
    """What came back: ``status``, ``headers`` (lower-case names), ``content``; ``reply["key"]`` reads its JSON."""

    __slots__ = ("_json", "content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content = content
        self._json: Any = _UNREAD

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The body as JSON; :class:`UnreadableReply`, with the status and one line of the body, where it is none."""
        if self._json is _UNREAD:
            try:
                self._json = _json.loads(self.content)
            except (ValueError, RecursionError):
                raise self.unreadable("not JSON") from None
        return self._json

    @property
    def data(self) -> Mapping[str, Any]:
        """The body where it is a JSON object, else an empty one; for reading errors tolerantly."""
        try:
            value = self.json
        except UnreadableReply:
            return {}
        return value if isinstance(value, dict) else {}

    def __getitem__(self, key: str) -> Any:
        value = self.json
        if not isinstance(value, dict) or key not in value:
            raise self.unreadable(f"without {key!r}")
        return value[key]

    def get(self, key: str, default: Any = None) -> Any:
        value = self.json
        return value.get(key, default) if isinstance(value, dict) else default

    def line(self) -> str:
        """At most a line of the body, for messages."""
        # whole secrets are found, so they go before the cut that would leave a part of one
        text = " ".join(redact.clean(self.content[:4000].decode("utf-8", "replace")).split())
        return text[:117] + "…" if len(text) > 118 else text

    def unreadable(self, what: str, *, secret: bool = False) -> UnreadableReply:
        """The error for a reply that is not as documented; nothing is quoted of one that may hold a ``secret``."""
        quoted = " (an empty body)" if not self.content else "" if secret else f": {self.line()}"
        return UnreadableReply(f"HTTP {self.status}, {what}{quoted}", status=self.status, code="unreadable_reply")


_UNREAD = object()


@dataclass(frozen=True, slots=True)
class Output:
    """One result: a ``url`` to fetch, ``data`` bytes, or ``text``. ``item`` is its index within the paid call."""

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    text: str | None = None
    item: int = 0
    role: str = "main"
    media_type: str | None = None
    prompt: str | None = None
    seed: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One item of a paid call that was not made, and why; ``error.charged`` is False: a refusal inside a success."""

    item: int
    error: GenstepError


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took the job: its id, what it charged for the whole call, and the balance after it."""

    job_id: str
    credits: float | None = None
    balance: float | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """Not done yet; ``progress`` 0 to 1 where the service says it, ``status`` in the service's own word."""

    progress: float | None = None
    status: str = "processing"


@dataclass(frozen=True, slots=True)
class Completed:
    """Done, at least in part. ``completed_at`` in Unix seconds where the service says it."""

    outputs: tuple[Output, ...] = ()
    failures: tuple[ItemFailure, ...] = ()
    job_id: str | None = None
    credits: float | None = None
    balance: float | None = None
    request_id: str | None = None
    completed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The service gave up on the job; ``refunded`` None where it does not say."""

    message: str
    code: str | None = None
    refunded: bool | None = None
    credits: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a service's list; ``next`` is whatever the provider wants back to read on, None at the end."""

    items: tuple[HistoryItem, ...]
    next: Any = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a service's list, as the states of jobs by id; it answers for many waiting jobs at once.

    Jobs that nobody waits for may be left out of ``states``.

    ``oldest`` is the service's time of the oldest entry in a list that goes from new to old, where that is known.
    ``next`` reads on, None at the end; ``start`` is where the next round had better begin.
    """

    states: Mapping[str, State]
    next: Any = None
    oldest: float | None = None
    start: Any = None


Submitted: TypeAlias = Accepted | Completed
State: TypeAlias = Running | Completed | Failed
Verb: TypeAlias = Generator[Call, Reply, T] | Awaitable[T]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long jobs take and how often to ask, in seconds: the prior until the ledger has learned better.

    ``gap`` between polls stays within ``least`` and ``most``, the document's own limits where it states them.
    """

    median: float = 60.0
    sigma: float = 0.7
    gap: float = 5.0
    least: float = 1.0
    most: float = 30.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A documented limit: ``limit`` requests in ``window`` seconds for one key."""

    limit: int
    window: float


class Provider:
    """One service's dialect. Subclass it, name a ``slug``, declare ``capabilities``, write ``submit`` and ``poll``.

    Verbs that ``capabilities`` does not declare are never called. ``self.account`` is there for ``options``; secrets
    are the transport's business. ``base_url`` None: the account must name its host.
    """

    slug: ClassVar[str]
    title: ClassVar[str] = ""
    base_url: ClassVar[str | None] = None
    #: what every path is below; added to an account's base_url that does not end in it
    base_path: ClassVar[str] = ""
    capabilities: ClassVar[Capabilities]
    #: what the service counts in: "credits", "points" or "requests"
    unit: ClassVar[str] = "credits"
    #: False where the document calls its prices indicative
    exact_prices: ClassVar[bool] = True
    #: "key" (a bearer key), "login" (username and password, or a key), or "none"
    auth: ClassVar[str] = "key"
    #: what a key starts with, where the document says it
    key_prefix: ClassVar[str] = ""
    #: the account options that it takes, beside those that every provider has
    account_options: ClassVar[Mapping[str, Field]] = {}
    #: filters of ``history`` that ask for its longest pages, for looking something up in few requests
    long_pages: ClassVar[Mapping[str, Any]] = {}
    #: the documented limit; an instance may set its own, where it depends on the account's plan
    rate: Rate | None = None
    timing: ClassVar[Timing] = Timing()

    def __init__(self, account: Account) -> None:
        self.account = account

    # -- pure ---------------------------------------------------------------------------------------------------

    def prepare(self, request: GenerationRequest) -> GenerationRequest:
        """The request in the service's own terms (a size from a ratio); called after the declared checks."""
        return request

    def group(self, request: GenerationRequest) -> Hashable | None:
        """Requests with an equal, not None group may share one paid call (see ``submit_batch``)."""
        return None

    def batch(self, request: GenerationRequest) -> int:
        """How many items one paid call may carry."""
        return self.capabilities.spec(request.kind, self.slug).batch

    def price(self, request: GenerationRequest) -> float | None:
        """What ``request`` (all ``n`` of it) will cost, where it is known without asking."""
        return None

    def timing_for(self, request: GenerationRequest) -> Timing:
        """How long such a job usually takes, and how often to ask."""
        return self.timing

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        """The error that a reply stands for, or None. ``charged=False`` on an error says that its document promises
        that no money was taken; every other refusal is judged by its status."""
        return None if reply.ok else error_for_status(reply, reply.line())

    def event(self, payload: Mapping[str, Any]) -> tuple[str, State] | None:
        """A verified webhook's payload as (job id, state), or None where it settles nothing."""
        return None

    def matches(self, request: GenerationRequest, item: HistoryItem) -> bool:
        """Whether an entry of the service's list is what ``request`` (one item) asked for, as far as it says."""
        return item.kind == request.kind and (item.prompt or "") == request.prompt

    # -- verbs ---------------------------------------------------------------------------------------------------

    def submit(self, request: GenerationRequest) -> Verb[Submitted]:
        """The only paid verb: make ``request.n`` items in one call."""
        raise NotImplementedError

    #: several different requests of one :meth:`group` in one paid call, where the service can
    submit_batch: Callable[[Sequence[GenerationRequest]], Verb[Submitted]] | None = None

    def poll(self, job_id: str) -> Verb[State]:
        raise NotImplementedError

    #: one page of the list from a cursor (None: the first), as the states of those of its jobs that are waited for
    listing: Callable[[Any, Collection[str]], Verb[Listing]] | None = None

    #: whose key or login it is, by a free call that proves that it is good, where the service has one
    whoami: Callable[[], Verb[Mapping[str, Any]]] | None = None

    def login(self, username: str, password: str) -> Verb[str]:
        """Exchange a login for a bearer token."""
        raise NotImplementedError

    def estimate(self, request: GenerationRequest) -> Verb[Estimate]:
        raise NotImplementedError

    def models(self, kind: str | None) -> Verb[list[ModelInfo]]:
        raise NotImplementedError

    def balance(self) -> Verb[Balance]:
        raise NotImplementedError

    def health(self) -> Verb[Health]:
        raise NotImplementedError

    def history(self, cursor: Any, **filters: Any) -> Verb[Page]:
        """One page of past work, from ``cursor`` (None: the first)."""
        raise NotImplementedError

    def cancel(self, job_id: str) -> Verb[bool]:
        raise NotImplementedError

    def delete(self, job_id: str) -> Verb[None]:
        raise NotImplementedError

    def enhance(self, prompt: str, tone: str | None) -> Verb[str]:
        raise NotImplementedError

    def build_prompt(self, parts: Mapping[str, str]) -> Verb[str]:
        raise NotImplementedError

    def list_webhooks(self) -> Verb[list[Webhook]]:
        raise NotImplementedError

    def create_webhook(self, url: str, events: Sequence[str] | None) -> Verb[Webhook]:
        raise NotImplementedError

    def update_webhook(self, webhook_id: str, changes: Mapping[str, Any]) -> Verb[Webhook]:
        raise NotImplementedError

    def delete_webhook(self, webhook_id: str) -> Verb[None]:
        raise NotImplementedError
