"""``genstep completion``: the script that makes a shell complete commands, accounts, providers and jobs."""

from __future__ import annotations

import click

HOW = {
    "bash": 'eval "$(genstep completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(genstep completion zsh)"     # in ~/.zshrc',
    "fish": "genstep completion fish > ~/.config/fish/completions/genstep.fish",
}


@click.command("completion", short_help="Print a shell's completion script.", epilog="\b\n" + "\n".join(HOW.values()))
@click.argument("shell", type=click.Choice(list(HOW)))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "genstep", "_GENSTEP_COMPLETE").source())
