"""The cells of the mapping: what goes out for a request, what a service cannot express, the limits of its fields."""

from __future__ import annotations

import base64

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
