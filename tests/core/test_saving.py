"""Results of a paid call are saved one by one: a bad file blocks no other, nothing is bought or fetched twice."""

from __future__ import annotations

import errno

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep import plugins
from genstep.assets import places
from genstep.testing import run_virtual

pytestmark = pytest.mark.usefixtures("toys")

PAGE = toy.File(b"<html><body>expired</body></html>", media_type="text/html")
GONE = toy.File(b"gone", status=404)
BUSY = toy.File(b"", status=503)
HALF = toy.File(toy.PNG[:40])
AWAY = toy.File(b"", status=302, location="https://toy.example/steal")
#: answers to a download that are no file, as an expired URL, a proxy or a host in trouble gives them
BAD = {
    "gone": GONE,
    "busy": BUSY,
    "a page": PAGE,
    "nothing": toy.File(b""),
    "another type": toy.File(b"RIFF\x24\0\0\0WAVEfmt ", media_type="audio/wav"),
    "cut": toy.File(toy.PNG[:40], announced=len(toy.PNG)),
    "half": HALF,
    "redirects": AWAY,
}


class Files:
    """Answers downloads by their path: what is scripted for a file, then the picture, one of its own for each file."""

    def __init__(self, world, **bad):
        self.bad = {name.replace("_", "-"): answer for name, answer in bad.items()}
        self.asked = []
        service, usual = world.service, world.service.download

        def download(target, headers):
            name = target.path_and_query.rpartition("/")[2].removesuffix(".png")
            self.asked.append(name)
            if name in self.bad:
                service.download_script[:] = [self.bad[name]]
            return usual(target, headers)

        service.download = download


def bought(world, prompt="a fox", **fields):
    world.service.duration = 0.0

    async def work():
        async with world.client() as client:
            return await client.generate(prompt, **fields)

    return run_virtual(work())


@pytest.mark.parametrize("bad", [GONE, PAGE, toy.File(b"")])
def test_one_bad_file_blocks_no_other_and_is_fetched_again_by_the_same_request(world, bad):
    files = Files(world, job1_1=bad)
    made = bought(world, n=3)
    assert (made.status, len(made.assets)) == ("completed", 2)
    assert [type(error) for error in made.failures] == [genstep.AssetError]
    assert made.failures[0].job_id == made.id
    assert files.asked.count("job1-0") == files.asked.count("job1-2") == 1

    again = bought(world, n=3)
    assert [error.code for error in again.failures] == [made.failures[0].code]
    assert world.service.charged == [15]

    files.bad.clear()
    whole = bought(world, n=3)
    assert (len(whole.assets), whole.failures, whole.id) == (3, (), made.id)
    assert files.asked.count("job1-0") == 1
    assert world.service.charged == [15]


def test_where_nothing_can_be_fetched_the_error_is_raised_and_nothing_bought_again(world):
    files = Files(world, job1_0=GONE)
    for _ in range(2):
        with pytest.raises(genstep.AssetError) as lost:
            bought(world)
        assert lost.value.code == "asset_status"
    assert world.service.charged == [5]

    async def resumed(verb):
        async with world.client() as client:
            return await getattr(client, verb)(lost.value.job_id)

    with pytest.raises(genstep.AssetError):
        run_virtual(resumed("wait"))
    files.bad.clear()
    assert len(run_virtual(resumed("resume")).assets) == 1
    assert bought(world).from_cache
    assert world.service.charged == [5]


@pytest.mark.parametrize("provider", ["toy", "blockingtoy"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_or_two_are_asked_again_in_the_same_wait(tmp_path, provider, bad):
    world = World(tmp_path, provider)
    world.service.download_script = [bad] * (5 if bad is AWAY else 2)
    assert len(bought(world).assets) == 1
    assert world.paid() == 1


@pytest.mark.parametrize("provider", ["toy", "blockingtoy"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_that_stays_is_fetched_again_later_and_never_bought_again(tmp_path, provider, bad):
    world = World(tmp_path, provider)
    world.service.duration = 0.0
    files = Files(world, job1=bad, job1_0=bad, steal=bad)
    for again in range(2):
        with pytest.raises(genstep.AssetError) as problem:
            bought(world)
        assert 3 <= len(files.asked) <= 60 * (again + 1), "a few times, not for ever"
    files.bad.clear()

    async def resumed():
        async with world.client() as client:
            return await client.resume(problem.value.job_id)

    made = run_virtual(resumed())
    assert len(made.assets) == 1
    assert bought(world).assets == made.assets
    assert world.paid() == 1


def test_what_was_refused_is_bought_again_and_what_cannot_be_fetched_is_not(tmp_path):
    world = World(tmp_path, "batchtoy")
    files = Files(world)
    files.bad["1-0"] = GONE
    made = bought(world, n=3)
    assert (len(made.assets), [error.code for error in made.failures]) == (2, ["asset_status"])
    assert world.paid() == 2, "three at first, then the one that was refused for its rate"
    files.bad.clear()
    assert len(bought(world, n=3).assets) == 3, "the kept reply of a blocking service names its files"
    assert world.paid() == 2
    assert not list((tmp_path / "spool").glob("*.reply"))


def test_a_host_that_is_down_keeps_the_call_and_what_came_is_not_fetched_again(world):
    files = Files(world, job1_2=BUSY)
    with pytest.raises(genstep.AssetError) as down:
        bought(world, n=3)
    assert down.value.code == "download"

    async def later():
        async with world.client() as client:
            before = await client.status(down.value.job_id, ask=False)
            files.bad.clear()
            return before, await client.resume(down.value.job_id)

    before, made = run_virtual(later())
    assert before.status == "processing"
    assert len(made.assets) == 3
    assert [files.asked.count(f"job1-{number}") for number in range(2)] == [1, 1]
    assert world.service.charged == [15]


def test_a_full_disk_keeps_the_call(world, monkeypatch):
    def full(path, flags):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(places, "_flush", full)
        with pytest.raises(genstep.AssetError, match="No space left") as problem:
            bought(world)
    assert problem.value.job_id
    assert not list((world.folder / "out").iterdir())
    assert len(bought(world).assets) == 1
    assert world.service.charged == [5]


def test_a_service_that_is_down_leaves_what_could_not_be_fetched_as_it_was(world):
    Files(world, job1_1=GONE)
    made = bought(world, n=2)
    world.service.poll_script = [toy.answer({}, 503)] * 99
    again = bought(world, n=2)
    assert (again.status, [error.code for error in again.failures]) == ("completed", ["asset_status"])
    assert again.assets == made.assets


def test_an_expired_url_is_asked_for_once_more_through_the_service(world):
    world.service.download_script = [GONE]
    assert len(bought(world).assets) == 1
    assert len(world.service.downloads) == 2
    polls = [path for method, path in world.service.seen if method == "GET"]

    other = World(world.folder / "other")
    Files(other)
    bought(other)
    assert len(polls) == len([path for method, path in other.service.seen if method == "GET"]) + 1


def test_a_process_that_dies_between_file_and_ledger_leaves_no_double(world, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*values, **named):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(genstep.ledger.Ledger, "stored", killed)
        with pytest.raises(Killed):
            bought(world, n=2)
    first = sorted(path.name for path in (world.folder / "out").iterdir())
    assert len(first) == 4
    assert len(bought(world, n=2).assets) == 2
    assert sorted(path.name for path in (world.folder / "out").iterdir()) == first
    assert world.service.charged == [10]


def test_files_that_come_back_with_their_disk_are_not_fetched_again(tmp_path):
    world = World(tmp_path, "blockingtoy")
    made = bought(world)
    (tmp_path / "out").rename(tmp_path / "unmounted")
    with pytest.raises(genstep.AssetError, match="fresh=True"):
        bought(world)
    for path in (tmp_path / "unmounted").iterdir():
        (tmp_path / "out").mkdir(exist_ok=True)
        path.rename(tmp_path / "out" / path.name)
    assert bought(world).assets == made.assets
    assert len(world.service.downloads) == 1
    assert world.paid() == 1


def test_copies_of_a_cached_answer_are_removed_with_their_job(world):
    async def work():
        async with world.client() as client:
            made = await client.generate("a fox")
        for folder in ("a", "b"):
            other = genstep.AsyncClient(
                world.account,
                ledger=world.folder / "ledger.db",
                output=world.folder / folder,
                _clock=world.clock,
                _network=lambda _: world.service,
            )
            async with other:
                for _ in range(2):
                    copied = await other.generate("a fox")
                    assert copied.from_cache
                    assert copied.assets[0].path.parent == world.folder / folder
        async with world.client() as client:
            await client.delete(made.id)

    run_virtual(work())
    assert [path for name in ("out", "a", "b") for path in (world.folder / name).iterdir()] == []


@pytest.mark.parametrize("wanted", [False, True])
def test_a_prompt_is_in_the_picture_only_on_request(tmp_path, wanted):
    world = World(tmp_path, options={"xmp_prompt": True} if wanted else {})
    content = bought(world, "a secret fox").assets[0].read()
    assert b"trainedAlgorithmicMedia" in content
    assert (b"a secret fox" in content) == wanted


class ListedToy(toy.BlockingToy):
    """A blocking service that lists what it made, at URLs that are new each time."""

    slug = "listedtoy"
    capabilities = genstep.Capabilities({"image"}, blocking=True, history=True)

    def submit(self, request):
        reply = yield genstep.Paid("/now", json={"prompt": request.prompt})
        return genstep.Completed((genstep.Output(url=reply["url"], metadata={"made": "g-1"}),), credits=5)

    def history(self, cursor, **filters):
        yield genstep.Get("/jobs/list")
        items = [
            genstep.HistoryItem(
                f"g-{n}", "image", "a fox", "completed", None, (f"https://toy.example/files/new{n}.png",)
            )
            for n in (0, 1)
        ]
        return genstep.Page(tuple(items))


class PairToy(ListedToy):
    """As document 001 has it: one entry and one URL in the list for several pictures."""

    slug = "pairtoy"
    capabilities = genstep.Capabilities({"image": genstep.KindSpec(batch=2)}, blocking=True, history=True)

    def submit(self, request):
        reply = yield genstep.Paid("/now", json={"prompt": request.prompt})
        urls = reply["url"], reply["url"].replace(".png", "b.png")
        outputs = [genstep.Output(url=url, item=n, metadata={"made": "g-1"}) for n, url in enumerate(urls)]
        return genstep.Completed(tuple(outputs), credits=5)


def test_the_one_url_of_an_entry_is_never_saved_as_another_of_its_pictures(tmp_path):
    plugins.registry().found.setdefault("pairtoy", PairToy)
    world = World(tmp_path, "pairtoy")
    world.service.poll_script = [toy.answer({})] * 99
    files = Files(world, job1b=GONE)
    made = bought(world, n=2)
    assert (len(made.assets), [error.code for error in made.failures]) == (1, ["asset_status"])
    assert "new1" not in files.asked
    files.bad.clear()
    assert len(bought(world, n=2).assets) == 2
    for asset in (tmp_path / "out").iterdir():
        asset.unlink()
    left = bought(world, n=2)
    assert (len(left.assets), [error.code for error in left.failures]) == (1, ["gone"])
    assert len(bought(world, n=2).assets) == 1
    assert world.paid() == 1


@pytest.mark.parametrize("lost", ["url", "file"])
def test_a_blocking_service_is_asked_again_through_its_list(tmp_path, lost):
    plugins.registry().found.setdefault("listedtoy", ListedToy)
    world = World(tmp_path, "listedtoy")
    files = Files(world)
    world.service.poll_script = [toy.answer({})] * 9
    if lost == "url":
        files.bad["job1"] = GONE
    made = bought(world)
    if lost == "file":
        made.assets[0].path.unlink()
        made = bought(world)
    assert made.assets[0].path.exists()
    assert files.asked == ["job1", "new1"]
    assert world.paid() == 1
