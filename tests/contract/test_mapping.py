"""What one request becomes: every cell of the mapping, bought at the sandbox server, which checks it once more."""

from __future__ import annotations

import base64

import pytest

import genstep
from genstep.testing import samples
from genstep.testing.service import sample

FOX = "a fox"
URL = "https://pictures.example/first.png"
IMAGE = {"prompt": FOX, "aspect_ratio": "1:1", "output_format": "png", "model": "nano-banana", "num_images": 1}
VIDEO = {"prompt": FOX, "aspect_ratio": "16:9", "resolution": "720p", "duration": 4, "model": "vidu-q2"}
SOLID = {"texture_quality": "standard", "texture_alignment": "original_image", "orientation": "default"}
LAB = {"generation_type": "image", "model_name": "seedream-5.0-lite", "prompt": FOX}
STUDIO = {"prompt": FOX, "model": "prunaai/z-image-turbo", "output_format": "webp"}
FILM = {"prompt": FOX, "model": "minimax/hailuo-2.3-fast", "aspect_ratio": "16:9", "duration": 5}
PLAIN = {"prompt": FOX, "width": 512, "height": 512, "model": "flux-schnell"}
QUICK = {"kind": "video", "duration": 1, "resolution": "360p"}
BRIEF = {**VIDEO, "duration": 1, "resolution": "360p"}

#: provider, row of the mapping, what a user asks for, and the paths and bodies that go out for it
SENT = [
    ("conceptviz", "prompt", {}, [("/generate", {"prompt": FOX, "quality": "2k"})]),
    ("conceptviz", "n", {"n": 3}, [("/generate", {"prompts": [FOX] * 3, "quality": "2k"})]),
    (
        "conceptviz",
        "n-split-in-fours",
        {"n": 6},
        [
            ("/generate", {"prompts": [FOX] * 4, "quality": "2k"}),
            ("/generate", {"prompts": [FOX] * 2, "quality": "2k"}),
        ],
    ),
    (
        "conceptviz",
        "aspect_ratio",
        {"aspect_ratio": "7:5"},
        [("/generate", {"prompt": FOX, "quality": "2k", "aspectRatio": "7:5"})],
    ),
    ("conceptviz", "quality", {"quality": "4k"}, [("/generate", {"prompt": FOX, "quality": "4k"})]),
    ("nanobanana", "prompt", {}, [("/images", IMAGE)]),
    ("nanobanana", "n", {"n": 4}, [("/images", {**IMAGE, "num_images": 4})]),
    (
        "nanobanana",
        "n-split-in-fours",
        {"n": 5},
        [("/images", {**IMAGE, "num_images": 4}), ("/images", {**IMAGE, "num_images": 1})],
    ),
    ("nanobanana", "model", {"model": "nano-banana-2"}, [("/images", {**IMAGE, "model": "nano-banana-2"})]),
    ("nanobanana", "aspect_ratio", {"aspect_ratio": "5:7"}, [("/images", {**IMAGE, "aspect_ratio": "5:7"})]),
    *(
        (
            "nanobanana",
            f"output_format-{form}",
            {"output_format": form},
            [("/images", {**IMAGE, "output_format": form})],
        )
        for form in ("png", "jpeg", "webp")
    ),
    ("nanobanana", "kind-video", QUICK, [("/videos", BRIEF)]),
    ("nanobanana", "model-video", {**QUICK, "model": "ltx-2"}, [("/videos", {**BRIEF, "model": "ltx-2"})]),
    (
        "nanobanana",
        "aspect_ratio-video",
        {**QUICK, "aspect_ratio": "4:3"},
        [("/videos", {**BRIEF, "aspect_ratio": "4:3"})],
    ),
    *(
        (
            "nanobanana",
            f"resolution-{size}",
            {**QUICK, "resolution": size},
            [("/videos", {**BRIEF, "resolution": size})],
        )
        for size in ("360p", "520p", "720p", "1080p")
    ),
    ("nanobanana", "duration", {**QUICK, "duration": 0.5}, [("/videos", {**BRIEF, "duration": 0.5})]),
    (
        "nanobanana",
        "kind-model3d-image-url",
        {"prompt": "", "kind": "model3d", "image": URL},
        [("/3d", {"image_url": URL, **SOLID})],
    ),
    (
        "nanobanana",
        "kind-model3d-image-file",
        {"prompt": "", "kind": "model3d", "image": sample("image")},
        [("/3d", {"image_base64": base64.b64encode(sample("image")).decode(), **SOLID})],
    ),
    (
        "nanobanana",
        "options",
        {
            "prompt": "",
            "kind": "3d",
            "image": URL,
            "options": {"texture_quality": "no", "texture_alignment": "geometry", "orientation": "align_image"},
        },
        [
            (
                "/3d",
                {
                    "image_url": URL,
                    "texture_quality": "no",
                    "texture_alignment": "geometry",
                    "orientation": "align_image",
                },
            )
        ],
    ),
    ("imaginelab", "model", {"model": "seedream-5.0-lite"}, [("/generations", LAB)]),
    *(
        (
            "imaginelab",
            f"kind-{kind}",
            {"kind": kind, "model": f"sandbox-{kind}"},
            [("/generations", {"generation_type": kind, "model_name": f"sandbox-{kind}", "prompt": FOX})],
        )
        for kind in ("voice", "infographic", "text")
    ),
    *(
        (
            "imaginelab",
            f"kind-{kind}",
            {"kind": kind, "model": f"sandbox-{kind}", "options": {"duration": 1}},
            [
                (
                    "/generations",
                    {
                        "generation_type": kind,
                        "model_name": f"sandbox-{kind}",
                        "prompt": FOX,
                        "settings": {"duration": 1},
                    },
                )
            ],
        )
        for kind in ("music", "video")
    ),
    ("imaginelab", "n", {"n": 2, "model": "seedream-5.0-lite"}, [("/generations", LAB)] * 2),
    (
        "imaginelab",
        "aspect_ratio",
        {"aspect_ratio": "16:9", "model": "seedream-5.0-lite"},
        [("/generations", {**LAB, "settings": {"aspect_ratio": "16:9"}})],
    ),
    (
        "imaginelab",
        "project",
        {"project": "forest", "model": "seedream-5.0-lite"},
        [("/generations", {**LAB, "project_id": "forest"})],
    ),
    (
        "imaginelab",
        "options",
        {"options": {"settings": {"style": "ink"}, "mood": 3}, "model": "seedream-5.0-lite"},
        [("/generations", {**LAB, "settings": {"style": "ink", "mood": 3}})],
    ),
    ("aivisualstudio", "prompt", {}, [("/generate/image", STUDIO)]),
    ("aivisualstudio", "n", {"n": 2}, [("/generate/image", STUDIO)] * 2),
    *(
        (
            "aivisualstudio",
            f"aspect_ratio-{ratio}",
            {"aspect_ratio": ratio},
            [("/generate/image", {**STUDIO, "aspect_ratio": ratio})],
        )
        for ratio in ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
    ),
    *(
        (
            "aivisualstudio",
            f"output_format-{ours}",
            {"output_format": ours},
            [("/generate/image", {**STUDIO, "output_format": theirs})],
        )
        for ours, theirs in (("webp", "webp"), ("png", "png"), ("jpeg", "jpg"), ("jpg", "jpg"))
    ),
    *(
        (
            "aivisualstudio",
            f"aspect_ratio-video-{ratio}",
            {"kind": "video", "duration": 1, "aspect_ratio": ratio},
            [("/generate/video", {**FILM, "duration": 1, "aspect_ratio": ratio})],
        )
        for ratio in ("16:9", "9:16", "1:1", "4:3", "3:4")
    ),
    ("aivisualstudio", "kind-video", {"kind": "video"}, [("/generate/video", FILM)]),
    (
        "aivisualstudio",
        "duration",
        {"kind": "video", "duration": 1},
        [("/generate/video", {**FILM, "duration": 1})],
    ),
    (
        "aivisualstudio",
        "image",
        {"kind": "video", "duration": 1, "image": URL},
        [("/generate/video", {**FILM, "duration": 1, "first_frame_image": URL})],
    ),
    ("imageapi", "prompt", {}, [("/generate", PLAIN)]),
    (
        "imageapi",
        "n",
        {"n": 3, "seed": 40},
        [("/generate", {"items": [{**PLAIN, "seed": seed} for seed in (40, 41, 42)]})],
    ),
    ("imageapi", "n-split-in-fours", {"n": 5}, [("/generate", {"items": [PLAIN] * 4}), ("/generate", PLAIN)]),
    ("imageapi", "model", {"model": "phoenix-1"}, [("/generate", {**PLAIN, "model": "phoenix-1"})]),
    ("imageapi", "kind-product", {"variant": "product"}, [("/generate/product", PLAIN)]),
    ("imageapi", "kind-logo", {"variant": "logo"}, [("/generate/logo", PLAIN)]),
    (
        "imageapi",
        "aspect_ratio",
        {"aspect_ratio": "16:9"},
        [("/generate", {**PLAIN, "width": 640, "height": 360})],
    ),
    (
        "imageapi",
        "aspect_ratio-and-width",
        {"aspect_ratio": "2:1", "width": 1024},
        [("/generate", {**PLAIN, "width": 1024, "height": 512})],
    ),
    (
        "imageapi",
        "width-height",
        {"width": 256, "height": 1024},
        [("/generate", {**PLAIN, "width": 256, "height": 1024})],
    ),
    (
        "imageapi",
        "negative_prompt-seed-steps",
        {"negative_prompt": "rain", "seed": 7, "steps": 50},
        [("/generate", {**PLAIN, "negative_prompt": "rain", "seed": 7, "num_inference_steps": 50})],
    ),
]


@pytest.mark.parametrize(("slug", "row", "asked", "sent"), SENT, ids=[f"{slug}-{row}" for slug, row, *_ in SENT])
def test_a_request_becomes(customer, slug, row, asked, sent):
    buyer = customer(slug)
    made = buyer.generate({"prompt": FOX, **asked})
    assert buyer.bodies == sent
    assert made.status == "completed"
    assert len([asset for asset in made.assets if asset.role == "main"]) == asked.get("n", 1)
    assert buyer.submits == len(sent)


IMAGE_ONLY = ("video", "model3d", "voice", "music", "infographic", "text")
SIZES = {"width": 512, "height": 512}
DETAILS = {"negative_prompt": "rain", "seed": 1, "steps": 4, **SIZES}
#: the cells with a dash: provider, kind, and fields that it cannot express there
CANNOT = [
    (
        "conceptviz",
        "image",
        {"model", "resolution", "duration", "image", *DETAILS, "output_format", "project", "variant"},
    ),
    ("nanobanana", "image", {"quality", "resolution", "duration", "image", *DETAILS, "project", "variant"}),
    ("nanobanana", "video", {"quality", "image", *DETAILS, "output_format", "project", "variant"}),
    ("nanobanana", "model3d", {"aspect_ratio", "quality", "model", *DETAILS, "output_format", "project"}),
    ("imaginelab", "image", {"quality", "resolution", "duration", "image", *DETAILS, "output_format", "variant"}),
    ("imaginelab", "voice", {"aspect_ratio", "quality", "resolution", "duration", "image", *DETAILS, "output_format"}),
    ("aivisualstudio", "image", {"quality", "resolution", "duration", "image", *DETAILS, "project", "variant"}),
    ("aivisualstudio", "video", {"quality", "resolution", *DETAILS, "output_format", "project", "variant"}),
    ("imageapi", "image", {"quality", "resolution", "duration", "image", "output_format", "project"}),
]
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


#: limits of single fields: provider, request, and the field that is to blame
LIMITS = [
    ("conceptviz", {"quality": "8k"}, "quality"),
    ("conceptviz", {"aspect_ratio": "wide"}, "aspect_ratio"),
    ("conceptviz", {"options": {"style": "ink"}}, "options.style"),
    ("nanobanana", {"output_format": "gif"}, "output_format"),
    ("nanobanana", {"kind": "video", "model": "sora"}, "model"),
    ("nanobanana", {"kind": "video", "resolution": "4k"}, "resolution"),
    ("nanobanana", {"kind": "model3d", "image": URL}, "prompt"),
    (
        "nanobanana",
        {"kind": "model3d", "prompt": "", "image": URL, "options": {"texture_quality": "high"}},
        "options.texture_quality",
    ),
    ("nanobanana", {"kind": "model3d", "prompt": "", "image": URL, "options": {"detail": 1}}, "options.detail"),
    ("nanobanana", {"kind": "model3d", "prompt": ""}, "image"),
    ("nanobanana", {"kind": "model3d", "prompt": "", "image": "no-such-file.png"}, "image"),
    ("imaginelab", {"model": "m", "options": {"settings": "ink"}}, "options.settings"),
    ("imaginelab", {"model": "m", "aspect_ratio": "16:9", "options": {"aspect_ratio": "1:1"}}, "aspect_ratio"),
    ("aivisualstudio", {"aspect_ratio": "5:4"}, "aspect_ratio"),
    ("aivisualstudio", {"output_format": "gif"}, "output_format"),
    ("aivisualstudio", {"kind": "video", "aspect_ratio": "3:2"}, "aspect_ratio"),
    ("aivisualstudio", {"kind": "video", "duration": 11}, "duration"),
    ("aivisualstudio", {"kind": "video", "duration": 2.5}, "duration"),
    ("aivisualstudio", {"kind": "video", "image": sample("image")}, "image"),
    ("imageapi", {"prompt": "x" * 2001}, "prompt"),
    ("imageapi", {"prompt": ""}, "prompt"),
    ("imageapi", {"negative_prompt": "x" * 1001}, "negative_prompt"),
    ("imageapi", {"width": 255}, "width"),
    ("imageapi", {"height": 1025}, "height"),
    ("imageapi", {"steps": 51}, "steps"),
    ("imageapi", {"aspect_ratio": "5:1"}, "aspect_ratio"),
    ("imageapi", {"aspect_ratio": "16:9", "width": 512, "height": 512}, "aspect_ratio"),
    ("imageapi", {"variant": "poster"}, "variant"),
    *((slug, {"prompt": " "}, "prompt") for slug in ("conceptviz", "nanobanana", "aivisualstudio")),
]


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
