"""``genstep sandbox serve``: the five services on this machine, for a dry run before spending."""

from __future__ import annotations

import click

from genstep.cli import codes, options


@click.group("sandbox", short_help="The services on this machine, with play credits.")
def sandbox_command() -> None:
    """The sandbox: the five services on this machine, with play credits."""


@sandbox_command.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--speed", type=options.above_zero, default="1", show_default=True, help="Divides how long jobs take.")
def serve_command(port: int, speed: float) -> int:
    """Serve the five APIs until Ctrl-C.

    In a service's own documentation, http://127.0.0.1:PORT/<provider> stands in for scheme and host.
    """
    from genstep.sandbox.server import serve

    try:
        serve(port=port, speed=speed)
    except KeyboardInterrupt:
        click.echo("", err=True)
    except OSError as error:
        raise click.UsageError(
            f"cannot listen on port {port}: {error.strerror or error}; choose another with --port"
        ) from None
    return codes.DONE
