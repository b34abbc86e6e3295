"""The options that several commands share: account, request fields, ``--json``; and the words that they take."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from genstep.models import GenerationRequest

F = TypeVar("F", bound=Callable[..., Any])
KINDS = ("image", "video", "model3d", "voice", "music", "infographic", "text")
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.0}


def above_zero(text: str) -> float:
    """A finite number above 0, such as a speed."""
    number = from_zero(text)
    if number == 0:
        raise click.BadParameter(f"takes a number above 0, not {text!r}")
    return number


def from_zero(text: str) -> float:
    """A finite number from 0 up, such as seconds or credits."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise click.BadParameter(f"takes a number from 0 up, not {text!r}")
    return number


def age(text: str) -> float:
    """A time span such as 12h, 90d, 6w or 3m (months of 30 days), in seconds."""
    found = re.fullmatch(r"(\d{1,6})\s*([hdwm])", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"takes hours, days, weeks or months, such as 12h, 90d, 6w or 3m; not {text!r}")
    return int(found[1]) * _DAYS[found[2]] * 86400


def since(text: str) -> float:
    """A moment in Unix seconds: a date (2025-01-31, or with a time), or an age such as 7d."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time() - age(text)


def key_value(text: str) -> tuple[str, Any]:
    """KEY=VALUE; the value is JSON where it reads as JSON, else text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"takes KEY=VALUE, not {text!r}")
    try:
        return key, json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return key, value


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON: they stay text


def project_id(text: str) -> str | int:
    """A project's id: digits are a number, anything else is text."""
    return int(text) if text.isascii() and text.isdigit() else text


def complete_accounts(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem | str]:
    from genstep.config import list_accounts
    from genstep.errors import GenstepError

    try:
        return [account.name for account in list_accounts() if account.name.startswith(incomplete)]
    except GenstepError:
        return []


def complete_providers(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem | str]:
    from genstep.plugins import slugs

    return [slug for slug in slugs() if slug.startswith(incomplete)]


def _kinds(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem | str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def job_ids(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem | str]:
    """Completes a job's id from the ledger, newest first, with what it was for."""
    from click.shell_completion import CompletionItem

    from genstep.cli import session

    try:
        with session.open_ledger() as client:
            found = [job for job in client.jobs(limit=200) if job.id.startswith(incomplete)]
    except Exception:  # noqa: BLE001  (whatever is wrong, a shell's line must not fill with it)
        return []
    return [CompletionItem(job.id, help=f"{job.status}: {job.prompt[:40]}") for job in found]


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
output_folder = click.option(
    "-o", "--output", metavar="DIR|URL", help="Where files go; default: GENSTEP_OUTPUT, else ./genstep-output."
)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
account_name = click.argument("name", shell_complete=complete_accounts)
provider_slug = click.argument("provider", shell_complete=complete_providers)
account_options = _all(
    click.option("-a", "--account", shell_complete=complete_accounts, help="A configured account."),
    click.option("-p", "--provider", shell_complete=complete_providers, help="A provider's variables, or its account."),
)
kind = click.option("--kind", shell_complete=_kinds, help=f"{', '.join(KINDS)}; default: image.")
request_options = _all(
    kind,
    click.option("-m", "--model", help="The service's model; see: genstep models."),
    click.option("-n", type=int, help="How many."),
    click.option("--variant", help="A variant of the kind, such as product or logo."),
    click.option("--aspect-ratio", metavar="W:H", help="Such as 16:9."),
    click.option("--width", type=int, metavar="PIXELS"),
    click.option("--height", type=int, metavar="PIXELS"),
    click.option("--quality", help="Such as 2k or 4k."),
    click.option("--resolution", help="Of a video, such as 720p."),
    click.option("--duration", type=above_zero, metavar="SECONDS"),
    click.option("--image", metavar="FILE|URL", help="An input image."),
    click.option("--negative-prompt", metavar="TEXT", help="What should not be in it."),
    click.option("--seed", type=int),
    click.option("--steps", type=int, help="Inference steps."),
    click.option("--output-format", help="png, jpeg or webp."),
    click.option("--project", type=project_id, metavar="ID", help="The service's project."),
    click.option(
        "-O",
        "--option",
        "options",
        type=key_value,
        metavar="KEY=VALUE",
        multiple=True,
        help="A field of the service's own.",
    ),
)
_FIELDS = (
    "kind", "model", "n", "variant", "aspect_ratio", "width", "height", "quality", "resolution", "duration", "image",
    "negative_prompt", "seed", "steps", "output_format", "project",
)  # fmt: skip


def request_of(prompt: str, given: dict[str, Any]) -> GenerationRequest:
    """The request that the options of :data:`request_options` describe; :class:`InvalidRequest` says what is wrong."""
    from genstep.models import GenerationRequest

    fields = {name: given[name] for name in _FIELDS if given.get(name) is not None}
    options: dict[str, Any] = {}
    for name, value in given.get("options") or ():
        if name in options:
            raise click.UsageError(f"-O {name} is given twice")
        options[name] = value
    return GenerationRequest(prompt, **fields, options=options)


def one_prompt(words: tuple[str, ...]) -> str:
    """The words of one prompt joined by spaces; a lone "-" reads it from stdin."""
    if words == ("-",):
        return sys.stdin.read().strip()
    return " ".join(words)
