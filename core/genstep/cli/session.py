"""Opening the client for a command, and what is said about the account that it uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genstep.client import Client
    from genstep.models import Job


@contextmanager
def open_client(
    account: str | None = None, provider: str | None = None, *, output: str | None = None
) -> Iterator[Client]:
    """The client of the chosen account; one line on stderr where the sandbox stands in unasked."""
    from genstep.config import resolve_account

    chosen = resolve_account(account, provider=provider)
    if chosen.sandbox and not (account or provider):
        click.echo(chosen.why[0].upper() + chosen.why[1:], err=True)
    from genstep.client import Client

    with Client(chosen.account, output=output) as client:
        yield client


@contextmanager
def open_ledger(*, output: str | None = None) -> Iterator[Client]:
    """A client for what only the ledger knows: no account need be chosen, and nothing is asked of a service."""
    from genstep.accounts import Account
    from genstep.client import Client

    with Client(Account(provider="sandbox"), output=output) as client:
        yield client


@contextmanager
def keeping(client: Client, seen: Callable[[], list[Job]]) -> Iterator[None]:
    """While a command waits: an interruption says which jobs go on, and how to come back to them.

    ``seen`` are jobs that moved; the ledger is asked too, for one may have been sent without our seeing it.
    """
    began = time.time()
    try:
        yield
    except KeyboardInterrupt:
        started = [job for job in client.jobs(since=began) if job.account == client.account.name]
        ids = {job.id: None for job in [*seen(), *started] if job.status in ("pending", "processing")}
        which = " ".join(ids) if len(ids) <= 5 else ""
        what = {0: "", 1: "; the job is kept"}.get(len(ids), f"; {len(ids)} jobs are kept")
        how = f". Go on with: genstep resume {which}".rstrip() if ids else ""
        click.echo(f"\nInterrupted{what}{how}", err=True)
        if ids and client.provider.capabilities.blocking:
            click.echo("The paid call under way is waited for, since its answer is paid for.", err=True)
        raise
