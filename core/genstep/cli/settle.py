"""``genstep resume``, ``cancel``, ``delete`` and ``purge``: going on with jobs, and getting rid of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from genstep.cli import codes, options, session
from genstep.errors import GenerationFailed, GenstepError

if TYPE_CHECKING:
    from genstep.cli.outcomes import Outcome
    from genstep.client import Client

UNFINISHED = ("pending", "processing", "uncertain")


@click.command("resume", short_help="Go on with jobs, or settle one by hand.")
@click.argument("job_ids", nargs=-1, metavar="[ID…]", shell_complete=options.job_ids)
@click.option("--claim", metavar="JOB", help="An uncertain job became this job of the service.")
@click.option("--charged/--not-charged", default=None, help="An uncertain job made nothing; was it charged?")
@click.option("--timeout", type=options.from_zero, metavar="SECONDS", help="Stop waiting then; the job is kept.")
@options.output_folder
@options.as_json
def resume_command(
    job_ids: tuple[str, ...],
    claim: str | None,
    charged: bool | None,
    timeout: float | None,
    output: str | None,
    as_json: bool,
) -> int:
    """Go on with jobs after a timeout, a crash or an interruption: wait, fetch, save. Nothing is paid again.

    Without an id, all unfinished jobs. A job that is perhaps charged is settled by hand: look at the service, then
    say which of its jobs it is, or whether it was charged.
    """
    settling = claim is not None or charged is not None
    if claim is not None and charged is not None:
        raise click.UsageError("--claim, --charged and --not-charged exclude each other")
    if settling and len(job_ids) != 1:
        raise click.UsageError("name the one job to settle")
    with session.open_ledger(output=output) as client:
        from genstep.cli import outcomes

        ids = list(job_ids) or [job.id for job in client.jobs() if job.status in UNFINISHED]
        if settling and claim is None:
            return _settle(client, ids[0], charged=bool(charged))
        if len(ids) == 1:
            job = client.status(ids[0], ask=False)
            return outcomes.one(
                client,
                job.prompt or job.id,
                job.account,
                lambda moved: client.resume(ids[0], claim=claim, timeout=timeout, on_progress=moved),
                as_json=as_json,
            )
        if not ids:
            click.echo("Nothing is unfinished.", err=True)
            return codes.DONE
        return outcomes.several(client, _each(client, ids, timeout), ids, as_json=as_json)


def _settle(client: Client, job_id: str, *, charged: bool) -> int:
    try:
        client.resume(job_id, charged=charged)
    except GenerationFailed as error:
        if error.code != "settled":
            raise
    said = "charged" if charged else "not charged"
    click.echo(f"Settled as {said}. The same request may now be made again.", err=True)
    return codes.DONE


def _each(client: Client, ids: list[str], timeout: float | None) -> Iterator[Outcome]:
    for job_id in ids:
        try:
            yield client.resume(job_id, timeout=timeout)
        except GenstepError as error:
            yield error


@click.command("cancel", short_help="Cancel a job, where the service can.")
@click.argument("job_id", metavar="ID", shell_complete=options.job_ids)
@options.as_json
def cancel_command(job_id: str, as_json: bool) -> int:
    """Cancel a job where the service can; where it cannot, say so and keep the job."""
    from genstep.cli import report

    with session.open_ledger() as client:
        job = client.cancel(job_id)
    if as_json:
        report.print_json(job.to_dict())
    if job.status == "cancelled":
        click.echo(f"Cancelled {job.id}.", err=True)
        return codes.DONE
    click.echo(f"Not cancelled: {report.clean(job.message) or f'the job is {job.status} already'}", err=True)
    return codes.FAILED


@click.command("delete", short_help="Remove the prompt, inputs and files of a job.")
@click.argument("job_id", metavar="ID", shell_complete=options.job_ids)
@click.option("--remote", is_flag=True, help="Delete it at the service too, where it can.")
@options.yes
def delete_command(job_id: str, remote: bool, yes: bool) -> int:
    """Remove the prompt, the inputs and the files of a job. What it cost stays in the ledger."""
    from genstep.cli import report

    with session.open_ledger() as client:
        generation = client.show(job_id)
        files = len(generation.assets)
        what = f"{report.short(generation.request.prompt) or generation.id} and its {files} file"
        what += "" if files == 1 else "s"
        if not (yes or sure(f"Delete {what}?")):
            return codes.FAILED
        client.delete(generation.id, remote=remote)
    click.echo(f"Deleted {generation.id}.", err=True)
    return codes.DONE


@click.command("purge", short_help="Delete all finished jobs older than an age.")
@click.option("--older-than", "age", type=options.age, required=True, metavar="AGE", help="Such as 12h, 90d, 6w, 3m.")
@options.yes
def purge_command(age: float, yes: bool) -> int:
    """Delete all finished jobs older than an age: prompts, inputs and files.

    The age is in hours, days, weeks or months of 30 days. A terminal is asked first; a script is not.
    """
    with session.open_ledger() as client:
        question = "Delete the prompts, inputs and files of all jobs older than that?"
        if sys.stdin.isatty() and not (yes or sure(question)):
            return codes.FAILED
        gone = client.purge(age)
    click.echo(f"Deleted {gone} job{'' if gone == 1 else 's'}.", err=True)
    return codes.DONE


def sure(question: str) -> bool:
    """Ask on the terminal; without one, refuse rather than guess."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask; add --yes")
    if click.confirm(question, err=True):
        return True
    click.echo("Nothing was deleted.", err=True)
    return False
