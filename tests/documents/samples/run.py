"""Runs an assembled sample as its reader would: bash, Python or node in an empty home, on loopback only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.documents.samples.assemble import Sample

TIMEOUT = 60.0


def missing(sample: Sample) -> list[str]:
    """The programs that a sample needs and that this machine has not."""
    used = [name for name in ("curl", "jq") if re.search(rf"\b{name} ", sample.text)]
    needs = {"bash": ["bash", *used], "python": [], "javascript": ["node"]}[sample.language]
    return [name for name in needs if shutil.which(name) is None]


def command(path: Path) -> list[str]:
    """How a written sample is started."""
    interpreter = {".sh": "bash", ".py": sys.executable, ".mjs": "node"}[path.suffix]
    return [interpreter, str(path)]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the caller's but the search path: no proxy, no .curlrc, no .netrc, no other settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(path: Path, *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a written sample to its end; its exit code, output and errors."""
    return subprocess.run(
        command(path),
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(path.parent),
        cwd=path.parent,
        timeout=TIMEOUT,
        check=False,
    )
