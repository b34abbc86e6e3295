"""Keeping secrets out of text: in logs, errors and anything else that is shown or written."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from threading import Lock
from urllib.parse import quote, quote_plus

HIDDEN = "•••"
#: shorter ones may stand in a picture's base64 by chance
LEAST_IN_BYTES = 8
#: tokens that were replaced and are still kept out: an answer or a log line may be on its way with one
LAST_RETIRED = 8
LOGGERS = ("httpx", "httpcore", "httpx2", "httpcore2")

# Their children, made when the libraries are imported, perhaps after us; a filter of a parent does not reach them.
_CHILDREN = ("connection", "http11", "http2", "proxy", "socks")

# Bearer tokens, but not "bearer token" or "bearer authentication"; and keys by the prefixes of the documents.
_BEARER = re.compile(r"\b((?i:bearer)(?:\s|%20|\+)+)(?![a-z]{1,20}\.?(?![A-Za-z0-9._~+/=-]))[A-Za-z0-9._~+/-]{6,}=*")
_KEY = re.compile(r"(?<![A-Za-z0-9])(?:cvk_|avs_live_|sk_)[A-Za-z0-9_-]{7,}")
_URL = re.compile(
    r"""\b([a-z][a-z0-9+.-]{0,15}://)(?:[^\s/?#@"'<>]*@)?([^\s?#"'<>]*)(?:[?#][^\s"'<>]*)?""", re.IGNORECASE
)


class Hidden(str):
    """A secret on its way: text wherever it is used, ``•••`` where it is shown, as in a traceback with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


class Redactor:
    """Replaces secrets, in every form that they take on the way into text, by ``•••``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secret for secret in secrets if secret)
        forms = {form for secret in self._secrets for form in _forms(secret)}
        packed = {form for secret in self._secrets for form in _base64_forms(secret)}
        # longest first: a secret that begins another must not leave the other's rest behind
        plain = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        inside = [_pattern(form) for form in sorted(packed, key=len, reverse=True)]
        if inside:
            plain.append(rf"[A-Za-z0-9+/_-]?(?:{'|'.join(inside)})[A-Za-z0-9+/_-]?(?:=|%3D){{0,2}}")
        self._known = re.compile("|".join(plain)) if plain else None
        long = {form for secret in self._secrets if len(secret) >= LEAST_IN_BYTES for form in _forms(secret)}
        self._raw = tuple(form.encode("utf-8", "replace") for form in sorted(long, key=len, reverse=True))

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    def clean(self, text: str) -> str:
        """``text`` without the secrets, without anything that looks like a key, and without the queries of its URLs."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "://" in text:
            text = _URL.sub(r"\1\2", text)
        text = _BEARER.sub(rf"\1{HIDDEN}", text)
        return _KEY.sub(HIDDEN, text)

    def scrub(self, data: bytes) -> bytes:
        """A raw reply without the secrets, and otherwise as it came: its URLs are still good, its JSON is JSON."""
        for form in self._raw:
            if form in data:
                data = data.replace(form, HIDDEN.encode())
        return data


_lock = Lock()
_registered: Counter[str] = Counter()
_retired: deque[str] = deque()
_current: Redactor | None = None


def register_secret(secret: str) -> None:
    """From now on, keep ``secret`` out of what :func:`clean` and the log filter let through, in the whole process."""
    global _current
    with _lock:
        if not secret:
            return
        known = secret in _registered
        _registered[secret] += 1
        while len(_retired) > LAST_RETIRED:
            old = _retired.popleft()
            _registered[old] -= 1
            if _registered[old] <= 0:
                del _registered[old]
                known = False
        if not known:
            _current = None


def retire_secret(secret: str) -> None:
    """One registration of ``secret`` ends: it is forgotten once ``LAST_RETIRED`` others have ended after it."""
    # no lock: a finalizer calls this, in whatever thread and in the middle of whatever
    _retired.append(secret)


def _redactor() -> Redactor:
    """The redactor of all that is registered, put together when it is first needed again."""
    global _current
    found = _current
    if found is None:
        with _lock:
            found = _current = _current or Redactor(_registered)
    return found


def clean(text: str) -> str:
    """``text`` without any registered secret; see :meth:`Redactor.clean`."""
    return _redactor().clean(text)


def scrub(data: bytes) -> bytes:
    """A raw reply without any registered secret; see :meth:`Redactor.scrub`."""
    return _redactor().scrub(data)


class _LogFilter(logging.Filter):
    """Cleans the finished message of each record, and the text of its exception; it drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = str(record.msg)
        record.msg, record.args = clean(message), ()
        if record.exc_info:
            record.exc_text = clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_FILTER = _LogFilter()


def install_log_filter(logger_names: Iterable[str] = LOGGERS) -> None:
    """Clean everything that these loggers and their children say; to be called again costs nothing."""
    for parent in logger_names:
        found = [name for name in logging.root.manager.loggerDict if name.startswith(f"{parent}.")]
        for name in {parent, *found, *(f"{parent}.{child}" for child in _CHILDREN)}:
            logging.getLogger(name).addFilter(_FILTER)


def _forms(secret: str) -> Iterator[str]:
    """The secret as it stands, in a URL, in JSON (also PHP's), in a ``repr``, and in HTML."""
    yield secret
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    for ascii_only in (True, False):
        inside = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield inside
        yield inside.replace("/", r"\/")
    yield repr(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield html.escape(secret)


def _pattern(form: str) -> str:
    """A form as a pattern; the hex of ``%2F`` may be in lower case."""
    return re.sub("%[0-9A-Fa-f]{2}", lambda triplet: f"(?i:{triplet[0]})", re.escape(form))


def _base64_forms(secret: str) -> Iterator[str]:
    """What of the secret's base64 does not depend on what stands before and after it, at each of three alignments."""
    data = secret.encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode()
        first, last = (0, 2, 3)[before], (before + len(data)) * 8 // 6
        core = text[first:last]
        if len(core) >= 4:
            yield core
            yield core.replace("+", "-").replace("/", "_")
            yield quote(core, safe="")
