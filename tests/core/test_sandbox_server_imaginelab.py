"""ImagineLab in the sandbox answers as document 002 says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.core.sandbox_drive import Drive

IMAGE = {"generation_type": "image", "model_name": "seedream-5.0-lite", "prompt": "A neon city skyline at dusk"}
PRICES = {"text": 2, "voice": 3, "image": 5, "music": 8, "infographic": 10, "video": 15}


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive("imaginelab") as drive:
        yield drive


def body(kind: str, **more: object) -> dict:
    model = "seedream-5.0-lite" if kind == "image" else f"sandbox-{kind}"
    return {"generation_type": kind, "model_name": model, "prompt": "hello", **more}


def login(drive: Drive, name: str = "you@example.com", password: str = "fake-password") -> str:
    reply = drive.form("/auth/login", username=name, password=password)
    assert reply.status == 200, reply.body
    return reply.json["access_token"]


def test_login_create_poll_and_read(drive: Drive) -> None:
    reply = drive.form("/auth/login", username="you@example.com", password="fake-password")
    assert set(reply.json) == {"access_token", "token_type"}
    assert reply.json["token_type"] == "bearer"
    token = reply.json["access_token"]
    created = drive.post("/generations", {**IMAGE, "settings": {"aspect_ratio": "16:9"}, "project_id": None}, key=token)
    assert created.status == 201
    record = created.json
    assert record == {
        "id": record["id"],
        "user_id": record["user_id"],
        **IMAGE,
        "status": "pending",
        "credit_cost": 5,
        "created_at": "2027-01-15T08:00:00Z",
        "outputs": [],
    }
    assert isinstance(record["id"], int)
    assert isinstance(record["user_id"], int)
    status = f"/generations/{record['id']}/status"
    assert drive.get(status, key=token).json == {"id": record["id"], "status": "pending", "progress": 0}
    drive.wait(4)
    between = drive.get(status, key=token).json
    assert between["status"] == "processing"
    assert 0 < between["progress"] < 100
    drive.wait(30)
    assert drive.get(status, key=token).json == {"id": record["id"], "status": "completed", "progress": 100}
    done = drive.get(f"/generations/{record['id']}", key=token).json
    assert set(done) == set(record)
    assert drive.get(done["outputs"][0], key=None).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(("kind", "price"), PRICES.items())
def test_each_kind_has_its_price_and_output(drive: Drive, kind: str, price: int) -> None:
    created = drive.post("/generations", body(kind)).json
    assert created["credit_cost"] == price
    assert drive.control.accounts()[0]["credits"] == 100 - price
    drive.wait(300)
    [output] = drive.get(f"/generations/{created['id']}").json["outputs"]
    if kind == "text":
        assert "hello" in output
        assert not output.startswith("http")
    else:
        assert drive.get(output, key=None).status == 200


def test_output_entries_can_be_objects(drive: Drive) -> None:
    drive.control.set("imaginelab", outputs_as_objects=True)
    ids = [drive.post("/generations", body(kind)).json["id"] for kind in ("image", "text")]
    drive.wait(100)
    image, text = (drive.get(f"/generations/{job}").json["outputs"][0] for job in ids)
    assert (set(image), image["type"]) == ({"url", "type"}, "image")
    assert (set(text), text["type"]) == ({"text", "type"}, "text")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "generation_type"),
        (body("image", generation_type="sculpture"), "generation_type"),
        (body("image", model_name="unknown"), "model_name"),
        (body("image", model_name="sandbox-video"), "model_name"),
        (body("image", model_name=None), "model_name"),
        (body("image", prompt=""), "prompt"),
        (body("image", prompt=["a"]), "prompt"),
        (body("image", settings=[1]), "settings"),
        (body("image", settings={"aspect_ratio": "wide"}), "aspect_ratio"),
        (body("image", project_id={}), "project_id"),
        (b"{", "JSON"),
        (b"[]", "JSON"),
    ],
)
def test_what_is_refused(drive: Drive, sent: object, field: str) -> None:
    reply = drive.post("/generations", sent)
    assert reply.status == 400
    assert set(reply.json) == {"detail"}
    assert field.lower() in reply.json["detail"].lower()
    assert drive.control.charges() == []


def test_too_few_credits(drive: Drive) -> None:
    drive.control.set_credits("imaginelab", 4, drive.key)
    reply = drive.post("/generations", IMAGE)
    assert (reply.status, reply.json) == (402, {"detail": "Insufficient credits"})


def test_the_first_login_fixes_the_password(drive: Drive) -> None:
    login(drive)
    for password in ("another", "a wrong one"):
        reply = drive.form("/auth/login", username="you@example.com", password=password)
        assert reply.status == 401
        assert set(reply.json) == {"detail"}
    assert drive.form("/auth/login", username="new@example.com", password="wrong").status == 401
    login(drive)


@pytest.mark.parametrize("fields", [{}, {"username": "you@example.com"}, {"password": "fake"}])
def test_a_login_without_a_field(drive: Drive, fields: dict) -> None:
    assert drive.form("/auth/login", **fields).status == 400


def test_a_login_in_json_is_refused(drive: Drive) -> None:
    reply = drive.post("/auth/login", {"username": "you@example.com", "password": "fake"}, key=None)
    assert reply.status == 400
    assert "x-www-form-urlencoded" in reply.json["detail"]


@pytest.mark.parametrize("key", [None, "not-a-token", "ilab_key_revoked"])
def test_tokens_that_do_not_work(drive: Drive, key: str | None) -> None:
    reply = drive.get("/auth/me", key=key)
    assert reply.status == 401
    assert set(reply.json) == {"detail"}


def test_tokens_expire_by_time_and_by_control(drive: Drive) -> None:
    first = login(drive)
    assert drive.get("/auth/me", key=first).json["email"] == "you@example.com"
    drive.wait(3601)
    assert drive.get("/auth/me", key=first).status == 401
    second = login(drive)
    assert drive.control.expire_tokens() == 2
    assert drive.get("/auth/me", key=second).status == 401
    assert drive.get("/auth/me", key=login(drive)).status == 200


def test_two_tokens_are_one_account(drive: Drive) -> None:
    created = drive.post("/generations", IMAGE, key=login(drive)).json
    assert drive.get(f"/generations/{created['id']}", key=login(drive)).status == 200
    stranger = login(drive, "other@example.com")
    assert drive.get(f"/generations/{created['id']}", key=stranger).status == 404


def test_sign_up_and_forgotten_passwords(drive: Drive) -> None:
    body = {"email": "new@example.com", "password": "fake-password"}
    assert drive.post("/auth/signup", body, key=None).status == 201
    assert drive.post("/auth/signup", body, key=None).status == 400
    assert drive.form("/auth/login", username="new@example.com", password="another").status == 401
    assert drive.post("/auth/forgot-password", {"email": "new@example.com"}, key=None).status == 200
    assert drive.post("/auth/signup", {"email": "nobody"}, key=None).status == 400


def test_models_name_what_generations_take(drive: Drive) -> None:
    models = drive.get("/generations/models").json
    assert {model["type"] for model in models} == set(PRICES)
    for model in models:
        sent = {"generation_type": model["type"], "model_name": model["name"], "prompt": "a"}
        assert drive.post("/generations", sent).status == 201


def test_the_list_is_the_newest_first(drive: Drive) -> None:
    ids = [drive.post("/generations", body("text")).json["id"] for _ in range(3)]
    assert [record["id"] for record in drive.get("/generations").json] == ids[::-1]
    assert drive.get("/generations?page=2").json == drive.get("/generations").json
    drive.control.set("imaginelab", envelope="items", page_size=2, page_parameter="page")
    assert [record["id"] for record in drive.get("/generations").json["items"]] == ids[:0:-1]
    assert [record["id"] for record in drive.get("/generations?page=2").json["items"]] == ids[:1]
    assert drive.get("/generations?page=3").json["items"] == []


def test_a_deleted_generation_is_gone_and_stays_paid(drive: Drive) -> None:
    created = drive.post("/generations", IMAGE).json
    path = f"/generations/{created['id']}"
    assert drive.send("DELETE", path).status == 200
    for method, gone in (("GET", path), ("GET", f"{path}/status"), ("DELETE", path), ("GET", "/generations/0")):
        assert drive.send(method, gone).status == 404
    assert drive.get("/generations").json == []
    drive.wait(60)
    assert drive.control.spent("imaginelab") == 5


@pytest.mark.parametrize(("refunds", "left"), [(True, 100), (False, 95)])
def test_a_failed_generation(drive: Drive, refunds: bool, left: int) -> None:
    drive.control.set("imaginelab", refunds=refunds, reason_key="error_message")
    drive.control.fault("fail", "imaginelab")
    job = drive.post("/generations", IMAGE).json["id"]
    drive.wait(60)
    assert drive.get(f"/generations/{job}/status").json == {"id": job, "status": "failed", "progress": 100}
    record = drive.get(f"/generations/{job}").json
    assert (record["status"], record["outputs"], record["error_message"]) == ("failed", [], "Upstream model error")
    assert drive.control.accounts()[0]["credits"] == left


def test_the_upstream_model_can_fail_on_submit(drive: Drive) -> None:
    drive.control.fault("reject", "imaginelab")
    reply = drive.post("/generations", IMAGE)
    assert reply.status == 502
    assert set(reply.json) == {"detail"}


def test_a_rate_limit_can_be_set(drive: Drive) -> None:
    drive.control.set("imaginelab", per_minute=1)
    assert drive.get("/generations").status == 200
    assert drive.get("/generations").status == 429
    drive.wait(60)
    assert drive.get("/generations").status == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/wallet", 404), ("PUT", "/generations", 405)])
def test_what_the_document_does_not_have_is_not_there(drive: Drive, method: str, path: str, status: int) -> None:
    reply = drive.send(method, path)
    assert reply.status == status
    assert set(reply.json) == {"detail"}
