"""The contract as others run it: a plug-in of a package of its own, and the provider of our own guide."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core.test_plugin_example import EXAMPLE, installed

import genstep

__all__ = ["installed"]

GUIDE = Path(genstep.__file__).parent / "providers" / "README.md"


def counts(text: str) -> dict[str, int]:
    """How many passed, failed and were skipped, by pytest's last line."""
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", text)}


def pytest_of(file: Path, environment: dict[str, str] | os._Environ[str]) -> subprocess.CompletedProcess[str]:
    """Run one file of tests in a process of its own, where there is no configuration of ours."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", str(file)]
    config = file.parent / "pytest.ini"
    config.write_text("[pytest]\n")
    return subprocess.run(
        command, env=dict(environment), cwd=file.parent, capture_output=True, text=True, check=False, timeout=120
    )


def test_an_installed_plug_in_runs_it_by_its_slug_alone(installed, tmp_path):
    file = tmp_path / "test_scribble.py"
    file.write_text((EXAMPLE / "contract.py").read_text())
    done = pytest_of(file, installed)
    assert done.returncode == 0, done.stdout
    assert counts(done.stdout)["passed"] >= 20
    assert "coroutines" in done.stdout, "what could not be looked at is said"


def test_without_its_package_it_is_not_found(tmp_path):
    file = tmp_path / "test_scribble.py"
    file.write_text((EXAMPLE / "contract.py").read_text())
    done = pytest_of(file, os.environ)
    assert done.returncode != 0
    assert "provider 'scribble' is not installed" in done.stdout


@pytest.fixture(scope="module")
def guide() -> str:
    """All Python of the guide, as one file."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def test_the_guides_provider_keeps_it(guide, tmp_path):
    file = tmp_path / "test_easel.py"
    file.write_text(guide)
    done = pytest_of(file, os.environ)
    assert done.returncode == 0, done.stdout
    assert set(counts(done.stdout)) == {"passed"}


def test_the_guides_careless_provider_fails_where_the_guide_says(guide, tmp_path):
    file = tmp_path / "test_easel.py"
    file.write_text(guide.replace("provider = ProvenEasel", "provider = ChoosyEasel"))
    done = pytest_of(file, os.environ)
    failed = set(re.findall(r"____ TestEasel\.(\w+)", done.stdout))
    assert failed == {"test_one_odd_value_in_a_good_reply_is_survived"}, done.stdout
