"""A host of results in memory, and a store that saves from it: what the tests of assets share."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.core import media

from genstep.errors import AssetError
from genstep.testing import VirtualClock, run_virtual

PNG = media.picture("PNG", "RGB", (40, 30))
JPEG = media.picture("JPEG", "RGB", (40, 30))
URL = "https://cdn.example/fox.png?sig=fake-signature"
ABOUT = {
    "prompt": "a red fox",
    "provider": "conceptviz",
    "model": None,
    "seed": 7,
    "request": {"prompt": "a red fox", "kind": "image"},
    "created_at": 1_760_000_000.0,
    "fingerprint": "0f" * 32,
}


class Host:
    """A host of results in memory: it notes what is asked for, and fails as it is told, one fault an answer."""

    def __init__(self, body=b"", *, faults=(), announce=True, ranges=True, status=200):
        self.body, self.faults, self.announce, self.ranges, self.status = body, list(faults), announce, ranges, status
        self.starts = []

    @asynccontextmanager
    async def fetch(self, url, *, start=0):
        assert url == URL
        self.starts.append(start)
        fault = self.faults.pop(0) if self.faults else {}
        body = fault.get("body", self.body)
        partial = start and self.ranges and "status" not in fault
        if fault.get("refused"):
            raise AssetError("the connection was refused", code="download")
        sent = body[start:] if partial else body
        yield Answer(
            206 if partial else fault.get("status", self.status),
            fault.get("length", len(sent)) if self.announce else None,
            sent,
            fault.get("breaks_after"),
            fault.get("ends_after"),
        )


class Answer:
    media_type = "application/octet-stream"

    def __init__(self, status, length, body, breaks_after, ends_after):
        self.status, self.length = status, length
        self._body, self._breaks, self._ends = body, breaks_after, ends_after

    async def chunks(self):
        stop = self._breaks if self._breaks is not None else self._ends
        body = self._body[:stop]
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]
        if self._breaks is not None:
            raise AssetError("the connection broke", code="download")


def save(store, output, host=None, *, stem="fox-1", kind="image", about=ABOUT, **options):
    host = host or Host()
    return run_virtual(
        store.save(output, stem=stem, kind=kind, fetch=host.fetch, about=about, clock=VirtualClock(), **options)
    )


def refusal(store, output, host=None, **options):
    with pytest.raises(AssetError) as caught:
        save(store, output, host, **options)
    assert "fake-signature" not in caught.value.message
    return caught.value


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())
