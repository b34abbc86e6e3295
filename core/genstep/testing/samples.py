"""Requests and values out of what a provider declares: what each field has to take, and what it has to refuse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstep.capabilities import Capabilities, Field, KindSpec

PROMPT = "a red fox in the snow"
#: where a service could fetch an input image
PICTURE_URL = "https://pictures.example/first.png"
#: one usable value of every field of a request
ANY: Mapping[str, Any] = {
    "model": "some-model",
    "variant": "some-variant",
    "aspect_ratio": "1:1",
    "width": 512,
    "height": 512,
    "quality": "some-quality",
    "resolution": "720p",
    "duration": 4.0,
    "negative_prompt": "rain",
    "seed": 1,
    "steps": 4,
    "output_format": "png",
    "project": "some-project",
}
_OF_TYPE: Mapping[Any, Any] = {str: "example", int: 1, float: 1.5, bool: True, dict: {}, list: []}


def requests(capabilities: Capabilities, known: Mapping[str, Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    """One request for each kind, with no more than it needs; ``known`` names values of fields, by kind."""
    return [smallest(kind, spec, (known or {}).get(kind, {})) for kind, spec in capabilities.kinds.items()]


def smallest(kind: str, spec: KindSpec, known: Mapping[str, Any]) -> dict[str, Any]:
    """The request of a kind that says only what has to be said."""
    fields: dict[str, Any] = {"kind": kind}
    if spec.prompt is not None:
        fields["prompt"] = known.get("prompt", PROMPT)[: spec.prompt.max_length]
    for name, field in spec.fields.items():
        if field.required and field.default is None:
            fields[name] = known.get(name) or (picture(spec) if name == "image" else allowed(field)[0])
    required = {name: o for name, o in (spec.options or {}).items() if o.required and o.default is None}
    if required:
        fields["options"] = {name: allowed(option)[0] for name, option in required.items()}
    return fields


def picture(spec: KindSpec) -> str | bytes:
    """An input image in a form that the kind takes."""
    from genstep.testing.service import sample

    return sample("image") if "data" in spec.input_image else PICTURE_URL


def allowed(field: Field) -> list[Any]:
    """Values that the field says it takes: each that it names, its default, the ends of its range."""
    found = [*field.values, *([] if field.default is None else [field.default])]
    step = field.multiple_of or 1
    for end, inward in ((field.minimum, step), (field.maximum, -step)):
        if end is not None:
            first = end if end % step == 0 else end + (step - end % step if inward > 0 else -(end % step))
            found += [_whole(value) for value in (first, first + inward) if field.problem(_whole(value)) is None]
    if field.min_length is not None or field.max_length is not None:
        found += ["x" * length for length in (field.min_length, field.max_length) if length is not None]
    if not found and field.ratio:
        found = ["16:9", "1:1"]
    if not found:
        found = [1] if field.integer else [_OF_TYPE[kind] for kind in _types(field) if kind in _OF_TYPE]
    return _distinct(found or ["example"])


def refused(field: Field) -> list[Any]:
    """Values outside of what the field says it takes."""
    found: list[Any] = []
    if field.values and not field.open:
        found += ["no-such-value", 7]
    if field.ratio:
        found += ["16x9", "0:1", "wide", ":"]
    numeric = field.integer or field.minimum is not None or field.maximum is not None
    step = 1 if field.integer else 0.25
    if field.minimum is not None:
        found += [field.minimum - step, -1e9]
    if field.maximum is not None:
        found += [field.maximum + step, 1e9]
    if field.integer:
        found.append((field.minimum or 0) + 1.5)
    if field.multiple_of and field.multiple_of > 1:
        found.append(_whole((field.minimum or field.multiple_of) + 1))
    if numeric:
        found += [math.nan, "many"]
    if field.max_length is not None:
        found.append("x" * (field.max_length + 1))
    if field.min_length:
        found.append("x" * (field.min_length - 1))
    if _types(field):
        found += [{"odd": 1} if dict not in _types(field) else 7]
    return [value for value in _distinct(found) if field.problem(_whole(value)) is not None]


def _types(field: Field) -> tuple[type, ...]:
    return field.type if isinstance(field.type, tuple) else () if field.type is None else (field.type,)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in map(_whole, values):
        if not any(type(value) is type(other) and value == other for other in found):
            found.append(value)
    return found
