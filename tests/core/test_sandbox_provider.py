"""The built-in sandbox: real files of every kind, jobs that outlive their process, play credits; in virtual time."""

from __future__ import annotations

import asyncio
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.core.flows import ask

from genstep.accounts import Account, check_account
from genstep.errors import ConfigurationError, InsufficientCredits, InvalidRequest, NotFound
from genstep.models import InputImage
from genstep.outcome import Verdict, judge
from genstep.provider import Completed, Failed, Running
from genstep.sandbox import media
from genstep.sandbox.offer import PRICES
from genstep.sandbox.provider import Sandbox

NOON = 1_700_049_600.0  # 2023-11-15 12:00 UTC


class Time:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def sandbox(folder: Path, clock: Time, **options: Any) -> Any:
    account = Account(provider="sandbox", options=options)
    check_account(account, Sandbox)
    return Sandbox(account, folder=folder, clock=clock)


@pytest.fixture
def service(folder: Path, clock: Time) -> Any:
    return sandbox(folder, clock)


def run(verb: Any) -> Any:
    return asyncio.run(verb)


def generate(service: Any, clock: Time, *arguments: Any, **fields: Any) -> Any:
    """The state of a new job, a minute later."""
    request = ask(service, *arguments, **fields)
    accepted = run(service.submit_batch(request.items()))
    clock.now += 60
    return run(service.poll(accepted.job_id))


@pytest.mark.parametrize(
    ("kind", "fields", "media_type", "starts"),
    [
        ("image", {"width": 96, "height": 64}, "image/png", b"\x89PNG"),
        ("image", {"width": 96, "height": 64, "output_format": "jpg"}, "image/jpeg", b"\xff\xd8"),
        ("image", {"width": 96, "height": 64, "output_format": "webp"}, "image/webp", b"RIFF"),
        ("infographic", {"width": 300, "height": 400}, "image/png", b"\x89PNG"),
        ("video", {"width": 96, "height": 64, "duration": 0.5}, "video/mp4", b""),
        (
            "video",
            {"width": 96, "height": 64, "duration": 0.5, "output_format": "webm"},
            "video/webm",
            b"\x1a\x45\xdf\xa3",
        ),
        ("voice", {"duration": 1}, "audio/wav", b"RIFF"),
        ("music", {"duration": 1}, "audio/wav", b"RIFF"),
        ("music", {"duration": 1, "output_format": "mp3"}, "audio/mpeg", b""),
    ],
)
def test_every_kind_is_a_real_file(
    service: Any, clock: Time, kind: str, fields: dict[str, Any], media_type: str, starts: bytes
) -> None:
    done = generate(service, clock, "a fox in the snow", kind=kind, **fields)
    [output] = done.outputs
    assert (output.media_type, output.role, output.prompt) == (media_type, "main", "a fox in the snow")
    assert output.data.startswith(starts)
    assert len(output.data) > 100
    assert done.credits == PRICES[kind]
    if media_type.startswith("image/"):
        assert Image.open(io.BytesIO(output.data)).size == (fields["width"], fields["height"])


def test_text_is_text(service: Any, clock: Time) -> None:
    [output] = generate(service, clock, "why is the sky blue", kind="text").outputs
    assert output.data is None
    assert len(output.text) > 20


def test_a_3d_model_has_a_preview(service: Any, clock: Time) -> None:
    main, preview = generate(service, clock, "a chair", kind="model3d").outputs
    assert (main.data[:4], main.media_type, main.role, main.item) == (b"glTF", "model/gltf-binary", "main", 0)
    assert (preview.data[:4], preview.media_type, preview.role, preview.item) == (b"\x89PNG", "image/png", "preview", 0)


def picture() -> InputImage:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, "PNG")
    return InputImage(data=buffer.getvalue(), media_type="image/png", sha256="ab" * 32)


def test_a_3d_model_can_be_made_of_a_picture_alone(service: Any, clock: Time) -> None:
    main, _ = generate(service, clock, kind="model3d", image=picture()).outputs
    assert main.data[:4] == b"glTF"
    with pytest.raises(InvalidRequest, match="prompt or an image"):
        ask(service, kind="model3d")


def test_an_input_picture_changes_the_result_and_outlives_the_process(folder: Path, clock: Time) -> None:
    plain = generate(sandbox(folder, clock), clock, "a fox", width=96, height=64).outputs[0].data
    request = ask(sandbox(folder, clock), "a fox", width=96, height=64, image=picture())
    accepted = run(sandbox(folder, clock).submit(request))
    clock.now += 60
    assert run(sandbox(folder, clock).poll(accepted.job_id)).outputs[0].data != plain


def test_an_unreadable_input_picture_fails_the_job_and_costs_nothing(service: Any, clock: Time) -> None:
    broken = InputImage(data=b"no picture", media_type="image/png", sha256="cd" * 32)
    state = generate(service, clock, "a fox", width=96, height=64, image=broken)
    assert (type(state), state.refunded) == (Failed, True)
    assert run(service.balance()).amount == 1000


# -- repeatable -------------------------------------------------------------------------------------------------------


def test_the_same_prompt_makes_the_same_picture_and_copies_differ(service: Any, clock: Time) -> None:
    first = generate(service, clock, "a fox", n=3, width=96, height=64).outputs
    again = generate(service, clock, "a fox", n=3, width=96, height=64).outputs
    assert [output.data for output in first] == [output.data for output in again]
    assert [output.item for output in first] == [0, 1, 2]
    assert len({output.data for output in first}) == 3
    assert len({output.seed for output in first}) == 3


def test_a_seed_decides(service: Any, clock: Time) -> None:
    one, two = generate(service, clock, "a fox", n=2, seed=7, width=96, height=64).outputs
    assert (one.seed, two.seed) == (7, 8)
    [alone] = generate(service, clock, "a fox", seed=8, width=96, height=64).outputs
    assert alone.data == two.data


def test_copies_beyond_one_call_differ_too(service: Any) -> None:
    request = ask(service, "a fox", n=10)
    assert len({item.seed for item in request.items()}) == 10


def test_other_prompts_and_kinds_have_other_seeds(service: Any) -> None:
    seeds = {ask(service, prompt, kind=kind).seed for prompt in ("a", "b") for kind in ("image", "music")}
    assert len(seeds) == 4


def test_a_batch_of_different_prompts(service: Any, clock: Time) -> None:
    requests = [ask(service, prompt, width=96, height=64) for prompt in ("a fox", "a city at night")]
    assert len({service.group(request) for request in requests}) == 1
    assert service.group(requests[0]) != service.group(ask(service, "x", kind="text"))
    accepted = run(service.submit_batch(requests))
    assert accepted.credits == 2
    clock.now += 60
    assert [(each.item, each.prompt) for each in run(service.poll(accepted.job_id)).outputs] == [
        (0, "a fox"),
        (1, "a city at night"),
    ]


# -- the life of a job ------------------------------------------------------------------------------------------------


def test_progress_rises_until_the_job_is_ready(service: Any, clock: Time) -> None:
    accepted = run(service.submit(ask(service, "a fox", width=96, height=64, options={"seconds": 10})))
    seen = []
    for _ in range(4):
        state = run(service.poll(accepted.job_id))
        assert isinstance(state, Running)
        seen.append(state.progress)
        clock.now += 2.5
    assert seen == [0.0, 0.25, 0.5, 0.75]
    assert isinstance(run(service.poll(accepted.job_id)), Completed)
    assert run(service.poll(accepted.job_id)).completed_at == NOON + 10


def test_a_job_outlives_the_process(folder: Path, clock: Time) -> None:
    one = sandbox(folder, clock)
    accepted = run(one.submit(ask(one, "a fox", width=96, height=64)))
    clock.now += 60
    assert isinstance(run(sandbox(folder, clock).poll(accepted.job_id)), Completed)


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_its_files_are_the_users_alone(service: Any, folder: Path) -> None:
    run(service.submit(ask(service, "a secret fox", image=picture())))
    files = [path for path in folder.iterdir() if path.is_file()]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_failing_job_gives_its_credits_back_once(service: Any, clock: Time) -> None:
    accepted = run(service.submit(ask(service, "a fox", options={"fail": True})))
    assert accepted.balance == 999
    assert isinstance(run(service.poll(accepted.job_id)), Running)
    clock.now += 60
    for _ in range(3):
        state = run(service.poll(accepted.job_id))
        assert (type(state), state.code, state.refunded) == (Failed, "SANDBOX_FAILED", True)
    assert run(service.balance()).amount == 1000


def test_cancel_stops_a_running_job_and_gives_its_credits_back_once(service: Any, clock: Time) -> None:
    accepted = run(service.submit(ask(service, "a fox", kind="video")))
    assert run(service.balance()).amount == 995
    assert run(service.cancel(accepted.job_id)) is True
    assert run(service.cancel(accepted.job_id)) is True
    clock.now += 60
    state = run(service.poll(accepted.job_id))
    assert (type(state), state.code, state.refunded) == (Failed, "CANCELLED", True)
    assert run(service.balance()).amount == 1000


def test_a_finished_job_cannot_be_cancelled(service: Any, clock: Time) -> None:
    accepted = run(service.submit(ask(service, "a fox", width=96, height=64)))
    clock.now += 60
    assert run(service.cancel(accepted.job_id)) is False
    assert isinstance(run(service.poll(accepted.job_id)), Completed)
    assert run(service.balance()).amount == 999


def test_delete_leaves_nothing_of_a_job(service: Any, folder: Path) -> None:
    kept = run(service.submit(ask(service, "a hen")))
    gone = run(service.submit(ask(service, "a fox", image=picture())))
    run(service.delete(gone.job_id))
    assert [path.name for path in folder.glob("sbx_*")] == [f"{kept.job_id}.json"]
    with pytest.raises(NotFound):
        run(service.poll(gone.job_id))
    with pytest.raises(NotFound):
        run(service.delete(gone.job_id))


@pytest.mark.parametrize("job_id", ["", "nothing", "../secret", "sbx_00000000000000_00000000", "sbx_*"])
def test_an_unknown_job_is_not_found(service: Any, folder: Path, job_id: str) -> None:
    folder.mkdir()
    (folder.parent / "secret.json").write_text("{}")
    for verb in (service.poll(job_id), service.cancel(job_id), service.delete(job_id)):
        with pytest.raises(NotFound):
            run(verb)


def test_a_damaged_job_file_is_not_found(service: Any, folder: Path) -> None:
    accepted = run(service.submit(ask(service, "a fox")))
    (folder / f"{accepted.job_id}.json").write_text('{"id": 1')
    with pytest.raises(NotFound):
        run(service.poll(accepted.job_id))
    assert run(service.history(None)).items == ()


# -- play credits -----------------------------------------------------------------------------------------------------


def test_credits_are_counted_by_the_day(folder: Path, clock: Time) -> None:
    service = sandbox(folder, clock, play_credits=6)
    accepted = run(service.submit(ask(service, "x", kind="video")))
    assert (accepted.credits, accepted.balance) == (5, 1)
    with pytest.raises(InsufficientCredits, match="play_credits") as caught:
        run(service.submit(ask(service, "x", kind="voice")))
    assert (caught.value.required, caught.value.available) == (2, 1)
    assert judge(None, caught.value) is Verdict.REFUSED
    assert (run(service.balance()).amount, run(sandbox(folder, clock, play_credits=6).balance()).amount) == (1, 1)
    clock.now += 86400
    balance = run(service.balance())
    assert (balance.amount, balance.unit, balance.as_of) == (6, "credits", clock.now)


# -- what else it can be asked ----------------------------------------------------------------------------------------


def test_past_work_newest_first_page_by_page(service: Any, clock: Time) -> None:
    made = []
    for number in range(5):
        made.append(run(service.submit(ask(service, f"picture {number}"))).job_id)
        clock.now += 1
    failing = run(service.submit(ask(service, "words", kind="text", options={"fail": True, "seconds": 0.1}))).job_id
    clock.now += 0.2
    seen, cursor = [], None
    for _ in range(3):
        page = run(service.history(cursor, limit=2))
        seen += page.items
        cursor = page.next
    assert cursor is None
    assert [item.id for item in seen] == [failing, *reversed(made)]
    assert [item.status for item in seen] == ["failed", *["completed"] * 5]
    assert (seen[1].prompt, seen[1].kind, seen[1].created_at) == ("picture 4", "image", NOON + 4)
    assert [item.id for item in run(service.history(None, kind="text")).items] == [failing]
    assert [item.id for item in run(service.history(None, status="completed", limit=1)).items] == made[-1:]
    with pytest.raises(InvalidRequest, match="kind, status, limit"):
        run(service.history(None, order="asc"))


def test_models_health_and_prompt_verbs(service: Any) -> None:
    assert {(model.id, model.kind, model.price) for model in run(service.models(None))} == {
        ("sandbox-1", kind, price) for kind, price in PRICES.items()
    }
    assert [model.kind for model in run(service.models("video"))] == ["video"]
    assert run(service.health()).status == "healthy"
    assert run(service.enhance("a fox", "gloomy")).startswith("a fox, gloomy,")
    assert run(service.enhance("a fox", None)) == run(service.enhance("a fox", None))
    assert run(service.build_prompt({"setting": "snowy forest", "subject": "fox", "mood": ""})) == "fox, snowy forest"
    for verb in (service.enhance(" ", None), service.build_prompt({}), service.build_prompt({"colour": "red"})):
        with pytest.raises(InvalidRequest):
            run(verb)


# -- around it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "output_format"), [("video", None), ("video", "webm"), ("music", "mp3")])
def test_a_missing_library_is_said_before_a_job_starts(
    service: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, output_format: str | None
) -> None:
    monkeypatch.setattr(media, "available", lambda kind, output_format: f"{kind} needs PyAV")
    with pytest.raises(InvalidRequest, match=r"pip install 'genstep\[media\]'"):
        ask(service, "x", kind=kind, output_format=output_format)
    assert not folder.exists()


def test_a_library_that_went_missing_keeps_the_job(service: Any, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = run(service.submit(ask(service, "x")))
    clock.now += 60

    def missing(*arguments: Any, **named: Any) -> Any:
        raise media.MediaUnavailable("video needs PyAV")

    monkeypatch.setattr(media, "make", missing)
    with pytest.raises(ConfigurationError, match="resume"):
        run(service.poll(accepted.job_id))
    assert run(service.balance()).amount == 999


def test_its_state_lives_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    service = Sandbox(Account(provider="sandbox"))
    accepted = run(service.submit(ask(service, "x")))
    stored = json.loads((tmp_path / "home" / "sandbox" / f"{accepted.job_id}.json").read_text())
    assert stored["items"][0]["prompt"] == "x"
    elsewhere = Sandbox(Account(provider="sandbox", options={"folder": str(tmp_path / "other")}))
    run(elsewhere.submit(ask(elsewhere, "x")))
    assert len(list((tmp_path / "other").glob("sbx_*.json"))) == 1


def test_it_waits_about_as_long_as_a_job_takes(service: Any) -> None:
    assert service.timing_for(ask(service, "x")).median == 0.8
    assert service.timing_for(ask(service, "x", options={"seconds": 40})).gap == 2.0
