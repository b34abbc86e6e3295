"""``genstep jobs`` and ``genstep show``: what the ledger knows, without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from genstep.cli import options, session

if TYPE_CHECKING:
    from genstep.models import Generation, Job

STATUSES = ("pending", "processing", "completed", "failed", "cancelled", "uncertain")


@click.command("jobs", short_help="List the jobs that the ledger knows.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--since", type=options.since, metavar="AGE|DATE", help="Only newer ones: 7d, or 2025-01-31.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, newest first."
)
@options.as_json
def jobs_command(status: str | None, since: float | None, limit: int, as_json: bool) -> None:
    """List the jobs that the ledger knows, newest first."""
    from genstep.cli import report, tables

    with session.open_ledger() as client:
        found = client.jobs(status=status, since=since, limit=limit)
    if as_json:
        for job in found:
            report.print_json(job.to_dict())
        return
    rows = [
        (
            job.id,
            job.status,
            job.kind,
            report.short(job.prompt, 48),
            job.account,
            _cost(job),
            tables.ago(job.created_at),
        )
        for job in found
    ]
    tables.show(("ID", "STATUS", "KIND", "PROMPT", "ACCOUNT", "COST", "AGE"), rows, fold=("PROMPT",), empty="No jobs.")


@click.command("show", short_help="Show all that the ledger holds of a job.")
@click.argument("job_id", metavar="ID", shell_complete=options.job_ids)
@options.as_json
def show_command(job_id: str, as_json: bool) -> None:
    """Show all that the ledger holds of a job. The beginning of an id is enough."""
    from genstep.cli import report

    with session.open_ledger() as client:
        generation = client.show(job_id)
        job = client.status(generation.id, ask=False)
    if as_json:
        report.print_json({**generation.to_dict(), "account": job.account})
    else:
        _show(generation, job)


def _cost(job: Job) -> str:
    from genstep.cli import report

    if job.cost.charged is None:
        return "" if job.cost.estimated is None else f"~{report.amount(job.cost.estimated, job.cost.unit)}"
    return report.amount(job.cost.charged, job.cost.unit)


def _show(generation: Generation, job: Job) -> None:
    from genstep.cli import report, tables

    request = generation.request.given()
    options_given = request.pop("options", {})
    for known in ("prompt", "kind"):
        request.pop(known, None)
    tables.pairs(
        [
            ("id", generation.id),
            ("status", generation.status if job.progress in (None, 1) else f"{generation.status} {job.progress:.0%}"),
            ("account", job.account),
            ("provider", generation.provider),
            ("kind", generation.request.kind),
            ("prompt", generation.request.prompt),
            *request.items(),
            *options_given.items(),
            ("cost", report.price(generation.cost)),
            ("created", tables.moment(generation.created_at)),
            ("completed", tables.moment(generation.completed_at)),
            ("service's ids", ", ".join(generation.job_ids)),
            ("message", job.message),
        ]
    )
    for failure in generation.failures:
        report.tell(failure)
    rows = [
        (place, asset.role, asset.media_type, _size(asset.width, asset.height, asset.duration), f"{asset.size:,} bytes")
        for place, asset in zip(report.places(generation), generation.assets, strict=True)
    ]
    if rows:
        click.echo()
        tables.show(("FILE", "ROLE", "TYPE", "SIZE", "BYTES"), rows, fold=("FILE",))


def _size(width: int | None, height: int | None, duration: float | None) -> str:
    from genstep.cli import report

    parts = [f"{width} x {height}"] if width and height else []
    return " ".join([*parts, *([report.seconds(duration)] if duration else [])])
