"""Writes down all that a program could write down of a run: the log at DEBUG, every result, every error, objects."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pickle
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Everything(logging.Formatter):
    """The line, and the record itself, as a structured log would have it."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)}\n    {vars(record)!r}"


def log_everything(path: Path) -> None:
    """Every logger there is, from the lowest level on, into a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(Everything("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=1, handlers=[handler], force=True)
    logging.captureWarnings(True)


class Notes:
    """``notes.step("402", work)`` runs ``work`` and writes what it gave, or how it failed, into files of that name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        #: what became of each step: the name of the type of its result or error
        self.outcomes: dict[str, str] = {}

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        from genstep.errors import GenstepError

        try:
            result = work()
        except GenstepError as error:
            self.error(name, error)
            self.outcomes[name] = type(error).__name__
            return error
        for number, each in enumerate(result if isinstance(result, list) else [result]):
            self.thing(name, each)
            for error in (each, *getattr(each, "failures", ())):
                if isinstance(error, BaseException):
                    self.error(f"{name}-{number}", error)
        self.outcomes[name] = getattr(result, "status", None) or type(result).__name__
        return result

    def error(self, name: str, error: BaseException) -> None:
        self.thing(name, error)
        told = "".join(traceback.format_exception(error))
        # as IPython and error trackers do
        told += "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        chain = []
        at: BaseException | None = error
        while at is not None:
            chain.append(f"{at!r} {at.args!r} {vars(at)!r}")
            # what a traceback leaves out is still on the error, for a tool that looks
            at = at.__cause__ or at.__context__
        self.write(f"{name}.traceback", told + "\n".join(chain))

    def thing(self, name: str, thing: Any) -> None:
        said = [str(thing), repr(thing), f"{thing!s:.2000}"]
        forms = ("to_dict", "to_json", "model_dump", "model_dump_json")
        said += [repr(getattr(thing, form)()) for form in forms if hasattr(thing, form)]
        if hasattr(thing, "model_dump"):
            said.append(repr(thing.model_dump(mode="json")))
        if dataclasses.is_dataclass(thing) and not hasattr(thing, "secret"):
            said.append(json.dumps(dataclasses.asdict(thing), default=str))
        self.write(f"{name}.txt", "\n".join(said))
        if not hasattr(thing, "secrets") and not hasattr(thing, "secret"):  # an account or webhook is its secrets too
            (self._folder / f"{name}.pickle").write_bytes(pickle.dumps(thing))

    def write(self, name: str, text: str) -> None:
        with (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def control(path: str, method: str = "POST", /, **body: Any) -> None:
    """Steer the server."""
    headers = {"X-Genstep-Control": "1", "Content-Type": "application/json"}
    url = os.environ["WORLD"] + "/control/" + path
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    urllib.request.urlopen(request, timeout=20).close()


def fault(kind: str, slug: str, **details: Any) -> None:
    control("faults", kind=kind, slug=slug, **details)


def all_struck() -> None:
    """Every fault that was set has struck, or a step would have tested nothing; those that go on end here."""
    with urllib.request.urlopen(os.environ["WORLD"] + "/control/faults", timeout=20) as reply:
        left = json.load(reply)
    assert all(one["struck"] and one["times"] is None for one in left), left
    if left:
        control("faults", "DELETE")
