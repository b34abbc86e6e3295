"""Document 003's own receiver, in node: it takes what genstep signs and the sandbox delivers, and nothing else."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.documents.examples import example
from tests.documents.samples.assemble import Sample, load_samples
from tests.documents.samples.run import command, environment, missing, run

from genstep.errors import WebhookRejected
from genstep.sandbox.server import SandboxServer
from genstep.webhooks import sign, verify

SECRET = "whsec_fake_secret_of_the_tests"
FOREIGN = 'naïve café, 東京 at 🌆 in "quotes" </script>'
SAMPLES = {sample.name: sample for sample in load_samples("aivisualstudio")}

pytestmark = pytest.mark.skipif(
    bool(missing(SAMPLES["receiver-javascript"])),
    reason="node is not installed: document 003's receiver is not run",
)


def compact(payload: object) -> bytes:
    """JSON as the sample serialises it again before it checks."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def verdicts(sample: Sample, folder: Path, cases: list[tuple[bytes, str]]) -> list[bool]:
    path = sample.write(folder, "http://127.0.0.1:9", {})
    given = [{"body": body.decode(), "header": header, "secret": SECRET} for body, header in cases]
    done = run(path, stdin=json.dumps(given))
    assert done.returncode == 0, done.stderr
    said: list[bool] = json.loads(done.stdout)
    return said


def ours(body: bytes, header: str) -> bool:
    try:
        verify(body, header, SECRET)
    except WebhookRejected:
        return False
    return True


def test_the_documents_function_and_ours_agree(tmp_path: Path) -> None:
    body = compact(example("aivisualstudio", "webhook-completed").json)
    foreign = compact(
        {"event": "generation.completed", "data": {"prompt": 'naïve café, 東京 at 🌆 </script> "quoted"'}}
    )
    now = time.time()
    signed = sign(body, SECRET)
    cases = [
        (True, body, signed),
        (True, foreign, sign(foreign, SECRET)),
        (True, body, sign(body, SECRET, now=now - 290)),
        (False, body, sign(body, SECRET, now=now - 310)),
        (False, body, sign(body, SECRET, now=now + 310)),
        (False, body, sign(body, "another secret")),
        (False, body.replace(b"image", b"video", 1), signed),
        (False, body, signed.replace("t=1", "t=2", 1)),
    ]
    expected = [good for good, _, _ in cases]
    assert verdicts(SAMPLES["verify-javascript"], tmp_path, [case[1:] for case in cases]) == expected
    assert [ours(*case[1:]) for case in cases] == expected


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The document's handler, listening; its first line of output is its port."""
    path = SAMPLES["receiver-javascript"].write(tmp_path, "http://127.0.0.1:9", {})
    with subprocess.Popen(
        command(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(tmp_path, WEBHOOK_SECRET=SECRET),
    ) as process:
        yield process
        process.kill()


def answered(server: SandboxServer, count: int) -> list[int]:
    """What the receiver answered to the first deliveries, once there are so many; ten seconds at most."""
    until = time.monotonic() + 10
    while len(log := server.control.deliveries()) < count and time.monotonic() < until:
        pass
    return [delivery.status for delivery in log]


def test_the_documents_receiver_takes_what_the_sandbox_delivers(receiver: subprocess.Popen[str]) -> None:
    assert receiver.stdout is not None
    hook = f"http://127.0.0.1:{int(receiver.stdout.readline())}/webhooks/photoverse"
    request = {**example("aivisualstudio", "image-curl").json, "prompt": "naïve café, 東京 at 🌆"}
    with SandboxServer(speed=1000, webhook_secret=SECRET) as server:
        base, headers = f"{server.url}/aivisualstudio/api/v1", {"Authorization": "Bearer avs_live_fake_receiver"}
        assert requests.post(f"{base}/webhooks", headers=headers, json={"url": hook}, timeout=10).ok
        accepted = requests.post(f"{base}/generate/image", headers=headers, json=request, timeout=10).json()
        assert answered(server, 1) == [200]
        server.control.fault("forged", "aivisualstudio")
        assert requests.post(f"{base}/generate/image", headers=headers, json=request, timeout=10).ok
        assert answered(server, 2)[1] == 401
    printed, complaints = receiver.communicate("")
    assert complaints == ""
    assert printed.count("Received event: generation.completed {") == 1
    assert f"id: '{accepted['id']}'" in printed
    assert "prompt: 'naïve café, 東京 at 🌆'" in printed
