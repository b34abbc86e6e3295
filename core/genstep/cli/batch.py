"""``genstep batch``: a file of requests, all checked before the first is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from genstep.cli import codes, options, session
from genstep.errors import AssetError, GenstepError, InvalidRequest, SubmissionUncertain, WaitTimeout

if TYPE_CHECKING:
    from genstep.cli.batch_file import Row
    from genstep.cli.outcomes import Outcome
    from genstep.client import Client

#: more wrong lines than this are counted, not listed
LISTED = 20


@click.command("batch", short_help="Make every request of a .jsonl or .csv file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@options.account_options
@options.output_folder
@click.option("--concurrency", type=click.IntRange(min=1), default=8, show_default=True, help="So many at a time.")
@click.option("--max-credits", type=options.from_zero, metavar="CREDITS", help="Refuse to spend more than this.")
@click.option("--timeout", type=options.from_zero, metavar="SECONDS", help="Stop waiting for one then; it is kept.")
@click.option("--resume", is_flag=True, help="Look again at what an earlier run left unfinished or perhaps charged.")
@options.as_json
def batch_command(
    file: str,
    account: str | None,
    provider: str | None,
    output: str | None,
    concurrency: int,
    max_credits: float | None,
    timeout: float | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Make every request of FILE: a JSON object a line (.jsonl), or a row under the fields' names (.csv).

    All lines are checked before the first is sent. What an earlier run has made is answered from the ledger and
    costs nothing, so a run that was cut off is simply started again; with --resume it also goes back to jobs that
    timed out, whose files could not be fetched, or that are perhaps charged.

    \b
      {"prompt": "a red fox", "aspect_ratio": "16:9", "n": 2}
      {"prompt": "a grey wolf", "options": {"quality": "4k"}}
    """
    from genstep.cli import outcomes, report
    from genstep.cli.batch_file import read

    rows = read(file)
    with session.open_client(account, provider, output=output) as client:
        wrong = [*(row for row in rows if row.problem), *_impossible(client, rows)]
        if wrong:
            return _refuse(file, rows, wrong)
        requests = [row.request for row in rows if row.request is not None]
        names = [row.name for row in rows]
        made = client.map(requests, concurrency=concurrency, max_credits=max_credits, timeout=timeout)
        told = _gone_on(client, made, timeout) if resume else made
        return outcomes.several(client, told, names, label=report.label(client.account), as_json=as_json)


def _impossible(client: Client, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that this provider cannot make, each with the reason; nothing is sent."""
    from dataclasses import replace

    from genstep.client.orders import prepare

    for row in rows:
        if row.request is not None:
            try:
                prepare(row.request, client.provider)
            except InvalidRequest as error:
                yield replace(row, problem=error.message)


def _refuse(file: str, rows: list[Row], wrong: list[Row]) -> int:
    from genstep.cli import report

    wrong.sort(key=lambda row: row.line)
    report.say_error(f"Error: {file}: {len(wrong)} of {len(rows)} requests are not possible; nothing was sent")
    for row in wrong[:LISTED]:
        click.echo(f"  {row.name}: {report.clean(row.problem)}", err=True)
    if len(wrong) > LISTED:
        click.echo(f"  and {len(wrong) - LISTED} more", err=True)
    return codes.USAGE


def _gone_on(client: Client, outcomes: Iterable[Outcome], timeout: float | None) -> Iterator[Outcome]:
    """The outcomes, where a job that still has something to give is gone back to once."""
    for outcome in outcomes:
        if not isinstance(outcome, SubmissionUncertain | WaitTimeout | AssetError) or outcome.job_id is None:
            yield outcome
            continue
        try:
            yield client.resume(outcome.job_id, timeout=timeout)
        except GenstepError as error:
            error.index = getattr(outcome, "index", None)
            yield error
