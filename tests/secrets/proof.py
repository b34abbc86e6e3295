"""What every run is judged by: nothing that it wrote holds a secret, and no origin but the account's own got one."""

from __future__ import annotations

import base64
import gzip
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.core.scan import forms, scan
from tests.secrets.canaries import LINK_TOKEN
from tests.secrets.running import Home

#: how a secret gets into a file; written without the scanner's own words for it
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "raw": lambda secret: secret.encode(),
    "in a header": lambda secret: f"[(b'Authorization', b'Bearer {secret}')]".encode(),
    "base64": lambda secret: base64.b64encode(secret.encode()),
    "base64 after one byte": lambda secret: base64.b64encode(b"u" + secret.encode() + b"@host"),
    "base64 after two": lambda secret: base64.b64encode(b"u:" + secret.encode() + b"@host"),
    "base64url": lambda secret: base64.urlsafe_b64encode(secret.encode()).rstrip(b"="),
    "url": lambda secret: f"?key={quote(secret, safe='')}&n=1".encode(),
    "url, lower case": lambda secret: re.sub(
        "%..", lambda escape: escape[0].lower(), f"?key={quote(secret, safe='')}"
    ).encode(),
    "form": lambda secret: f"a=1&password={quote_plus(secret)}".encode(),
    "json": lambda secret: json.dumps({"key": secret}).encode(),
    "json, letters kept": lambda secret: json.dumps({"key": secret}, ensure_ascii=False).encode(),
    "json in json": lambda secret: json.dumps(json.dumps({"key": secret})).encode(),
    "repr": lambda secret: repr({"key": secret}).encode(),
    "hex": lambda secret: secret.encode().hex().encode(),
    "HEX": lambda secret: secret.encode().hex().upper().encode(),
    "utf-16": lambda secret: secret.encode("utf-16"),
    "gzip": lambda secret: gzip.compress(b"GET / HTTP/1.1\r\nAuthorization: Bearer " + secret.encode()),
}
PLANTED_IN = 32 * 1024


def check(home: Home, planted: Path) -> None:
    """All of it; ``planted`` is a new folder for the copies with canaries."""
    the_scan_finds_what_is_planted(home, planted)
    nothing_written_holds_a_secret(home)
    nothing_written_holds_a_token(home)
    nothing_written_holds_a_link(home)
    only_the_own_origin_got_the_key(home)


def the_scan_finds_what_is_planted(home: Home, folder: Path) -> None:
    """Each secret, in each encoding, in the midst of a copy of one of the run's files of each kind."""
    kinds = {path.name if path.suffix == "" else path.suffix: path for path in _files(home.folder)}
    assert {".log", ".db", ".txt", ".json"} & set(kinds), kinds
    folder.mkdir()
    expected = []
    secrets = home.canaries.all
    for number, secret in enumerate(secrets):
        for turn, (name, encode) in enumerate(ENCODINGS.items()):
            kind = sorted(kinds)[(number + turn) % len(kinds)]
            content = kinds[kind].read_bytes()[:PLANTED_IN]
            path = folder / f"{number}-{turn}{kind}"
            middle = len(content) // 2
            path.write_bytes(content[:middle] + encode(secret) + content[middle:])
            expected.append((path, number, name))
    found = {(hit.path, hit.secret) for hit in scan([folder], secrets)}
    missed = [(path.suffix, name, number) for path, number, name in expected if (path, number) not in found]
    assert missed == []


def nothing_written_holds_a_secret(home: Home) -> None:
    """But for the files that are there to hold them, which are their owner's alone."""
    stores = {home.folder / "state" / "secrets.json", *(home.folder / "state").glob("webhook-*.secret")}
    for path in _files(home.folder):
        private = path in stores or path.suffix in (".db", ".db-wal", ".reply")
        assert not private or stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert scan((path for path in _files(home.folder) if path not in stores), home.canaries.all) == []
    there = {path for path in stores if path.exists()}
    assert {hit.path for hit in scan(there, home.canaries.all)} == there


def nothing_written_holds_a_token(home: Home) -> None:
    """A login's token is as good as the password while it lives."""
    tokens = home.world.tokens
    assert bool(tokens) == (home.canaries.slug == "imaginelab")
    assert not tokens or scan([home.folder], tokens) == []


def nothing_written_holds_a_link(home: Home) -> None:
    """What makes a link good, but for two places.

    A raw reply holds its links until its files are saved, so that a crash loses nothing (rule 3 of the architecture);
    and a history is a list of links that somebody asked for.
    """
    assert home.world.signatures
    there = ((path, str(path.relative_to(home.folder))) for path in _files(home.folder))
    rest = [path for path, name in there if path.suffix != ".reply" and "history" not in name]
    assert scan(rest, [*home.world.signatures, LINK_TOKEN]) == []


def only_the_own_origin_got_the_key(home: Home) -> None:
    """In the Authorization header, or the body of the login; in no URL; and no redirect of the API was followed."""
    world, main = home.world, home.canaries.main
    bearers = world.tokens if home.canaries.slug == "imaginelab" else {main}
    sent = {one.headers.get("authorization", "").removeprefix("Bearer ") for one in world.own}
    assert sent & bearers
    needles = [needle for secret in {main, *bearers, home.canaries.all[1]} for _, needle in forms(secret)]
    for one in world.own:
        shown = [one.target, *(value for name, value in one.headers.items() if name != "authorization")]
        assert not _holds("\n".join(shown).encode(), needles), one.target
        assert one.target.endswith("/auth/login") or not _holds(one.body, needles), one.target
    for one in world.elsewhere:
        assert not {"authorization", "proxy-authorization", "cookie"} & set(one.headers), one.target
        assert not _holds(repr(one).encode(), needles), one.target
    files = [one for one in world.elsewhere if one.origin == world.server.asset_url]
    assert files
    assert {one.method for one in files} == {"GET"}
    assert all(one.target.startswith("/assets/") for one in files)
    assert {(one.method, one.target.partition("?")[0]) for one in world.friend.seen} <= {("GET", "/asset.png")}
    assert world.stranger.connections == 0


def _holds(data: bytes, needles: list[bytes]) -> bool:
    return any(needle in data for needle in needles)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
