"""Runs ``genstep`` commands in this process, with an empty home of their own, and hands back what a user would see."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import Any

import keyring.backends.fail

from genstep import cli

#: a request that the built-in sandbox answers at once
QUICK = ("--kind", "text", "-O", "seconds=0")
KEYS = {
    "conceptviz": "cvk_fakefakefake3fa9",
    "nanobanana": "fakefakefakefake",
    "aivisualstudio": "avs_live_fakefakefake",
    "imageapi": "sk_fakefakefakefake",
}


@dataclass(frozen=True)
class Ran:
    """An exit code, and what was written to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """``command("generate", "a fox")``; ``home`` and the current folder are below pytest's own."""

    def __init__(self, tmp_path, monkeypatch, capfd):
        self.home = tmp_path / "home"
        self.folder = tmp_path / "work"
        self.folder.mkdir()
        for name in [name for name in os.environ if name.startswith("GENSTEP_") and name != "GENSTEP_HTTP"]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("GENSTEP_HOME", str(self.home))
        monkeypatch.chdir(self.folder)
        log = logging.getLogger("genstep")
        monkeypatch.setattr(log, "handlers", [])
        monkeypatch.setattr(log, "level", logging.NOTSET)
        monkeypatch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: str, stdin: str = "") -> Ran:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capfd.readouterr()
        code = cli.run([str(word) for word in words])
        said = self._capfd.readouterr()
        return Ran(code, said.out, said.err)

    def use(self, slug: str, **settings: str) -> None:
        """Set a provider's variables."""
        values = {"api_key": KEYS[slug], **settings}
        for setting, value in values.items():
            self._monkeypatch.setenv(f"GENSTEP_{slug}_{setting}".upper(), value)
