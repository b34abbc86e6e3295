"""Progress on stderr while jobs run: a live line on a terminal; elsewhere a plain line whenever something changes."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

from genstep.cli.report import short
from genstep.models import TERMINAL

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from genstep.models import Job


class Progress(AbstractContextManager["Progress"], Protocol):
    """What a command tells while it waits."""

    def job(self, job: Job) -> None:
        """A job has moved; handed to the client as ``on_progress``."""

    def counted(self, done: int, failed: int) -> None:
        """So many of several are made, so many failed."""

    def result(self, line: str) -> None:
        """A line for stdout."""

    def note(self, line: str) -> None:
        """A line for stderr."""

    def seen(self) -> list[Job]:
        """The jobs that moved, each as it was last."""


def on_terminal() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"


def watch(title: str, total: int = 1) -> Progress:
    """The progress of ``total`` requests; ``title`` is shown on a terminal."""
    return _Terminal(title, total) if on_terminal() else _Lines(total)


class _Seen:
    """Which jobs were seen, by id."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def seen(self) -> list[Job]:
        return list(self._jobs.values())

    def __exit__(self, *_: object) -> None:
        return None


class _Lines(_Seen):
    def __init__(self, total: int) -> None:
        super().__init__()
        self._total = total
        self._last: object = None

    def __enter__(self) -> Self:
        return self

    def job(self, job: Job) -> None:
        self._jobs[job.id] = job
        if self._total > 1 or job.status in TERMINAL:
            return
        tenths = None if job.progress is None else int(job.progress * 10)
        self._say((job.status, tenths), job.status if tenths is None else f"{job.status} {tenths * 10} %")

    def counted(self, done: int, failed: int) -> None:
        part = (done + failed) * 20 // self._total
        self._say(part, _count(done, failed, self._total))

    def _say(self, state: object, line: str) -> None:
        if state != self._last:
            self._last = state
            click.echo(line, err=True)

    def result(self, line: str) -> None:
        click.echo(line)

    def note(self, line: str) -> None:
        click.echo(line, err=True)


class _Terminal(_Seen):
    def __init__(self, title: str, total: int) -> None:
        super().__init__()
        self._title = short(title)
        self._total = total
        self._rich: RichProgress | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Bar(ProgressColumn):
            """A bar, and nothing at all where no progress is known."""

            def __init__(self) -> None:
                super().__init__()
                self._bar = BarColumn(bar_width=24)

            def render(self, task: Task) -> Any:
                return Text() if task.total is None else self._bar(task)

        console = Console(stderr=True)
        self._rich = RichProgress(
            SpinnerColumn(style="cyan"),
            TextColumn(escape(self._title)),
            TextColumn("[dim]· {task.description}[/]"),
            Bar(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # a result on its way to a file or a pipe must not be caught and drawn here instead
            redirect_stdout=False,
            redirect_stderr=False,
        )
        many = self._total > 1
        said = _count(0, 0, self._total) if many else "starting"
        self._task = self._rich.add_task(said, total=self._total if many else None)
        self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich.stop()

    def job(self, job: Job) -> None:
        self._jobs[job.id] = job
        if self._rich is None or self._total > 1 or job.status in TERMINAL:
            return
        self._rich.update(self._task, description=job.status)
        if job.progress is not None:
            self._rich.update(self._task, total=1.0, completed=job.progress)

    def counted(self, done: int, failed: int) -> None:
        if self._rich is not None:
            self._rich.update(self._task, description=_count(done, failed, self._total), completed=done + failed)

    def result(self, line: str) -> None:
        if self._rich is not None and sys.stdout.isatty():
            self._above(line)
        else:
            click.echo(line)

    def note(self, line: str) -> None:
        self._above(line)

    def _above(self, line: str) -> None:
        if self._rich is not None:
            self._rich.console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def _count(done: int, failed: int, total: int) -> str:
    return f"{done} of {total} done" + (f", {failed} failed" if failed else "")
