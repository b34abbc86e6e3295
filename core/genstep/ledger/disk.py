"""Which file systems cannot hold a ledger of SQLite's: those whose files several machines share over a network.

SQLite's locks and its shared memory (document "Write-Ahead Logging" of sqlite.org, "all processes using a database must
be on the same host computer") do not work there, and two processes would both send what only one may.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

NETWORK = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "davfs"]
)
#: mounted through FUSE, as its type ("fuse.sshfs") or its source ("sshfs#…", "mountpoint-s3") says
FUSED = (
    "sshfs",
    "glusterfs",
    "ceph",
    "s3fs",
    "goofys",
    "gcsfuse",
    "rclone",
    "mountpoint-s3",
    "davfs",
    "juicefs",
    "smb",
)
#: 9p is most often the machine's own disk, handed to a sandbox or virtual machine; not so where its options say this
REMOTE_9P = ("trans=tcp", "trans=rdma", "aname=drvfs")


def network_file_system(path: str, mounts: str) -> str | None:
    """The type of the network file system that an absolute path is on, by the text of /proc/mounts; else None."""
    best, found = -1, None
    for line in mounts.splitlines():
        fields = [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text) for text in line.split(" ")]
        if len(fields) < 4:
            continue
        source, point, kind, options = fields[:4]
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # of two mounts on one point the later one is seen
            best, found = len(point), _network(source, kind, options)
    return found


def _network(source: str, kind: str, options: str) -> str | None:
    if kind in NETWORK:
        return kind
    if kind == "9p":
        return kind if any(sign in re.split("[,;]", options) for sign in REMOTE_9P) else None
    if kind.partition(".")[0] == "fuse":
        name = kind.partition(".")[2] or source
        return kind if name.startswith(FUSED) else None
    return None


def on_network(path: Path) -> str | None:
    """The type of the network file system that a file is (or will be) on; None also where the system does not say."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    # realpath, for Path.resolve raises where links lead in a circle
    return network_file_system(os.path.realpath(path), mounts)
