"""Faults on demand: which request, job or webhook goes wrong, how often, and what a faulty answer looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from dataclasses import field as attribute
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from genstep.sandbox.server import chance, fields
from genstep.sandbox.server.messages import Response

if TYPE_CHECKING:
    from genstep.sandbox.server.calls import Call

REQUEST_KINDS = {"refuse", "drop", "late", "cut", "html", "garbage", "redirect", "status", "drip"}
JOB_KINDS = {"fail", "reject", "stuck", "hold", "slow", "word"}
WEBHOOK_KINDS = {"duplicate", "forged", "delayed", "none", "old"}
KINDS = REQUEST_KINDS | JOB_KINDS | WEBHOOK_KINDS
MOMENTS = ("before", "during", "after")

HTML = """<!DOCTYPE html>
<html><head><title>{title}</title></head>
<body><center><h1>{title}</h1></center><hr><center>gateway</center></body></html>
"""


@dataclass(eq=False)
class Fault:
    """One fault; None for a filter means any.

    Requests (`slug`, `method`, `path` glob below the slug, `endpoint` name; `when` the request was handled or not):
    `refuse` (`status` 503, in the API's dialect, or `bare`), `drop`, `late` (`seconds`), `cut` (`bytes` of the body,
    default half), `html` (`status` 502), `garbage` (JSON cut short, of the right length; `status`), `redirect`
    (`location`), `status` (`status`, `body`), `drip` (`seconds` between eighths).
    Jobs (`slug`, `job_kind`): `fail` and `reject` (`refund`), `stuck`, `hold`, `slow` (`factor`), `word` (`body`).
    Webhooks (`slug`): `duplicate`, `forged`, `delayed` (`seconds`), `none`, `old` (`seconds` before now).
    Seconds are real ones. `times` None strikes for ever; `probability` is drawn from the server's seed.
    """

    kind: str
    slug: str | None = None
    method: str | None = None
    path: str | None = None
    endpoint: str | None = None
    job_kind: str | None = None
    when: str = "before"
    times: int | None = 1
    probability: float = 1.0
    status: int | None = None
    body: str | None = None
    bare: bool = False
    seconds: float = 1.0
    bytes: int | None = None
    location: str = ""
    factor: float = 10.0
    refund: bool = True
    id: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(sorted(KINDS))}")
        if self.when not in MOMENTS:
            raise ValueError(f"when is {', '.join(MOMENTS)}; not {self.when!r}")
        if self.kind == "redirect" and not self.location:
            raise ValueError("a redirect needs a location")
        for name in ("probability", "seconds", "factor"):
            if fields.number(getattr(self, name)) is None or not getattr(self, name) > 0:
                raise ValueError(f"{name} is a number above 0")
        if self.probability > 1:
            raise ValueError("probability is at most 1")
        if self.status is not None and not 200 <= (fields.whole(self.status) or 0) <= 599:
            raise ValueError("status is an HTTP status from 200 to 599")
        for name in ("times", "bytes"):
            if getattr(self, name) is not None and fields.whole(getattr(self, name)) is None:
                raise ValueError(f"{name} is a whole number or null")

    @property
    def spent(self) -> bool:
        return self.times is not None and self.struck >= self.times

    def concerns(self, call: Call) -> bool:
        """Whether a request fault's filters fit this call."""
        path = call.request.path.removeprefix(f"/{call.slug}")
        return (
            self.kind in REQUEST_KINDS
            and self.slug in (None, call.slug)
            and self.method in (None, call.request.method)
            and self.endpoint in (None, call.endpoint)
            and (self.path is None or fnmatchcase(path, self.path))
        )


@dataclass
class Faults:
    """The faults that are set; each is asked once for every request, job and delivery that its filters fit."""

    seed: int = 0
    _all: list[Fault] = attribute(default_factory=list)
    _ids: int = 0
    _draws: int = 0

    def add(self, fault: Fault) -> Fault:
        self._ids += 1
        fault.id = self._ids
        self._all.append(fault)
        return fault

    def clear(self, id: int | None = None) -> None:
        """Forget one fault, or all of them."""
        self._all = [fault for fault in self._all if id is not None and fault.id != id]

    def active(self) -> list[Fault]:
        return [fault for fault in self._all if not fault.spent]

    def request(self, call: Call) -> Fault | None:
        """Return the fault that strikes this request before or during its handling."""
        return self._strike(f for f in self.active() if f.when != "after" and f.concerns(call))

    def reply(self, call: Call) -> Fault | None:
        """Return the fault that strikes the reply to a request that was handled and not refused."""
        return self._strike(f for f in self.active() if f.when == "after" and f.concerns(call))

    def job(self, slug: str, kind: str) -> list[Fault]:
        """Return the faults that strike a new job, at most one of each kind."""
        found = {}
        for fault in self.active():
            fits = fault.slug in (None, slug) and fault.job_kind in (None, kind)
            if fault.kind in JOB_KINDS and fits and fault.kind not in found and self._strike(iter([fault])):
                found[fault.kind] = fault
        return list(found.values())

    def webhook(self, slug: str) -> Fault | None:
        """Return the fault that strikes the next webhook delivery."""
        return self._strike(f for f in self.active() if f.kind in WEBHOOK_KINDS and f.slug in (None, slug))

    def _strike(self, candidates: Iterator[Fault]) -> Fault | None:
        for fault in candidates:
            self._draws += 1
            if fault.probability >= 1 or chance.fraction(self.seed, "fault", self._draws) < fault.probability:
                fault.struck += 1
                return fault
        return None


def faulty(fault: Fault, response: Response, dialect: Response) -> Response:
    """Return what is sent instead of `response`; `dialect` is a refusal in the API's own words.

    `late` has no answer of its own: the wait was it.
    """
    kind = fault.kind
    if kind == "drop":
        return Response(drop=True)
    if kind == "refuse":
        return Response.text("Service Unavailable\n", fault.status or 503) if fault.bare else dialect
    if kind == "cut":
        at = len(response.body) // 2 if fault.bytes is None else fault.bytes
        return Response(response.status, response.body, response.headers, cut=at)
    if kind == "html":
        status = fault.status or 502
        title = "200 OK" if status == 200 else f"{status} Bad Gateway"
        return Response.text(HTML.format(title=title), status, "text/html; charset=utf-8")
    if kind == "garbage":
        body = response.body[: max(1, len(response.body) // 2)] or b"{"
        status = response.status if fault.when == "after" else 200
        return Response(fault.status or status, body, {"Content-Type": "application/json"})
    if kind == "redirect":
        return Response(fault.status or 302, b"", {"Location": fault.location})
    if kind == "status":
        text = "" if fault.body is None else fault.body
        as_json = text.lstrip().startswith(("{", "["))
        return Response.text(text, fault.status or 500, "application/json" if as_json else "text/plain; charset=utf-8")
    if kind == "drip":
        return Response(response.status, response.body, response.headers, drip=fault.seconds)
    return response


def described(fault: Fault) -> dict[str, Any]:
    """Return a fault as the control API shows it."""
    return asdict(fault)
