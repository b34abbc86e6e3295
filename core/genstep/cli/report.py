"""What a run says at its end: results on stdout, errors and one line of summary on stderr."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from genstep import redact
from genstep.errors import GenstepError, SubmissionUncertain, WaitTimeout

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.models import Asset, Cost, Generation

#: control characters, and those that turn the direction of writing
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_PLURALS = {
    "image": ("image", "images"),
    "video": ("video", "videos"),
    "model3d": ("3D model", "3D models"),
    "voice": ("voice clip", "voice clips"),
    "music": ("piece of music", "pieces of music"),
    "infographic": ("infographic", "infographics"),
    "text": ("text", "texts"),
}


class CleanFormatter(logging.Formatter):
    """A log line without secrets, whichever logger it came through."""

    def format(self, record: logging.LogRecord) -> str:
        return redact.clean(super().format(record))


def clean(text: object) -> str:
    """One line without control characters: what a service writes must not steer the terminal."""
    return _CONTROL.sub(" ", str(text)).strip()


def short(text: str, length: int = 40) -> str:
    """The beginning of a prompt, in one line."""
    line = clean(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def print_json(data: Any) -> None:
    """One object on a line of stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, default=str))


def error_lines(error: GenstepError, about: str = "") -> list[str]:
    """The error in one line, and what to run next where a job waits; ``about`` says which of many it is."""
    which = f"{short(about)}: " if about else ""
    lines = [f"Error: {which}{clean(redact.clean(error.message)) or type(error).__name__}"]
    if error.job_id and f"genstep resume {error.job_id}" not in error.message:
        if isinstance(error, SubmissionUncertain):
            lines.append(
                f"Job {error.job_id} is perhaps charged: look at the service, then run "
                f"genstep resume {error.job_id} --claim JOB | --not-charged | --charged"
            )
        elif isinstance(error, WaitTimeout):
            lines.append(f"It is kept; wait on with: genstep resume {error.job_id}")
        elif error.code == "ledger":
            lines.append(f"The job is kept; when that is mended, go on with: genstep resume {error.job_id}")
    return lines


def tell(error: GenstepError) -> None:
    """Say an error on stderr."""
    for line in error_lines(error):
        say_error(line)


def say_error(line: str) -> None:
    """Say a line on stderr; its "Error:" is red on a terminal."""
    rest = line.removeprefix("Error:")
    click.echo(line if rest == line else styled("Error:", fg="red") + rest, err=True)


def styled(text: str, **style: bool | str) -> str:
    """Text in a style for a terminal, or plain where NO_COLOR is set; click takes it off for files and pipes."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)  # type: ignore[arg-type]


def say(line: str) -> None:
    """Say a line beside the result, on stderr."""
    click.echo(styled(line, dim=True), err=True)


def number(value: float) -> str:
    """A number as people write it: 2, 0.5, 1200."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def amount(value: float, unit: str) -> str:
    """An amount in its unit: "1 credit", "2 credits"."""
    return f"{number(value)} {unit[:-1] if value == 1 and unit.endswith('s') else unit}"


def things(count: int, kind: str) -> str:
    """How many of a kind: "1 image", "2 videos"."""
    one, many = _PLURALS.get(kind, (kind, kind))
    return f"{count} {one if count == 1 else many}"


def seconds(value: float) -> str:
    """A duration for people: "0.8 s", "12 s", "3 min 20 s"."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def price(cost: Cost) -> str:
    """What was paid, or what is known of it: "2 credits (98 left)", "about 5 points", "price not stated"."""
    if cost.charged is not None:
        said = amount(cost.charged, cost.unit)
    elif cost.estimated is not None:
        said = f"about {amount(cost.estimated, cost.unit)}"
    else:
        said = "price not stated"
    if cost.refunded:
        said += ", refunded"
    return f"{said} ({number(cost.balance)} left)" if cost.balance is not None else said


def label(account: Account) -> str:
    """How an account is called in a line: its name, and its provider where the name does not say it."""
    return account.name if account.name == account.provider else f"{account.name} ({account.provider})"


def main_assets(assets: Iterable[Asset]) -> list[Asset]:
    """The results themselves, without previews and thumbnails."""
    return [asset for asset in assets if asset.role == "main"]


def places(generation: Generation) -> list[str]:
    """Where each asset is: its path, or its URI in a remote store."""
    return [str(asset.path) if asset.path is not None else asset.uri for asset in generation.assets]


def print_generation(generation: Generation, *, as_json: bool) -> None:
    """The result on stdout: a path or URI a line, or one JSON object."""
    if as_json:
        print_json(generation.to_dict())
    else:
        for place in places(generation):
            click.echo(place)


def summary(generation: Generation, label: str, elapsed: float) -> str:
    """One line on a generation: who made how many of what, for how much, in which time."""
    made = things(len(main_assets(generation.assets)), generation.request.kind)
    if generation.failures:
        made += f" of {generation.request.n}"
    if generation.from_cache:
        return f"{label} · {made} · answered from the ledger, nothing paid"
    return f"{label} · {made} · {price(generation.cost)} · {seconds(elapsed)}"
