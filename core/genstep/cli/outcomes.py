"""Waiting for generations and telling what came of them: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from genstep.cli import codes, report, session
from genstep.cli.progress import Progress, watch
from genstep.errors import GenstepError
from genstep.models import Cost, Generation, Job

if TYPE_CHECKING:
    from genstep.client import Client

Moved: TypeAlias = Callable[[Job], None]
Outcome: TypeAlias = Generation | GenstepError


def one(client: Client, title: str, label: str, wait: Callable[[Moved], Generation], *, as_json: bool) -> int:
    """Wait for one generation, which ``wait`` returns, and tell it: the paths, what failed, and a summary.

    ``label`` is the account. Returns the exit code; an interruption keeps the job and says so.
    """
    began = time.monotonic()
    watching = watch(title)
    with session.keeping(client, watching.seen), watching:
        generation = wait(watching.job)
    report.print_generation(generation, as_json=as_json)
    for failure in generation.failures:
        report.tell(failure)
    report.say(report.summary(generation, label, time.monotonic() - began))
    return codes.of_all(generation.failures, some_done=bool(generation.assets))


def several(
    client: Client, outcomes: Iterable[Outcome], names: Sequence[str], *, label: str = "", as_json: bool = False
) -> int:
    """Tell many outcomes as they come, then one line on all of them; the exit code weighs them.

    ``names`` say which request an error is about, by its index; ``label`` is the account, '' where they are of
    several, whose money is not summed.
    """
    began = time.monotonic()
    made: list[Generation] = []
    errors: list[GenstepError] = []
    watching = watch(f"{len(names)} requests", len(names))
    with session.keeping(client, watching.seen), watching:
        for outcome in outcomes:
            if isinstance(outcome, GenstepError):
                errors.append(outcome)
            else:
                made.append(outcome)
            _tell_one(watching, outcome, names, as_json=as_json)
            watching.counted(len(made), len(errors))
    report.say(_summary(label, made, errors, time.monotonic() - began))
    parts = [failure for generation in made for failure in generation.failures]
    return codes.of_all([*errors, *parts], some_done=bool(made))


def _tell_one(watching: Progress, outcome: Outcome, names: Sequence[str], *, as_json: bool) -> None:
    failures = (outcome,) if isinstance(outcome, GenstepError) else outcome.failures
    if as_json:
        watching.result(json.dumps(outcome.to_dict(), ensure_ascii=False, default=str))
    elif isinstance(outcome, Generation):
        for place in report.places(outcome):
            watching.result(place)
    for error in failures:
        for line in report.error_lines(error, about=_name(error, names)):
            watching.note(line)


def _name(error: GenstepError, names: Sequence[str]) -> str:
    index = getattr(error, "index", None)
    return names[index] if isinstance(index, int) and index < len(names) else ""


def _summary(label: str, made: list[Generation], errors: list[GenstepError], elapsed: float) -> str:
    counts: dict[str, int] = {}
    for generation in made:
        kind = generation.request.kind
        counts[kind] = counts.get(kind, 0) + len(report.main_assets(generation.assets))
    words = [label] if label else []
    words.append(", ".join(report.things(n, kind) for kind, n in counts.items()) or "nothing made")
    paid = [generation.cost for generation in made if not generation.from_cache]
    if len(paid) < len(made):
        words.append(f"{len(made) - len(paid)} of {len(made)} answered from the ledger")
    if paid and label:
        words.append(report.price(_sum(paid)))
    if errors:
        words.append(f"{len(errors)} failed")
    return " · ".join([*words, report.seconds(elapsed)])


def _sum(costs: list[Cost]) -> Cost:
    """What one account paid for several, in its own unit; unknown where one of them is."""
    charged = [cost.charged for cost in costs if cost.charged is not None]
    balances = [cost.balance for cost in costs if cost.balance is not None]
    return Cost(
        charged=sum(charged) if len(charged) == len(costs) else None,
        unit=costs[0].unit,
        balance=min(balances) if balances else None,
    )
