"""Each surface imports from its own folder with the core's environment alone, and the core's extra installs it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHELLS = {
    "jupyter": ("jupyter_ext", "genstep-jupyter", "genstep_jupyter"),
    "airflow": ("airflow_provider", "airflow-provider-genstep", "genstep_airflow"),
    "proxy": ("wordpress_proxy", "genstep-proxy", "genstep_proxy"),
}


def project(folder: str) -> dict:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize(("folder", "package"), [(folder, package) for folder, _, package in SHELLS.values()])
def test_a_surface_imports_and_tells_its_version(folder, package):
    asked = f"import {package}; print({package}.__version__)"
    ran = subprocess.run([sys.executable, "-c", asked], cwd=ROOT / folder, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.strip() == project(folder)["version"]


@pytest.mark.parametrize("extra", SHELLS)
def test_the_cores_extra_installs_the_surface(extra):
    folder, distribution, package = SHELLS[extra]
    assert project("core")["optional-dependencies"][extra] == [distribution]
    assert project(folder)["name"] == distribution
    assert "genstep" in project(folder)["dependencies"]
    assert (ROOT / folder / package / "py.typed").is_file()
