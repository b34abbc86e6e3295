"""One process of the ceiling suite: buys so many pictures as soon as it is told to, and says what became of each.

ceiling_child.py BASE_URL LEDGER OUTPUT NUMBER CALLS CEILING
"""

from __future__ import annotations

import sys

import genstep
import genstep.client
import genstep.transport.http  # before the start, so that all start at once

KEY = "avs_live_fake00000001"


def main() -> None:
    base_url, ledger, output, number, calls, ceiling = sys.argv[1:]
    account = genstep.Account(
        provider="aivisualstudio", api_key=KEY, base_url=base_url, name="studio", daily_credits=float(ceiling)
    )
    with genstep.Client(account, ledger=ledger, output=output) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        for call in range(int(calls)):
            try:
                said = client.generate(f"picture {call} of process {number}", timeout=150).status
            except genstep.GenstepError as error:
                said = type(error).__name__
            print(said, flush=True)


if __name__ == "__main__":
    main()
