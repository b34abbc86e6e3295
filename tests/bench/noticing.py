"""How often each strategy asks for one job, and how late it notices the end: the same seeded jobs, in virtual time."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple

from rows import Row, show
from service import Service, account, durations

from genstep import AsyncClient
from genstep.testing import run_virtual

JOBS = 200
LEARNED = 20
TAKES = durations(JOBS)


class Cost(NamedTuple):
    """Status requests a job; seconds from the end of a job until it was known, the mean and the 95th percentile."""

    requests: float
    mean: float
    p95: float

    def __str__(self) -> str:
        return f"{self.requests:.1f} requests, {self.mean:.2f} s ({self.p95:.2f} s)"


def cost(requests: list[int], late: list[float]) -> Cost:
    return Cost(statistics.fmean(requests), statistics.fmean(late), statistics.quantiles(late, n=20)[-1])


def of_loop(gaps: Callable[[], Iterator[float]], *, at_once: bool) -> Cost:
    """A loop that sleeps for these gaps between its requests; some ask at once, others sleep first."""
    asked, late = [], []
    for takes in TAKES:
        moment, requests = 0.0, 1 if at_once else 0
        for gap in gaps():
            moment += gap
            requests += 1
            if moment >= takes:
                break
        asked.append(requests)
        late.append(moment - takes)
    return cost(asked, late)


#: as ConceptViz's document, fal-client 1.0.3 and replicate 1.0.7 do it, and the backoff that many write themselves
LOOPS = {
    "the document's loop, 5 s": of_loop(lambda: repeat(5.0), at_once=True),
    "fal-client's 0.1 s": of_loop(lambda: repeat(0.1), at_once=True),
    "replicate's 0.5 s": of_loop(lambda: repeat(0.5), at_once=False),
    "backoff 1 s x 1.5 up to 10 s": of_loop(lambda: (min(10.0, 1.5**n) for n in count()), at_once=False),
}


async def ours(takes: list[float], folder: Path) -> tuple[list[int], list[float]]:
    """Requests and seconds of each job, one at a time by one client, on the ledger of ``folder``."""
    service = Service(takes)
    asked, late = [], []
    async with AsyncClient(
        account("conceptviz"),
        ledger=folder / "ledger.db",
        output=folder,
        _clock=service.clock,
        _network=lambda _: service,
    ) as client:
        for number in range(len(takes)):
            before = service.status
            made = await client.generate(f"picture {number}")
            late.append(service.clock.time() - service.jobs[made.job_ids[0]].due)
            asked.append(service.status - before)
    return asked, late


def unlearned(folder: Path) -> Cost:
    """Each job on a ledger of its own: only what the provider declares is known."""
    asked, late = [], []
    for number, takes in enumerate(TAKES):
        requests, seconds = run_virtual(ours([takes], folder / f"{number}"))
        asked += requests
        late += seconds
    return cost(asked, late)


def learned(folder: Path) -> Cost:
    """All jobs on one ledger, after 20 others."""
    asked, late = run_virtual(ours([*durations(LEARNED, seed=1), *TAKES], folder / "learned"))
    return cost(asked[LEARNED:], late[LEARNED:])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        first, later = unlearned(Path(name)), learned(Path(name))
    loop = LOOPS["the document's loop, 5 s"]
    aim = f"{loop.requests * 2 / 3:.1f} requests, {loop.mean:.2f} s"
    rows = []
    for label, found in (("nothing learned yet", first), (f"{LEARNED} jobs learned", later)):
        met = found.requests <= loop.requests * 2 / 3 and found.mean <= loop.mean
        measure = f"one job at a time: status requests a job, mean notice latency (95th percentile); {label}"
        rows.append(Row(measure, str(found), {k: str(v) for k, v in LOOPS.items()} if not rows else {}, aim, met))
    show(rows)


if __name__ == "__main__":
    main()
