"""What the built-in sandbox takes, at which size and play price, and what it refuses; pure, without a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.flows import ask

from genstep.accounts import Account
from genstep.errors import InvalidRequest
from genstep.sandbox.provider import Sandbox


@pytest.fixture
def service(tmp_path: Path) -> Any:
    return Sandbox(Account(provider="sandbox"), folder=tmp_path)


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({}, 1),
        ({"n": 5}, 5),
        ({"quality": "2k"}, 1),
        ({"quality": "4k", "n": 2}, 4),
        ({"kind": "text"}, 1),
        ({"kind": "voice"}, 2),
        ({"kind": "infographic"}, 2),
        ({"kind": "music"}, 3),
        ({"kind": "model3d"}, 4),
        ({"kind": "video", "n": 2}, 10),
    ],
)
def test_prices(service: Any, fields: dict[str, Any], price: float) -> None:
    assert service.price(ask(service, "x", **fields)) == price


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (None, None)),
        ({"aspect_ratio": "16:9"}, (1024, 576)),
        ({"aspect_ratio": "9:16"}, (576, 1024)),
        ({"quality": "2k"}, (2048, 2048)),
        ({"quality": "4k", "aspect_ratio": "16:9"}, (4096, 2304)),
        ({"width": 640}, (640, 640)),
        ({"height": 360, "aspect_ratio": "16:9"}, (640, 360)),
        ({"width": 641, "height": 360, "aspect_ratio": "16:9"}, (641, 360)),
        ({"kind": "infographic", "quality": "2k"}, (1536, 2048)),
        ({"kind": "video"}, (640, 360)),
        ({"kind": "video", "aspect_ratio": "9:16"}, (360, 640)),
        ({"kind": "video", "resolution": "1080p"}, (1920, 1080)),
        ({"kind": "video", "width": 101, "height": 77}, (100, 76)),
    ],
)
def test_the_size_that_is_asked_for(service: Any, fields: dict[str, Any], size: tuple[int, int]) -> None:
    request = ask(service, "x", **fields)
    assert (request.width, request.height) == size


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"kind": "hologram"}, "kind", "image"),
        ({"model": "sandbox-2"}, "model", "sandbox-1"),
        ({"width": 63}, "width", "64 to 4096"),
        ({"height": 4097}, "height", "64 to 4096"),
        ({"aspect_ratio": "100:1"}, "aspect_ratio", "64 to 4096"),
        ({"aspect_ratio": "16:9", "width": 500, "height": 500}, "aspect_ratio", "disagree"),
        ({"quality": "8k"}, "quality", "2k, 4k"),
        ({"quality": "2k", "width": 640}, "quality", "leave one of them out"),
        ({"kind": "video", "resolution": "8k"}, "resolution", "360p, 520p, 720p, 1080p"),
        ({"kind": "video", "duration": 21}, "duration", "0.5 to 20"),
        ({"output_format": "gif"}, "output_format", "png, jpeg, webp"),
        ({"steps": 51}, "steps", "1 to 50"),
        ({"kind": "text", "width": 640}, "width", "cannot express"),
        ({"options": {"seconds": -1}}, "options.seconds", "0 to 3600"),
        ({"options": {"seconds": float("nan")}}, "options.seconds", "0 to 3600"),
        ({"options": {"fail": "yes"}}, "options.fail", "true or false"),
        ({"options": {"speed": 2}}, "options.speed", "seconds, fail"),
    ],
)
def test_refuses_what_is_impossible(service: Any, fields: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as caught:
        ask(service, "x", **fields)
    assert caught.value.field == field
