"""One ledger on a server, several machines: jobs go on anywhere, raw replies stay where they came; no secret shows."""

from __future__ import annotations

import pytest
from tests.core.command import QUICK, Command
from tests.core.toy_world import World, set_up
from tests.postgres import PASSWORD

import genstep
from genstep import errors
from genstep.ledger import Ledger, owner
from genstep.testing import run_virtual

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres_server, postgres_url):
    """A ledger's URL with a password in it."""
    schema = postgres_url.rpartition("%3D")[2]
    postgres_server.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO guarded")
    return postgres_server.guarded(postgres_url)


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    return Command(tmp_path, monkeypatch, capfd)


# -- the command line -------------------------------------------------------------------------------------------------


def test_every_command_takes_the_ledger_of_the_environment_and_none_shows_its_password(
    command, monkeypatch, url, postgres_server
):
    monkeypatch.setenv("GENSTEP_LEDGER", url)
    ran = [command("generate", *QUICK, "--json", "a fox")]
    job = ran[0].objects[0]["id"]
    ran += [command(*words) for words in (("jobs",), ("show", job), ("resume",), ("resume", job), ("history",))]
    doctor = command("doctor")
    again = command("generate", *QUICK, "a fox")
    assert [one.code for one in (*ran[:5], doctor, again)] == [0] * 7
    assert job in ran[1].out
    assert f"postgresql://127.0.0.1:{postgres_server.port}/postgres" in "".join(doctor.out.split())
    assert "answered from the ledger" in again.out + again.err
    assert not list(command.home.rglob("ledger.db")), "nothing is remembered in a file beside it"
    assert PASSWORD not in "".join(one.out + one.err for one in (*ran, doctor, again))


def test_a_password_that_is_wrong_is_said_and_not_shown(command, monkeypatch, url):
    monkeypatch.setenv("GENSTEP_LEDGER", url.replace(PASSWORD, PASSWORD + "-wrong"))
    for words in (("generate", *QUICK, "a fox"), ("jobs",), ("doctor",)):
        ran = command(*words)
        assert ran.code == 2
        assert "refused the URL's name or password" in " ".join((ran.out + ran.err).split())
        assert PASSWORD not in ran.out + ran.err


def test_a_job_that_one_machine_submitted_is_resumed_on_another(command, monkeypatch, url, sandbox, tmp_path):
    monkeypatch.setenv("GENSTEP_LEDGER", url)
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", "cvk_fakefakefake")
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_BASE_URL", sandbox.base("conceptviz"))
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_ALLOWED_HOSTS", sandbox.asset_url.split("//")[1])
    job = command("generate", "--no-wait", "--json", "a fox").objects[0]["id"]
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "another"))
    monkeypatch.setenv("GENSTEP_OUTPUT", str(tmp_path / "elsewhere"))
    ran = command("resume", job)
    assert ran.code == 0
    assert [path.suffix for path in (tmp_path / "elsewhere").iterdir() if path.suffix != ".json"] == [".png"]
    assert sandbox.control.submits("conceptviz") == 1


# -- two machines in virtual time ------------------------------------------------------------------------------------


class Machines:
    """Clients with a home and an output folder of their own, whose processes only their signs tell about."""

    def __init__(self, world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world, self._url, self._patch = world, url, monkeypatch

    def client(self, name: str) -> genstep.AsyncClient:
        folder = self._world.folder / name
        self._patch.setenv("GENSTEP_HOME", str(folder / "home"))
        self._patch.setattr(owner, "_boot", lambda: f"boot-of-{name}")
        seams = {"_clock": self._world.clock, "_network": lambda _: self._world.service}
        return genstep.AsyncClient(self._world.account, ledger=self._url, output=folder / "out", **seams)

    def crash(self, client: genstep.AsyncClient) -> None:
        """Its process is gone, and its last sign is of a while ago."""
        book: Ledger = client._session.ledger
        owner.retire(book.owner)
        book._closing.set()
        with book._change() as db:
            db.execute("UPDATE owners SET seen_at = seen_at - 100 WHERE owner = ?", (book.owner,))


def machines(kind, url, monkeypatch, tmp_path):
    set_up(monkeypatch, tmp_path)
    world = World(tmp_path, kind)
    return world, Machines(world, url, monkeypatch)


def test_what_a_machine_submitted_before_it_died_is_saved_by_another(url, monkeypatch, tmp_path):
    world, each = machines("toy", url, monkeypatch, tmp_path)

    async def work():
        first = each.client("a")
        job = await first.submit("a fox")
        each.crash(first)
        async with each.client("b") as second:
            made = await second.resume(job.id, timeout=300)
        await first.aclose()
        return made

    made = run_virtual(work())
    assert made.assets[0].path.is_relative_to(tmp_path / "b" / "out")
    assert len(world.service.charged) == 1


def test_a_raw_reply_is_on_the_machine_that_got_it_and_is_read_there_even_when_another_gave_the_call_up(
    url, monkeypatch, tmp_path
):
    world, each = machines("blockingtoy", url, monkeypatch, tmp_path)
    completed = Ledger.completed

    def away(*_values: object, **_named: object) -> None:
        raise errors.ConfigurationError("the ledger's server is away")

    async def work():
        first = each.client("a")
        monkeypatch.setattr(Ledger, "completed", away)
        with pytest.raises(errors.ConfigurationError, match="could not be written down") as told:
            await first.generate("a fox", timeout=900)
        each.crash(first)
        monkeypatch.setattr(Ledger, "completed", completed)
        async with each.client("b") as second:
            with pytest.raises(errors.SubmissionUncertain, match="resume it there"):
                await second.resume(told.value.job_id, timeout=900)
            with pytest.raises(errors.SubmissionUncertain):
                await second.generate("a fox", timeout=900)
        async with each.client("a") as first_again:
            made = await first_again.resume(told.value.job_id, timeout=900)
        await first.aclose()
        return made

    made = run_virtual(work())
    assert made.assets[0].path.is_relative_to(tmp_path / "a" / "out")
    assert len(world.service.charged) == 1
    assert list(tmp_path.rglob("*.reply")) == []
