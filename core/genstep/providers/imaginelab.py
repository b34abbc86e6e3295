"""ImagineLab (document 002): log in, create a job, ask for its status, read its record.

Left out, because the document only names them and they make nothing: ``POST /auth/signup``, ``/auth/forgot-password``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from genstep import foreign
from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.errors import AuthenticationError, GenstepError, InsufficientCredits, InvalidRequest, RateLimited
from genstep.models import HistoryItem, ModelInfo
from genstep.provider import (
    Accepted,
    Call,
    Completed,
    Delete,
    Failed,
    Get,
    Listing,
    Output,
    Page,
    Paid,
    Post,
    Provider,
    Reply,
    Running,
    State,
    Submitted,
    Timing,
)
from genstep.statuses import error_for_status

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

#: credits for one generation ("Credits & Wallet"); indicative, and may vary by model
PRICES = {"image": 5.0, "video": 15.0, "voice": 3.0, "music": 8.0, "infographic": 10.0, "text": 2.0}
_LOGIN = "/auth/login"
#: our names of the service's fields, for errors
_FIELDS = {"generation_type": "kind", "model_name": "model", "project_id": "project", "settings": "options"}

#: what else of a record stands in the history
_KEPT = ("model_name", "credit_cost", "settings", "project_id")


def _spec(kind: str) -> KindSpec:
    named = ("seedream-5.0-lite",) if kind == "image" else ()
    fields = {
        "model": Field(type=str, required=True, values=named, open=True, about="a name out of: genstep models"),
        "project": Field(type=(str, int), about="id of the project to tag the result to"),
    }
    if kind in ("image", "video", "infographic"):
        fields["aspect_ratio"] = Field(ratio=True, values=("16:9",), open=True, about="sent in settings")
    # options are open: settings are "type-specific", and the document shows only one
    return KindSpec(fields=fields, options=None)


class ImagineLab(Provider):
    """Six kinds, one job each. Options go into ``settings`` as typed: singly by name, or as one table ``settings``."""

    slug = "imaginelab"
    title = "ImagineLab"
    base_url = "https://api.imagineview.art/api/v1"
    base_path = "/api/v1"
    auth = "login"
    exact_prices = False
    capabilities = Capabilities({kind: _spec(kind) for kind in PRICES}, history=True, models=True, delete=True)
    #: the sample asks every 2 s; the document states no typical duration
    timing = Timing(median=30.0, gap=2.0, least=2.0)

    def prepare(self, request: GenerationRequest) -> GenerationRequest:
        _settings(request)
        return request

    def price(self, request: GenerationRequest) -> float:
        return PRICES[request.kind] * request.n

    def timing_for(self, request: GenerationRequest) -> Timing:
        return Timing(median=90.0, gap=2.0, least=2.0) if request.kind == "video" else self.timing

    def error(self, call: Call, reply: Reply) -> GenstepError | None:
        """``{detail}``: the status decides ("Errors & Limits"). 422 is not listed; it is read as FastAPI writes it."""
        if reply.ok:
            return None
        detail, login = reply.data.get("detail"), call.path == _LOGIN
        # a page in answer to a login could repeat the form, so nothing but a detail is quoted there
        why = foreign.reason(detail) or ("" if login else reply.line()) or f"HTTP {reply.status}"
        known: dict[str, Any] = {"provider": self.slug, "request_id": foreign.text(reply.headers.get("x-request-id"))}
        if login and reply.status in (400, 401, 403, 422):
            why = f"the login was refused ({why}); check username (the e-mail address) and password"
            return AuthenticationError(why, status=reply.status, **known)
        if reply.status == 402:
            why = f"{why}; buy a credit package, or choose a cheaper kind or model"
            return InsufficientCredits(why, status=402, **known)
        if reply.status == 429:
            why = f"too many requests ({why}); slow down, or lower the account's option requests_per_second"
            return RateLimited(why, retry_after=foreign.retry_after(reply.headers), status=429, **known)
        if reply.status == 404:
            why += "; see what there is with: genstep history, genstep models"
        if reply.status >= 500 and not call.paid:
            why += "; a fault of the service or its model, try again later"
        error = error_for_status(reply, why, **known)
        if isinstance(error, InvalidRequest) and isinstance(detail, list) and detail:
            name = foreign.place(detail[0]).partition(".")[0]
            error.field = _FIELDS.get(name, name) or None
        return error

    def login(self, username: str, password: str) -> Generator[Call, Reply, str]:
        """The OAuth2 password flow, form-encoded; lifetime and refresh of the token are not stated."""
        reply = yield Post(_LOGIN, form={"username": username, "password": password}, auth=False)
        token = reply.data.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token.split()) != 1:
            raise reply.unreadable("a login without a usable access_token", secret=True)
        return token

    def whoami(self) -> Generator[Call, Reply, Mapping[str, Any]]:
        """``GET /auth/me``; its reply is not shown in the document, so any object will do."""
        reply = yield Get("/auth/me")
        if not reply.data:
            raise reply.unreadable("without a description of the user", secret=True)
        return reply.data

    def matches(self, request: GenerationRequest, item: HistoryItem) -> bool:
        """Beside kind and prompt, what the record says of model, settings and project."""
        asked = {"model_name": request.model, "settings": _settings(request), "project_id": request.project}
        return super().matches(request, item) and not any(
            item.metadata.get(name) and wanted and str(item.metadata[name]) != str(foreign.plain(wanted))
            for name, wanted in asked.items()
        )

    def submit(self, request: GenerationRequest) -> Generator[Call, Reply, Submitted]:
        body: dict[str, Any] = {"generation_type": request.kind, "model_name": request.model, "prompt": request.prompt}
        if settings := _settings(request):
            body["settings"] = settings
        if request.project is not None:
            body["project_id"] = request.project
        reply = yield Paid("/generations", json=body)
        # only the id is required: a job that was paid for is not lost to a missing price
        job_id = foreign.need(foreign.identifier(reply["id"]), reply, "with an 'id' that is none")
        return Accepted(job_id, credits=foreign.number(reply.get("credit_cost")))

    def poll(self, job_id: str) -> Generator[Call, Reply, State]:
        path = f"/generations/{quote(job_id, safe='')}"
        reply = yield Get(f"{path}/status")
        status = foreign.need(foreign.text(reply["status"]), reply, "with a 'status' that is no word")
        if status == "completed":
            return _completed((yield Get(path)))
        if status == "failed":
            return _failed((yield Get(path)).data)
        progress = foreign.number(reply.get("progress"))
        return Running(None if progress is None else min(max(progress / 100, 0.0), 1.0), status)

    def models(self, kind: str | None) -> Generator[Call, Reply, list[ModelInfo]]:
        """``GET /generations/models``; its reply is not shown: a list, bare or under a usual name."""
        reply = yield Get("/generations/models")
        models = [_model(entry) for entry in foreign.listing(reply, "items", "data", "models")]
        return [model for model in models if model is not None and (kind is None or model.kind in (None, kind))]

    def history(self, cursor: Any, **filters: Any) -> Generator[Call, Reply, Page]:
        """Past work, filtered here by ``kind`` and ``status``: the document names no query parameter, so none is sent.

        The next page is asked for only with the query of a link ``next`` that the reply itself carries, and on this
        same route. The cursor is that query and the ids seen; a page with no new ids ends the list.
        """
        if unknown := sorted(set(filters) - {"kind", "status"}):
            raise InvalidRequest(f"history: no filter {unknown[0]!r}; it takes kind, status", field=unknown[0])
        query, seen = cursor or ("", frozenset())
        while True:
            reply = yield Get("/generations", params=dict(parse_qsl(query)) or None)
            found = (_item(row) for row in foreign.listing(reply, "items", "data", "generations"))
            new = [item for item in found if item is not None and item.id not in seen]
            seen |= {item.id for item in new}
            query = self._next_query(reply) if new else None
            kept = [item for item in new if all(v in (None, getattr(item, name)) for name, v in filters.items())]
            if kept or not query:
                return Page(tuple(kept), (query, seen) if query else None)

    def listing(self, cursor: Any, jobs: Collection[str]) -> Generator[Call, Reply, Listing]:
        """``GET /generations``, page by page along the reply's own ``next`` link, where it carries one."""
        reply = yield Get("/generations", params=dict(parse_qsl(cursor or "")) or None)
        rows = [foreign.table(row) for row in foreign.listing(reply, "items", "data", "generations")]
        ours = (row for row in rows if foreign.identifier(row.get("id")) in jobs)
        states = {job_id: state for row in ours for job_id, state in _standing(row)}
        times = [time for row in rows if (time := foreign.moment(row.get("created_at"))) is not None]
        newest_first = bool(times) and times[0] >= times[-1]
        return Listing(states, self._next_query(reply) if rows else None, min(times) if newest_first else None)

    def delete(self, job_id: str) -> Generator[Call, Reply, None]:
        """Delete the service's record. What it does to a running job is not stated, so it is never used as a cancel."""
        yield Delete(f"/generations/{quote(job_id, safe='')}")

    def _next_query(self, reply: Reply) -> str | None:
        """The query of the reply's ``next`` link: of our own origin and route, or it is not followed."""
        try:
            link = urlsplit(foreign.text(reply.get("next")) or "")
        except ValueError:
            return None
        home = urlsplit(self.account.base_url or self.base_url)
        ours = not (link.scheme or link.netloc) or (link.scheme, link.netloc) == (home.scheme, home.netloc)
        here = not link.path or link.path.endswith(f"{self.base_path}/generations")
        return link.query or None if ours and here else None


def _settings(request: GenerationRequest) -> dict[str, Any]:
    """The request's ``settings``: the table of that name, then the other options, then its ``aspect_ratio``."""
    options = dict(request.options)
    table = options.pop("settings", {})
    if not isinstance(table, dict):
        raise InvalidRequest("options.settings: takes a table of settings", field="options.settings")
    settings = {**table, **options}
    try:
        json.dumps(settings, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise InvalidRequest("options: takes values that JSON can say", field="options") from None
    ratio = request.aspect_ratio
    if ratio is not None and settings.setdefault("aspect_ratio", ratio) != ratio:
        raise InvalidRequest("aspect_ratio: the options say another one; give one of the two", field="aspect_ratio")
    return settings


def _standing(record: Mapping[str, Any]) -> list[tuple[str, State]]:
    """How a job of the list stands; nothing where it is done and its results are not in the list."""
    job_id, status = foreign.identifier(record.get("id")), foreign.text(record.get("status"))
    if job_id is None or status is None:
        return []
    if status == "completed":
        outputs = tuple(_outputs(record.get("outputs"), record.get("generation_type")))
        made = Completed(outputs, credits=foreign.number(record.get("credit_cost")))
        return [(job_id, made)] if outputs else []
    return [(job_id, _failed(record) if status == "failed" else Running(None, status))]


def _completed(reply: Reply) -> Completed:
    found = tuple(_outputs(reply["outputs"], reply.get("generation_type")))
    # an unreadable poll is repeated: the status may run ahead of the record
    outputs = foreign.need(found or None, reply, "completed, but without readable 'outputs'")
    return Completed(outputs, credits=foreign.number(reply.get("credit_cost")))


def _failed(record: Mapping[str, Any]) -> Failed:
    """The document says neither where the reason stands, nor whether the reserved credits come back."""
    reasons = [foreign.reason(record.get(key)) for key in ("error", "error_message", "detail")]
    why = next(filter(None, reasons), "it gave no reason; change the prompt or the model before trying again")
    return Failed(why, credits=foreign.number(record.get("credit_cost")))


def _outputs(entries: Any, kind: Any) -> list[Output]:
    """Media URLs or text, as strings or objects {url, text, type}. An odd entry does not cost us the others."""
    found = []
    for entry in entries if isinstance(entries, list) else []:
        named = foreign.table(entry)
        link, words = (named.get("url"), named.get("text")) if named else (entry, entry)
        output = None if kind == "text" and not named else _media(link)
        said = foreign.text(words)
        if output is None and said and (kind == "text" or not said.startswith(("http:", "https:", "data:"))):
            output = Output(text=said)
        if output is not None:
            found.append(output)
    return found


def _media(value: Any) -> Output | None:
    """A result by its URL; a data URL is decoded where it is stored."""
    link = foreign.text(value) or ""
    good = link[:5].lower() == "data:" or (foreign.url(link) == link and len(link.split()) == 1)
    return Output(url=link) if good else None


def _model(entry: Any) -> ModelInfo | None:
    row = foreign.table(entry) or {"name": entry}
    name = next(filter(None, (foreign.identifier(row.get(key)) for key in ("model_name", "name", "id"))), None)
    kind = foreign.text(row.get("generation_type")) or foreign.text(row.get("type"))
    return ModelInfo(name, kind=kind, price=foreign.number(row.get("credit_cost"))) if name else None


def _item(row: Any) -> HistoryItem | None:
    record = foreign.table(row)
    job_id, kind = foreign.identifier(record.get("id")), foreign.text(record.get("generation_type"))
    if job_id is None:
        return None
    return HistoryItem(
        id=job_id,
        kind=kind,
        prompt=foreign.text(record.get("prompt")),
        status=foreign.text(record.get("status")),
        created_at=foreign.moment(record.get("created_at")),
        urls=tuple(output.url for output in _outputs(record.get("outputs"), kind) if output.url),
        metadata={key: foreign.plain(record[key]) for key in _KEPT if key in record},
    )
