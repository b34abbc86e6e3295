"""The built-in sandbox's jobs and play credits: small files in a state folder, so that a job outlives its process."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genstep import private_file

_ID = re.compile(r"sbx_\d{14}_[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Work:
    """One job: ``items`` are what the media makers are asked for; times in Unix seconds, ``credits`` play credits."""

    id: str
    kind: str
    created_at: float
    ready_at: float
    credits: float
    fail: bool = False
    cancelled: bool = False
    refunded: bool = False
    items: list[dict[str, Any]] = field(default_factory=list)

    def status(self, now: float) -> str:
        """ "processing", "completed", "failed" or "cancelled"."""
        if self.cancelled:
            return "cancelled"
        if now < self.ready_at:
            return "processing"
        return "failed" if self.fail else "completed"

    def progress(self, now: float) -> float:
        """0 to 0.99 while it is running."""
        share = (now - self.created_at) / max(self.ready_at - self.created_at, 0.001)
        return round(min(max(share, 0.0), 0.99), 3)


class Jobs:
    """The state folder, for use from threads; ``daily`` is how many play credits a UTC day has."""

    def __init__(self, folder: Path, daily: float, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._daily = daily
        self._clock = clock
        self._lock = threading.Lock()

    def create(
        self,
        kind: str,
        items: Sequence[dict[str, Any]],
        inputs: Sequence[bytes | None],
        *,
        seconds: float,
        price: float,
        fail: bool,
    ) -> Work | None:
        """Start a job and take its price; None where the day's credits do not reach."""
        now = self._clock()
        with self._lock:
            if self.left() < price:
                return None
            identity = f"sbx_{int(now * 1000):014d}_{secrets.token_hex(4)}"
            work = Work(identity, kind, now, now + seconds, price, fail=fail, items=list(items))
            for number, data in enumerate(inputs):
                if data is not None:
                    private_file.write(self._input(identity, number), base64.b64encode(data).decode("ascii"))
            self._write(work)
            self._book(price)
        return work

    def read(self, job_id: str) -> Work | None:
        """The job, or None where there is none of that id."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            return Work(**json.loads(self._path(job_id).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def input(self, job_id: str, number: int) -> bytes | None:
        """The input picture of one item."""
        try:
            return base64.b64decode(self._input(job_id, number).read_text("ascii"))
        except (OSError, ValueError):
            return None

    def give_back(self, job_id: str, *, cancelled: bool) -> Work | None:
        """Mark a job as failed or ``cancelled``, and give its credits back once; None where it is gone."""
        with self._lock:
            work = self.read(job_id)
            if work is None or work.refunded:
                return work
            work = replace(work, refunded=True, cancelled=cancelled)
            self._write(work)
            self._book(-work.credits)
            return work

    def delete(self, job_id: str) -> bool:
        """Forget a job with its prompt and inputs; False where there was none."""
        if self.read(job_id) is None:
            return False
        for path in self._folder.glob(f"{job_id}.*"):
            path.unlink(missing_ok=True)
        return True

    def newest(self, before: str | None) -> list[str]:
        """The ids of all jobs made before the job ``before``, newest first."""
        ids = (path.stem for path in self._folder.glob("sbx_*.json"))
        return sorted((each for each in ids if before is None or each < before), reverse=True)

    def left(self) -> float:
        """Play credits that are left today."""
        try:
            spent = sum(float(line) for line in self._day().read_text("ascii").split())
        except (OSError, ValueError):
            spent = 0.0
        return max(0.0, self._daily - spent)

    def _book(self, amount: float) -> None:
        """Append to the day's account; appends of one line do not mix, whichever process writes them."""
        private_file.make_folder(self._folder)
        with os.fdopen(os.open(self._day(), os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(f"{amount:g}\n")

    def _write(self, work: Work) -> None:
        private_file.write(self._path(work.id), json.dumps(asdict(work)))

    def _day(self) -> Path:
        return self._folder / f"spent-{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%d}"

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"

    def _input(self, job_id: str, number: int) -> Path:
        return self._folder / f"{job_id}.{number}.input"
