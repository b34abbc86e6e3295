"""Whole runs against the five services, each in a process of its own with every log at DEBUG: no secret is anywhere.

Everything that a run writes lands below one folder, which is scanned as soon as the scan has found what was planted in
copies of the run's own files. The folders of other tests are not scanned: their keys are words such as "fake", which
stand in source and messages as well.
"""

import json
import re

import pytest
from tests.secrets import proof
from tests.secrets.canaries import SLUGS, WEBHOOK_SECRET, Canaries
from tests.secrets.running import RUNS, Home
from tests.secrets.world import World

#: steps of runs/api.py that show by their outcome that they were what they are called
OUTCOMES = {
    "one": "completed",
    "several": "completed",
    "map": "list",
    "timeout": "WaitTimeout",
    "resumed": "completed",
    "refused-401": "AuthenticationError",
    "refused-402": "InsufficientCredits",
    "refused-403": "PermissionDenied",
    "refused-page-64": "InvalidRequest",
    "refused-long-280": "InvalidRequest",
    "wrong": "AuthenticationError",
    "lost-500": "SubmissionUncertain",
    "lost-502": "SubmissionUncertain",
    "lost-page": "SubmissionUncertain",
    "lost-drop": "SubmissionUncertain",
    "lost-cut": "SubmissionUncertain",
    "failed": "GenerationFailed",
    "asked-0": "AuthenticationError",
    "asked-1": "InvalidRequest",
    "asked-2": "InvalidRequest",
    "redirect-0": "SubmissionUncertain",
    "redirect-1": "ProviderUnavailable",
    "redirect-2": "ProviderUnavailable",
    "redirect-3": "ProviderUnavailable",
    "asset-of-a-friend": "completed",
    "asset-of-a-stranger": "AssetError",
    "asset-again": "completed",
    "asset-expired": "AssetError",
}
LISTS = ("nanobanana", "imaginelab", "aivisualstudio")
CODES = {
    "variables-generate": 0,
    "variables-401": 2,
    "variables-500": 5,
    "variables-500--json": 5,
    "variables-redirect": 1,
    "variables-doctor": 0,
    "add-pasted": 2,
    "add": 0,
    "file-generate": 0,
    "file-401--json": 2,
    "file-accounts-list": 0,
    "file-accounts-test": 0,
    "debug": 0,
    "debug-500": 5,
}


@pytest.fixture
def world():
    with World(WEBHOOK_SECRET) as world:
        yield world


def at_home(world, tmp_path, slug):
    return Home(tmp_path / "run", world, Canaries(slug))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_program(world, tmp_path, slug):
    home = at_home(world, tmp_path, slug)
    assert home.run(str(RUNS / "api.py"), name="api") == 1
    assert "\ngenstep.errors.SubmissionUncertain: " in (home.work / "api.stderr").read_text()
    outcomes = json.loads((home.work / "outcomes.json").read_text())
    # what a service with a list took is found there
    found = dict.fromkeys(("lost-drop", "lost-cut"), "completed") if slug in LISTS else {}
    assert {step: outcomes[step] for step in OUTCOMES} == {**OUTCOMES, **found}
    for step in ("unreachable-closed", "unreachable-tls"):
        assert outcomes[step] in ("NotSent", "WaitTimeout")  # which of them is a matter of speed
    # the locals of the frame that had the key in hand are there to be scanned
    assert "    token = •••\n" in (home.work / "notes" / "asked-0.traceback").read_text()
    log = (home.work / "everything.log").read_text()
    for name in ("httpx", "httpcore", "genstep.http", "asyncio"):
        assert re.search(rf" (DEBUG|INFO|WARNING) {name}", log), name
    # the friend was led to, and got what anybody gets
    assert [one.target.partition("?")[0] for one in world.friend.seen] == ["/asset.png"]
    proof.check(home, tmp_path / "planted")


@pytest.mark.parametrize("slug", SLUGS)
def test_the_command_line(world, tmp_path, slug):
    home = at_home(world, tmp_path, slug)
    assert home.run(str(RUNS / "commands.py"), name="commands") == 0
    codes = json.loads((home.work / "codes.json").read_text())
    assert {step: codes[step] for step in CODES} == CODES
    assert home.run("-m", "genstep.cli", "--debug", "generate", "a fox in a process", name="process") == 0
    assert "DEBUG genstep.http: " in (home.work / "process.stderr").read_text()
    assert (home.folder / "state" / "secrets.json").exists()
    proof.check(home, tmp_path / "planted")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_program_that_is_killed(world, tmp_path, slug):
    home = at_home(world, tmp_path, slug)
    for where in ("answered", "fetched"):
        assert home.run(str(RUNS / "killed.py"), where, name=where) == -9
    assert (home.folder / "state" / "ledger.db-wal").stat().st_size > 0
    assert len(list((home.folder / "state" / "spool").glob("*.reply"))) == 2
    assert any(part.stat().st_size > 0 for part in (home.folder / "output").glob("*.part"))
    proof.check(home, tmp_path / "planted")
    assert home.run(str(RUNS / "killed.py"), "resumed", name="resumed") == 0
    assert len(list((home.folder / "output").glob("*.json"))) == 2
    proof.check(home, tmp_path / "planted-again")


def test_deliveries(world, tmp_path):
    home = at_home(world, tmp_path, "aivisualstudio")
    assert home.run(str(RUNS / "api.py"), "webhooks", name="api") == 1
    assert json.loads((home.work / "outcomes.json").read_text()) == {
        "webhook-duplicate": "completed",
        "webhook-forged": "completed",
        "webhook-old": "completed",
        "webhook-rejected": "WebhookRejected",
        "webhook-created": "Webhook",
        "webhook-list": "list",
        "webhook-answers": "[200, 401]",
    }
    proof.check(home, tmp_path / "planted")
