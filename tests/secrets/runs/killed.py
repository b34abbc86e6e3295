"""A program that is killed in the midst of a generation: where the first argument says, or not at all."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from notes import Notes, log_everything

import genstep
from genstep.client.spool import Spool


def end() -> None:
    """End as a machine without power does: nothing is flushed, closed or cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def once_answered() -> None:
    """The reply to the paid call is on disk, and not yet in the ledger."""
    keep = Spool.keep

    def kept(*given: Any) -> None:
        keep(*given)
        end()

    Spool.keep = kept  # type: ignore[method-assign]


def once_fetched() -> None:
    """A whole file is there, and about to get its name."""
    output = os.environ["GENSTEP_OUTPUT"]

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in ("os.link", "os.rename") and str(given[0]).startswith(output):
            end()

    sys.addaudithook(hook)


def main(where: str) -> None:
    log_everything(Path("everything.log"))
    {"answered": once_answered, "fetched": once_fetched, "resumed": lambda: None}[where]()
    with genstep.Client() as client:
        if where == "resumed":
            for job in client.jobs():
                Notes(Path("notes")).step(f"resumed-{job.id}", lambda job=job: client.resume(job.id, timeout=20))
        else:
            client.generate(f"a fox that was {where}", timeout=20)


if __name__ == "__main__":
    main(sys.argv[1])
