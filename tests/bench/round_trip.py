"""CPU time of submit, wait and save through genstep, and of the same exchanges by hand with httpx, side by side.

One service on loopback, in a process of its own, answers both: a POST, two looks, and a picture that is written to disk
and synced. Whole threads are counted; blocks of rounds alternate, and medians are compared.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from rows import Row, show

import genstep
from genstep.sandbox import media

#: seconds between two looks, so short that a round is mostly work
PAUSE = 0.01
BLOCK = 5
KEY = "cvk_bench_fake"


class ByHand:
    """What a script does that has no SDK, with one client that it keeps."""

    def __init__(self, url: str, folder: Path) -> None:
        self._client = httpx.AsyncClient(base_url=url + "/api/v1", headers={"Authorization": f"Bearer {KEY}"})
        self._files = httpx.AsyncClient()
        self._folder = folder

    async def round(self, number: int) -> None:
        reply = await self._client.post("/generate", json={"prompt": f"by hand {number}", "quality": "2k"})
        reply.raise_for_status()
        task = reply.json()["taskId"]
        while True:
            await asyncio.sleep(PAUSE)
            reply = await self._client.get(f"/task/{task}")
            reply.raise_for_status()
            if (said := reply.json())["status"] == "completed":
                break
        part = self._folder / f"{number}.part"
        async with self._files.stream("GET", said["images"][0]["url"]) as download:
            download.raise_for_status()
            with part.open("wb") as file:
                async for chunk in download.aiter_bytes():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        part.replace(part.with_suffix(".png"))

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._files.aclose()


class Ours:
    def __init__(self, url: str, folder: Path) -> None:
        account = genstep.Account(
            provider="conceptviz", api_key=KEY, base_url=url + "/api/v1", options={"poll_interval": PAUSE}
        )
        self._client = genstep.AsyncClient(account, ledger=folder / "ledger.db", output=folder)

    async def round(self, number: int) -> None:
        made = await self._client.generate(f"with genstep {number}")
        assert made.assets[0].size

    async def aclose(self) -> None:
        await self._client.aclose()


async def block(work: Callable[[int], Awaitable[None]], first: int) -> float:
    """CPU milliseconds of one round of a block."""
    began = time.process_time()
    for number in range(first, first + BLOCK):
        await work(number)
    return (time.process_time() - began) * 1000 / BLOCK


async def measure(url: str, folder: Path, rounds: int, profile: cProfile.Profile | None) -> dict[str, list[float]]:
    clients = {"genstep": Ours(url, folder), "httpx by hand": ByHand(url, folder)}
    times: dict[str, list[float]] = {name: [] for name in clients}
    try:
        for turn in range(rounds // BLOCK + 1):
            for name, client in clients.items():
                profiled = profile if name == "genstep" and turn else None
                if profiled is not None:
                    profiled.enable()
                taken = await block(client.round, turn * BLOCK)
                if profiled is not None:
                    profiled.disable()
                if turn:  # the first block loads what is loaded on first use
                    times[name].append(taken)
    finally:
        for client in clients.values():
            await client.aclose()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--profile", action="store_true", help="show where the CPU time of the loop's thread goes")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    with tempfile.TemporaryDirectory() as name:
        picture = Path(name, "picture.png")
        picture.write_bytes(media.make("image", "a bench by the sea", seed=1, width=1024, height=1024).data)
        command = [sys.executable, str(Path(__file__).with_name("loopback.py")), str(picture)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loopback:
            assert loopback.stdout is not None
            url = f"http://127.0.0.1:{loopback.stdout.readline().strip()}"
            times = asyncio.run(measure(url, Path(name), given.rounds, profile))
            loopback.communicate()
        size = picture.stat().st_size
    if profile is not None:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    ours, by_hand = (statistics.median(taken) for taken in times.values())
    show(
        [
            Row(
                f"submit, wait and save a picture of {size / 1000:.0f} kB, {given.rounds} rounds: CPU",
                f"{ours:.1f} ms, {ours / by_hand:.2f} x by hand",
                {"httpx by hand": f"{by_hand:.1f} ms"},
                "under 2 x by hand",
                ours < 2 * by_hand,
            )
        ]
    )


if __name__ == "__main__":
    main()
