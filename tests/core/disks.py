"""Disks that tests fill: a small file system of its own where we may mount one, else a limit on the size of files."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = 2 * 2**20


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A folder on a disk of 2 MiB; the test is skipped where nothing may be mounted."""
    folder.mkdir()
    mount = shutil.which("mount")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]) if mount else None
    if done is None or done.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte more can be written there."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (65536, 1024, 1):
            try:
                while file.write(b"x" * piece):
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def no_longer_files(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: what can be had of a full disk without mounting one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
