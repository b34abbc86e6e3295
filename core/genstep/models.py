"""The types that everything speaks: request, job, generation, asset, cost. No I/O beyond opening a saved asset."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genstep.errors import ConfigurationError, GenstepError, InvalidRequest

if TYPE_CHECKING:
    from typing import Self

STATUSES = ("pending", "processing", "completed", "failed", "cancelled", "uncertain")
TERMINAL = frozenset({"completed", "failed", "cancelled", "uncertain"})


@dataclass(frozen=True, slots=True)
class InputImage:
    """An input image, read and checked: either a public ``url`` or the bytes themselves."""

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    sha256: str = ""

    def base64(self) -> str:
        """The bytes in bare base64, without a data-URL prefix."""
        return base64.b64encode(self.data or b"").decode("ascii")


class GenerationRequest(BaseModel):
    """What to make, in words that fit every service; a field that a service cannot express is refused, not dropped.

    ``n`` how many; ``aspect_ratio`` "W:H"; ``width``/``height`` pixels; ``duration`` seconds; ``image`` a URL, a path,
    a data URL or bytes; ``options`` the one door for a service's own fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    prompt: str = ""
    kind: str = "image"
    n: int = Field(default=1, ge=1, le=10_000, strict=True)
    model: str | None = None
    variant: str | None = None
    aspect_ratio: str | None = None
    width: int | None = Field(default=None, ge=1, strict=True)
    height: int | None = Field(default=None, ge=1, strict=True)
    quality: str | None = None
    resolution: str | None = None
    duration: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    image: str | Path | bytes | InputImage | None = Field(default=None, repr=False)
    negative_prompt: str | None = None
    seed: int | None = Field(default=None, strict=True)
    steps: int | None = Field(default=None, ge=1, strict=True)
    output_format: str | None = None
    project: str | int | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def __init__(self, prompt: str | None = None, /, **fields: Any) -> None:
        if prompt is not None:
            fields["prompt"] = prompt
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _invalid(error) from None
        for name, value in self:
            if isinstance(value, str) and not _encodable(value):
                raise InvalidRequest(f"{name}: it holds half a character (a lone surrogate); type it again", field=name)

    @field_validator("output_format", mode="before")
    @classmethod
    def _one_name_for_jpeg(cls, value: Any) -> Any:
        return "jpeg" if value == "jpg" else value

    @field_validator("kind", mode="before")
    @classmethod
    def _one_name_for_3d(cls, value: Any) -> Any:
        return "model3d" if value == "3d" else value

    def given(self) -> dict[str, Any]:
        """The fields that say something: all that are not None (``options`` only where not empty)."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in pairs if value is not None and value != {}}

    def with_fields(self, **fields: Any) -> Self:
        """A copy with some fields changed, without validating again."""
        return self.model_copy(update=fields)

    def items(self) -> list[Self]:
        """``n`` requests for one each; a seed counts up, so that copies differ and each can be made again."""
        return [
            self.with_fields(n=1, seed=None if self.seed is None else self.seed + number) for number in range(self.n)
        ]

    def canonical(self) -> dict[str, Any]:
        """Plain data that is equal for equal requests; an input image stands as its hash, a URL as itself."""
        data = self.given()
        image = data.pop("image", None)
        if isinstance(image, InputImage):
            data["image"] = image.url or f"sha256:{image.sha256}"
        elif image is not None:
            data["image"] = str(image)
        if "duration" in data:
            data["duration"] = float(data["duration"])
        return data

    def to_dict(self) -> dict[str, Any]:
        """What the ledger and sidecars keep: no input media, and no query of its URL."""
        data = self.canonical()
        image = data.get("image")
        if isinstance(image, str) and image.startswith(("http://", "https://")):
            data["image"] = image.split("?", 1)[0].split("#", 1)[0]
        return data


_TAKES = {
    "n": "a whole number from 1 to 10000",
    "width": "a whole number of pixels from 1",
    "height": "a whole number of pixels from 1",
    "steps": "a whole number from 1",
    "seed": "a whole number",
    "duration": "seconds, a number above 0",
    "image": "a URL, a path, a data URL or bytes",
    "project": "text or a whole number",
    "options": "a table of the service's own fields",
}


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid(error: ValidationError) -> InvalidRequest:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"][:1]) or "request"
    if first["type"] == "extra_forbidden":
        takes = ", ".join(GenerationRequest.model_fields)
        return InvalidRequest(f"{name}: no such field; a request takes {takes}", field=name)
    shown = f"{first['input']!r:.60}"
    return InvalidRequest(f"{name}: takes {_TAKES.get(name, 'text')}, not {shown}", field=name)


@dataclass(frozen=True, slots=True)
class Cost:
    """What it cost, in the account's own ``unit`` ("credits", "points", "requests"); None: the service does not say."""

    charged: float | None = None
    unit: str = "credits"
    estimated: float | None = None
    balance: float | None = None
    refunded: bool | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """One saved file. Sizes in bytes and pixels, ``duration`` in seconds; ``path`` is None for a remote store."""

    uri: str
    path: Path | None
    role: str
    media_type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    prompt: str | None = None
    seed: int | None = None
    source_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def open(self) -> BinaryIO:
        """The file, open for reading bytes."""
        if self.path is not None:
            return self.path.open("rb")
        import fsspec

        opened: BinaryIO = fsspec.open(self.uri, "rb").open()
        return opened

    def read(self) -> bytes:
        """All bytes of the file."""
        with self.open() as file:
            return file.read()

    def show(self) -> None:
        """Show the asset: pictures through Pillow's viewer, text on stdout, anything else in the system's viewer."""
        if self.media_type.startswith("text/"):
            pass
        elif self.media_type.startswith("image/"):
            from PIL import Image

            with self.open() as file, Image.open(file) as picture:
                picture.show()
        else:
            import webbrowser

            webbrowser.open(self.path.as_uri() if self.path is not None else self.uri)

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["path"] = str(self.path) if self.path is not None else None
        return data


@dataclass(frozen=True, slots=True)
class Job:
    """A request that was started: ``id`` is the ledger's, ``provider_job_ids`` the service's (one a paid call).

    ``status`` is one of pending, processing, completed, failed, cancelled, uncertain; ``progress`` 0 to 1 or None.
    """

    id: str
    provider: str
    provider_job_ids: tuple[str, ...]
    status: str
    progress: float | None
    cost: Cost
    account: str = ""
    kind: str = "image"
    prompt: str = ""
    created_at: float = 0.0
    done: int = 0
    total: int = 1
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "provider_job_ids": list(self.provider_job_ids)}


@dataclass(frozen=True, slots=True)
class Generation:
    """What came of a request. ``completed`` with ``failures`` where only some of several were made.

    ``created_at`` and ``completed_at`` are Unix seconds; ``from_cache``: the ledger answered, and nothing was paid.
    """

    id: str
    status: str
    request: GenerationRequest
    provider: str
    model: str | None
    job_ids: tuple[str, ...]
    assets: tuple[Asset, ...]
    failures: tuple[GenstepError, ...]
    cost: Cost
    created_at: float
    completed_at: float | None
    from_cache: bool = False
    request_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what ``--json`` prints."""
        return {
            "id": self.id,
            "status": self.status,
            "request": self.request.to_dict(),
            "provider": self.provider,
            "model": self.model,
            "job_ids": list(self.job_ids),
            "assets": [asset.to_dict() for asset in self.assets],
            "failures": [failure.to_dict() for failure in self.failures],
            "cost": asdict(self.cost),
            "created_at": self.created_at,
            "completed_at": self.completed_at,
            "from_cache": self.from_cache,
            "request_id": self.request_id,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, default=str)


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One entry of a service's own list of past work; ``created_at`` in Unix seconds."""

    id: str
    kind: str | None
    prompt: str | None
    status: str | None
    created_at: float | None
    urls: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a service offers; ``price`` in the account's unit for one generation, where the service says it."""

    id: str
    name: str = ""
    kind: str | None = None
    price: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left, in ``unit``; ``as_of`` (Unix seconds) is when it was seen, ``details`` whatever else it says."""

    amount: float | None
    unit: str
    as_of: float
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request would cost, in ``unit``; ``amount`` None: nobody can say. ``exact`` False: indicative prices."""

    amount: float | None
    unit: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """``status`` "healthy", "degraded" or "unreachable", with the service's own ``details``."""

    status: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook registered with a service. The ``secret`` is only known from the reply that created it."""

    id: str
    url: str
    events: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How to reach the network: ``timeout`` seconds for connect and for free calls' reads, ``proxy`` URL, ``verify``
    True, False or a CA file."""

    timeout: float = 30.0
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str = True

    def __post_init__(self) -> None:
        if self.proxy is not None and not _is_proxy(self.proxy):
            # without the value: it may hold a password
            raise ConfigurationError("proxy: takes a URL such as http://host:8080 or socks5://host:1080")


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
