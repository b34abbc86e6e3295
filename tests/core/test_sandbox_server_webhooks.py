"""The sandbox's webhooks are signed, tried again, and go wrong on demand (document 003, "Webhooks")."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import Drive

from genstep.sandbox.server.webhooks import stringify

URL = "http://127.0.0.1:9/hook"


class Receiver:
    """Takes deliveries, and answers them with the statuses it was told, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self.got.append((url, headers, body))
        return self.answers.pop(0) if self.answers else 200

    @property
    def events(self) -> list[dict]:
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def drive(receiver: Receiver) -> Iterator[Drive]:
    with Drive("aivisualstudio", send=receiver, webhook_hosts=frozenset({"hooks.example"})) as drive:
        yield drive


def valid(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """The document's own check, in Python."""
    timestamp, sent = (part.partition("=")[2] for part in headers["X-Webhook-Signature"].split(","))
    expected = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(sent, expected)


def create(drive: Drive, **body: object) -> dict:
    reply = drive.post("/webhooks", {"url": URL, **body})
    assert reply.status == 201, reply.body
    return reply.json


def generate(drive: Drive, **body: object) -> str:
    job: str = drive.post("/generate/image", {"prompt": "A futuristic city", **body}).json["id"]
    drive.wait(60)
    return job


def test_the_life_of_a_webhook(drive: Drive) -> None:
    made = create(drive)
    assert set(made) == {"id", "url", "events", "secret"}
    assert made["events"] == ["generation.completed", "generation.failed"]
    shown = {name: made[name] for name in ("id", "url", "events")}
    assert drive.get("/webhooks").json == {"data": [shown], "total": 1}
    changed = drive.send("PATCH", f"/webhooks/{made['id']}", {"events": ["generation.failed"]})
    assert changed.json == {**shown, "events": ["generation.failed"]}
    assert drive.get("/webhooks", key="avs_live_another").json["data"] == []
    assert drive.send("DELETE", f"/webhooks/{made['id']}").status == 204
    assert drive.get("/webhooks").json["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http://hooks.example/a"},
        {"url": "hooks.example"},
        {"url": 3},
        {"url": URL, "events": []},
        {"url": URL, "events": ["generation.started"]},
        {"url": URL, "events": "generation.failed"},
    ],
)
def test_webhooks_that_are_refused(drive: Drive, body: dict) -> None:
    reply = drive.post("/webhooks", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_request")
    assert drive.send("PATCH", f"/webhooks/{create(drive)['id']}", body).status == 400


def test_a_registered_webhook_is_delivered_when_the_job_ends(drive: Drive, receiver: Receiver) -> None:
    secret = create(drive)["secret"]
    job = generate(drive)
    [(url, headers, body)] = receiver.got
    assert (url, headers["Content-Type"]) == (URL, "application/json")
    assert valid(secret, headers, body)
    event = json.loads(body)
    assert set(event) == {"event", "data", "created_at"}
    assert event["event"] == "generation.completed"
    url = event["data"].pop("output_url")
    assert url.startswith("http://sandbox.test/assets/")
    record = drive.get(f"/generations/{job}").json
    assert {k: v for k, v in record.items() if k != "output_url"} == event["data"]
    assert event["created_at"] == event["data"]["completed_at"]


def test_a_failed_generation_is_told_to_those_who_asked(drive: Drive, receiver: Receiver) -> None:
    create(drive, url=f"{URL}/completed", events=["generation.completed"])
    create(drive, url=f"{URL}/failed", events=["generation.failed"])
    drive.control.fault("fail", "aivisualstudio")
    generate(drive)
    assert [url for url, _, _ in receiver.got] == [f"{URL}/failed"]
    assert receiver.events[0]["event"] == "generation.failed"
    assert receiver.events[0]["data"]["output_url"] is None


def test_a_requests_own_url_is_signed_with_the_accounts_secret(drive: Drive, receiver: Receiver) -> None:
    generate(drive, webhook_url=URL)
    [(_, headers, body)] = receiver.got
    assert valid(drive.control.webhook_secret("aivisualstudio", drive.key), headers, body)


def test_one_url_registered_and_asked_for_is_delivered_once(drive: Drive, receiver: Receiver) -> None:
    secret = create(drive)["secret"]
    generate(drive, webhook_url=URL)
    [(_, headers, body)] = receiver.got
    assert valid(secret, headers, body)


def test_a_webhook_that_is_made_after_the_job_is_delivered_on_time(drive: Drive, receiver: Receiver) -> None:
    drive.post("/generate/image", {"prompt": "a"})
    create(drive)
    drive.wait(60)
    assert len(receiver.got) == 1


def test_a_refused_delivery_is_tried_again(drive: Drive, receiver: Receiver) -> None:
    create(drive)
    receiver.answers = [500, 401]
    job = generate(drive)
    assert [d.status for d in drive.control.deliveries(job)] == [500, 401, 200]
    receiver.answers = [500] * 9
    job = generate(drive)
    drive.wait(60)
    assert [d.status for d in drive.control.deliveries(job)] == [500] * 4


def test_nothing_is_delivered_to_a_host_that_was_not_given(drive: Drive, receiver: Receiver) -> None:
    create(drive, url="https://your-app.com/webhooks/photoverse")
    create(drive, url="https://hooks.example/webhooks")
    job = generate(drive)
    assert [url for url, _, _ in receiver.got] == ["https://hooks.example/webhooks"]
    assert sorted(d.status for d in drive.control.deliveries(job)) == [-1, 200]


def test_duplicate(drive: Drive, receiver: Receiver) -> None:
    create(drive)
    drive.control.fault("duplicate")
    generate(drive)
    assert len(receiver.got) == 2
    assert receiver.got[0][2] == receiver.got[1][2]


def test_forged(drive: Drive, receiver: Receiver) -> None:
    secret = create(drive)["secret"]
    drive.control.fault("forged")
    generate(drive)
    assert not valid(secret, *receiver.got[0][1:])


def test_old(drive: Drive, receiver: Receiver) -> None:
    secret = create(drive)["secret"]
    drive.control.fault("old")
    generate(drive)
    _, headers, body = receiver.got[0]
    assert valid(secret, headers, body)
    sent = int(headers["X-Webhook-Signature"].partition("t=")[2].partition(",")[0])
    assert drive.control.deliveries()[0].time - sent >= 600


def test_none(drive: Drive, receiver: Receiver) -> None:
    create(drive)
    drive.control.fault("none")
    generate(drive)
    assert receiver.got == []
    generate(drive)
    assert len(receiver.got) == 1


def test_delayed(drive: Drive, receiver: Receiver) -> None:
    create(drive)
    drive.control.fault("delayed", seconds=1000)
    generate(drive)
    assert receiver.got == []
    drive.wait(1000)
    assert len(receiver.got) == 1


def test_held_jobs_are_told_when_they_are_released(drive: Drive, receiver: Receiver) -> None:
    create(drive)
    drive.control.fault("hold", "aivisualstudio")
    generate(drive)
    assert receiver.got == []

    async def release() -> None:
        drive.control.release()

    drive.run(release())
    drive.wait(1)
    assert len(receiver.got) == 1


def test_the_body_is_what_json_stringify_writes() -> None:
    assert stringify({"a": "é✓\u2028\ud83e", "b": [1, None, True], "c": 'q"\n'}) == (
        '{"a":"é✓\u2028\\ud83e","b":[1,null,true],"c":"q\\"\\n"}'.encode()
    )
