"""Streaming one URL into a file: status, length and size limit; a broken download goes on where it broke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, BinaryIO, Protocol

from genstep.errors import AssetError
from genstep.guard import redact_url

if TYPE_CHECKING:
    from genstep.clock import Clock

#: the ``code`` of an error that another try may mend
BROKEN = "download"

#: how often a result is asked for, with pauses that grow
ATTEMPTS = 4
# How often a download that broke is gone on with at once.
_RESUMES = 3
# A body that trickles is given up: bytes a second that it has to bring, on average over so many seconds.
_SLOWEST = 1024
_WINDOW = 60.0


class Download(Protocol):
    """An answer to a GET. ``length`` is how many bytes ``chunks`` will yield, where that is announced."""

    @property
    def status(self) -> int: ...
    @property
    def length(self) -> int | None: ...
    @property
    def media_type(self) -> str | None: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body; a connection that breaks is an :class:`AssetError` of code "download", or an early end."""
        ...


class Fetch(Protocol):
    """Opens a foreign URL: guarded, without any key; ``start`` asks for the bytes from there on (answered by 206)."""

    def __call__(self, url: str, *, start: int = 0) -> AbstractAsyncContextManager[Download]: ...


class Transfer:
    """One URL on its way into ``file``, over as many attempts as it takes; each goes on where the last one broke."""

    def __init__(self, url: str, fetch: Fetch, file: BinaryIO, most: int, clock: Clock, limit: float) -> None:
        self._url = url
        self._fetch = fetch
        self._file = file
        self._most = most
        self._clock = clock
        self._until = clock.monotonic() + limit
        self._total: int | None = None
        self._slow = False

    @property
    def late(self) -> bool:
        """Whether the time is up in which all of it should have come."""
        return self._clock.monotonic() >= self._until

    async def receive(self) -> bool:
        """Write what is still missing; True where its length was announced and kept, False where none was.

        :class:`AssetError`: of code "download" where another try may mend it, "asset_status" or "asset_too_large".
        """
        file, cause, self._slow = self._file, None, False
        if file.tell() and self._total is None:
            # nothing says that the rest would fit
            _restart(file)
        for _ in range(_RESUMES + 1):
            try:
                if await self._attempt():
                    return self._total is not None
            except AssetError as error:
                if error.code != BROKEN or not file.tell() or self.late or self._slow:
                    raise
                cause = error
        came = f"{file.tell():,} of {self._total:,}" if self._total is not None else f"{file.tell():,}"
        raise AssetError(
            f"{redact_url(self._url)}: the download broke off after {came} bytes; resume the job", code=BROKEN
        ) from cause

    async def _attempt(self) -> bool:
        """Whether all of it came."""
        file, start = self._file, self._file.tell()
        async with self._fetch(self._url, start=start) as download:
            if download.status == 200 or (start and download.status == 416):
                start, self._total = _restart(file), None
            elif not start or download.status != 206:
                raise _status_error(self._url, download.status)
            if download.status == 416:
                return False
            announced = self._total if download.length is None else start + download.length
            if self._total not in (None, announced):
                # the file is another one by now
                self._total = None
                _restart(file)
                return False
            self._total = announced
            return await self._copy(download)

    async def _copy(self, download: Download) -> bool:
        file, url, total = self._file, self._url, self._total
        if total is not None and total > self._most:
            raise _too_large(url, self._most)
        since, before = self._clock.monotonic(), file.tell()
        async for chunk in download.chunks():
            file.write(chunk)
            if file.tell() > self._most:
                raise _too_large(url, self._most)
            now = self._clock.monotonic()
            if self.late:
                raise AssetError(f"{redact_url(url)}: it takes too long to come; resume the job later", code=BROKEN)
            if now - since >= _WINDOW:
                if file.tell() - before < _SLOWEST * (now - since):
                    self._slow = True
                    raise AssetError(
                        f"{redact_url(url)}: it comes too slowly, under {_SLOWEST:,} bytes a second; "
                        "resume the job later",
                        code=BROKEN,
                    )
                since, before = now, file.tell()
        return total is None or file.tell() == total


def _restart(file: BinaryIO) -> int:
    file.seek(0)
    file.truncate()
    return 0


def _status_error(url: str, status: int) -> AssetError:
    passing = status in (408, 425, 429) or status >= 500
    expired = "; its URL may have expired" if status in (401, 403, 404, 410) else ""
    return AssetError(
        f"{redact_url(url)} answered HTTP {status}{expired}; resume the job to ask again",
        code=BROKEN if passing else "asset_status",
        status=status,
    )


def _too_large(url: str, most: int) -> AssetError:
    return AssetError(f"{redact_url(url)}: larger than the limit of {most:,} bytes", code="asset_too_large")
