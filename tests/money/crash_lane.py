"""One database of the crash suite: a sandbox server, a ledger, and processes that are killed one after another."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.money.crash_child import FIELDS
from tests.money.crash_moments import BLOCKING, RESUMING, SERVICES, Moment, plan
from tests.money.crash_reckoning import Reckoning, reckon

import genstep
from genstep.client import loop
from genstep.ledger import Ledger
from genstep.models import Job
from genstep.sandbox.server import SandboxServer
from genstep.sandbox.server.app import Event

CHILD = Path(__file__).with_name("crash_child.py")
#: a process that takes longer hangs, which is a failure of its own
PATIENCE = 90.0
#: how often a job is resumed before it counts as lost
RESUMES = 6
MANY = 10**6
SETTINGS = {
    "conceptviz": {"credits": MANY},
    "nanobanana": {"credits": MANY, "per_hour": MANY},
    "imaginelab": {"credits": MANY},
    "aivisualstudio": {"credits": MANY, "per_minute": MANY},
    "imageapi": dict.fromkeys(("credits", "per_minute", "per_day", "per_month", "concurrency"), MANY),
}
KEYS = {
    "GENSTEP_CONCEPTVIZ_API_KEY": "cvk_fakefakefakefake",
    "GENSTEP_NANOBANANA_API_KEY": "fakefakefakefake",
    "GENSTEP_IMAGINELAB_USERNAME": "crash@example.com",
    "GENSTEP_IMAGINELAB_PASSWORD": "fakefakefake",
    "GENSTEP_AIVISUALSTUDIO_API_KEY": "avs_live_fakefakefakefake",
    "GENSTEP_IMAGEAPI_API_KEY": "sk_fakefakefakefake",
}
UNFINISHED = ("pending", "processing")


class Lane:
    """Processes on one ledger (a path or a URL), killed by the server, by themselves, or by the clock."""

    def __init__(self, ledger: str, folder: Path, *, seed: int, start: int = 0) -> None:
        self.folder, self.where = folder, ledger
        self.output = folder / "out"
        self.chance = random.Random(f"{seed} {start}")
        self.plan = plan(random.Random(seed), start)
        self.kills: Counter[str] = Counter()
        self.killed_again = 0
        self.in_open_calls: dict[str, str] = {}
        self.missed: Counter[str] = Counter()
        self.hung: list[str] = []
        self._cycles = 0
        self._began = 0.0
        self._armed: tuple[Moment, subprocess.Popen[str]] | None = None
        self.server = SandboxServer(speed=60, long_side=64, asset_port=0, settings=SETTINGS)

    def run(self, kills: int) -> Reckoning:
        """Kill so many processes, resume what they left until nothing is unfinished, and compare."""
        self.folder.mkdir(parents=True, exist_ok=True)
        account = genstep.Account(provider="sandbox")
        with (
            self.server,
            (self.folder / "said.txt").open("w") as self._said,
            genstep.Client(account, ledger=self.where, output=self.output) as self.reader,
        ):
            self.server.control.on_event(self._event)
            while self.kills.total() < kills:
                self._cycle(*next(self.plan))
            self.server.control.clear()
            self._settle()
            return reckon(self.server, self.reader, self.folder)

    # -- one cycle ------------------------------------------------------------------------------------------------

    def _cycle(self, moment: Moment, slug: str) -> None:
        self._began = time.time()
        self._cycles += 1
        prompt = f"a fox and {self._cycles} hares, by {slug}"
        self._set_the_scene(moment, slug)
        surface = "cli" if not moment.own and self.chance.random() < 0.3 else "api"
        self._process(moment, *self._asking(surface, slug, prompt))
        self.server.control.clear()
        if self.chance.random() < 0.1:
            return  # left alone: the next process of the account, or the end, goes on with it
        again = self.chance.choice(RESUMING) if self.chance.random() < 0.1 else None
        for _ in range(RESUMES):
            job = self._job(prompt)
            if job is not None and job.status not in UNFINISHED and again is None:
                return
            if again is not None:
                self._set_the_scene(again, slug)
            if job is not None and self.chance.random() < 0.1:
                with self._started("-", "cli", "resume", job.id) as beside:
                    self.killed_again += self._process(again, *self._go_on(slug, prompt, job))
                    self._ended(beside)
            else:
                self.killed_again += self._process(again, *self._go_on(slug, prompt, job))
            again = None

    def _set_the_scene(self, moment: Moment, slug: str) -> None:
        control = self.server.control
        control.clear()
        if slug != "nanobanana" and self.chance.random() < 0.08:
            # it counts what it made (document 004), and what failed was not
            control.fault("fail", slug, refund=slug == "imageapi" or self.chance.random() < 0.5)
        if moment.event == "dripping":
            control.fault("drip", "assets", seconds=0.03)
        if slug in BLOCKING and not (moment.own or moment.event):
            control.fault("slow", slug)

    def _asking(self, surface: str, slug: str, prompt: str) -> list[str]:
        if surface == "api":
            return ["api", "generate", slug, prompt]
        fields = [word for name, value in FIELDS[slug].items() for word in (f"--{name}", str(value))]
        return ["cli", "generate", "-p", slug, *fields, "--", prompt]

    def _go_on(self, slug: str, prompt: str, job: Job | None) -> list[str]:
        ways = [self._asking("api", slug, prompt), self._asking("cli", slug, prompt)]
        if job is not None:
            ways += [["api", "resume", slug, job.id]] * 2 + [["cli", "resume", job.id], ["cli", "resume"]]
        return self.chance.choice(ways)

    # -- processes ------------------------------------------------------------------------------------------------

    def _process(self, moment: Moment | None, *words: str) -> bool:
        """Run a process to its end; whether it was killed at the moment."""
        with self._started(moment.own or "-" if moment is not None else "-", *words) as process:
            self._armed = None if moment is None else (moment, process)
            if process.stdout is not None:
                process.stdout.readline()
            if moment is not None and not (moment.own or moment.event):
                self._kill_after(self.chance.uniform(0.0, 0.5), process)
            self._ended(process)
            self._armed = None
        if moment is None:
            return False
        if process.returncode != -signal.SIGKILL:
            self.missed[moment.words] += 1
            return False
        self.kills[moment.words] += 1
        self._look_for_open_calls()
        return True

    def _started(self, own: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(CHILD), own, *words]
        environment = self._environment()
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=self._said
        )

    def _ended(self, process: subprocess.Popen[str]) -> None:
        """Wait for its end; one that hangs is a failure, and killed."""
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.hung.append(" ".join(map(str, process.args[2:])) if isinstance(process.args, list) else "")
            process.kill()

    def _kill_after(self, seconds: float, process: subprocess.Popen[str]) -> None:
        """Kill it then, unless it ends before."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GENSTEP_") or name == "GENSTEP_HTTP"
        }
        return {
            **kept,
            **KEYS,
            **{f"GENSTEP_{slug.upper()}_BASE_URL": self.server.base(slug) for slug in SERVICES},
            **{f"GENSTEP_{slug.upper()}_ALLOWED_HOSTS": "127.0.0.1" for slug in SERVICES},
            "GENSTEP_HOME": str(self.folder / "home"),
            "GENSTEP_LEDGER": self.where,
            "GENSTEP_OUTPUT": str(self.output),
        }

    def _event(self, event: Event) -> None:
        """On the server's thread: kill the process that this is about, if its moment has come."""
        if self._armed is None:
            return
        moment, process = self._armed
        request = "asset" if event.slug == "assets" else "status" if event.method == "GET" else "paid"
        if request != moment.request or "/auth/" in event.path:
            return
        if moment.event == "dripping" and event.name == "received":
            threading.Timer(0.06, process.kill).start()
        elif event.name == moment.event:
            process.kill()
            if moment.lost:
                self.server.control.fault("drop", event.slug)

    # -- what the ledger says ---------------------------------------------------------------------------------------

    def _job(self, prompt: str) -> Job | None:
        return next((job for job in self.reader.jobs(since=self._began) if job.prompt == prompt), None)

    def _look_for_open_calls(self) -> None:
        """Remember the paid calls that a kill has just left between ``sending`` and the answer on disk."""
        answered = {reply.stem for reply in self.folder.rglob("*.reply")}

        def read(ledger: Ledger) -> dict[str, str]:
            calls = [call for row in ledger.requests(since=self._began) for call in ledger.calls(row.id)]
            return {call.id: call.provider for call in calls if call.state == "sending" and call.id not in answered}

        self.in_open_calls.update(loop.run(self.reader._client._session.on_ledger(read)))

    def _settle(self) -> None:
        """``genstep resume`` until nothing is unfinished, as a user would in the end."""
        for _ in range(RESUMES):
            if not any(job.status in UNFINISHED for job in self.reader.jobs()):
                return
            self._process(None, "cli", "resume")
