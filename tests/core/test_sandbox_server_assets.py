"""The sandbox's files: links that are signed and expire, ranges, and what an asset host sees of its clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import KEYS, Drive


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("imageapi") as drive:
        yield drive


@pytest.fixture
def url(drive: Drive) -> str:
    return drive.post("/generate", {"prompt": "a", "seed": 1}).json["data"]["image"]


def fetch(drive: Drive, url: str, method: str = "GET", **headers: str):
    return drive.send(method, url, key=None, **headers)


def test_a_link_lasts_an_hour(drive: Drive, url: str) -> None:
    drive.wait(3590)
    assert fetch(drive, url).status == 200
    drive.wait(12)
    expired = fetch(drive, url)
    assert (expired.status, expired.headers["Content-Type"]) == (403, "application/xml")
    assert b"Request has expired" in expired.body


def test_lifetime_is_divided_by_speed_but_not_below_what_a_machine_needs() -> None:
    for options, lifetime in (
        ({"speed": 10}, 360),
        ({"speed": 1000}, 30),
        ({"speed": 10, "link_seconds": 50}, 5),
    ):
        with Drive("imageapi", **options) as drive:
            link = drive.post("/generate", {"prompt": "a"}).json["data"]["image"]
            drive.wait(lifetime - 1)
            assert fetch(drive, link).status == 200
            drive.wait(3)
            assert fetch(drive, link).status == 403


def test_links_can_be_ended(drive: Drive, url: str) -> None:
    drive.control.expire_links()
    assert fetch(drive, url).status == 403


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("signature=", "signature=0", 403),
        ("signature=", "signature=é", 403),
        ("expires=", "expires=9", 403),
        ("expires=", "x=", 403),
        ("/assets/", "/assets/0", 404),
        (".png", ".gif", 404),
    ],
)
def test_a_link_cannot_be_changed(drive: Drive, url: str, before: str, after: str, status: int) -> None:
    assert fetch(drive, url.replace(before, after)).status == status


def test_head_and_ranges(drive: Drive, url: str) -> None:
    whole = fetch(drive, url)
    assert whole.headers["Accept-Ranges"] == "bytes"
    head = fetch(drive, url, "HEAD")
    assert {name: head.headers[name] for name in whole.headers} == dict(whole.headers)
    size = len(whole.body)
    for asked, body, shown in (
        ("bytes=0-3", whole.body[:4], f"bytes 0-3/{size}"),
        ("bytes=5-", whole.body[5:], f"bytes 5-{size - 1}/{size}"),
        ("bytes=-6", whole.body[-6:], f"bytes {size - 6}-{size - 1}/{size}"),
        ("bytes=2-999999", whole.body[2:], f"bytes 2-{size - 1}/{size}"),
    ):
        part = fetch(drive, url, Range=asked)
        assert (part.status, part.body, part.headers["Content-Range"]) == (206, body, shown)
    for asked in (f"bytes={size}-", "bytes=-0", "bytes=5-2"):
        assert fetch(drive, url, Range=asked).status == 416
    for asked in ("bytes=0-1,3-4", "items=0-1", "bytes=-"):
        assert fetch(drive, url, Range=asked).body == whole.body


def test_etags(drive: Drive, url: str) -> None:
    etag = fetch(drive, url).headers["ETag"]
    assert fetch(drive, url, If_None_Match=etag).status == 304
    assert fetch(drive, url, Range="bytes=0-1", If_Range=etag).status == 206
    assert fetch(drive, url, Range="bytes=0-1", If_Range='"other"').status == 200


def test_only_reading_is_allowed(drive: Drive, url: str) -> None:
    assert fetch(drive, url, "PUT").status == 405


def test_a_key_that_is_sent_to_the_asset_host_is_noticed_and_not_kept(drive: Drive, url: str) -> None:
    fetch(drive, url)
    assert [seen.authorization for seen in drive.control.asset_requests()] == [None]
    drive.get(url)
    seen = drive.control.asset_requests()[-1].authorization
    assert seen == "sk_…fake"
    assert KEYS["imageapi"] not in repr(drive.control.asset_requests())


def test_a_file_is_made_when_it_is_asked_for_and_once(drive: Drive, url: str) -> None:
    assert drive.makers.made == []
    replies = drive.together(*(drive.request("GET", url, key=None) for _ in range(3)))
    assert {reply.body for reply in replies} == {replies[0].body}
    assert drive.makers.made == ["a"]


def test_the_same_seed_and_prompt_give_the_same_media() -> None:
    def file(seed: int) -> bytes:
        with Drive("conceptviz", seed=seed) as drive:
            task = drive.post("/generate", {"prompt": "cells"}).json["taskId"]
            drive.wait(90)
            return fetch(drive, drive.get(f"/task/{task}").json["images"][0]["url"]).body

    assert file(1) == file(1) != file(2)


def test_half_a_surrogate_pair_in_a_prompt_harms_nobody(drive: Drive) -> None:
    reply = drive.post("/generate", b'{"prompt": "a \\ud83e b"}')
    assert fetch(drive, reply.json["data"]["image"]).status == 200
