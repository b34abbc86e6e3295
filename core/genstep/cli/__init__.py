"""The command line: ``genstep``. Here: the group of commands, and how every error becomes a line and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from genstep import __version__
from genstep.cli import codes
from genstep.errors import GenstepError

#: where each command is, so that a command loads only its own room
COMMANDS = {
    "generate": "generate",
    "batch": "batch",
    "jobs": "jobs",
    "show": "jobs",
    "resume": "settle",
    "cancel": "settle",
    "delete": "settle",
    "purge": "settle",
    "providers": "ask",
    "models": "ask",
    "balance": "ask",
    "estimate": "ask",
    "history": "ask",
    "enhance": "ask",
    "health": "ask",
    "webhooks": "webhooks",
    "accounts": "accounts",
    "sandbox": "sandbox",
    "doctor": "doctor",
    "completion": "completion",
}


#: the commands whose words are a prompt
PROMPTED = ("generate", "estimate", "enhance")


class Commands(click.Group):
    """The group: it lists commands in the order of a user's day, and imports one when it is called."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"genstep.cli.{COMMANDS[name]}"), f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no such command: {args[0]}; {advice}", ctx) from error


@click.command("genstep", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="genstep %(version)s")
@click.option("--debug", is_flag=True, help="Show the log, and where an error came from.")
def cli(debug: bool) -> None:
    """Make images, videos, 3D models, voice, music and text with paid services.

    What is paid for is paid for once, and is not lost. Without an account, everything is made by the built-in
    sandbox: free, and no key is needed.

    \b
      genstep generate a red fox in the snow
      genstep accounts add conceptviz
      genstep doctor
    """
    log = logging.getLogger("genstep")
    if debug:
        from genstep.cli.report import CleanFormatter

        handler = logging.StreamHandler()
        handler.setFormatter(CleanFormatter("%(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
    else:
        log.addHandler(logging.NullHandler())  # what a user must know is said once, as an error


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr, and with ``--json`` as an object too."""
    words = list(args)
    options = words[: words.index("--")] if "--" in words else words
    try:
        result: Any = cli.main(words, prog_name="genstep", standalone_mode=False)
        sys.stdout.flush()  # a reader that has gone is noticed here, not while Python ends
    except click.exceptions.Abort as stop:
        if isinstance(stop.__context__, EOFError):
            click.echo("Error: no answer to the question; nothing was done", err=True)
            return codes.USAGE
        return codes.INTERRUPTED
    except (click.ClickException, GenstepError) as error:
        return _tell(error, as_json="--json" in options)
    except BrokenPipeError:
        _forget_stdout()
        return codes.FAILED
    except Exception as error:  # noqa: BLE001  (the last line of defence: a line instead of a traceback)
        _bug(error, shown=words[:1] == ["--debug"])
        return codes.FAILED
    return result if isinstance(result, int) else codes.DONE


def _tell(error: click.ClickException | GenstepError, *, as_json: bool) -> int:
    from genstep import redact
    from genstep.cli import report

    if isinstance(error, GenstepError):
        if as_json:
            report.print_json(error.to_dict())
        report.tell(error)
        return codes.of(error)
    message = redact.clean(error.format_message())
    if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command.name in PROMPTED:
        message += " Words of a prompt that begin with - go behind --"
    if as_json:
        report.print_json({"error": "UsageError", "message": message})
    report.say_error(f"Error: {message}")
    context = getattr(error, "ctx", None)
    if isinstance(context, click.Context):
        click.echo(f"See: {context.command_path} --help", err=True)
    return codes.USAGE


def _bug(error: Exception, *, shown: bool) -> None:
    import traceback

    from genstep import redact
    from genstep.cli import report

    if shown:
        click.echo(redact.clean("".join(traceback.format_exception(error))), err=True)
    report.say_error(redact.clean(f"Error: this is a bug in genstep: {type(error).__name__}: {error}"))
    if not shown:
        click.echo("See where with: genstep --debug …", err=True)


def _forget_stdout() -> None:
    """Let Python's own flush at the end write to nowhere instead of complaining."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(args: Sequence[str] | None = None) -> None:
    """The console's entry point."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's encoding lacks must not lose a result
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if args is None else args))
