"""Where a ledger is: a file on a local disk, or a database on a PostgreSQL server by its URL."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from genstep import redact
from genstep.errors import ConfigurationError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_HOSTS = re.compile(
    r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:@,\[\]]*)(?::\d*)?(?:,(?:\[[0-9A-Fa-f:.%]+\]|[^\s:@,\[\]]*)(?::\d*)?)*"
)
_TAKES = "it takes a path, or a URL such as postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's place: ``path``, or ``url`` with ``shown``, which has no name or password in it.

    ``key`` tells places on servers apart, whatever the password; '' for a file.
    """

    path: Path | None = None
    url: str = field(default="", repr=False)
    shown: str = ""
    key: str = ""

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else self.shown


def ledger_place(where: str | os.PathLike[str]) -> Place:
    """The place that a user named, or :class:`ConfigurationError`; what may hold a password is not shown."""
    text = os.fspath(where)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Place(Path(text))
    name = scheme[1].lower()
    if name == "sqlite" and text[6:].startswith(":///") and len(text) > 10 and "?" not in text:
        return Place(Path(text[10:]))
    if name.startswith(("postgres+", "postgresql+")):
        raise ConfigurationError(f"ledger: write postgresql:// in place of {name}://")
    if name not in ("postgresql", "postgres"):
        raise ConfigurationError(f"ledger: {name}: is no ledger's URL; {_TAKES}")
    if not text[len(name) :].startswith("://"):
        raise ConfigurationError("ledger: give a URL as text; a Path takes one of its slashes")
    return _server(text, name)


def _server(text: str, name: str) -> Place:
    wrong = ConfigurationError(
        f"ledger: the URL cannot be read; write it as {name}://user:password@host:5432/database, "
        "with the special characters of name and password as %XX (such as %40 for @)"
    )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise wrong from None
    login, _, hosts = parts.netloc.rpartition("@")
    settings = parse_qsl(parts.query, keep_blank_values=True)
    # a password with / ? or # in it ends up in what is shown, so such a URL is refused whole
    if parts.fragment or "@" in login + parts.path or not _HOSTS.fullmatch(hosts) or ("@" in parts.query and not login):
        raise wrong
    _hide(parts, settings)
    public = sorted((key, value) for key, value in settings if not key.endswith("password"))
    identity = repr((unquote(login.partition(":")[0]), hosts, parts.path, public))
    shown = f"postgresql://{hosts or dict(public).get('host', '')}{parts.path}"
    return Place(None, redact.Hidden(text), shown, hashlib.sha256(identity.encode()).hexdigest()[:16])


def _hide(parts: SplitResult, settings: list[tuple[str, str]]) -> None:
    secret = parts.netloc.rpartition("@")[0].partition(":")[2]
    for one in (secret, unquote(secret), *(value for key, value in settings if key.endswith("password"))):
        redact.register_secret(one)
