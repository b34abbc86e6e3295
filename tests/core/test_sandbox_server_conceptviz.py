"""ConceptViz in the sandbox answers as document 000 says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import Drive


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("conceptviz") as drive:
        yield drive


def submit(drive: Drive, **body: object) -> dict:
    reply = drive.post("/generate", body or {"prompt": "water cycle diagram"})
    assert reply.status == 200, reply.body
    return reply.json


def test_a_task_goes_from_pending_to_completed_in_the_documents_time(drive: Drive) -> None:
    accepted = submit(drive)
    task = f"/task/{accepted['taskId']}"
    assert accepted == {
        "taskId": accepted["taskId"],
        "status": "pending",
        "credits_used": 1,
        "credits_remaining": 79,
        "poll_url": f"/api/v1{task}",
    }
    assert drive.get(task).json == {"status": "pending"}
    drive.wait(29)
    assert drive.get(task).json == {"status": "processing"}
    drive.wait(61)
    done = drive.get(task).json
    assert set(done) == {"status", "images"}
    assert done["status"] == "completed"
    assert [set(image) for image in done["images"]] == [{"url", "prompt"}]
    assert done["images"][0]["prompt"] == "water cycle diagram"
    assert drive.get(done["images"][0]["url"], key=None).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("body", "price"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": "a", "quality": "4k"}, 2),
        ({"prompts": ["a", "b", "c", "d"], "quality": "4k"}, 8),
        ({"prompt": "left out", "prompts": ["a", "b"]}, 2),
        ({"prompt": "a", "aspectRatio": "21:9", "unknown": [1]}, 1),
    ],
)
def test_what_is_accepted_and_its_price(drive: Drive, body: dict, price: int) -> None:
    accepted = submit(drive, **body)
    assert (accepted["credits_used"], accepted["credits_remaining"]) == (price, 80 - price)


def test_prompts_win_over_prompt_and_come_back_with_their_images(drive: Drive) -> None:
    accepted = submit(drive, prompt="left out", prompts=["cells", "cells", "DNA"])
    drive.wait(90)
    images = drive.get(f"/task/{accepted['taskId']}").json["images"]
    assert [image["prompt"] for image in images] == ["cells", "cells", "DNA"]
    assert len({image["url"] for image in images}) == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{not json", 400, "INVALID_BODY"),
        (b"", 400, "INVALID_BODY"),
        (b'"a"', 400, "INVALID_BODY"),
        (b"[" * 100_000, 400, "INVALID_BODY"),
        (b'{"prompt": NaN}', 400, "INVALID_BODY"),
        (b'{"prompt": "\xff"}', 400, "INVALID_BODY"),
        ({"prompt": 7}, 400, "INVALID_BODY"),
        ({"prompts": "a"}, 400, "INVALID_BODY"),
        ({"prompt": "a", "quality": "8k"}, 400, "INVALID_BODY"),
        ({"prompt": "a", "quality": ["2k"]}, 400, "INVALID_BODY"),
        ({"prompt": "a", "aspectRatio": "wide"}, 400, "INVALID_BODY"),
        ({}, 400, "PROMPT_REQUIRED"),
        ({"prompt": "  "}, 400, "PROMPT_REQUIRED"),
        ({"prompts": []}, 400, "PROMPT_REQUIRED"),
        ({"prompts": ["a", ""]}, 400, "PROMPT_REQUIRED"),
        ({"prompts": ["a"] * 5}, 400, "TOO_MANY_PROMPTS"),
    ],
)
def test_what_is_refused(drive: Drive, body: object, status: int, code: str) -> None:
    reply = drive.post("/generate", body)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert set(reply.json) == {"error", "code"}
    assert drive.control.charges() == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "UNAUTHORIZED"),
        ("Basic Zm9vOmJhcg==", "UNAUTHORIZED"),
        ("Bearer", "UNAUTHORIZED"),
        ("Bearer sk_fake", "INVALID_API_KEY"),
        ("Bearer cvk_", "INVALID_API_KEY"),
        ("Bearer cvk_revoked_fake", "INVALID_API_KEY"),
        ("Bearer cvk_disabled_fake", "INVALID_API_KEY"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/generate"), ("GET", "/task/x")])
def test_keys_that_do_not_work(drive: Drive, header: str | None, code: str, method: str, path: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    reply = drive.send(method, path, {"prompt": "a"}, key=None, **headers)
    assert (reply.status, reply.json["code"]) == (401, code)


def test_credits_run_out_and_the_refusal_says_how_many_are_left(drive: Drive) -> None:
    drive.control.set_credits("conceptviz", 1, drive.key)
    reply = drive.post("/generate", {"prompts": ["a", "b"]})
    assert (reply.status, reply.json["code"], reply.json["credits_remaining"]) == (402, "INSUFFICIENT_CREDITS", 1)
    assert set(reply.json) == {"error", "code", "credits_remaining"}
    assert submit(drive, prompt="a")["credits_remaining"] == 0


def test_the_plan_limits_a_batch(drive: Drive) -> None:
    drive.control.set("conceptviz", batch_limit=2)
    reply = drive.post("/generate", {"prompts": ["a", "b", "c"]})
    assert (reply.status, reply.json["code"]) == (403, "PLAN_LIMIT_EXCEEDED")
    assert submit(drive, prompts=["a", "b"])["credits_used"] == 2


def test_a_task_of_another_account_is_not_found(drive: Drive) -> None:
    accepted = submit(drive)
    for reply in (
        drive.get(f"/task/{accepted['taskId']}", key="cvk_somebody_else"),
        drive.get("/task/unknown"),
    ):
        assert (reply.status, reply.json["code"]) == (404, "TASK_NOT_FOUND")


@pytest.mark.parametrize("refund", [True, False])
def test_a_failed_task_says_whether_credits_came_back(drive: Drive, refund: bool) -> None:
    drive.control.fault("fail", "conceptviz", refund=refund)
    accepted = submit(drive, prompt="a", quality="4k")
    drive.wait(90)
    assert drive.get(f"/task/{accepted['taskId']}").json == {
        "status": "failed",
        "error": "Image generation failed. Please try again later.",
        "code": "GENERATION_FAILED",
        "credits_refunded": refund,
    }
    assert drive.control.accounts("conceptviz")[0]["credits"] == (80 if refund else 78)
    assert [(c.amount, c.refund) for c in drive.control.charges()] == [(2, False)] + [(2, True)] * refund


def test_generation_can_fail_on_submit_and_is_refunded(drive: Drive) -> None:
    drive.control.fault("reject", "conceptviz")
    reply = drive.post("/generate", {"prompt": "a"})
    assert (reply.status, reply.json["code"]) == (500, "GENERATION_FAILED")
    assert (drive.control.spent("conceptviz"), drive.control.submits("conceptviz")) == (0, 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/tasks", 404), ("GET", "/generate", 405), ("POST", "/task/x", 405), ("DELETE", "/task/x", 405)],
)
def test_what_the_document_does_not_have_is_not_there(drive: Drive, method: str, path: str, status: int) -> None:
    assert drive.send(method, path).status == status


def test_no_header_that_the_document_does_not_have(drive: Drive) -> None:
    assert set(drive.post("/generate", {"prompt": "a"}).headers) == {"Content-Type"}
