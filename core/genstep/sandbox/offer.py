"""What the built-in sandbox offers: kinds, fields, play prices, and how long each kind takes."""

from __future__ import annotations

from collections.abc import Mapping

from genstep.capabilities import Capabilities, Field, KindSpec
from genstep.sandbox.shape import LEAST, MOST, QUALITY, RESOLUTION

MODEL = "sandbox-1"
#: play credits for one item; a picture of quality 4k costs two
PRICES = {"text": 1.0, "image": 1.0, "voice": 2.0, "infographic": 2.0, "music": 3.0, "model3d": 4.0, "video": 5.0}
#: how many seconds a job takes
SECONDS = {"text": 0.4, "image": 0.8, "infographic": 0.8, "voice": 0.8, "music": 1.2, "model3d": 1.6, "video": 2.4}
#: play credits a UTC day
DAILY = 1000.0
PARTS = ("subject", "setting", "mood", "art_style", "lighting", "camera", "extras")

_COMMON = {
    "model": Field(values=(MODEL,), default=MODEL),
    "seed": Field(integer=True, about="the same seed makes the same file; without one it follows from the prompt"),
}
_SIDE = Field(minimum=LEAST, maximum=MOST, integer=True, about="pixels")
_DRAWN = {
    **_COMMON,
    "aspect_ratio": Field(values=("1:1", "16:9", "9:16"), open=True, ratio=True),
    "width": _SIDE,
    "height": _SIDE,
    "negative_prompt": Field(max_length=1000, about="accepted, and changes nothing here"),
    "steps": Field(minimum=1, maximum=50, integer=True, about="accepted, and changes nothing here"),
}
_PICTURE = {
    **_DRAWN,
    "quality": Field(values=tuple(QUALITY)),
    "output_format": Field(values=("png", "jpeg", "webp"), default="png"),
}
_IMAGE = Field(values=("chair.jpg",), open=True, about="a picture to start from; one given as a URL is not fetched")
_SOUND = {
    **_COMMON,
    "duration": Field(minimum=0.5, maximum=60, about="seconds"),
    "output_format": Field(values=("wav", "mp3"), default="wav"),
}
_VIDEO = {
    **_DRAWN,
    "resolution": Field(values=tuple(RESOLUTION), about="360p where no size is said"),
    "duration": Field(minimum=0.5, maximum=20, default=4.0, about="seconds"),
    "output_format": Field(values=("mp4", "webm"), default="mp4"),
    "image": _IMAGE,
}
_MODEL3D = {**_COMMON, "image": _IMAGE, "output_format": Field(values=("glb",), default="glb")}
_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "image": {**_PICTURE, "image": _IMAGE},
    "infographic": _PICTURE,
    "video": _VIDEO,
    "model3d": _MODEL3D,
    "voice": _SOUND,
    "music": _SOUND,
    "text": _COMMON,
}
_OPTIONS = {
    "seconds": Field(minimum=0, maximum=3600, about="how long the job takes"),
    "fail": Field(type=bool, about="true: the job fails and gives its credits back"),
}

CAPABILITIES = Capabilities(
    {
        kind: KindSpec(
            fields=fields,
            options=_OPTIONS,
            batch=4,
            prompt=Field(required=kind != "model3d", about="what to make"),
        )
        for kind, fields in _FIELDS.items()
    },
    history=True,
    models=True,
    balance=True,
    health=True,
    cancel=True,
    delete=True,
    enhance=True,
    build_prompt=True,
)
