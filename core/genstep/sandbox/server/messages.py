"""What goes in and out of the app: one request, one response, and how a faulty response goes wrong on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

REASONS = {int(status): status.phrase for status in HTTPStatus}


class BadJson(ValueError):
    """The body is not JSON, or not of the shape that is asked for."""


@dataclass
class Request:
    """One HTTP request: header names in lower case, the path percent-decoded, `client` the peer's address."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = "127.0.0.1"
    path: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = unquote(parts.path) or "/"
        self.headers = {name.lower(): value for name, value in self.headers.items()}

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a form-encoded body; :class:`BadJson` where the content type says otherwise."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadJson(f"expected application/x-www-form-urlencoded, got {kind or 'no content type'}")
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON; :class:`BadJson` if it is none (NaN and Infinity are none)."""
        try:
            return json.loads(self.body.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as wrong:
            raise BadJson("the body is not valid JSON") from wrong

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; :class:`BadJson` for anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise BadJson("the body is not a JSON object")
        return value

    @property
    def bearer(self) -> str | None:
        """The bearer token; None without an Authorization header, and '' where the header is none of that form."""
        header = self.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.strip().partition(" ")
        token = token.strip()
        return token if scheme.lower() == "bearer" and token and " " not in token else ""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass
class Response:
    """One HTTP response.

    `drop`: close the connection without sending anything. `cut`: announce the whole length, send so many bytes of the
    body, then close. `drip`: seconds between eighths of the body. An in-memory transport has to honour these three.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: int | None = None
    drip: float = 0.0

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": "application/json", **(headers or {})})

    @classmethod
    def text(cls, text: str, status: int = 200, kind: str = "text/plain; charset=utf-8") -> Response:
        return cls(status, text.encode(), {"Content-Type": kind})

    @classmethod
    def empty(cls, status: int = 204) -> Response:
        return cls(status)

    def head(self, *, keep_alive: bool, date: str) -> bytes:
        """The status line and headers, with the generic ones added."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Date: {date}")
        if self.status not in (204, 304) and "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Refusal(Exception):
    """An API answers a call with an error; `response` says it in that API's own words."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response
