"""``genstep sandbox serve``: the five services on this machine, for a dry run before spending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from genstep.cli import codes, options

if TYPE_CHECKING:
    from genstep.sandbox.server import SandboxServer


@click.group("sandbox", short_help="The services on this machine, with play credits.")
def sandbox_command() -> None:
    """The sandbox: the five services on this machine, with play credits."""


@sandbox_command.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--speed", type=options.above_zero, default="1", show_default=True, help="Divides how long jobs take.")
def serve_command(port: int, speed: float) -> int:
    """Serve the five APIs until Ctrl-C.

    http://127.0.0.1:PORT/PROVIDER stands in for the scheme and host of a service's own documentation.
    """
    from genstep.sandbox.server import serve

    try:
        serve(port=port, speed=speed, ready=_say)
    except OSError as error:
        raise click.UsageError(
            f"cannot listen on port {port} ({error.strerror or error}); choose another with --port"
        ) from None
    click.echo("\nStopped.", err=True)
    return codes.DONE


def _say(server: SandboxServer) -> None:
    """The address of each service, and the variables that make genstep use it. Any key of the right form will do."""
    from genstep import plugins

    click.echo(f"The sandbox is at {server.url}: open it to see accounts, charges and requests. Ctrl-C stops it.\n")
    for slug in server.app.services:
        provider = plugins.load(slug)
        prefix = f"GENSTEP_{slug.upper()}"
        key = f"{prefix}_API_KEY={provider.key_prefix}play"
        secrets = f"{prefix}_USERNAME=me@example.com {prefix}_PASSWORD=play" if provider.auth == "login" else key
        click.echo(f"{provider.title or slug}\n  export {prefix}_BASE_URL={server.base(slug)} {secrets}")
    click.echo("\nThen, for example: genstep generate -p conceptviz a red fox in the snow")
