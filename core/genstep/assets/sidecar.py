"""The sidecar: a JSON file beside each asset that says how it came to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstep import __version__
from genstep.assets import remote

if TYPE_CHECKING:
    from genstep.models import Asset

GENERATOR = f"genstep {__version__}"


def sidecar(asset: Asset, kind: str, about: Mapping[str, Any]) -> bytes:
    """The sidecar: how the file came to be, as JSON. It is for its owner, and never served."""
    fields = ("prompt", "seed", "role", "media_type", "size", "sha256", "width", "height", "duration", "source_url")
    record = {**about, "kind": kind, **{name: getattr(asset, name) for name in fields}, "generator": GENERATOR}
    return json.dumps(record, ensure_ascii=False, indent=2, default=str).encode(errors="replace") + b"\n"


def sidecar_path(path: Path) -> Path:
    """The sidecar of a local file."""
    return path.with_name(f"{path.name}.json")


def read_sidecar(asset: Asset) -> bytes | None:
    """The sidecar of an asset as it stands, None where it has none."""
    try:
        return remote.read(f"{asset.uri}.json") if asset.path is None else sidecar_path(asset.path).read_bytes()
    except FileNotFoundError:
        return None
