"""What all tests share: how many examples hypothesis tries, and an environment without the caller's own settings."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests import postgres

SOAK = os.environ.get("GENSTEP_SOAK") == "1"

# A shell that runs CI in the background lets its children ignore Ctrl-C; the commands that tests interrupt must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about the code.
settings.register_profile("once", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("soak" if SOAK else "once")


#: whole runs through servers and processes of their own: left out of `make check`
SLOW = ("contract", "secrets", "money")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in SLOW or item.path.name in ("test_samples.py", "test_process_ends.py"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether this run was asked for high counts (`make soak`)."""
    return SOAK


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Only the HTTP library is chosen from outside; the client refuses a GENSTEP_* variable that it does not know."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GENSTEP_") and name != "GENSTEP_HTTP"]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A real PostgreSQL server on this machine, one for all tests of a session."""
    with postgres.running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> str:
    """Where a new ledger can be on a real PostgreSQL server: an empty schema."""
    return postgres_server.schema()


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def ledger_where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger can be, on each of the databases: a path, or a URL."""
    if request.param == "PostgreSQL":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "deep" / "ledger.db")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the suites about money counted."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "block" and report.when == "call":
                    terminalreporter.write_line(str(text))
