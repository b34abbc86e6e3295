"""The raw reply of a paid call, on disk before it is parsed, so that a parser's bug or a crash loses nothing."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from genstep import redact
from genstep.provider import Reply


class Spool:
    """One 0600 file a paid call, in a folder beside the ledger; it goes when the call's results are saved.

    Its first line is JSON: the status, what headers are needed, and the replies to the free calls before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, call: str, reply: Reply, *before: Reply) -> None:
        """Write and fsync the reply; atomic, so that a file that exists is whole."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f"{call}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            earlier = [_head(one) | {"content": base64.b64encode(redact.scrub(one.content)).decode()} for one in before]
            head = json.dumps(_head(reply) | ({"before": earlier} if earlier else {})).encode()
            file.write(head + b"\n" + redact.scrub(reply.content))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / f"{call}.reply")
        if os.name == "posix":  # its new name is durable with its folder
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self, call: str) -> Reply | None:
        try:
            head, _, content = (self._folder / f"{call}.reply").read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        known = json.loads(head)
        return Reply(known["status"], known["headers"], content)

    def before(self, call: str) -> list[Reply]:
        """The replies to the free calls that the same flow made before the paid one, in order."""
        try:
            with (self._folder / f"{call}.reply").open("rb") as file:
                known = json.loads(file.readline())
        except FileNotFoundError:
            return []
        earlier = known.get("before", [])
        return [Reply(one["status"], one["headers"], base64.b64decode(one["content"])) for one in earlier]

    def calls(self) -> list[str]:
        """The paid calls whose replies are here."""
        return [path.stem for path in self._folder.glob("*.reply")]

    def holds(self, call: str) -> bool:
        return (self._folder / f"{call}.reply").exists()

    def drop(self, call: str) -> None:
        (self._folder / f"{call}.reply").unlink(missing_ok=True)


def _head(reply: Reply) -> dict[str, Any]:
    headers = {name: reply.headers[name] for name in ("date", "content-type") if name in reply.headers}
    return {"status": reply.status, "headers": headers}
