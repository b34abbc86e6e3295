"""The raw reply of a paid call, on disk before it is parsed, so that a parser's bug or a crash loses nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from genstep import redact
from genstep.provider import Reply


class Spool:
    """One 0600 file a paid call, in a folder beside the ledger; it goes when the call's results are saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, call: str, reply: Reply) -> None:
        """Write and fsync the reply; atomic, so that a file that exists is whole."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f"{call}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            headers = {name: reply.headers[name] for name in ("date", "content-type") if name in reply.headers}
            head = json.dumps({"status": reply.status, "headers": headers}).encode()
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

    def holds(self, call: str) -> bool:
        return (self._folder / f"{call}.reply").exists()

    def drop(self, call: str) -> None:
        (self._folder / f"{call}.reply").unlink(missing_ok=True)
