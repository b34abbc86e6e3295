"""What a provider can do, declared: kinds, fields, allowed values, batch sizes; and the check of a request."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genstep.errors import InvalidRequest

if TYPE_CHECKING:
    from genstep.models import GenerationRequest

_RATIO = re.compile(r"[1-9]\d{0,4}:[1-9]\d{0,4}")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request: what it may be, its default, and what it is for.

    ``values`` is a closed set unless ``open`` (then they are examples). ``ratio`` asks for "W:H". Numbers have
    ``minimum``/``maximum``/``multiple_of``; ``integer`` refuses 1.5. ``type`` is the JSON type of an option.
    """

    values: tuple[Any, ...] = ()
    open: bool = False
    default: Any = None
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    integer: bool = False
    min_length: int | None = None
    max_length: int | None = None
    ratio: bool = False
    type: type | tuple[type, ...] | None = None
    about: str = ""

    def allowed(self) -> str:
        """What the field takes, as the end of a sentence: "one of 2k, 4k" or "a whole number from 1 to 10"."""
        if self.values and not self.open:
            return "one of " + ", ".join(str(value) for value in self.values)
        if self.ratio:
            return 'a ratio "W:H" such as ' + (", ".join(map(str, self.values)) or "16:9")
        if self.minimum is not None or self.maximum is not None:
            number = "a whole number" if self.integer else "a number"
            low = f" from {self.minimum:g}" if self.minimum is not None else ""
            high = f" {'to' if low else 'up to'} {self.maximum:g}" if self.maximum is not None else ""
            step = f", a multiple of {self.multiple_of}" if self.multiple_of else ""
            return number + low + high + step
        if self.max_length is not None:
            return f"text of {self.min_length or 0} to {self.max_length} characters"
        if self.values:
            return "for example " + ", ".join(str(value) for value in self.values)
        kinds = self.type if isinstance(self.type, tuple) else (self.type,) if self.type else ()
        return (
            " or ".join(
                {
                    str: "text",
                    int: "a whole number",
                    float: "a number",
                    bool: "true or false",
                    dict: "a table",
                    list: "a list",
                }.get(k, k.__name__)
                for k in kinds
            )
            or "a value"
        )

    def problem(self, value: Any) -> str | None:
        """Why ``value`` is not possible, or None."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(value, float) and not math.isfinite(value):
            return self.allowed()
        if self.type is not None and not (
            isinstance(value, self.type)
            and (isinstance(value, bool) == (self.type is bool) or not isinstance(value, bool))
        ):
            return self.allowed()
        if self.values and not self.open and value not in self.values:
            return self.allowed()
        if self.ratio and not (isinstance(value, str) and _RATIO.fullmatch(value)):
            return self.allowed()
        if self.minimum is not None or self.maximum is not None or self.integer:
            if not number or (self.integer and value != int(value)):
                return self.allowed()
            if (self.minimum is not None and value < self.minimum) or (
                self.maximum is not None and value > self.maximum
            ):
                return self.allowed()
            if self.multiple_of and value % self.multiple_of:
                return self.allowed()
        if (self.max_length is not None or self.min_length is not None) and not (
            isinstance(value, str) and (self.min_length or 0) <= len(value) <= (self.max_length or len(value))
        ):
            return self.allowed()
        return None


PROMPT = Field(required=True, about="what to make")


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What one kind of generation takes beyond ``prompt`` and ``n``.

    ``batch`` is how many items one paid call makes. ``options`` are the provider's own fields; None lets any pass as
    typed. ``prompt`` is None where the kind takes no prompt. ``input_image``: which forms an input image may have,
    of "url" and "data".
    """

    fields: Mapping[str, Field] = field(default_factory=lambda: _NOTHING)
    options: Mapping[str, Field] | None = field(default_factory=lambda: _NOTHING)
    batch: int = 1
    prompt: Field | None = PROMPT
    input_image: frozenset[str] = frozenset({"url", "data"})


@dataclass(frozen=True, slots=True, init=False)
class Capabilities:
    """What a provider can do. ``kinds`` maps each to its :class:`KindSpec`; a plain set shares ``batch``, ``fields``.

    ``blocking`` says that the paid call is the wait. The rest names the verbs that the service has.
    """

    kinds: Mapping[str, KindSpec]
    blocking: bool
    history: bool
    models: bool
    balance: bool
    health: bool
    cancel: bool
    delete: bool
    webhooks: bool
    enhance: bool
    build_prompt: bool

    def __init__(
        self,
        kinds: Mapping[str, KindSpec] | Iterable[str],
        *,
        batch: int = 1,
        fields: Mapping[str, Field] | None = None,
        options: Mapping[str, Field] | None = _NOTHING,
        blocking: bool = False,
        history: bool = False,
        models: bool = False,
        balance: bool = False,
        health: bool = False,
        cancel: bool = False,
        delete: bool = False,
        webhooks: bool = False,
        enhance: bool = False,
        build_prompt: bool = False,
    ) -> None:
        if not isinstance(kinds, Mapping):
            shared = KindSpec(fields=fields or _NOTHING, options=options, batch=batch)
            kinds = dict.fromkeys(sorted(kinds), shared)
        given = {name: value for name, value in locals().items() if name in type(self).__slots__}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def spec(self, kind: str, provider: str = "") -> KindSpec:
        """The spec of ``kind``, or :class:`InvalidRequest` with the kinds that there are."""
        try:
            return self.kinds[kind]
        except KeyError:
            raise InvalidRequest(
                f"{provider or 'this provider'} does not make kind={kind!r}; it makes {', '.join(self.kinds)}",
                field="kind",
                provider=provider or None,
            ) from None


def check(request: GenerationRequest, capabilities: Capabilities, provider: str) -> GenerationRequest:
    """The request with the provider's defaults filled in, or :class:`InvalidRequest` saying what it takes."""
    spec = capabilities.spec(request.kind, provider)

    def refuse(name: str, why: str) -> InvalidRequest:
        return InvalidRequest(f"{name}: {why}", field=name, provider=provider)

    _check_prompt(request, spec, provider, refuse)
    given = request.given()
    filled: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("kind", "prompt", "n", "options", "image"):
            continue
        if name not in spec.fields:
            takes = ", ".join(sorted({"prompt", "n", *spec.fields} - ({"prompt"} if spec.prompt is None else set())))
            raise refuse(name, f"{provider} cannot express it for {request.kind}; it takes {takes}")
        problem = spec.fields[name].problem(value)
        if problem:
            raise refuse(name, f"{provider} takes {problem}, not {_short(value)}")
    if request.image is not None and "image" not in spec.fields:
        raise refuse("image", f"{provider} takes no input image for {request.kind}")
    for name, declared in spec.fields.items():
        if name in given:
            continue
        if declared.default is not None:
            filled[name] = declared.default
        elif declared.required:
            raise refuse(name, f"{provider} needs it for {request.kind}: {declared.allowed()}")
    options = _check_options(request.options, spec, refuse)
    return request.with_fields(**filled, options=options)


def _check_prompt(request: GenerationRequest, spec: KindSpec, provider: str, refuse: Any) -> None:
    if spec.prompt is None:
        if request.prompt:
            raise refuse("prompt", f"{provider} takes none for {request.kind}; leave it out")
        return
    if spec.prompt.required and not request.prompt.strip():
        raise refuse("prompt", "it is empty; say what to make")
    problem = spec.prompt.problem(request.prompt)
    if problem:
        raise refuse("prompt", f"{provider} takes {problem}, not {len(request.prompt)}")


def _check_options(options: Mapping[str, Any], spec: KindSpec, refuse: Any) -> dict[str, Any]:
    if spec.options is None:
        return dict(options)
    for name, value in options.items():
        if name not in spec.options:
            takes = ", ".join(spec.options) or "none"
            raise refuse(f"options.{name}", f"not an option here; it takes {takes}")
        problem = spec.options[name].problem(value)
        if problem:
            raise refuse(f"options.{name}", f"takes {problem}, not {_short(value)}")
    defaults = {name: o.default for name, o in spec.options.items() if o.default is not None}
    return {**defaults, **options}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
