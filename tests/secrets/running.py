"""Starts a run in a process of its own: everything that it may write to is below one folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.secrets.canaries import LINK_TOKEN, WEBHOOK_SECRET, WRONG, Canaries
from tests.secrets.world import World

RUNS = Path(__file__).parent / "runs"
SECONDS = 100


class Home:
    """A folder with everything of a user: home, state, output, temporary files, and where the run's notes go."""

    def __init__(self, folder: Path, world: World, canaries: Canaries) -> None:
        self.folder = folder
        self.work = folder / "work"
        for name in ("work", "home", "state", "tmp"):
            (folder / name).mkdir(parents=True)
        self.world = world
        self.canaries = canaries

    def environment(self) -> dict[str, str]:
        """The account's variables, where everything is, and nothing of the caller's own."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "GENSTEP_HTTP") if name in os.environ}
        slug, world = self.canaries.slug, self.world
        prefix = f"GENSTEP_{slug.upper()}"
        hosts = [world.server.asset_url.partition("//")[2], world.friend.host]
        settings = {"BASE_URL": world.server.base(slug), "ALLOWED_HOSTS": ",".join(hosts)}
        if slug == "imaginelab":
            settings["MODEL"] = "seedream-5.0-lite"
        if slug == "aivisualstudio":
            settings["WEBHOOK_SECRET"] = WEBHOOK_SECRET
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "GENSTEP_HOME": str(self.folder / "state"),
            "GENSTEP_OUTPUT": str(self.folder / "output"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SLUG": slug,
            "WRONG": WRONG[slug],
            "LINK_TOKEN": LINK_TOKEN,
            "WORLD": world.server.url,
            "FILES": world.server.asset_url,
            "FRIEND": world.friend.url,
            "STRANGER": world.stranger.url,
            "CLOSED": f"http://127.0.0.1:{_free_port()}",
            "WEBHOOK": f"http://127.0.0.1:{_free_port()}",
            **self.canaries.environment(),
            **{f"{prefix}_{name}": value for name, value in settings.items()},
        }

    def run(self, *words: str, name: str) -> int:
        """Run Python with these words; what it says goes to files in the folder. Its exit code."""
        with (self.work / f"{name}.stdout").open("ab") as out, (self.work / f"{name}.stderr").open("ab") as err:
            done = subprocess.run(
                [sys.executable, "-W", "default", *words],
                cwd=self.work,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=SECONDS,
            )
        return done.returncode


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
