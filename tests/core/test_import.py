"""``import genstep`` costs next to nothing, and what it promises is there."""

import subprocess
import sys
import textwrap

import pytest

import genstep


def python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, env=env or None
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded(code: str) -> set[str]:
    names = python(f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))")
    return {name for name in names.split() if not name.startswith("__editable__")}


def test_import_genstep_loads_no_library():
    heavy = {"httpx", "httpx2", "pydantic", "asyncio", "pluggy", "click", "rich", "PIL", "sqlite3", "fsspec", "keyring"}
    assert not loaded("import genstep") & heavy


def test_the_client_path_loads_no_sandbox_no_surface_and_nothing_that_it_may_not_need():
    unwanted = {"genstep.sandbox", "genstep.cli", "genstep.testing", "keyring", "fsspec", "PIL", "pytest", "av"}
    assert not loaded("import genstep\nfrom genstep import Client, Account, generate") & unwanted


def test_only_one_module_imports_the_http_library():
    from pathlib import Path

    core = Path(genstep.__file__).parent
    importing = {
        path.relative_to(core).as_posix()
        for path in core.rglob("*.py")
        if any(line.strip().startswith(("import httpx", "from httpx")) for line in path.read_text().splitlines())
    }
    assert importing == {"transport/http.py"}


@pytest.mark.parametrize("name", sorted(genstep._WHERE))
def test_every_public_name_is_there_and_documented(name):
    value = getattr(genstep, name)
    assert value.__doc__ or name in ("hookimpl", "hookspec")
    assert name in dir(genstep)
    assert name in genstep.__all__


@pytest.mark.parametrize("module", ["testing", "webhooks", "errors", "models", "sandbox"])
def test_public_modules_are_reached_without_an_import_of_their_own(module):
    assert python(f"import genstep; print(genstep.{module}.__name__)") == f"genstep.{module}"


@pytest.mark.slow
def test_a_strict_type_checker_finds_every_public_name(tmp_path):
    (tmp_path / "user.py").write_text(f"from genstep import {', '.join(sorted(genstep._WHERE))}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}", "user.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        genstep.nonsense  # noqa: B018


def test_httpx2_is_used_where_asked_for(tmp_path):
    import os

    env = {**os.environ, "GENSTEP_HTTP": "httpx2"}
    code = "import sys, genstep.transport.http; print('httpx2' in sys.modules, 'httpx' in sys.modules)"
    assert python(code, **env) == "True False"
