"""What an import costs: CPU time beyond a bare interpreter, ours beside other SDKs', medians of interleaved rounds."""

import argparse
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from rows import Row, show

HERE = Path(sys.executable)
# The caller's settings have no say; litellm's keeps it from asking a server for prices while it is imported.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
LITELLM = Path(sys.prefix).with_name("bench-litellm") / "bin" / "python"


class Case(NamedTuple):
    label: str
    code: str
    python: Path = HERE


BARE = Case("bare interpreter", "pass")
CASES = (
    BARE,
    Case("genstep", "import genstep"),
    Case("huggingface_hub", "import huggingface_hub"),
    Case("fal_client", "import fal_client"),
    Case("replicate", "import replicate"),
    Case("openai", "import openai"),
    Case("litellm", "import litellm", LITELLM),
    # Two of these packages load themselves on first use, so the import alone tells half of it.
    Case("genstep.Client", "import genstep; genstep.Client"),
    Case("huggingface_hub.InferenceClient", "import huggingface_hub; huggingface_hub.InferenceClient"),
    Case("openai.OpenAI", "import openai; openai.OpenAI"),
    # What a client made of these two libraries cannot go below.
    Case("httpx + one pydantic model", "import httpx, pydantic; type('M', (pydantic.BaseModel,), {})"),
)


class Cost(NamedTuple):
    cpu_ms: float
    memory_mb: float


def measure(case: Case) -> Cost:
    """Run the case in a process of its own and read from the kernel what that process used."""
    child = subprocess.Popen([case.python, "-P", "-c", case.code], env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{case.label}: `{case.code}` failed with exit code {child.returncode}")
    megabyte = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts in bytes, Linux in KiB
    return Cost((used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss / megabyte)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds

    costs = defaultdict(list)
    for turn in range(rounds + 1):
        for case in CASES:
            cost = measure(case)
            if turn:  # the first turn only warms the disk cache and writes bytecode
                costs[case].append(cost)

    bare = statistics.median(cost.cpu_ms for cost in costs[BARE])
    net = {case.label: statistics.median(cost.cpu_ms for cost in costs[case]) - bare for case in CASES[1:]}
    resident = {case.label: statistics.median(cost.memory_mb for cost in costs[case]) for case in CASES[1:]}
    texts = {label: f"{net[label]:.0f} ms, {resident[label]:.0f} MB" for label in net}
    first = ("genstep.Client", "huggingface_hub.InferenceClient", "openai.OpenAI", "httpx + one pydantic model")
    show(
        [
            Row(
                "import: CPU beyond a bare interpreter, memory",
                texts["genstep"],
                {label: text for label, text in texts.items() if label not in (*first, "genstep")},
                "within 30 ms",
                net["genstep"] <= 30,
            ),
            Row(
                "import and the first use: CPU, memory",
                texts["genstep.Client"],
                {label: texts[label] for label in first[1:]},
            ),
        ]
    )


if __name__ == "__main__":
    main()
