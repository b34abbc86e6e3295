"""Brings the sandbox server to answer, or to deliver, what each example of the documents shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.documents.customer import SECONDS, Customer, Reply, listening
from tests.documents.spans import Span

Emit = Callable[[Customer], Reply]
EMITTING: dict[tuple[str, str], Emit] = {}


def emits(slug: str, name: str) -> Callable[[Emit], Emit]:
    """Mark the function that brings the server to the reply of an example."""

    def mark(emit: Emit) -> Emit:
        EMITTING[slug, name] = emit
        return emit

    return mark


# --- conceptviz


def _task(customer: Customer, **changed: Any) -> str:
    customer.control.fault("hold", "conceptviz")
    return str(customer.send("generate-curl", **changed).json["taskId"])


@emits("conceptviz", "generate-accepted")
def _(customer: Customer) -> Reply:
    return customer.send("generate-curl")


@emits("conceptviz", "task-completed")
def _(customer: Customer) -> Reply:
    task = _task(customer, prompt="water cycle diagram")
    customer.control.release(task)
    return customer.call(f"GET /api/v1/task/{task}")


@emits("conceptviz", "task-failed")
def _(customer: Customer) -> Reply:
    task = _task(customer)
    customer.control.fail(task)
    return customer.call(f"GET /api/v1/task/{task}")


@emits("conceptviz", "task-processing")
def _(customer: Customer) -> Reply:
    return customer.until(f"GET /api/v1/task/{_task(customer)}", "processing")


@emits("conceptviz", "error")
def _(customer: Customer) -> Reply:
    return customer.call("GET /api/v1/task/unknown")


# --- nanobanana


@emits("nanobanana", "image-reply")
def _(customer: Customer) -> Reply:
    return customer.send("image-request", num_images=1)


@emits("nanobanana", "video-reply")
def _(customer: Customer) -> Reply:
    return customer.send("video-request")


@emits("nanobanana", "model3d-reply")
def _(customer: Customer) -> Reply:
    return customer.send("model3d-request")


@emits("nanobanana", "projects")
def _(customer: Customer) -> Reply:
    # The document's page has one entry more than `limit` shows: it says that there are more pages.
    for _ in range(11):
        assert customer.send("image-request", num_images=1).status == 200
    return customer.call(Span.parse("nanobanana", "202:1-202:74").text)


# --- imaginelab


@emits("imaginelab", "login")
def _(customer: Customer) -> Reply:
    return customer.logged_in()


@emits("imaginelab", "created")
def _(customer: Customer) -> Reply:
    return customer.send("create-curl")


@emits("imaginelab", "status")
def _(customer: Customer) -> Reply:
    customer.control.fault("hold", "imaginelab")
    job = customer.send("create-curl").json["id"]
    customer.control.release(str(job))
    return customer.call(f"GET /api/v1/generations/{job}/status")


@emits("imaginelab", "insufficient-credits")
def _(customer: Customer) -> Reply:
    customer.control.set_credits("imaginelab", 4, customer.login)
    return customer.send("create-curl")


# --- aivisualstudio


@emits("aivisualstudio", "image-accepted")
def _(customer: Customer) -> Reply:
    return customer.send("image-curl")


@emits("aivisualstudio", "models")
def _(customer: Customer) -> Reply:
    return customer.call("GET /api/v1/models")


@emits("aivisualstudio", "insufficient-credits")
def _(customer: Customer) -> Reply:
    customer.control.set_credits("aivisualstudio", 2, customer.key)
    return customer.send("image-curl")


@emits("aivisualstudio", "webhook-completed")
def _(customer: Customer) -> Reply:
    with listening() as (url, deliveries):
        assert customer.send("image-curl", webhook_url=url).status == 200
        return deliveries.get(timeout=SECONDS)


# --- imageapi


@emits("imageapi", "generated")
def _(customer: Customer) -> Reply:
    return customer.send("generate-curl")


@emits("imageapi", "batch")
def _(customer: Customer) -> Reply:
    customer.control.set("imageapi", customer.key, per_minute=1)
    return customer.send("batch-curl")


@emits("imageapi", "enhanced")
def _(customer: Customer) -> Reply:
    return customer.send("enhance-curl")


@emits("imageapi", "usage")
def _(customer: Customer) -> Reply:
    return customer.call("GET /api/v1/usage")
