"""Each provider parses every reply, error and delivery that its document shows, and sends its requests."""

from typing import Any

import pytest
from tests.core.flows import ask, drive, make, reply
from tests.documents.examples import example, load_examples

from genstep import errors
from genstep.provider import Accepted, Completed, Failed, Running
from genstep.providers.aivisualstudio import AIVisualStudio
from genstep.providers.conceptviz import ConceptViz
from genstep.providers.imageapi import ImageAPI
from genstep.providers.imaginelab import ImagineLab
from genstep.providers.nanobanana import NanoBanana

KINDS = {kind.slug: kind for kind in (ConceptViz, NanoBanana, ImagineLab, AIVisualStudio, ImageAPI)}


def provider(slug: str) -> Any:
    return make(KINDS[slug])


def text(slug: str, name: str) -> Any:
    return example(slug, name).json


def conceptviz_accepted() -> None:
    one = provider("conceptviz")
    done, _ = drive(one, one.submit(ask(one, "a")), reply(text("conceptviz", "generate-accepted")))
    assert done == Accepted("vaW29_MJ1wbnyFU4bl_pd", credits=1, balance=79)


def conceptviz_completed() -> None:
    one = provider("conceptviz")
    done, _ = drive(one, one.poll("id"), reply(text("conceptviz", "task-completed")))
    assert isinstance(done, Completed)
    assert done.outputs[0].url == "https://r2.conceptviz.app/images/abc123.png"
    assert done.outputs[0].prompt == "water cycle diagram"


def conceptviz_failed() -> None:
    one = provider("conceptviz")
    done, _ = drive(one, one.poll("id"), reply(text("conceptviz", "task-failed")))
    assert isinstance(done, Failed)
    assert (done.code, done.refunded) == ("GENERATION_FAILED", True)
    assert "Please try again later" in done.message


def conceptviz_processing() -> None:
    one = provider("conceptviz")
    done, _ = drive(one, one.poll("id"), reply(text("conceptviz", "task-processing")))
    assert done == Running(status="processing")


def conceptviz_error() -> None:
    one = provider("conceptviz")
    with pytest.raises(errors.InvalidRequest, match="Human-readable error message") as refused:
        drive(one, one.submit(ask(one, "a")), reply(text("conceptviz", "error"), 400))
    assert refused.value.code == "ERROR_CODE"


def nanobanana_image() -> None:
    one = provider("nanobanana")
    request = ask(one, "a", aspect_ratio="16:9", output_format="webp", n=2)
    done, _ = drive(one, one.submit(request), reply(text("nanobanana", "image-reply")))
    assert isinstance(done, Completed)
    assert (done.outputs[0].url, done.outputs[0].media_type) == ("https://cdn.example.com/image1.webp", "image/webp")
    assert (done.job_id, done.balance, done.request_id) == ("507f1f77bcf86cd799439011", 92, "req_123456789")
    assert [failure.item for failure in done.failures] == [1], "the example asks for two images and shows one"


def nanobanana_video() -> None:
    one = provider("nanobanana")
    done, _ = drive(one, one.submit(ask(one, "a", kind="video")), reply(text("nanobanana", "video-reply")))
    assert isinstance(done, Completed)
    assert done.outputs[0].url == "https://cdn.example.com/video-12345.mp4"
    assert (done.job_id, done.balance, done.request_id) == ("507f1f77bcf86cd799439012", 82, "req_123456790")


def nanobanana_model3d() -> None:
    one = provider("nanobanana")
    request = ask(one, kind="model3d", image=_picture())
    done, _ = drive(one, one.submit(request), reply(text("nanobanana", "model3d-reply")))
    assert isinstance(done, Completed)
    assert [(output.role, output.url) for output in done.outputs] == [
        ("main", "https://cdn.example.com/model-12345.glb"),
        ("preview", "https://cdn.example.com/preview-12345.jpg"),
    ]


def nanobanana_projects() -> None:
    one = provider("nanobanana")
    page, _ = drive(one, one.history(None), reply(text("nanobanana", "projects")))
    assert page.next == 2
    item = page.items[0]
    assert (item.id, item.kind, item.prompt) == ("507f1f77bcf86cd799439011", "image", "A beautiful sunset...")
    assert (item.created_at, item.urls) == (1705314600.0, ("https://cdn.example.com/image1.webp",))


def imaginelab_login() -> None:
    one = provider("imaginelab")
    token, _ = drive(one, one.login("you@example.com", "fake"), reply(text("imaginelab", "login")))
    assert token == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."


def imaginelab_created() -> None:
    one = provider("imaginelab")
    request = ask(one, "a", model="seedream-5.0-lite")
    done, _ = drive(one, one.submit(request), reply(text("imaginelab", "created"), 201))
    assert done == Accepted("1842", credits=5)


def imaginelab_status() -> None:
    one = provider("imaginelab")
    record = {**text("imaginelab", "created"), "status": "completed", "outputs": ["https://cdn.example.com/1.png"]}
    done, calls = drive(one, one.poll("1842"), reply(text("imaginelab", "status")), reply(record))
    assert isinstance(done, Completed)
    assert [call.path for call in calls] == ["/generations/1842/status", "/generations/1842"]


def imaginelab_no_credits() -> None:
    one = provider("imaginelab")
    request = ask(one, "a", model="seedream-5.0-lite")
    with pytest.raises(errors.InsufficientCredits, match="Insufficient credits"):
        drive(one, one.submit(request), reply(text("imaginelab", "insufficient-credits"), 402))


def aivisualstudio_accepted() -> None:
    one = provider("aivisualstudio")
    done, _ = drive(one, one.submit(ask(one, "a")), reply(text("aivisualstudio", "image-accepted")))
    assert (done.job_id, done.credits) == ("gen_abc123def456", 5)


def aivisualstudio_models() -> None:
    one = provider("aivisualstudio")
    models, _ = drive(one, one.models(None), reply(text("aivisualstudio", "models")))
    assert [(model.id, model.kind, model.price) for model in models] == [
        ("prunaai/z-image-turbo", "image", 5),
        ("minimax/hailuo-2.3-fast", "video", 450),
    ]


def aivisualstudio_delivery() -> None:
    one = provider("aivisualstudio")
    job_id, state = one.event(text("aivisualstudio", "webhook-completed"))
    assert job_id == "gen_abc123def456"
    assert isinstance(state, Completed)
    assert state.outputs[0].url == "https://cdn.example.com/image.png"


def aivisualstudio_no_credits() -> None:
    one = provider("aivisualstudio")
    with pytest.raises(errors.InsufficientCredits) as refused:
        drive(one, one.submit(ask(one, "a")), reply(text("aivisualstudio", "insufficient-credits"), 403))
    assert (refused.value.required, refused.value.available) == (5, 2)


def imageapi_generated() -> None:
    one = provider("imageapi")
    body = text("imageapi", "generated")
    body["data"]["image"] = "https://cdn.example.com/a.png"  # the example's own value is "https://... (or data:…)"
    done, _ = drive(one, one.submit(ask(one, "a")), reply(body))
    assert isinstance(done, Completed)
    assert (done.outputs[0].seed, done.request_id) == (12345, "req_xxx")
    assert done.outputs[0].metadata["model"] == "flux-schnell"


def imageapi_batch() -> None:
    one = provider("imageapi")
    body = text("imageapi", "batch")
    body["data"]["results"][0]["image"] = "https://cdn.example.com/a.png"
    done, _ = drive(one, one.submit(ask(one, "a", n=2)), reply(body))
    assert isinstance(done, Completed)
    assert [output.item for output in done.outputs] == [0]
    assert [(failure.item, type(failure.error)) for failure in done.failures] == [(1, errors.RateLimited)]


def imageapi_enhanced() -> None:
    one = provider("imageapi")
    assert drive(one, one.enhance("a", None), reply(text("imageapi", "enhanced")))[0] == "..."


def imageapi_usage() -> None:
    one = provider("imageapi")
    balance, _ = drive(one, one.balance(), reply(text("imageapi", "usage")))
    assert (balance.amount, balance.unit) == (40, "requests")


PARSES = {
    ("conceptviz", "generate-accepted"): conceptviz_accepted,
    ("conceptviz", "task-completed"): conceptviz_completed,
    ("conceptviz", "task-failed"): conceptviz_failed,
    ("conceptviz", "task-processing"): conceptviz_processing,
    ("conceptviz", "error"): conceptviz_error,
    ("nanobanana", "image-reply"): nanobanana_image,
    ("nanobanana", "video-reply"): nanobanana_video,
    ("nanobanana", "model3d-reply"): nanobanana_model3d,
    ("nanobanana", "projects"): nanobanana_projects,
    ("imaginelab", "login"): imaginelab_login,
    ("imaginelab", "created"): imaginelab_created,
    ("imaginelab", "status"): imaginelab_status,
    ("imaginelab", "insufficient-credits"): imaginelab_no_credits,
    ("aivisualstudio", "image-accepted"): aivisualstudio_accepted,
    ("aivisualstudio", "models"): aivisualstudio_models,
    ("aivisualstudio", "webhook-completed"): aivisualstudio_delivery,
    ("aivisualstudio", "insufficient-credits"): aivisualstudio_no_credits,
    ("imageapi", "generated"): imageapi_generated,
    ("imageapi", "batch"): imageapi_batch,
    ("imageapi", "enhanced"): imageapi_enhanced,
    ("imageapi", "usage"): imageapi_usage,
}


@pytest.mark.parametrize("slug_and_name", PARSES, ids="-".join)
def test_the_provider_parses_the_documents_example(slug_and_name: tuple[str, str]) -> None:
    PARSES[slug_and_name]()


def test_no_example_of_a_reply_an_error_or_a_delivery_is_left_out() -> None:
    shown = {(one.slug, one.name) for one in load_examples() if one.kind != "request"}
    assert shown == set(PARSES)


def _picture() -> Any:
    from genstep.models import InputImage

    return InputImage(url="https://example.com/object.jpg")


#: the documents' own requests in our words; what we send must hold every field that the example shows, with its value
ASKED: dict[tuple[str, str], dict[str, Any]] = {
    ("conceptviz", "generate-curl"): {"quality": "2k"},
    ("conceptviz", "generate-python"): {"quality": "2k"},
    ("nanobanana", "image-python"): {"aspect_ratio": "16:9", "n": 1},
    ("nanobanana", "image-curl"): {"aspect_ratio": "16:9", "output_format": "webp"},
    ("nanobanana", "image-request"): {"aspect_ratio": "16:9", "output_format": "webp", "n": 2},
    ("nanobanana", "video-request"): {"kind": "video", "model": "vidu-q2", "duration": 4, "resolution": "720p"},
    ("nanobanana", "model3d-request"): {"kind": "model3d", "image": _picture()},
    ("imaginelab", "create-request"): {"model": "seedream-5.0-lite", "aspect_ratio": "16:9"},
    ("imaginelab", "create-curl"): {"model": "seedream-5.0-lite"},
    ("imaginelab", "create-python"): {"model": "seedream-5.0-lite"},
    ("aivisualstudio", "image-curl"): {"aspect_ratio": "16:9"},
    ("aivisualstudio", "video-curl"): {"kind": "video", "duration": 5},
    ("imageapi", "quick-start"): {"width": 512, "height": 512},
    ("imageapi", "generate-curl"): {"negative_prompt": "blurry, low quality", "width": 512, "height": 512},
}


@pytest.mark.parametrize("slug_and_name", ASKED, ids="-".join)
def test_the_provider_sends_the_documents_request(slug_and_name: tuple[str, str]) -> None:
    shown = example(*slug_and_name)
    one = provider(shown.slug)
    prompt = shown.json.get("prompt")
    call = next(one.submit(ask(one, prompt, **ASKED[slug_and_name])))
    assert (call.method, f"/api/v1{call.path}") == tuple((shown.decided or f"{shown.method} {shown.path}").split())
    wanted = {name: value for name, value in shown.json.items() if value is not None}
    assert {name: call.json.get(name) for name in wanted} == wanted
