"""All measurements in one run, printed as one table: each script in a process of its own, peers where they live."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rows import Row, show

HERE = Path(__file__).parent
#: in virtual time, or counting requests: what else runs does not matter, so they run side by side
COUNTED = ("noticing.py", "makespan.py", "dropped.py")
#: CPU time and time: one after the other
TIMED = ("waits.py", "round_trip.py", "imports.py", "first_byte.py")


def start(script: str, home: str) -> subprocess.Popen[str]:
    """Begin a script; the caller's keys, proxies and PYTHON* variables have no say."""
    environment = {"PATH": os.environ["PATH"], "HOME": home, "GENSTEP_HOME": str(Path(home, "genstep"))}
    return subprocess.Popen(
        [sys.executable, HERE / script, "--json"],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def rows(script: str, running: subprocess.Popen[str], began: float) -> Iterable[Row]:
    """What a script found, once it has ended."""
    said, _ = running.communicate()
    if running.returncode:
        raise SystemExit(f"{script} failed with exit code {running.returncode}")
    print(f"  {script} is done after {time.monotonic() - began:.0f} s", file=sys.stderr)
    return [Row(**row) for row in json.loads(said)]


def main() -> None:
    began = time.monotonic()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as home:
        together = {script: start(script, home) for script in COUNTED}
        try:
            for script, running in together.items():
                found += rows(script, running, began)
        finally:
            for running in together.values():
                running.kill()
        for script in TIMED:
            found += rows(script, start(script, home), began)
    show(found)


if __name__ == "__main__":
    main()
