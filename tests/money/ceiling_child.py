"""One process of the ceiling suite: buys so many pictures as soon as it is told to, and says what became of each.

ceiling_child.py BASE_URL LEDGER OUTPUT ACCOUNT NUMBER CALLS CEILING WAY

WAY is "generate" (one by one), "map" (all at once), or "pairs" (``n=2``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import genstep
import genstep.client
import genstep.transport.http  # before the start, so that all start at once

#: pictures of one call of the verb
EACH = {"generate": 1, "map": 1, "pairs": 2}
KEYS = {"studio": "avs_live_fake00000001", "atelier": "avs_live_fake00000002"}


def bought(client: genstep.Client, way: str, prompts: list[str]) -> Iterator[genstep.Generation | genstep.GenstepError]:
    if way == "map":
        yield from client.map(prompts, timeout=150)
        return
    for prompt in prompts:
        try:
            yield client.generate(prompt, n=EACH[way], timeout=150)
        except genstep.GenstepError as error:
            yield error


def main() -> None:
    base_url, ledger, output, name, number, calls, ceiling, way = sys.argv[1:]
    account = genstep.Account(
        provider="aivisualstudio", api_key=KEYS[name], base_url=base_url, name=name, daily_credits=float(ceiling)
    )
    with genstep.Client(account, ledger=ledger, output=output) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        for one in bought(client, way, [f"picture {call} of process {number}" for call in range(int(calls))]):
            if isinstance(one, genstep.GenstepError):
                print(*[type(one).__name__] * EACH[way], flush=True)
            else:
                print(*["completed"] * len(one.assets), *[type(error).__name__ for error in one.failures], flush=True)


if __name__ == "__main__":
    main()
