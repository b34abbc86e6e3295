"""Many jobs under a limit of 60 requests a minute: how long they take in all, beside what the limit itself costs."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rows import Row, show
from service import Service, account, durations

from genstep import AsyncClient, GenstepError
from genstep.sandbox.server.webhooks import signature, stringify
from genstep.testing import run_virtual

COUNTS = (100, 300, 1000)
LIMIT, WINDOW = 60, 60.0
#: a list every 6 s notices 3 s late on average
LISTS = 10
SECRET = "whsec_bench_fake"


class Run(NamedTuple):
    """Seconds until all were noticed, status requests a job, mean seconds from a job's end until it was noticed."""

    makespan: float
    requests: float
    late: float
    refused: int


def bound(takes: list[float], lists: int) -> float:
    """The end of the last job where each window's requests, less the lists, submit as soon as it opens."""
    each = LIMIT - lists
    return max(WINDOW * (number // each) + seconds for number, seconds in enumerate(takes))


async def ours(takes: list[float], folder: Path, *, webhooks: bool) -> Run:
    hooks = {"webhook_url": "https://receiver.example/hook", "webhook_secret": SECRET} if webhooks else {}
    service = Service(takes, per_minute=LIMIT)
    clock = service.clock
    began = clock.time()
    late = []
    async with AsyncClient(
        account("aivisualstudio", **hooks),
        ledger=folder / "ledger.db",
        output=folder,
        _clock=clock,
        _network=lambda _: service,
    ) as client:
        deliveries = asyncio.create_task(deliver(service, client)) if webhooks else None
        async for made in client.map([f"picture {n}" for n in range(len(takes))], concurrency=len(takes)):
            if isinstance(made, GenstepError):
                raise made
            late.append(clock.time() - service.jobs[made.job_ids[0]].due)
        took = clock.time() - began
        if deliveries is not None:
            await deliveries
    return Run(took, service.status / len(takes), statistics.fmean(late), service.refused)


async def deliver(service: Service, client: AsyncClient) -> None:
    """What the service and the receiver of its webhooks do: one signed delivery at the end of each job."""

    async def one(job_id: str) -> None:
        job = service.jobs[job_id]
        await service.clock.sleep(job.due - service.clock.time())
        now = service.clock.time()
        data = service.record(job, now)
        body = stringify({"event": "generation.completed", "data": data, "created_at": data["completed_at"]})
        await client.deliver(body, signature(SECRET, int(now), body))

    async with asyncio.TaskGroup() as group:
        seen = 0
        while seen < len(service.takes):
            for job_id in list(service.jobs)[seen:]:
                group.create_task(one(job_id))
            seen = len(service.jobs)
            await service.clock.sleep(1.0)


async def by_hand(takes: list[float]) -> Run:
    """The document's loop, once for each job and all at a time; after a refusal it waits for the window's end."""
    service = Service(takes, per_minute=LIMIT)
    clock = service.clock
    began = clock.time()
    late = []

    async def ask(method: str, path: str, body: bytes | None = None) -> dict[str, object]:
        while (reply := service.answer(method, path, body=body)).status == 429:
            await clock.sleep(float(reply.headers["x-ratelimit-reset"]) - clock.time())
        return reply.data

    async def one() -> None:
        job = service.jobs[str((await ask("POST", "/generate/image", b"{}"))["id"])]
        while (await ask("GET", f"/generations/{job.id}"))["status"] == "processing":
            await clock.sleep(5.0)
        late.append(clock.time() - job.due)

    await asyncio.gather(*(one() for _ in takes))
    return Run(clock.time() - began, service.status / len(takes), statistics.fmean(late), service.refused)


def main() -> None:
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()] or COUNTS
    spans, requests, hooked = [], [], []
    for count in counts:
        takes = durations(count)
        with tempfile.TemporaryDirectory() as name:
            listed = run_virtual(ours(takes, Path(name), webhooks=False))
        with tempfile.TemporaryDirectory() as name:
            told = run_virtual(ours(takes, Path(name), webhooks=True))
        loop = run_virtual(by_hand(takes))
        least, alone = bound(takes, LISTS), bound(takes, 0)
        others = {
            "bound": f"{least:.0f} s",
            "the document's loop": f"{loop.makespan:.0f} s, {loop.requests:.1f} requests, {loop.late:.1f} s late",
        }
        spans.append(
            Row(
                f"{count} jobs under 60 requests a minute: makespan",
                f"{listed.makespan:.0f} s, {listed.makespan / least:.3f} of the bound, {listed.late:.1f} s late",
                others,
                "within 5 % of the bound",
                listed.makespan <= 1.05 * least,
            )
        )
        requests.append(
            Row(
                f"{count} jobs, the same run: status requests a job",
                f"{listed.requests:.2f}, {listed.refused} refused",
                {"the document's loop": f"{loop.requests:.2f}, {loop.refused} refused"},
                "under 0.5",
                listed.requests < 0.5,
            )
        )
        hooked.append(
            Row(
                f"{count} jobs with verified webhooks: makespan",
                f"{told.makespan:.0f} s, {told.makespan / alone:.3f} of the bound, "
                f"{told.late:.1f} s late, {told.requests:.2f} requests",
                {"bound, submits alone": f"{alone:.0f} s"},
                "within 5 % of the bound",
                told.makespan <= 1.05 * alone,
            )
        )
    show([*requests, *spans, *hooked])


if __name__ == "__main__":
    main()
