"""A process of the crash suite: one verb of the public client or of the command line, which may kill itself on its way.

    crash_child.py KILL api generate conceptviz "a fox"
    crash_child.py KILL api resume conceptviz ID
    crash_child.py KILL cli resume

KILL is "-", or ``Ledger.sending:before``: the process kills itself before (or after) it calls that method.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

FIELDS: dict[str, dict[str, Any]] = {
    "conceptviz": {},
    "nanobanana": {},
    "imaginelab": {"model": "seedream-5.0-lite"},
    "aivisualstudio": {},
    "imageapi": {"width": 256, "height": 256},
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(method: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The method, in a process that ends before it is called, or as soon as it has returned."""

    @functools.wraps(method)
    def last(*values: Any, **named: Any) -> Any:
        if when == "before":
            die()
        done = method(*values, **named)
        die()
        return done

    return last


def arm(kill: str) -> None:
    """Put the kill into the client: ``Room.method:before`` or ``Room.method:after``."""
    from genstep.client.spool import Spool
    from genstep.ledger import Ledger

    name, _, when = kill.partition(":")
    room, _, method = name.partition(".")
    owner = {"Ledger": Ledger, "Spool": Spool}[room]
    setattr(owner, method, dying(getattr(owner, method), when))


def run_api(verb: str, slug: str, what: str) -> int:
    import genstep
    from genstep.cli import codes

    with genstep.Client(account=slug) as client:
        try:
            if verb == "generate":
                client.generate(what, timeout=60, **FIELDS[slug])
            else:
                client.resume(what, timeout=60)
        except genstep.GenstepError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return codes.of(error)
    return codes.DONE


def run_cli(*words: str) -> int:
    from genstep import cli

    return cli.run(words)


def main() -> int:
    kill, surface, *words = sys.argv[1:]
    import genstep.client  # what a kill at a random moment should hit is the client's work, not its imports
    import genstep.transport.http  # noqa: F401

    if kill != "-":
        arm(kill)
    print("ready", flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return run_api(*words) if surface == "api" else run_cli(*words)


if __name__ == "__main__":
    sys.exit(main())
