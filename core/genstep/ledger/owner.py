"""Who owns a row: one client of one process, named so that its death can be told from its pid being used again."""

from __future__ import annotations

import os
import secrets
import sys
from functools import cache
from pathlib import Path

_living: set[str] = set()


def new() -> str:
    """A name for a client of this process: pid, start time, boot, process namespace, and a part of its own."""
    pid = os.getpid()
    name = f"{pid}:{_started(pid)}:{_boot()}:{_namespace()}:{secrets.token_hex(4)}"
    _living.add(name)
    return name


def retire(owner: str) -> None:
    """The client is closed: what it owned may be taken over."""
    _living.discard(owner)


def seen(owner: str, *, shared: bool) -> bool | None:
    """Whether the client that wrote ``owner`` still runs; None where its process cannot be looked at from here.

    ``shared``: whether the ledger is also used from other machines. In a ledger that is not, a client of another boot
    is one of this machine's past. A client in another container (process namespace) of this boot has pids of its own.
    """
    parts = owner.split(":")
    if len(parts) != 5 or not parts[0].isdigit():
        return False
    pid, started, boot, namespace = int(parts[0]), parts[1], parts[2], parts[3]
    if boot != _boot() or (shared and not boot):
        return owner in _living or (None if shared else False)
    if namespace != _namespace():
        return None
    if pid == os.getpid() and started == _started(pid):
        return owner in _living
    if started:
        return _started(pid) == started
    return _exists(pid)


if sys.platform == "win32":

    def _exists(pid: int) -> bool:
        """``os.kill(pid, 0)`` would be Ctrl-C to its console here."""
        import ctypes

        kernel, code = ctypes.WinDLL("kernel32", use_last_error=True), ctypes.c_ulong()
        process = kernel.OpenProcess(0x1000, False, pid)
        if not process:
            return ctypes.get_last_error() == 5
        kernel.GetExitCodeProcess(process, ctypes.byref(code))
        kernel.CloseHandle(process)
        return code.value == 259

else:

    def _exists(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _started(pid: int) -> str:
    """The kernel's start time of a process ('' where the system has no /proc); a zombie counts as dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone" if Path("/proc/self/stat").exists() else ""
    return "gone" if fields[0] in "ZX" else fields[19]


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def _namespace() -> str:
    """The number of the container's own count of processes; '' where the system has none."""
    try:
        return "".join(filter(str.isdigit, str(Path("/proc/self/ns/pid").readlink())))
    except OSError:
        return ""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_living.clear)
