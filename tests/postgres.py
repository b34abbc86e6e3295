"""A real PostgreSQL server for tests: made in a folder of its own, on loopback, ended with them."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


def _command(name: str) -> str:
    """Debian keeps the server's commands out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of a new server's own database; a server does not run as root."""
    data, run_as = folder / "data", []
    data.mkdir()
    if os.geteuid() == 0:
        run_as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        shutil.chown(data, "nobody", "nogroup")
        for parent in data.parents:
            if parent.stat().st_uid == 0 and parent.name.startswith(("pytest-", "popen-", "postgres")):
                parent.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "log").open("w")
    quiet = {"check": True, "stdout": log, "stderr": log, "cwd": data}
    subprocess.run([*run_as, _command("initdb"), "-D", data, "-U", "genstep", "--auth=trust", "-E", "UTF8"], **quiet)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c max_connections=300"
    pg_ctl = [*run_as, _command("pg_ctl"), "-D", data, "-w"]
    subprocess.run([*pg_ctl, "-o", options, "start"], **quiet)
    try:
        yield f"postgresql://genstep@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **{**quiet, "check": False})
        log.close()


def database(server: str) -> str:
    """A new, empty database."""
    name = f"ledger_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.rpartition("/")[0] + f"/{name}"
