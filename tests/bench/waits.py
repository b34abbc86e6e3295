"""10,000 waits in one process, by list polling in virtual time: memory and CPU time of one wait.

Each job ends as failed, so that no file is fetched: what a saved file costs is in `round_trip.py`. Counted is all from
the moment when the waits begin until the last has ended, less what the service in memory uses itself.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rows import Row, show
from service import Job, Service, account, durations

from genstep import AsyncClient, GenerationFailed
from genstep.testing import run_virtual
from genstep.transport.pacing import Pacer

HERE = Path(__file__)


def client_of(service: Service, folder: Path) -> AsyncClient:
    return AsyncClient(
        account("aivisualstudio"),
        ledger=folder / "ledger.db",
        output=folder / "out",
        _clock=service.clock,
        _network=lambda _: service,
    )


async def submit(service: Service, folder: Path, count: int) -> list[str]:
    """Submit all, in no virtual time at all, so that all are waited for at once; the ids of the requests."""
    async with client_of(service, folder) as client:
        client._session.life.transport.pacer = Pacer(service.clock, None, reserved=0)
        return [(await client.submit(f"picture {number}")).id for number in range(count)]


async def wait(client: AsyncClient, job: str) -> None:
    try:
        await client.wait(job)
    except GenerationFailed:
        return
    raise SystemExit("a job that failed was waited for in vain")


async def measured(service: Service, folder: Path, ids: list[str], how: str) -> dict[str, float]:
    """Wait for all of them at once; ``how`` is cpu, memory or profile."""
    async with client_of(service, folder) as client:
        await wait(client, ids[0])  # loads what is loaded on first use, and opens the ledger
        profile = cProfile.Profile()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, own, before = time.process_time(), service.cpu, service.status
        if how == "memory":
            tracemalloc.start()
        if how == "profile":
            profile.enable()
        await asyncio.gather(*(wait(client, job) for job in ids[1:]))
        profile.disable()
        cpu = time.process_time() - began - (service.cpu - own)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) * (
            1 if sys.platform == "darwin" else 1024
        )
        waited = len(ids) - 1
        if how == "profile":
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
        return {
            "cpu_ms": 1000 * cpu / waited,
            "traced_kb": peak / waited / 1000,
            "resident_kb": grown / waited / 1000,
            "requests": (service.status - before) / waited,
        }


def child(folder: Path, how: str) -> dict[str, float]:
    """Measure in a process of its own, on a copy of the ledger with all jobs in it."""
    own = folder / how
    shutil.copytree(folder / "prepared", own)
    command = [sys.executable, HERE, "--measure", how, str(own)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def prepare(folder: Path, count: int) -> None:
    service = Service(durations(count), fails=True)
    ids = await submit(service, folder, count)
    jobs = [[job.id, job.created, job.due, job.prompt] for job in service.jobs.values()]
    (folder / "jobs.json").write_text(json.dumps({"ids": ids, "jobs": jobs}))


async def again(folder: Path, how: str) -> dict[str, Any]:
    """The same service, as it was after the last submit."""
    kept = json.loads((folder / "jobs.json").read_text())
    service = Service([], fails=True)
    service.jobs = {row[0]: Job(*row) for row in kept["jobs"]}
    return await measured(service, folder, kept["ids"], how)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="show where the CPU time goes instead")
    parser.add_argument("--measure", nargs=2, metavar=("HOW", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(run_virtual(again(Path(given.measure[1]), given.measure[0]))))
        return
    with tempfile.TemporaryDirectory() as name:
        prepared = Path(name, "prepared")
        prepared.mkdir()
        run_virtual(prepare(prepared, given.count + 1))
        if given.profile:
            child(Path(name), "profile")
            return
        with ThreadPoolExecutor(2) as threads:  # each has a core; tracing makes its own process slow
            cpu, memory = threads.map(child, (Path(name), Path(name)), ("cpu", "memory"))
    show(
        [
            Row(
                f"{given.count:,} waits in one process: memory a wait",
                f"{memory['traced_kb']:.1f} kB by Python, {cpu['resident_kb']:.1f} kB resident",
                {},
                "under 20 kB",
                max(memory["traced_kb"], cpu["resident_kb"]) < 20,
            ),
            Row(
                f"{given.count:,} waits in one process: CPU a wait",
                f"{cpu['cpu_ms']:.2f} ms, {cpu['requests']:.2f} requests",
                {},
                "under 1 ms",
                cpu["cpu_ms"] < 1,
            ),
        ]
    )


if __name__ == "__main__":
    main()
