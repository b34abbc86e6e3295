"""How long a script takes from its start to the first byte on the wire: genstep, by hand, and openai's SDK."""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rows import Row, show

BY_HAND = """
import sys
import httpx
from pydantic import BaseModel

class Generate(BaseModel):
    prompt: str
    quality: str = "2k"
    aspectRatio: str = "16:9"

class Accepted(BaseModel):
    taskId: str
    credits_used: int
    credits_remaining: int

reply = httpx.post(
    sys.argv[1] + "/api/v1/generate",
    headers={"Authorization": "Bearer cvk_bench_fake"},
    json=Generate(prompt=sys.argv[2]).model_dump(),
)
reply.raise_for_status()
assert Accepted.model_validate(reply.json()).taskId
"""

GENSTEP = """
import sys
import genstep

account = genstep.Account(provider="conceptviz", api_key="cvk_bench_fake", base_url=sys.argv[1] + "/api/v1")
with genstep.Client(account=account) as client:
    assert client.submit(sys.argv[2], quality="2k", aspect_ratio="16:9").id
"""

OPENAI = """
import sys
import openai

client = openai.OpenAI(api_key="sk-bench-fake", base_url=sys.argv[1] + "/v1", max_retries=0)
assert client.images.generate(model="any", prompt=sys.argv[2]).data
"""

HAND = "httpx + pydantic by hand"
SCRIPTS = {HAND: BY_HAND, "genstep": GENSTEP, "openai": OPENAI}

REPLIES = {
    "POST /api/v1/generate": {
        "taskId": "bench",
        "task_id": "bench",
        "status": "pending",
        "credits_used": 1,
        "credits_remaining": 99,
        "poll_url": "/api/v1/task/bench",
    },
    "POST /v1/images/generations": {"created": 0, "data": [{"b64_json": "AAAA"}]},
}


def answer(connection: socket.socket) -> float:
    """Take one request whole, answer it, and return the moment its first byte was there."""
    with connection:
        connection.settimeout(30)
        received = connection.recv(1)
        arrived = time.perf_counter()
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        method, path, *_ = head.decode().split()
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        if f"{method} {path}" not in REPLIES:
            raise SystemExit(f"nobody was to ask for {method} {path}")
        reply = json.dumps(REPLIES[f"{method} {path}"]).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(reply), reply)
        )
        return arrived


def run(script: str, prompt: str, home: Path) -> float:
    """Start the script, serve its one request, and return the seconds from its start to the request's first byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # The caller's keys, proxies and PYTHON* variables have no say.
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GENSTEP_HOME": str(home / "genstep")}
        command = [sys.executable, "-c", script, url, prompt]
        started = time.perf_counter()
        with subprocess.Popen(command, env=environment, cwd=home, stdin=subprocess.DEVNULL) as child:
            try:
                connection, _ = listener.accept()
                arrived = answer(connection)
                code = child.wait(timeout=60)
            except BaseException:
                child.kill()
                raise
        if code:
            raise SystemExit(f"the script failed with exit code {code}:\n{script}")
        return arrived - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    times = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        used = Path(folder, "used")
        used.mkdir()
        for script in SCRIPTS.values():  # writes bytecode, and gives genstep the ledger that its users have
            run(script, "a first prompt", used)
        for turn in range(rounds):
            for name, script in SCRIPTS.items():
                home = Path(folder, "home")
                shutil.copytree(used, home)
                times[name].append(run(script, f"prompt {turn}", home))
                shutil.rmtree(home)

    medians = {name: statistics.median(taken) * 1000 for name, taken in times.items()}
    ratio = medians["genstep"] / medians[HAND]
    show(
        [
            Row(
                f"process start to the first byte on the wire, {rounds} rounds",
                f"{medians['genstep']:.0f} ms, {ratio:.2f} x by hand",
                {name: f"{median:.0f} ms" for name, median in medians.items() if name != "genstep"},
                "1.3 x by hand, and before openai",
                ratio <= 1.3 and medians["genstep"] < medians["openai"],
            )
        ]
    )


if __name__ == "__main__":
    main()
