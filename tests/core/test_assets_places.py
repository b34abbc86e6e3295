"""Where results lie: local folders and other stores, checked before anything is paid; kept files move between them."""

import asyncio
import errno
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core import media
from tests.core.results import PNG, URL, Host, names, refusal, save

from genstep.assets import AssetStore
from genstep.errors import AssetError, ConfigurationError
from genstep.provider import Output


def test_a_place_that_can_be_written_is_checked_once_and_left_clean(tmp_path):
    store = AssetStore(tmp_path / "a" / "b")
    store.check()
    assert names(tmp_path / "a" / "b") == []
    shutil.rmtree(tmp_path / "a")
    store.check()
    assert not (tmp_path / "a").exists()


def test_a_place_that_cannot_be_written_names_itself_and_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for output, word in [(tmp_path / "file", "not a folder"), (tmp_path / "file" / "below", "not a folder")]:
        with pytest.raises(ConfigurationError, match=word) as caught:
            AssetStore(output).check()
        assert str(output) in caught.value.message
        assert "GENSTEP_OUTPUT" in caught.value.message


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.EROFS, "Read-only"), (errno.EACCES, "Permission denied"), (errno.ENOSPC, "No space left")],
)
def test_a_probe_that_fails_is_told_and_checked_again(tmp_path, monkeypatch, number, word):
    store = AssetStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", _failing(number))
        with pytest.raises(ConfigurationError, match=word):
            store.check()
    assert names(tmp_path) == []
    store.check()


def _failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_an_almost_full_disk_is_refused_before_anything_is_paid(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(ConfigurationError, match="only 1,000 bytes are left"):
        AssetStore(tmp_path).check()


LEAVE_A_PART = """
import os, sys
from genstep.assets.places import Folder
from genstep.assets.remote import Remote
from pathlib import Path
place = Folder(Path(sys.argv[1])) if len(sys.argv) == 2 else Remote(sys.argv[2])
place.open_part("fox-1")[0].write(b"half")
os._exit(9)
"""


@pytest.mark.parametrize("output", [None, "memory://bucket/art"])
def test_what_a_killed_process_left_is_swept_at_once_and_nothing_else(tmp_path, monkeypatch, output):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", LEAVE_A_PART, str(tmp_path), *([output] if output else [])])
    assert ran.returncode == 9
    assert len(names(tmp_path)) == 1
    for name in ("mine.part", "fox.png", "fox.0a1b2c3d.part"):
        (tmp_path / name).write_bytes(b"x")
    folder = AssetStore(output or tmp_path)
    file, part = folder._place.open_part("fox-2")
    file.close()
    AssetStore(output or tmp_path).check()
    assert names(tmp_path) == sorted(["fox.0a1b2c3d.part", "fox.png", "mine.part", part.name])


def test_a_part_of_another_machine_is_left_alone_for_a_day(tmp_path):
    old, new = "fox-1.7_1_other-boot_1_ab.0a1b2c3d.part", "fox-2.7_1_other-boot_1_ab.0a1b2c3d.part"
    for name in (old, new):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / old, (0, 0))
    AssetStore(tmp_path).check()
    assert names(tmp_path) == [new]


@pytest.mark.parametrize("form", ["{0}", "file://{0}", "file://localhost{0}", "local://{0}", "{0}/x/.."])
def test_a_local_place_by_path_or_url_is_the_same(tmp_path, form):
    folder = tmp_path / "müll & art"
    asset = save(AssetStore(form.format(folder)), Output(data=PNG))
    assert asset.path == folder / "fox-1.png"


def test_a_relative_place_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = AssetStore("art")
    monkeypatch.chdir("/")
    assert save(store, Output(data=PNG)).path == tmp_path / "art" / "fox-1.png"


def test_the_default_place_is_the_configured_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GENSTEP_OUTPUT", str(tmp_path / "mine"))
    assert save(AssetStore(), Output(data=PNG)).path.parent == tmp_path / "mine"


def test_a_file_url_of_another_host_is_refused():
    with pytest.raises(ConfigurationError, match="three slashes"):
        AssetStore("file://home/me")


# ---- kept files


def test_a_kept_file_exists_until_it_is_changed_or_gone(tmp_path):
    store = AssetStore(tmp_path)
    asset = save(store, Output(data=PNG))
    assert store.exists(asset)
    asset.path.write_bytes(b"changed")
    assert not store.exists(asset)
    store.remove(asset)
    assert names(tmp_path) == []
    assert not store.exists(asset)
    store.remove(asset)


def test_a_file_that_cannot_be_looked_at_is_not_called_gone(tmp_path, monkeypatch):
    store = AssetStore(tmp_path)
    asset = save(store, Output(data=PNG))
    monkeypatch.setattr(Path, "stat", _failing(errno.EIO))
    with pytest.raises(AssetError, match="cannot be looked at"):
        store.exists(asset)


def test_a_kept_file_is_adopted_by_another_place_with_its_sidecar(tmp_path):
    first, second = AssetStore(tmp_path / "a"), AssetStore(tmp_path / "b")
    asset = save(first, Output(url=URL, metadata={"model": "x"}), Host(PNG))
    assert asyncio.run(first.adopt(asset, "other")) is asset
    copy = asyncio.run(second.adopt(asset, "fox-1"))
    assert copy.path == tmp_path / "b" / "fox-1.png"
    assert copy.read() == asset.read()
    assert (copy.sha256, copy.metadata, copy.source_url) == (asset.sha256, asset.metadata, asset.source_url)
    assert (tmp_path / "b" / "fox-1.png.json").read_bytes() == (tmp_path / "a" / "fox-1.png.json").read_bytes()
    assert asyncio.run(second.adopt(asset, "fox-1")) == copy
    assert asyncio.run(second.adopt(copy, "fox-1")) is copy


def test_a_kept_file_that_was_changed_or_is_gone_is_not_adopted(tmp_path):
    first, second = AssetStore(tmp_path / "a"), AssetStore(tmp_path / "b")
    asset = save(first, Output(data=PNG))
    asset.path.write_bytes(b"changed")
    with pytest.raises(AssetError, match="was changed"):
        asyncio.run(second.adopt(asset, "fox-1"))
    asset.path.unlink()
    with pytest.raises(AssetError, match="could not be saved"):
        asyncio.run(second.adopt(asset, "fox-1"))
    assert names(tmp_path / "b") == []


# ---- other stores


@pytest.fixture
def bucket():
    import fsspec

    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("output", "uri"),
    [
        ("memory://bucket/art", "memory://bucket/art/fox-1.png"),
        ("memory://bucket/art/", "memory://bucket/art/fox-1.png"),
        ("memory://", "memory://fox-1.png"),
    ],
)
def test_a_remote_place_is_written_like_a_local_one(bucket, output, uri):
    store = AssetStore(output)
    store.check()
    assert bucket.find("/") == []
    asset = save(store, Output(url=URL), Host(PNG))
    assert (asset.path, asset.uri) == (None, uri)
    assert hashlib.sha256(asset.read()).hexdigest() == asset.sha256
    assert (asset.width, asset.height) == (40, 30)
    assert [Path(name).name for name in bucket.find("/")] == ["fox-1.png", "fox-1.png.json"]
    assert store.exists(asset)
    assert save(store, Output(url=URL), Host(PNG)) == asset
    assert save(store, Output(data=media.picture("PNG"))).uri.endswith("/fox-1-2.png")
    store.remove(asset)
    assert not store.exists(asset)
    store.remove(asset)


def test_files_move_between_remote_and_local_places(bucket, tmp_path):
    here, there = AssetStore(tmp_path), AssetStore("memory://bucket/art")
    asset = save(here, Output(data=PNG))
    copy = asyncio.run(there.adopt(asset, "fox-1"))
    assert copy.uri == "memory://bucket/art/fox-1.png"
    assert asyncio.run(there.adopt(copy, "fox-1")) is copy
    assert b"a red fox" in bucket.cat_file("/bucket/art/fox-1.png.json")
    store = AssetStore(tmp_path / "back")
    back = asyncio.run(store.adopt(copy, "fox-1"))
    assert back.path.read_bytes() == asset.path.read_bytes()
    assert names(tmp_path / "back") == ["fox-1.png", "fox-1.png.json"]


def test_a_remote_store_that_takes_only_part_of_a_file_is_not_believed(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(type(bucket), "size", lambda self, path: 3)
    error = refusal(AssetStore("memory://bucket/art"), Output(data=PNG))
    assert "does not have all of its" in error.message
    assert names(tmp_path) == []


def test_the_errors_of_a_backend_are_ours(bucket, monkeypatch, tmp_path):
    def fail(self, *args, **kwargs):
        raise KeyError("NoSuchBucket")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(type(bucket), "pipe_file", fail)
    monkeypatch.setattr(type(bucket), "put_file", fail)
    with pytest.raises(ConfigurationError, match=r"memory://bucket/art: it cannot be written .*NoSuchBucket"):
        AssetStore("memory://bucket/art").check()
    assert "NoSuchBucket" in refusal(AssetStore("memory://bucket/art"), Output(data=PNG)).message


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")])
def test_a_missing_backend_is_named_with_the_command_that_installs_it(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    importlib.import_module("fsspec.registry")
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    with pytest.raises(ConfigurationError, match=f"pip install {package}"):
        AssetStore(f"{scheme}://bucket/art").check()


def test_an_unknown_store_is_refused():
    with pytest.raises(ConfigurationError, match="no store is known by nowhere://"):
        AssetStore("nowhere://bucket").check()


@pytest.mark.parametrize("output", ["s3://fake-key:fake-word@bucket/art", "s3://bucket/art?key=fake-word"])
def test_secrets_in_the_url_of_a_place_are_refused_and_not_repeated(output):
    with pytest.raises(ConfigurationError) as caught:
        AssetStore(output)
    assert "fake-word" not in caught.value.message


def test_local_results_load_neither_http_nor_fsspec(tmp_path):
    code = (
        "import asyncio, sys; from genstep.assets import AssetStore; from genstep.provider import Output;"
        f"s = AssetStore({str(tmp_path)!r}); s.check();"
        "asyncio.run(s.save(Output(text='x'), stem='a', kind='text', fetch=None, about={}));"
        "print({'PIL', 'httpx', 'httpx2', 'fsspec'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
