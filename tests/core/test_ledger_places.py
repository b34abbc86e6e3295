"""Where a ledger may be: files on local disks and PostgreSQL URLs, and nothing that shows a password."""

from pathlib import Path

import pytest

from genstep.errors import ConfigurationError
from genstep.ledger import ledger_place
from genstep.ledger.disk import network_file_system

MOUNTS = r"""overlay / overlay rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local ext4 rw 0 0
share /mnt/with\040space cifs rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
none /mnt/own 9p rw,trans=fd 0 0
C:\134 /mnt/c 9p rw,aname=drvfs;path=C:\134,trans=fd 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/l.db", None),
        ("/home/me/l.db", "nfs4"),
        ("/homes/l.db", None),
        ("/home/local/l.db", None),
        ("/mnt/with space/l.db", "cifs"),
        ("/mnt/far/l.db", "fuse.sshfs"),
        ("/mnt/own/l.db", None),
        ("/mnt/c/l.db", "9p"),
    ],
)
def test_a_network_file_system_is_told_from_a_local_disk(path, kind):
    assert network_file_system(path, MOUNTS) == kind


def test_a_path_and_a_sqlite_url_are_files():
    assert ledger_place("a/l.db").path == Path("a/l.db")
    assert ledger_place("sqlite:////a/l.db").path == Path("/a/l.db")


def test_a_servers_ledger_shows_no_name_or_password_and_keeps_its_key():
    first = ledger_place("postgresql://bob:obviously-fake-1@db:5433/art")
    other = ledger_place("postgres://bob:obviously-fake-2@db:5433/art")
    assert str(first) == "postgresql://db:5433/art"
    assert "fake" not in repr(first)
    assert "bob" not in repr(first)
    assert first.key == other.key
    assert first.key != ledger_place("postgresql://bob@db:5433/other").key


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:obviously-fake@h/d",
        "postgresql+psycopg://u:obviously-fake@h/d",
        "postgresql://u:obviously/fake@h/d",
        "postgresql://u:obviously#fake@h/d",
        "postgresql://u:obviously?fake@h/d",
        "postgresql://[u:obviously-fake@h/d",
        Path("postgresql://u:obviously-fake@h/d"),
    ],
)
def test_other_urls_are_refused_without_showing_them(url):
    with pytest.raises(ConfigurationError) as refused:
        ledger_place(url)
    assert "fake" not in str(refused.value)
