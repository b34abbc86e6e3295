"""Streaming one URL into a file: status, length and size limit; a broken download goes on where it broke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO, Protocol

from genstep.errors import AssetError
from genstep.guard import redact_url

#: the ``code`` of an error that another try may mend
BROKEN = "download"

# How often a download that broke is gone on with.
_RESUMES = 3


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


async def receive(url: str, fetch: Fetch, file: BinaryIO, most: int) -> bool:
    """Write the body of ``url`` to ``file``; True where its length was announced and kept, False where none was.

    :class:`AssetError`: of code "download" where another try may mend it, "asset_status" or "asset_too_large".
    """
    total: int | None = None
    cause: AssetError | None = None
    for _ in range(_RESUMES + 1):
        start = file.tell()
        try:
            async with fetch(url, start=start) as download:
                if download.status == 200 or (start and download.status == 416):
                    start, total = _restart(file), None
                elif not start or download.status != 206:
                    raise _status_error(url, download.status)
                if download.status == 416:
                    continue
                announced = total if download.length is None else start + download.length
                if total not in (None, announced):
                    # the file is another one by now
                    total = None
                    _restart(file)
                    continue
                total = announced
                if await _copy(download, url, file, most, total):
                    return total is not None
        except AssetError as error:
            if error.code != BROKEN or not file.tell():
                raise
            cause = error
    came = f"{file.tell():,} of {total:,}" if total is not None else f"{file.tell():,}"
    raise AssetError(
        f"{redact_url(url)}: the download broke off after {came} bytes; resume the job", code=BROKEN
    ) from cause


async def _copy(download: Download, url: str, file: BinaryIO, most: int, total: int | None) -> bool:
    """Whether all of the body came."""
    if total is not None and total > most:
        raise _too_large(url, most)
    async for chunk in download.chunks():
        file.write(chunk)
        if file.tell() > most:
            raise _too_large(url, most)
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
