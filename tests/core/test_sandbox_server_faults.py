"""Faults of the sandbox: each goes wrong as it says, where it says, as often as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import START, Drive

from genstep.sandbox.server import App, Event

BODY = {"prompt": "a"}


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("conceptviz") as drive:
        yield drive


@pytest.mark.parametrize(("when", "submits"), [("before", 0), ("during", 1), ("after", 1)])
def test_a_fault_strikes_before_or_after_the_request_was_accepted(drive: Drive, when: str, submits: int) -> None:
    drive.control.fault("drop", "conceptviz", endpoint="generate", when=when)
    assert drive.post("/generate", BODY).response.drop
    assert drive.control.submits() == submits
    assert drive.post("/generate", BODY).status == 200


def test_after_leaves_refusals_alone(drive: Drive) -> None:
    drive.control.fault("drop", "conceptviz", when="after")
    assert drive.post("/generate", {}).status == 400
    assert drive.post("/generate", BODY).response.drop


def test_during_is_after_the_charge_and_before_the_end_of_a_blocking_call() -> None:
    with Drive("nanobanana") as drive:
        drive.control.fault("refuse", "nanobanana", when="during", status=504, bare=True)
        assert drive.post("/images", BODY).status == 504
        assert drive.clock.now == START
        assert drive.control.jobs()[0]["status"] == "pending"
        drive.wait(4)
        assert drive.control.jobs()[0]["status"] == "completed"
        drive.control.fault("refuse", "nanobanana", when="during")
        assert drive.post("/images", {}).status == 400


@pytest.mark.parametrize(
    ("slug", "keys"),
    [
        ("nanobanana", {"success", "error"}),
        ("imaginelab", {"detail"}),
        ("aivisualstudio", {"error"}),
        ("imageapi", {"success", "error", "request_id"}),
    ],
)
def test_refuse_speaks_the_services_dialect(slug: str, keys: set[str]) -> None:
    with Drive(slug) as drive:
        drive.control.fault("refuse", slug)
        path = {"nanobanana": "/projects", "imageapi": "/usage"}.get(slug, "/generations")
        reply = drive.get(path)
        assert (reply.status, set(reply.json)) == (503, keys)


def test_late_passes_time_and_then_answers(drive: Drive) -> None:
    drive.control.fault("late", seconds=300)
    assert drive.post("/generate", BODY).status == 200
    assert drive.clock.now == START + 300


def test_html(drive: Drive) -> None:
    drive.control.fault("html")
    drive.control.fault("html", status=200)
    for status in (502, 200):
        reply = drive.post("/generate", BODY)
        assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert drive.control.submits() == 0


def test_garbage_is_json_cut_short(drive: Drive) -> None:
    drive.control.fault("garbage", when="after")
    reply = drive.post("/generate", BODY)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    drive.control.fault("garbage")
    with pytest.raises(json.JSONDecodeError):
        json.loads(drive.post("/generate", BODY).body)
    assert drive.control.submits() == 1


def test_redirect(drive: Drive) -> None:
    drive.control.fault("redirect", location="http://127.0.0.1:9/elsewhere", status=307)
    reply = drive.post("/generate", BODY)
    assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")


def test_status_with_a_body_of_ones_own(drive: Drive) -> None:
    drive.control.fault("status", status=418, body='{"error":"teapot","code":"TEA"}')
    reply = drive.post("/generate", BODY)
    assert (reply.status, reply.json["code"]) == (418, "TEA")


def test_cut_and_drip_are_told_to_the_transport(drive: Drive) -> None:
    drive.control.fault("cut", bytes=5)
    cut = drive.post("/generate", BODY).response
    assert (cut.status, cut.cut) == (200, 5)
    assert len(cut.body) > 5
    drive.control.fault("drip", seconds=2)
    assert drive.post("/generate", BODY).response.drip == 2
    assert drive.control.submits() == 2


def test_filters(drive: Drive) -> None:
    drive.control.fault("drop", "imageapi")
    drive.control.fault("drop", "conceptviz", method="GET")
    drive.control.fault("drop", "conceptviz", endpoint="task")
    drive.control.fault("drop", "conceptviz", path="/api/v1/task/*")
    assert drive.post("/generate", BODY).status == 200
    assert [drive.get("/task/x").response.drop for _ in range(4)] == [True, True, True, False]


def test_times_and_clearing(drive: Drive) -> None:
    drive.control.fault("refuse", times=2)
    assert [drive.get("/task/x").status for _ in range(3)] == [503, 503, 404]
    for_ever = drive.control.fault("refuse", times=None)
    other = drive.control.fault("drop", "imageapi")
    assert [drive.get("/task/x").status for _ in range(3)] == [503] * 3
    drive.control.clear(for_ever)
    assert drive.get("/task/x").status == 404
    assert [fault["id"] for fault in drive.control.faults()] == [other]
    drive.control.clear()
    assert drive.control.faults() == []


def test_probability_is_drawn_from_the_seed() -> None:
    def struck(seed: int) -> list[int]:
        with Drive("conceptviz", seed=seed) as drive:
            drive.control.fault("refuse", times=None, probability=0.3)
            return [drive.get("/task/x").status for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 30 <= struck(1).count(503) <= 90


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("explode", {}),
        ("drop", {"when": "later"}),
        ("redirect", {}),
        ("drop", {"probability": 0}),
        ("drop", {"probability": 2}),
        ("drop", {"times": "3"}),
        ("late", {"seconds": "1"}),
        ("slow", {"factor": None}),
        ("refuse", {"status": 99}),
        ("cut", {"bytes": 1.5}),
    ],
)
def test_faults_that_make_no_sense(drive: Drive, kind: str, details: dict) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        drive.control.fault(kind, **details)


def status(drive: Drive, task: str) -> str:
    return drive.get(f"/task/{task}").json["status"]


def submit(drive: Drive) -> str:
    return drive.post("/generate", BODY).json["taskId"]


def test_stuck_jobs_never_end_unless_released(drive: Drive) -> None:
    drive.control.fault("stuck", "conceptviz")
    task = submit(drive)
    drive.wait(1e6)
    assert status(drive, task) == "processing"
    drive.control.release()
    assert status(drive, task) == "completed"


def test_hold_release_and_fail_one_job(drive: Drive) -> None:
    tasks = [submit(drive) for _ in range(3)]
    for task in tasks:
        drive.control.hold(task)
    drive.wait(1000)
    drive.control.release(tasks[0])
    drive.control.fail(tasks[1])
    assert [status(drive, task) for task in tasks] == ["completed", "failed", "processing"]
    assert drive.control.spent() == 2
    with pytest.raises(LookupError):
        drive.control.hold("unknown")


def test_slow(drive: Drive) -> None:
    drive.control.fault("slow", factor=10)
    task = submit(drive)
    drive.wait(290)
    assert status(drive, task) == "processing"
    drive.wait(620)
    assert status(drive, task) == "completed"


def test_an_unknown_status_word(drive: Drive) -> None:
    drive.control.fault("word", body="queued_for_gpu")
    task = submit(drive)
    assert status(drive, task) == "queued_for_gpu"
    drive.wait(90)
    assert status(drive, task) == "completed"


def test_job_faults_can_be_for_one_kind() -> None:
    with Drive("nanobanana") as drive:
        drive.control.fault("fail", "nanobanana", job_kind="video")
        assert drive.post("/images", BODY).status == 200
        assert drive.post("/videos", BODY).status == 500


def test_a_held_blocking_call_answers_when_it_is_released() -> None:
    with Drive("nanobanana") as drive:
        drive.control.fault("hold", "nanobanana")

        async def work() -> int:
            clock = drive.clock
            call = drive.app.spawn(drive.handle(drive.request("POST", "/images", BODY)))
            await clock.sleep(5000)
            assert not call.done()
            drive.control.release()
            return (await call).status

        assert drive.run(work()) == 200
        assert drive.clock.now >= START + 5000


def test_events_tell_where_a_request_is() -> None:
    with Drive("nanobanana") as drive:
        events: list[tuple[Event, str]] = []
        drive.control.on_event(lambda event: events.append((event, str(drive.control.submits()))))
        drive.post("/images", BODY)
        received, accepted = events
        assert (received[0].name, received[0].method, received[1]) == ("received", "POST", "0")
        assert (accepted[0].name, accepted[0].endpoint, accepted[1]) == ("accepted", "images", "1")
        assert accepted[0].jobs == (drive.control.jobs()[0]["id"],)
        drive.control.on_event(None)
        drive.post("/images", BODY)
        assert len(events) == 2


def test_video_without_its_library_fails_the_job_and_is_refunded() -> None:
    with Drive("nanobanana") as drive:
        drive.makers.available = lambda kind: "install genstep[media]" if kind == "video" else None  # type: ignore[method-assign]
        assert drive.post("/videos", BODY).status == 500
        assert drive.control.spent() == 0
        assert drive.post("/images", BODY).status == 200


def test_settings_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="batch_limit"):
        App(settings={"conceptviz": {"batchlimit": 2}})
    with pytest.raises(ValueError, match="conceptviz"):
        App(settings={"conceptvis": {}})
    with pytest.raises(ValueError, match="speed"):
        App(speed=0)


def test_reset_forgets_everything(drive: Drive) -> None:
    task = submit(drive)
    drive.control.fault("drop", times=None)
    drive.control.set_credits("conceptviz", 3)
    drive.control.reset()
    assert (drive.control.accounts(), drive.control.charges(), drive.control.jobs()) == ([], [], [])
    assert drive.get(f"/task/{task}").status == 404
    assert drive.post("/generate", BODY).json["credits_remaining"] == 79


def test_default_settings_are_those_of_new_accounts() -> None:
    with Drive("conceptviz", settings={"conceptviz": {"credits": 5, "batch_limit": 2}}) as drive:
        assert drive.post("/generate", BODY).json["credits_remaining"] == 4
        assert drive.post("/generate", {"prompts": ["a", "b", "c"]}).status == 403


@pytest.mark.parametrize("speed", [1, 60])
def test_speed_divides_durations(speed: float) -> None:
    with Drive("nanobanana", speed=speed) as drive:
        drive.post("/videos", BODY)
        assert 20 / speed <= drive.clock.now - START <= 50 / speed
        limit = drive.get("/projects").headers["X-RateLimit-Reset"]
        assert int(limit) - START == pytest.approx(3600 / speed, abs=2)
