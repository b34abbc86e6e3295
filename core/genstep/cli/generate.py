"""``genstep generate``: one prompt, or several with ``--prompt``, made and saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from genstep.cli import codes, options, session

if TYPE_CHECKING:
    from genstep.client import Client
    from genstep.models import GenerationRequest


@click.command("generate", short_help="Make what the words say, and print where it is saved.")
@click.argument("words", nargs=-1, metavar="[WORDS OF ONE PROMPT…]")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="A prompt of several; may be repeated.")
@options.account_options
@options.request_options
@options.output_folder
@click.option("--timeout", type=options.from_zero, metavar="SECONDS", help="Stop waiting then; the job is kept.")
@click.option("--max-credits", type=options.from_zero, metavar="CREDITS", help="Refuse to spend more than this.")
@click.option("--fresh", is_flag=True, help="Make it anew, though the ledger has the same request.")
@click.option("--no-wait", is_flag=True, help="Start it, and print its id instead of waiting.")
@options.as_json
def generate_command(
    words: tuple[str, ...],
    prompts: tuple[str, ...],
    account: str | None,
    provider: str | None,
    output: str | None,
    timeout: float | None,
    max_credits: float | None,
    fresh: bool,
    no_wait: bool,
    as_json: bool,
    **fields: Any,
) -> int:
    """Make what the words say, wait for it, and print where it was saved.

    All words are one prompt, quoted or not; "-" reads it from stdin. The same request again is answered
    from the ledger and costs nothing, unless --fresh.

    \b
      genstep generate a red fox in the snow --aspect-ratio 16:9
      genstep generate --kind video --duration 4 a spaceship in fog
      genstep generate -p imageapi --prompt "a red fox" --prompt "a grey wolf"
    """
    if words and prompts:
        raise click.UsageError("give one prompt in words, or several with --prompt; not both")
    texts = prompts or (options.one_prompt(words),)
    requests = [options.request_of(text, fields) for text in texts]
    paying: dict[str, Any] = {"max_credits": max_credits, "fresh": fresh}
    with session.open_client(account, provider, output=output) as client:
        if no_wait:
            return _submit(client, requests, paying, as_json=as_json)
        from genstep.cli import outcomes, report

        if len(requests) > 1:
            made = client.map(requests, timeout=timeout, **paying)
            return outcomes.several(client, made, texts, label=report.label(client.account), as_json=as_json)
        request = requests[0]
        return outcomes.one(
            client,
            request.prompt or request.kind,
            report.label(client.account),
            lambda moved: client.generate(request, timeout=timeout, on_progress=moved, **paying),
            as_json=as_json,
        )


def _submit(client: Client, requests: Iterable[GenerationRequest], paying: dict[str, Any], *, as_json: bool) -> int:
    from genstep.cli import report

    if client.provider.capabilities.blocking:
        slug = client.provider.slug
        raise click.UsageError(f"--no-wait: {slug} answers only when it is done, so the call is the wait; leave it out")
    for request in requests:
        job = client.submit(request, **paying)
        if as_json:
            report.print_json(job.to_dict())
        else:
            click.echo(job.id)
    return codes.DONE
