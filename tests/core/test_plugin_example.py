"""A third-party provider in a package of its own is found by its entry point, and used like ours. No network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[1] / "plugin_example"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process where the example is installed, as an installer would have left it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE / "genstep_scribble", site / "genstep_scribble")
    info = site / f"genstep_scribble-{project['version']}.dist-info"
    info.mkdir()
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = "\n".join(f"{key} = {value}" for key, value in project["entry-points"]["genstep"].items())
    (info / "entry_points.txt").write_text(f"[genstep]\n{points}\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GENSTEP_")}
    return {**kept, "PYTHONPATH": str(site), "GENSTEP_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def python(environment: dict[str, str], code: str) -> Any:
    done = run(environment, "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_found_by_its_entry_point(installed: dict[str, str]) -> None:
    code = "import json; from genstep import plugins; print(json.dumps(plugins.slugs()))"
    assert "scribble" in python(installed, code)
    assert "scribble" not in python({**installed, "PYTHONPATH": ""}, code)


def test_it_cannot_take_over_a_slug_of_ours(installed: dict[str, str]) -> None:
    code = "import json; from genstep import plugins; print(json.dumps(plugins.load('conceptviz').__module__))"
    assert python(installed, code) == "genstep.providers.conceptviz"


def test_a_client_generates_with_it(installed: dict[str, str], tmp_path: Path) -> None:
    code = """
import genstep
with genstep.Client(genstep.Account(provider="scribble"), output="out") as client:
    print(client.generate("hello there", kind="text").to_json())
"""
    made = python(installed, code)
    assert (made["provider"], made["status"], made["cost"]["charged"]) == ("scribble", "completed", 1.0)
    assert (tmp_path / made["assets"][0]["path"]).read_text() == "ereht olleh"


def test_the_command_line_lists_it(installed: dict[str, str]) -> None:
    done = run(installed, "-m", "genstep.cli", "providers")
    assert done.returncode == 0, done.stderr
    assert "scribble" in done.stdout
