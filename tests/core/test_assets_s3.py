"""Results in an S3 store for real: moto's server on loopback, reached through s3fs as any user's would be."""

from __future__ import annotations

import gc
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from types import SimpleNamespace

import pytest
from tests.core import toy
from tests.core.toy_world import World

import genstep
from genstep import plugins
from genstep.testing import run_virtual

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("toys"),
    # moto and botocore speak of their own future
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(moto, monkeypatch, tmp_path):
    import boto3
    import s3fs

    settings = {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "fake-key",
        "AWS_SECRET_ACCESS_KEY": "fake-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")

    def names():
        return sorted(entry["Key"] for entry in client.list_objects_v2(Bucket="bucket").get("Contents", []))

    yield SimpleNamespace(client=client, names=names)
    for name in names():
        client.delete_object(Bucket="bucket", Key=name)
    client.delete_bucket(Bucket="bucket")
    client.close()
    # the last reference closes a session
    s3fs.S3FileSystem.clear_instance_cache()
    gc.collect()


class Stored(World):
    """A world whose results go to a bucket."""

    output = "s3://bucket/art"

    def client(self, output=None):
        return genstep.AsyncClient(
            self.account,
            ledger=self.folder / "ledger.db",
            output=output or self.output,
            _clock=self.clock,
            _network=lambda _: self.service,
        )


@pytest.fixture
def world(tmp_path):
    world = Stored(tmp_path)
    world.service.duration = 0.0
    return world


def bought(world, output=None, **fields):
    async def work():
        async with world.client(output) as client:
            return await client.generate("a fox", **fields)

    return run_virtual(work())


def test_a_result_is_saved_answered_again_copied_and_deleted(s3, world):
    made = bought(world, n=2)
    assert [asset.uri.startswith("s3://bucket/art/a-fox-") for asset in made.assets] == [True, True]
    assert made.assets[0].read().startswith(b"\x89PNG")
    first = s3.names()
    assert len([name for name in first if name.endswith(".png")]) == 2
    assert len([name for name in first if name.endswith(".png.json")]) == 2

    again = bought(world, n=2)
    assert (again.from_cache, again.assets) == (True, made.assets)
    copied = bought(world, "s3://bucket/elsewhere", n=2)
    assert copied.assets[0].uri.startswith("s3://bucket/elsewhere/")
    assert len(s3.names()) == 8
    local = bought(world, str(world.folder / "here"), n=2)
    assert local.assets[0].path.read_bytes() == made.assets[0].read()

    async def delete():
        async with world.client() as client:
            await client.delete(made.id)

    run_virtual(delete())
    assert s3.names() == []
    assert list((world.folder / "here").iterdir()) == []
    assert world.service.charged == [10]


def test_purge_empties_the_bucket(s3, world):
    bought(world)

    async def purge():
        async with world.client() as client:
            return await client.purge(-1)

    assert run_virtual(purge()) == 1
    assert s3.names() == []


def test_a_file_that_is_gone_from_the_bucket_is_fetched_again(s3, world):
    made = bought(world)
    for name in s3.names():
        s3.client.delete_object(Bucket="bucket", Key=name)
    again = bought(world)
    assert again.assets == made.assets
    assert len(s3.names()) == 2
    assert world.service.charged == [5]


def test_a_bucket_that_is_not_there_is_said_before_anything_is_paid(s3, world):
    with pytest.raises(genstep.ConfigurationError, match=r"s3://missing/art: it cannot be written .*bucket"):
        bought(world, "s3://missing/art")
    assert world.service.charged == []


def test_missing_credentials_are_said_before_anything_is_paid(s3, world, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(genstep.ConfigurationError, match="it cannot be written"):
        bought(world)
    assert world.service.charged == []


def test_a_store_that_dies_while_a_file_is_put_keeps_the_call(s3, world, monkeypatch):
    import s3fs

    usual, puts = s3fs.S3FileSystem.put_file, []

    def put_file(self, here, there, **options):
        puts.append(there)
        if len(puts) == 2:
            # a real failure of the connection: nothing listens there
            self = type(self)(endpoint_url="http://127.0.0.1:9", skip_instance_cache=True)
        return usual(self, here, there, **options)

    with monkeypatch.context() as patch:
        patch.setattr(s3fs.S3FileSystem, "put_file", put_file)
        with pytest.raises(genstep.AssetError, match="could not be saved") as dead:
            bought(world, n=2)
    assert dead.value.code == "asset_not_saved"
    assert dead.value.job_id
    downloads = len(world.service.downloads)
    assert len([name for name in s3.names() if name.endswith(".png")]) == 1
    assert not list(world.folder.glob("*.part"))

    assert len(bought(world, n=2).assets) == 2
    assert len(world.service.downloads) == downloads + 1, "the one that was put is not fetched again"
    assert len(s3.names()) == 4
    assert world.service.charged == [10]


class DataToy(toy.BlockingToy):
    """Its picture stands in the reply itself, and can be had nowhere else."""

    slug = "datatoy"

    def submit(self, request):
        yield genstep.Paid("/now", json={"prompt": request.prompt})
        return genstep.Completed((genstep.Output(data=toy.PNG),), credits=5)


@pytest.fixture(params=["toy", "datatoy"])
def either(request, tmp_path):
    """A world whose results are fetched, and one whose results are in the paid reply alone."""
    plugins.registry().found.setdefault("datatoy", DataToy)
    world = Stored(tmp_path, request.param)
    world.service.duration = 0.0
    return world


def stored_in_the_end(world, s3, job_id):
    """A new process asks again: stored whole, from what was paid for."""

    async def resumed():
        async with world.client() as client:
            return await client.resume(job_id)

    made = run_virtual(resumed())
    assert made.assets[0].read().startswith(b"\x89PNG")
    assert bought(world).assets == made.assets
    assert len(s3.names()) == 2
    assert world.paid() == 1


@pytest.fixture
def checked(moto):
    """Makes the store check credentials from now on: ours are known to nobody."""

    def check(*, requests="0"):
        body = requests.encode()
        asked = urllib.request.Request(f"{moto}/moto-api/reset-auth", body, {"Content-Type": "text/plain"})
        with urllib.request.urlopen(asked) as answer:
            assert answer.status == 200

    yield check
    check(requests="inf")


def test_wrong_credentials_are_said_before_anything_is_paid(s3, checked, world):
    checked()
    with pytest.raises(genstep.ConfigurationError, match=r"it cannot be written .*choose another"):
        bought(world)
    assert world.service.charged == []
    checked(requests="inf")


def test_credentials_that_end_while_a_job_runs_keep_what_was_paid_for(s3, checked, either):
    async def ended():
        checked()

    either.service.before_reply = ended
    with pytest.raises(genstep.AssetError) as problem:
        bought(either)
    assert problem.value.code == "asset_not_saved"
    for words in ("s3://bucket/art", "could not be saved", "access", "-o", "resume the job"):
        assert words in problem.value.message
    assert "fake-secret" not in problem.value.message
    with pytest.raises(genstep.ConfigurationError, match="it cannot be written"):
        bought(either)
    checked(requests="inf")
    assert s3.names() == []
    stored_in_the_end(either, s3, problem.value.job_id)


class Cutting(socketserver.BaseRequestHandler):
    """A line to the store; while ``cut`` is set, it breaks in the middle of the body of each picture that is put."""

    store: tuple[str, int]
    cut = False
    times = 0

    def handle(self):
        with socket.create_connection(self.store, timeout=30) as onward:
            back = threading.Thread(target=self.pump, args=(onward, self.request))
            back.start()
            self.pump(self.request, onward, cut=True)
            with suppress(OSError):
                onward.shutdown(socket.SHUT_WR)
            back.join()

    def pump(self, source, target, *, cut=False):
        # either end may hang up at any moment
        with suppress(OSError):
            self.pass_on(source, target, cut=cut)

    def pass_on(self, source, target, *, cut):
        put = False
        while data := source.recv(65536):
            head, end, body = data.partition(b"\r\n\r\n")
            line = head.partition(b"\r\n")[0]
            begins = line.startswith(b"PUT ") and b".png " in line
            put = put or (cut and type(self).cut and begins)
            half = body if begins else data
            if put and half:
                type(self).times += 1
                target.sendall(head + end + half[: len(half) // 2] if begins else half[: len(half) // 2])
                for side in (source, target):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    with suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)
                return
            target.sendall(data)


@pytest.fixture
def cutting(moto, s3, monkeypatch):
    import s3fs

    host, _, port = moto.removeprefix("http://").partition(":")
    line = type("Line", (Cutting,), {"store": (host, int(port))})
    proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), line)
    proxy.handle_error = lambda *_: None
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_address[1]}")
    s3fs.S3FileSystem.clear_instance_cache()
    yield line
    s3fs.S3FileSystem.clear_instance_cache()
    gc.collect()
    proxy.shutdown()
    proxy.server_close()
    thread.join()


def test_a_connection_that_is_cut_in_the_middle_of_a_file_keeps_what_was_paid_for(s3, cutting, either):
    cutting.cut = True
    with pytest.raises(genstep.AssetError) as problem:
        bought(either)
    assert cutting.times
    assert problem.value.code == "asset_not_saved"
    assert "resume the job" in problem.value.message
    assert [name for name in s3.names() if name.endswith(".png")] == [], "half a file has no name"
    cutting.cut = False
    stored_in_the_end(either, s3, problem.value.job_id)


def test_only_a_place_in_s3_loads_s3fs(tmp_path):
    code = (
        "import sys, genstep, genstep.client, genstep.assets.store as s;"
        f"s.AssetStore({str(tmp_path)!r}).check(); s.AssetStore('memory://bucket').check();"
        "assert not {'s3fs', 'aiobotocore', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
