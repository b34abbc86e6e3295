"""Any store that fsspec reaches (s3://, gs://, memory://, …) as the place where assets lie."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from genstep.assets.places import names, sweep, unusable, writer
from genstep.guard import redact_url

if TYPE_CHECKING:
    from genstep.models import Asset

# How local parts begin, on their way into a remote store.
_PART = "genstep-part"
_BACKENDS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "sftp": "paramiko",
}


class Remote:
    """A folder of a remote store, named by URL; a file counts as put once the store shows its full size."""

    def __init__(self, url: str) -> None:
        self.url = url if url.endswith("/") else url + "/"
        self.label = redact_url(url)
        if self.label != url:
            raise unusable(
                self.label, "its URL holds a user, password or query; give those to the store's own configuration"
            )

    def check(self) -> None:
        from fsspec.registry import get_filesystem_class

        scheme = self.url.partition("://")[0]
        try:
            get_filesystem_class(scheme.partition("::")[0])
        except ImportError as error:
            backend = _BACKENDS.get(scheme)
            raise unusable(self.label, f"run: pip install {backend}" if backend else str(error)) from None
        except ValueError:
            raise unusable(self.label, f"no store is known by {scheme}://") from None
        try:
            with plain_errors():
                store, path = _store(f"{self.url}genstep-probe-{os.urandom(4).hex()}")
                store.pipe_file(path, b"genstep")
                store.rm_file(path)
        except OSError as error:
            raise unusable(self.label, f"it cannot be written ({error})") from None
        sweep(Path(tempfile.gettempdir()), _PART)

    def open_part(self, stem: str) -> tuple[BinaryIO, Path]:
        handle, path = tempfile.mkstemp(prefix=f"{_PART}.{writer(os.getpid())}.", suffix=".part")
        return os.fdopen(handle, "wb"), Path(path)

    def put(self, part: Path, stem: str, extension: str) -> str:
        size = part.stat().st_size
        with plain_errors():
            for name in names(stem, extension):
                store, path = _store(self.url + name)
                if store.exists(path):
                    if store.size(path) == size and _same(store, path, part):
                        return name
                    continue
                store.put_file(str(part), path)
                if store.size(path) != size:
                    # half a file would keep its name from the whole one that comes later
                    store.rm_file(path)
                    raise OSError(f"{self.url}{name} does not have all of its {size:,} bytes")
                return name
        raise FileExistsError(f"too many files are called {stem}{extension}")

    def describe(self, name: str, sidecar: bytes) -> None:
        with plain_errors():
            store, path = _store(f"{self.url}{name}.json")
            if not store.exists(path):
                store.pipe_file(path, sidecar)

    def where(self, name: str) -> tuple[str, Path | None]:
        return self.url + name, None

    def holds(self, asset: Asset) -> bool:
        return asset.path is None and asset.uri.startswith(self.url) and "/" not in asset.uri[len(self.url) :]


def size(uri: str) -> int:
    """The size of a remote file in bytes, or FileNotFoundError."""
    with plain_errors():
        store, path = _store(uri)
        return int(store.info(path)["size"])


def read(uri: str) -> bytes:
    """The content of a small remote file, or FileNotFoundError."""
    with plain_errors():
        store, path = _store(uri)
        return bytes(store.cat_file(path))


def remove(uri: str) -> None:
    """Remove a remote file, if it is there."""
    with plain_errors():
        store, path = _store(uri)
        if store.exists(path):
            store.rm_file(path)


def _store(uri: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    store, path = url_to_fs(uri)
    return store, str(path)


def _same(store: Any, path: str, part: Path) -> bool:
    with store.open(path, "rb") as there, part.open("rb") as here:
        while True:
            chunk = here.read(1 << 20)
            if chunk != there.read(1 << 20):
                return False
            if not chunk:
                return True


@contextmanager
def plain_errors() -> Iterator[None]:
    """Every backend has exceptions of its own; here they are all OSErrors."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
