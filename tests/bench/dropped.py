"""What each client sends when a service takes the paid request and its answer is lost: POSTs for one submit.

Every answer is lost, so a client that sends again does so as often as its own settings let it.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rows import Row, show

CALLS = 100
LITELLM = Path(sys.prefix).with_name("bench-litellm") / "bin" / "python"

#: each script submits once for each of its threads; the last word is the base URL
TOGETHER = """
import sys
from concurrent.futures import ThreadPoolExecutor

def tried(number):
    try:
        submit(number)
    except Exception as error:
        return type(error).__name__
    raise SystemExit("an answer that was dropped came")

with ThreadPoolExecutor({calls}) as threads:
    print(sorted(set(threads.map(tried, range({calls})))), file=sys.stderr)
"""

GENSTEP = """
import asyncio, sys
import genstep
from genstep.testing import FastClock

async def main():
    account = genstep.Account(provider="{provider}", api_key="{key}", base_url=sys.argv[1] + "/api/v1")
    home, clock = sys.argv[2], FastClock(60)  # 60 requests a minute are the limit of one of the two
    async with genstep.AsyncClient(account, ledger=home + "/ledger.db", output=home, _clock=clock) as client:
        found = await asyncio.gather(
            *(client.submit("prompt %d" % n) for n in range({calls})), return_exceptions=True
        )
    assert all(isinstance(error, genstep.SubmissionUncertain) for error in found), found

asyncio.run(main())
"""

FAL = """
import sys
import fal_client.client

fal_client.client.QUEUE_URL_FORMAT = sys.argv[1] + "/"  # it has https:// built in
client = fal_client.SyncClient(key="fake-bench-key")

def submit(number):
    client.submit("any/model", arguments={"prompt": "prompt %d" % number})
"""

OPENAI = """
import sys
import openai

client = openai.OpenAI(api_key="sk-bench-fake", base_url=sys.argv[1] + "/v1")

def submit(number):
    client.images.generate(model="any", prompt="prompt %d" % number)
"""

REPLICATE = """
import sys
import replicate

client = replicate.Client(api_token="r8_bench_fake", base_url=sys.argv[1])

def submit(number):
    client.predictions.create(version="0" * 64, input={"prompt": "prompt %d" % number})
"""

LITE = """
import sys
import litellm

def submit(number):
    litellm.image_generation(
        model="openai/any", prompt="prompt %d" % number, api_key="sk-bench-fake", api_base=sys.argv[1] + "/v1"
    )
"""


class Case(NamedTuple):
    label: str
    script: str
    python: Path = Path(sys.executable)


def ours(label: str, provider: str, key: str) -> Case:
    return Case(label, GENSTEP.format(provider=provider, key=key, calls=CALLS))


OURS = (
    ours("no list", "conceptviz", "cvk_bench_fake"),
    ours("with a list", "aivisualstudio", "avs_live_bench_fake"),
)
PEERS = (
    Case("fal-client", FAL + TOGETHER.format(calls=CALLS)),
    Case("openai", OPENAI + TOGETHER.format(calls=CALLS)),
    Case("replicate", REPLICATE + TOGETHER.format(calls=CALLS)),
    Case("litellm", LITE + TOGETHER.format(calls=CALLS), LITELLM),
)


def posts(case: Case) -> float:
    """POSTs for one submit, of CALLS that are made at the same time."""
    with tempfile.TemporaryDirectory() as home:
        # The caller's keys, proxies and PYTHON* variables have no say.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "GENSTEP_HOME": home,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        server = [sys.executable, str(Path(__file__).with_name("loopback.py")), "--drops"]
        with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loopback:
            assert loopback.stdout is not None
            url = f"http://127.0.0.1:{loopback.stdout.readline().strip()}"
            try:
                subprocess.run(
                    [case.python, "-P", "-c", case.script, url, home],
                    check=True,
                    env=environment,
                    cwd=home,
                    capture_output=True,
                    timeout=180,
                )
            except subprocess.CalledProcessError as error:
                raise SystemExit(f"{case.label}:\n{error.stderr.decode()}") from None
            counted, _ = loopback.communicate()
    return int(counted) / CALLS


def main() -> None:
    cases = (*OURS, *PEERS)
    with ThreadPoolExecutor(len(cases)) as threads:  # most of it is their pauses
        counted = dict(zip([case.label for case in cases], threads.map(posts, cases), strict=True))
    show(
        [
            Row(
                f"{CALLS} submits to a service that drops every answer: paid requests for each",
                ", ".join(f"{counted[case.label]:.2f} {case.label}" for case in OURS),
                {case.label: f"{counted[case.label]:.2f}" for case in PEERS},
                "1 each",
                all(counted[case.label] == 1 for case in OURS),
            )
        ]
    )


if __name__ == "__main__":
    main()
