"""Every code sample of the documents runs against the sandbox server, and prints what its reader hopes for.

Only the scheme and host and the reader's credentials are replaced. The samples that wait between two polls (2 or 5 real
seconds) are started together and ahead; the others run when their test asks for them.
"""

import ast
import io
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from tests.documents.samples.assemble import Sample, load_samples
from tests.documents.samples.run import missing, run

from genstep.sandbox.server import SandboxServer

SAMPLES = {str(sample): sample for sample in load_samples()}
CREDENTIALS = {
    "conceptviz": {"cvk_your_api_key_here": "cvk_fake_reader"},
    "nanobanana": {"YOUR_API_KEY": "fake-nanobanana-reader", "your_api_key_here": "fake-nanobanana-reader"},
    "imaginelab": {"you@example.com": "reader@example.com", "YOUR_PASSWORD": "fake-password"},
    "aivisualstudio": {"avs_live_your_api_key": "avs_live_fake_reader"},
    "imageapi": {"YOUR_API_KEY": "sk_fake_reader"},
}


class Desk:
    """A reader's desk: writes a sample for this sandbox, runs it, and keeps what it printed."""

    def __init__(self, server: SandboxServer, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.server = server
        self._folder = folder
        self._pool = pool
        self._ahead: dict[str, Future[subprocess.CompletedProcess[str]]] = {}

    def start(self, sample: Sample) -> None:
        """Run a sample ahead of its test, beside others."""
        self._ahead[str(sample)] = self._pool.submit(self._run, sample, {})

    def printed(self, name: str, **credentials: str) -> str:
        """What the sample printed; it must end with exit code 0, and only curl may write to standard error."""
        sample = SAMPLES[name]
        if absent := missing(sample):
            pytest.skip(f"{' and '.join(absent)} not installed: the sample {name} is not run")
        done = self._ahead[name].result() if name in self._ahead else self._run(sample, credentials)
        assert done.returncode == 0, done.stderr
        assert sample.language == "bash" or done.stderr == ""
        return done.stdout

    def _run(self, sample: Sample, credentials: dict[str, str]) -> subprocess.CompletedProcess[str]:
        words = {**CREDENTIALS[sample.slug], **credentials}
        return run(sample.write(self._folder, self.server.base(sample.slug), words))

    def picture(self, url: str) -> str | None:
        """Download a picture that a sample printed, as a browser would; its format, e.g. "PNG"."""
        assert url.startswith(f"{self.server.url}/")
        reply = requests.get(url, timeout=30)
        assert reply.status_code == 200
        with Image.open(io.BytesIO(reply.content)) as picture:
            picture.load()
            return picture.format


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with (
        SandboxServer(speed=200, long_side=256, link_seconds=720_000) as server,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):
        desk = Desk(server, tmp_path_factory.mktemp("samples"), pool)
        for sample in SAMPLES.values():
            waits = "sleep" in sample.text or "setTimeout" in sample.text
            if waits and not missing(sample):
                desk.start(sample)
        yield desk


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


# --- conceptviz


def test_conceptviz_curl(desk: Desk) -> None:
    printed = desk.printed("conceptviz.curl")
    assert re.match(r"Task ID: \S+\nStatus: ", printed)
    result = json.loads(printed.rpartition("Status: completed\n")[2])
    assert result["status"] == "completed"
    [image] = result["images"]
    assert image["prompt"] == "water cycle diagram showing evaporation, condensation, and precipitation"
    assert desk.picture(image["url"]) == "PNG"


def test_conceptviz_python(desk: Desk) -> None:
    printed = desk.printed("conceptviz.python")
    assert re.match(r"Task submitted: \S+\nCredits used: 1, remaining: \d+\nStatus: ", printed)
    assert "Status: completed\n" in printed
    assert desk.picture(found(r"\nImage URL: (\S+)\n$", printed)) == "PNG"


def test_conceptviz_javascript(desk: Desk) -> None:
    printed = desk.printed("conceptviz.javascript")
    assert re.match(r"Task: \S+, credits used: 2\nStatus: ", printed)
    shown = printed.partition("Status: completed\nImages: ")[2]
    urls = re.findall(r"url: '(\S+)'", shown)
    assert [desk.picture(url) for url in urls] == ["PNG", "PNG"]
    assert re.findall(r"prompt: '(.+)'", shown) == ["cell division mitosis diagram", "DNA double helix structure"]


def test_conceptviz_python_errors(desk: Desk) -> None:
    name, word = "conceptviz.python-errors", "cvk_your_api_key_here"
    assert desk.printed(name) == ""
    assert re.fullmatch(r"Error: \S.*\n", desk.printed(name, **{word: "cvk_fake_revoked"}))
    desk.server.control.set_credits("conceptviz", 0, "cvk_fake_poor")
    assert desk.printed(name, **{word: "cvk_fake_poor"}) == "Not enough credits. Remaining: 0\n"


# --- nanobanana


def test_nanobanana_python(desk: Desk) -> None:
    assert desk.picture(found(r"^Image generated: (\S+)\n$", desk.printed("nanobanana.python"))) == "PNG"


def test_nanobanana_javascript(desk: Desk) -> None:
    assert desk.picture(found(r"^Image URL: (\S+)\n$", desk.printed("nanobanana.javascript"))) == "PNG"


def test_nanobanana_curl(desk: Desk) -> None:
    reply = json.loads(desk.printed("nanobanana.curl"))
    assert reply["success"] is True
    [image] = reply["data"]["images"]
    assert image["content_type"] == "image/webp"
    assert desk.picture(image["url"]) == "WEBP"


# --- imaginelab


def test_imaginelab_curl(desk: Desk) -> None:
    login = json.loads(desk.printed("imaginelab.login-curl"))
    assert login["token_type"] == "bearer"
    created = json.loads(desk.printed("imaginelab.create-curl", YOUR_ACCESS_TOKEN=login["access_token"]))
    assert (created["status"], created["prompt"]) == ("pending", "A neon city skyline at dusk")


def test_imaginelab_python(desk: Desk) -> None:
    [url] = ast.literal_eval(desk.printed("imaginelab.python"))
    assert desk.picture(url) == "PNG"


# --- aivisualstudio


def test_aivisualstudio_image_is_accepted_and_then_listed(desk: Desk) -> None:
    accepted = json.loads(desk.printed("aivisualstudio.image-curl"))
    assert (accepted["status"], accepted["type"], accepted["credits_charged"]) == ("processing", "image", 5)
    listed = json.loads(desk.printed("aivisualstudio.list-curl"))
    assert accepted["id"] in [generation["id"] for generation in listed["data"]]


def test_aivisualstudio_video_is_accepted(desk: Desk) -> None:
    accepted = json.loads(desk.printed("aivisualstudio.video-curl"))
    assert (accepted["status"], accepted["type"]) == ("processing", "video")
    assert accepted["prompt"] == "A spaceship flying through an asteroid field"


def test_aivisualstudio_webhook_is_created(desk: Desk) -> None:
    created = json.loads(desk.printed("aivisualstudio.webhook-curl"))
    assert created["url"] == "https://your-app.com/webhooks/photoverse"
    assert created["events"] == ["generation.completed", "generation.failed"]


# --- imageapi


@pytest.mark.parametrize("name", ["imageapi.quick-start-curl", "imageapi.generate-curl", "imageapi.browser-javascript"])
def test_imageapi_generate(desk: Desk, name: str) -> None:
    reply = json.loads(desk.printed(name))
    assert reply["success"] is True
    assert reply["data"]["model"] == "flux-schnell"
    assert desk.picture(reply["data"]["image"]) == "PNG"


def test_imageapi_batch(desk: Desk) -> None:
    results = json.loads(desk.printed("imageapi.batch-curl"))["data"]["results"]
    assert [result["success"] for result in results] == [True, True]
    assert [desk.picture(result["image"]) for result in results] == ["PNG", "PNG"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("imageapi.enhance-curl", ["robot reading a book"]), ("imageapi.build-curl", ["fox", "watercolor"])],
)
def test_imageapi_writes_a_prompt(desk: Desk, name: str, words: list[str]) -> None:
    reply = json.loads(desk.printed(name))
    assert reply["success"] is True
    assert [word for word in words if word not in reply["data"]["prompt"]] == []


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("imageapi.models-curl", "flux-2-klein-9b"),
        ("imageapi.usage-curl", "remaining_month"),
        ("imageapi.health-curl", "healthy"),
    ],
)
def test_imageapi_says_what_it_is_asked(desk: Desk, name: str, word: str) -> None:
    printed = desk.printed(name)
    reply: Any = json.loads(printed)
    assert "error" not in reply
    assert f'"{word}"' in printed
