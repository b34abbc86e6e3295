"""``genstep doctor``: what is installed, which account is used and why, where things are kept, what does not work."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click

from genstep.cli import codes, options
from genstep.errors import GenstepError

#: import names of what is optional, with the extra that brings it and what it is for
EXTRAS = {
    "av": ("genstep[media]", "making and reading video"),
    "httpx2": ("genstep[httpx2]", "GENSTEP_HTTP=httpx2"),
    "psycopg": ("genstep[postgres]", "a ledger on PostgreSQL"),
    "s3fs": ("s3fs", "output in s3://"),
    "gcsfs": ("gcsfs", "output in gs://"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``state``: "ok", "note" (worth knowing), or "wrong" (does not work)."""

    what: str
    state: str
    says: str


@click.command("doctor", short_help="Say what works here, what does not, and why.")
@options.account_options
@options.as_json
def doctor_command(account: str | None, provider: str | None, as_json: bool) -> int:
    """Look at the installation, the account and the folders, and say what does not work. Nothing is sent.

    Exit code 0 when all works, 2 when something does not.
    """
    from genstep.cli import report, tables

    findings = [*_installed(), *_configured(account, provider), *_kept(), *_plugins()]
    wrong = [finding for finding in findings if finding.state == "wrong"]
    if as_json:
        for finding in findings:
            report.print_json(asdict(finding))
    else:
        rows = [(finding.what, finding.state, finding.says) for finding in findings]
        tables.show(("WHAT", "STATE", ""), rows, fold=("",))
        said = "All works." if not wrong else f"{len(wrong)} of {len(findings)} do not work."
        click.echo(said, err=True)
    return codes.USAGE if wrong else codes.DONE


def _look(what: str, look: Callable[[], str]) -> Finding:
    """A look that may find something wrong: its error is the finding."""
    from genstep import redact

    try:
        return Finding(what, "ok", redact.clean(look()))  # a ledger's or output's URL may hold a password
    except GenstepError as error:
        return Finding(what, "wrong", error.message)


def _installed() -> Iterator[Finding]:
    from genstep import __version__

    yield Finding("genstep", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("python", "ok", f"{platform.python_version()} ({sys.executable}), {platform.platform(terse=True)}")
    chosen = os.environ.get("GENSTEP_HTTP") or "httpx"
    if chosen in ("httpx", "httpx2"):
        state = "ok" if find_spec(chosen) else "wrong"
        missing = f"GENSTEP_HTTP asks for {chosen}, which is not installed: pip install 'genstep[httpx2]'"
        yield Finding("http library", state, f"{chosen} {_version(chosen)}" if state == "ok" else missing)
    for name, (extra, purpose) in EXTRAS.items():
        if find_spec(name):
            yield Finding(name, "ok", f"{_version(name)}, for {purpose}")
        else:
            yield Finding(name, "note", f"not installed; for {purpose}: pip install '{extra}'")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(unknown version)"


def _configured(account: str | None, provider: str | None) -> Iterator[Finding]:
    from genstep import config

    def variables() -> str:
        config.check_environment()
        names = sorted(name for name in os.environ if name.startswith("GENSTEP_"))
        return ", ".join(names) or "none is set"

    def used() -> str:
        from genstep import plugins
        from genstep.accounts import check_account
        from genstep.cli.report import label

        found = config.resolve_account(account, provider=provider)
        check_account(found.account, plugins.load(found.account.provider))
        return f"{label(found.account)}: {found.why}"

    def file() -> str:
        path = config.config_file()
        count = len(config.list_accounts())
        return f"{path}: {count} account{'' if count == 1 else 's'}" if path.exists() else f"{path}: not there"

    yield _look("variables", variables)
    yield _look("config file", file)
    yield _look("account", used)


def _kept() -> Iterator[Finding]:
    from genstep import config, vault

    def secrets() -> str:
        vault.read("")  # refuses a file that others may read
        return vault.where()

    yield _look("secrets", secrets)
    yield _look("ledger", lambda: _ledger(config.default_ledger()))
    yield _look("output", lambda: _output(config.default_output()))


def _ledger(where: str) -> str:
    from genstep.ledger import Ledger

    ledger = Ledger(where)
    ledger.close()
    return str(ledger.place)


def _output(where: str) -> str:
    from genstep.assets import AssetStore

    new = "://" not in where and not Path(where).exists()
    AssetStore(where).check()
    if new:
        Path(where).rmdir()  # looking leaves nothing behind
    return where


def _plugins() -> Iterator[Finding]:
    from genstep import plugins

    try:
        slugs = plugins.slugs()
    except Exception as error:  # noqa: BLE001  (a plug-in of anybody's may raise anything, and must be named here)
        yield Finding("providers", "wrong", f"a plug-in cannot be loaded: {type(error).__name__}: {error}")
        return
    broken = {}
    for slug in slugs:
        try:
            plugins.load(slug)
        except Exception as error:  # noqa: BLE001  (the same)
            broken[slug] = f"{type(error).__name__}: {error}"
    yield Finding("providers", "ok", ", ".join(slug for slug in slugs if slug not in broken))
    for slug, why in broken.items():
        yield Finding(slug, "wrong", f"cannot be loaded: {why}")
