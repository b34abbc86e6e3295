"""A real PostgreSQL server for tests: made in a folder of its own, on loopback, ended with them."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

#: the one user of whom a server asks a password, and who may do nothing that was not granted
GUARDED, PASSWORD = "guarded", "obviously-fake-pw"


def _command(name: str) -> str:
    """Debian keeps the server's commands out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


class Server:
    """One running server; ``url`` is that of its own database, as a user who may do anything."""

    def __init__(self, folder: Path) -> None:
        self._data, self._run_as = folder / "data", []
        self._data.mkdir()
        self._log = (folder / "log").open("w")
        if os.geteuid() == 0:  # its commands do not run as root
            shutil.chown(folder, "nobody", "nogroup")
            shutil.chown(self._data, "nobody", "nogroup")
            self._run_as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", self._data, "-U", "genstep", "--auth=trust", "-E", "UTF8", "--no-sync")
        access = self._data / "pg_hba.conf"
        access.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n" + access.read_text())
        self.url = f"postgresql://genstep@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # what is lost when the machine loses its power is not tested here, so nothing waits for the disk
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options["max_connections"] = 300
        said = " ".join(f"-c {name}={value}" for name, value in options.items())
        self._run("pg_ctl", "-D", self._data, "-w", "-o", said, "start")

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", how, "stop")

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        self._log.close()

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def schema(self) -> str:
        """The URL of a new, empty schema, as good as a database of its own to a ledger, and made faster."""
        name = f"ledger_{secrets.token_hex(6)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"

    def guarded(self, url: str) -> str:
        """The same place for the user with a password."""
        return url.replace("genstep@", f"{GUARDED}:{PASSWORD}@")

    def _run(self, command: str, *words: object) -> None:
        quiet = {"check": True, "stdout": self._log, "stderr": self._log, "cwd": self._data}
        subprocess.run([*self._run_as, _command(command), *map(str, words)], **quiet)


@contextmanager
def running() -> Iterator[Server]:
    """A new server, ended with the block; its user is another than root, and so its folder is not below pytest's."""
    with tempfile.TemporaryDirectory(prefix="genstep-postgres-") as folder:
        server = Server(Path(folder))
        try:
            server.start()
            server.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            server.close()
