"""Where assets lie: what the store asks of a place, and the place that is a local folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.models import Asset

_LEAST_FREE = 16 * 1024 * 1024
_PART = re.compile(r"\.([0-9]+_[^.]*)\.[0-9a-z_]{8}\.part$")
_DAY = 24 * 3600


class Place(Protocol):
    """Files under names of their own. Methods block; what fails is an :class:`OSError`, but for ``check``."""

    #: what messages call it
    label: str

    def check(self) -> None:
        """Write and remove a probe; :class:`ConfigurationError` where that is not possible."""

    def open_part(self, stem: str) -> tuple[BinaryIO, Path]:
        """A new local file under a name that is no one else's, to be filled, put, and removed."""
        ...

    def put(self, part: Path, stem: str, extension: str) -> str:
        """Put the content of ``part`` in place, whole and over no other file; the name that it got.

        Where the same content lies under the name already, that file is the one.
        """
        ...

    def describe(self, name: str, sidecar: bytes) -> None:
        """Write the sidecar of a file, unless it has one."""

    def where(self, name: str) -> tuple[str, Path | None]:
        """The URI of a file, and its path where it is local."""
        ...

    def holds(self, asset: Asset) -> bool:
        """Whether the asset lies in this very place."""
        ...


class Folder:
    """A local folder, by pathlib."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  (follows no link, but resolves "..")
        self.label = str(self.path)

    def check(self) -> None:
        try:
            file, part = self.open_part("genstep-probe")
            try:
                with file:
                    file.write(bytes(4096))
            finally:
                part.unlink(missing_ok=True)
            free = shutil.disk_usage(self.path).free
        except FileExistsError:
            raise unusable(self.label, "it is a file, not a folder") from None
        except NotADirectoryError:
            raise unusable(self.label, "a part of its path is a file, not a folder") from None
        except OSError as error:
            raise unusable(self.label, error.strerror or str(error)) from None
        if free < _LEAST_FREE:
            raise unusable(self.label, f"only {free:,} bytes are left on its disk; make room")
        self._sweep()

    def open_part(self, stem: str) -> tuple[BinaryIO, Path]:
        part = self.path / f"{stem}.{writer(os.getpid())}.{secrets.token_hex(4)}.part"
        try:
            return part.open("xb"), part
        except FileNotFoundError:
            self.path.mkdir(parents=True, exist_ok=True)
            return part.open("xb"), part

    def put(self, part: Path, stem: str, extension: str) -> str:
        _flush(part, os.O_RDWR)
        for name in names(stem, extension):
            try:
                _move(part, self.path / name)
            except FileExistsError:
                if not _same(part, self.path / name):
                    continue
            with suppress(OSError):  # its name, where the system can do that
                _flush(self.path, os.O_RDONLY)
            return name
        raise FileExistsError(f"too many files are called {stem}{extension}")

    def describe(self, name: str, sidecar: bytes) -> None:
        path = self.path / f"{name}.json"
        if path.exists():
            return
        file, part = self.open_part(name)
        try:
            with file:
                file.write(sidecar)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def where(self, name: str) -> tuple[str, Path | None]:
        return (self.path / name).as_uri(), self.path / name

    def holds(self, asset: Asset) -> bool:
        return asset.path is not None and asset.path.parent == self.path

    def _sweep(self) -> None:
        """Remove what killed downloads left here."""
        sweep(self.path)


def sweep(folder: Path, beginning: str = "") -> None:
    """Remove the parts of ended processes; of those that cannot be looked at, what nobody touched for a day."""
    from genstep.ledger import owner

    for part in folder.glob(f"{beginning}*.part"):
        named = _PART.search(part.name)
        with suppress(OSError):
            lives = owner.seen(named[1].replace("_", ":"), shared=True) if named else True
            if lives is False or (lives is None and part.stat().st_mtime < time.time() - _DAY):
                part.unlink()


@cache
def writer(pid: int) -> str:
    """Who writes a part, in its name: this process, as the ledger names one, for its end to be told by anyone."""
    from genstep.ledger import owner

    return "_".join([str(pid), *owner.new().split(":")[1:]])


def names(stem: str, extension: str) -> Iterator[str]:
    """The names that a file may get, in order: the plain one, then numbered from 2."""
    yield f"{stem}{extension}"
    yield from (f"{stem}-{number}{extension}" for number in range(2, 1000))


def unusable(label: str, why: str) -> ConfigurationError:
    """The error for an output place that cannot be written."""
    return ConfigurationError(
        f"output folder {label}: {why}; choose another with -o, output= or GENSTEP_OUTPUT", code="output_unusable"
    )


def _move(part: Path, target: Path) -> None:
    """Give a file its name in one step, or FileExistsError: a link cannot replace what is there, as a rename would."""
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:
        # no links on this file system: take the name with an empty file, then replace that
        target.open("xb").close()
        part.replace(target)


def _same(part: Path, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != part.stat().st_size:
        return False
    return digest(part) == digest(target)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path, flags: int) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
