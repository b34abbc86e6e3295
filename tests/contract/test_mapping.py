"""What one request becomes: every cell of the mapping, bought at the sandbox server, which checks it once more."""

from __future__ import annotations

import pytest
from tests.contract.cells import CANNOT, FOX, IMAGE_ONLY, LIMITS, SENT, STUDIO, URL

import genstep
from genstep.testing import samples
from genstep.testing.service import sample


@pytest.mark.parametrize(("slug", "row", "asked", "sent"), SENT, ids=[f"{slug}-{row}" for slug, row, *_ in SENT])
def test_a_request_becomes(customer, slug, row, asked, sent):
    buyer = customer(slug)
    made = buyer.generate({"prompt": FOX, **asked})
    assert buyer.bodies == sent
    assert made.status == "completed"
    assert len([asset for asset in made.assets if asset.role == "main"]) == asked.get("n", 1)
    assert buyer.submits == len(sent)


REFUSED = [(slug, kind, name) for slug, kind, names in CANNOT for name in sorted(names)]


@pytest.mark.parametrize(("slug", "kind", "name"), REFUSED)
def test_what_a_service_cannot_express_is_refused_before_it_is_sent(customer, slug, kind, name):
    buyer = customer(slug)
    request = (
        {"kind": kind, "prompt": FOX, "model": "some-model"} if slug == "imaginelab" else {"kind": kind, "prompt": FOX}
    )
    if kind == "model3d":
        request = {"kind": kind, "image": URL}
    value = sample("image") if name == "image" else samples.ANY[name]
    with pytest.raises(genstep.InvalidRequest, match=r"it takes|takes no input image") as refusal:
        buyer.generate({**request, name: value})
    assert (refusal.value.field, buyer.network.sent) == (name, [])


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        *(("conceptviz", kind) for kind in IMAGE_ONLY),
        *(("nanobanana", kind) for kind in ("voice", "music", "infographic", "text")),
        ("imaginelab", "model3d"),
        *(("aivisualstudio", kind) for kind in ("model3d", "voice", "music", "infographic", "text")),
        *(("imageapi", kind) for kind in IMAGE_ONLY),
    ],
)
def test_a_kind_that_a_service_does_not_make_is_refused(customer, slug, kind):
    buyer = customer(slug)
    with pytest.raises(genstep.InvalidRequest, match="it makes") as refusal:
        buyer.generate(FOX, kind=kind)
    assert (refusal.value.field, buyer.network.sent) == ("kind", [])


@pytest.mark.parametrize(("slug", "asked", "name"), LIMITS)
def test_a_value_outside_of_the_documents_limits_is_refused_by_its_name(customer, slug, asked, name):
    buyer = customer(slug)
    with pytest.raises(genstep.InvalidRequest) as refusal:
        buyer.generate({"prompt": FOX, **asked})
    assert (refusal.value.field, buyer.network.sent) == (name, [])


def test_several_prompts_that_share_quality_and_ratio_are_one_task(customer):
    buyer = customer("conceptviz")
    asked = [{"prompt": f"fox {number}", "aspect_ratio": "1:1"} for number in range(4)]
    outcomes = buyer.map([*asked, {"prompt": "fox 4", "quality": "4k"}, {"prompt": "fox 5", "quality": "4k"}])
    assert {tuple(body.get("prompts", [])) for _, body in buyer.bodies} == {
        ("fox 0", "fox 1", "fox 2", "fox 3"),
        ("fox 4", "fox 5"),
    }
    for outcome in outcomes:
        assert [asset.prompt for asset in outcome.assets] == [outcome.request.prompt]
    assert buyer.spent == 4 * 1 + 2 * 2 == sum(outcome.cost.charged for outcome in outcomes)


def test_several_requests_are_items_of_one_call_each_with_its_own_fields(customer):
    buyer = customer("imageapi")
    asked = [
        {"prompt": "a mug", "width": 256, "height": 512, "seed": 3},
        {"prompt": "a cap", "negative_prompt": "rain", "model": "phoenix-1"},
        {"prompt": "a mark", "variant": "logo"},
    ]
    outcomes = buyer.map(asked)
    items = {
        "/generate": [
            {"prompt": "a mug", "width": 256, "height": 512, "seed": 3, "model": "flux-schnell"},
            {"prompt": "a cap", "negative_prompt": "rain", "width": 512, "height": 512, "model": "phoenix-1"},
        ],
        "/generate/logo": None,
    }
    assert {path: body.get("items") for path, body in buyer.bodies} == items
    for outcome in outcomes:
        assert [(asset.width, asset.height) for asset in outcome.assets] == [
            (outcome.request.width, outcome.request.height)
        ]
    assert [outcome.cost.charged for outcome in outcomes] == [1, 1, 1]
    assert (buyer.submits, buyer.spent) == (2, 3)


@pytest.mark.parametrize(
    ("slug", "more"), [("nanobanana", {}), ("imaginelab", {"model": "seedream-5.0-lite"}), ("aivisualstudio", {})]
)
def test_several_prompts_are_a_call_each_where_the_service_has_no_batch(customer, slug, more):
    buyer = customer(slug)
    outcomes = buyer.map([{"prompt": f"fox {number}", **more} for number in range(3)])
    assert sorted(body["prompt"] for _, body in buyer.bodies) == ["fox 0", "fox 1", "fox 2"]
    assert {outcome.status for outcome in outcomes} == {"completed"}


def test_the_accounts_webhook_is_asked_for_with_each_job(customer):
    buyer = customer("aivisualstudio", webhook_url="http://127.0.0.1:9/hook")
    buyer.generate(FOX)
    assert buyer.bodies == [("/generate/image", {**STUDIO, "webhook_url": "http://127.0.0.1:9/hook"})]


@pytest.mark.parametrize(
    ("slug", "options", "kind", "path"),
    [
        ("nanobanana", {"videos_path": "/api/v1/films"}, "video", "/films"),
        ("nanobanana", {"model3d_path": "solids"}, "model3d", "/solids"),
        ("imageapi", {"product_path": "/shop"}, "product", "/shop"),
        ("imageapi", {"logo_path": "/api/v1/marks"}, "logo", "/marks"),
    ],
)
def test_a_path_that_the_document_lost_can_be_set_on_the_account(customer, slug, options, kind, path):
    buyer = customer(slug, options=options)
    request = {"kind": kind, "image": URL} if kind == "model3d" else {"prompt": FOX, "kind": kind}
    if slug == "imageapi":
        request = {"prompt": FOX, "variant": kind}
    with pytest.raises(genstep.NotFound):
        buyer.generate(request)
    assert [where for where, _ in buyer.bodies] == [path]


def test_a_model_that_has_no_default_is_the_accounts(customer):
    buyer = customer("imaginelab", options={"model": {"image": "seedream-5.0-lite", "text": "sandbox-text"}})
    assert buyer.generate(FOX).model == "seedream-5.0-lite"
    assert buyer.generate(FOX, kind="text").model == "sandbox-text"
    with pytest.raises(genstep.InvalidRequest, match="sandbox-voice") as refusal:
        buyer.generate(FOX, kind="voice")
    assert refusal.value.field == "model"
    assert buyer.submits == 2
