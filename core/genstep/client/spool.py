"""The raw reply of a paid call, on disk before it is parsed, so that a parser's bug or a crash loses nothing."""

from __future__ import annotations

import base64
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from genstep import redact
from genstep.errors import ConfigurationError
from genstep.provider import Reply

#: bytes that must be free on the disk: more than most replies take, and the ledger's own writes beside them
LEAST_FREE = 2**20


class Spool:
    """One 0600 file a paid call, in a folder beside the ledger; it goes when the call's results are saved.

    Its first line is JSON: the status, what headers are needed, and the replies to the free calls before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: what the disk did not take, while this process lives
        self._unwritten: dict[str, tuple[Reply, tuple[Reply, ...]]] = {}

    def check(self) -> None:
        """Raise :class:`ConfigurationError` where no reply could be kept, before one is paid for."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            why = error.strerror or str(error)
        else:
            if free >= LEAST_FREE and os.access(self._folder, os.W_OK):
                return
            full = f"only {free:,} bytes are left on its disk"
            why = full if free < LEAST_FREE else "this user may not write it"
        raise ConfigurationError(
            f"the folder {self._folder}, where the replies of paid calls are kept, cannot be used: {why}; "
            "make room, or make it writable; nothing was sent"
        )

    def keep(self, call: str, reply: Reply, *before: Reply) -> None:
        """Write and fsync the reply; atomic, so that a file that exists is whole.

        Raises :class:`OSError` where that cannot be done, and keeps the reply in memory.
        """
        self._unwritten[call] = (reply, before)
        self._write(call, reply, before)
        del self._unwritten[call]

    def keep_rest(self) -> None:
        """Try once more to write what could not be written; there may be room by now."""
        for call, (reply, before) in list(self._unwritten.items()):
            with suppress(OSError):
                self.keep(call, reply, *before)

    def _write(self, call: str, reply: Reply, before: tuple[Reply, ...]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f"{call}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                earlier = [
                    _head(one) | {"content": base64.b64encode(redact.scrub(one.content)).decode()} for one in before
                ]
                head = json.dumps(_head(reply) | ({"before": earlier} if earlier else {})).encode()
                file.write(head + b"\n" + redact.scrub(reply.content))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        part.replace(self._folder / f"{call}.reply")
        if os.name == "posix":  # its new name is durable with its folder
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self, call: str) -> Reply | None:
        if call in self._unwritten:
            return self._unwritten[call][0]
        try:
            head, _, content = (self._folder / f"{call}.reply").read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        known = json.loads(head)
        return Reply(known["status"], known["headers"], content)

    def before(self, call: str) -> list[Reply]:
        """The replies to the free calls that the same flow made before the paid one, in order."""
        if call in self._unwritten:
            return list(self._unwritten[call][1])
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

    def parts(self) -> list[str]:
        """The paid calls whose replies are being written, or were when their process was killed."""
        return [path.stem for path in self._folder.glob("*.part")]

    def drop_part(self, call: str) -> None:
        (self._folder / f"{call}.part").unlink(missing_ok=True)

    def holds(self, call: str) -> bool:
        return call in self._unwritten or (self._folder / f"{call}.reply").exists()

    def drop(self, call: str) -> None:
        self._unwritten.pop(call, None)
        (self._folder / f"{call}.reply").unlink(missing_ok=True)


def _head(reply: Reply) -> dict[str, Any]:
    headers = {name: reply.headers[name] for name in ("date", "content-type") if name in reply.headers}
    return {"status": reply.status, "headers": headers}
