"""Whether what came is what was asked for, judged by its content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genstep import sniff
from genstep.assets.download import BROKEN
from genstep.errors import AssetError
from genstep.guard import redact_url

if TYPE_CHECKING:
    from genstep.provider import Output

_WANTED = {
    "image": "a picture",
    "infographic": "a picture",
    "video": "a video",
    "model3d": "a 3D model",
    "voice": "sound",
    "music": "sound",
    "text": "text",
}
_CAME = {
    None: "bytes of no known type",
    "text/html": "an HTML page",
    "text/plain": "plain text",
    "application/json": "JSON",
    "application/xml": "XML",
    "image/svg+xml": "SVG",
}


def checked_type(part: Path, output: Output, kind: str, announced: bool) -> str:
    """The media type of what came, or :class:`AssetError`: nothing, something else than asked for, or cut short."""
    where = source_url(output) or "the service"
    with part.open("rb") as file:
        head = file.read(sniff.HEAD)
    if not head:
        raise AssetError(f"{where} answered nothing (0 bytes); resume the job to ask again", code="asset_empty")
    media_type = "text/plain" if output.text is not None else sniff.media_type(head)
    if media_type is None or not sniff.fits(kind, media_type):
        came, wanted = _CAME.get(media_type, media_type), _WANTED.get(kind, kind)
        expired = "its URL may have expired; " if output.url else ""
        raise AssetError(
            f"{where} answered {came} instead of {wanted}; {expired}resume the job to ask again", code="asset_type"
        )
    # a picture says for certain where it ends; sound and film may end with what no reader minds
    if (not announced or media_type.startswith("image/")) and not sniff.whole(part, media_type):
        code = BROKEN if source_url(output) and not announced else "asset_broken"
        raise AssetError(f"{where}: the {media_type} file is cut short; resume the job to ask again", code=code)
    return media_type


def source_url(output: Output) -> str | None:
    """Where a result came from, without query; None where it stood in the reply itself."""
    if output.url is None or output.url[:5].lower() == "data:":
        return None
    return redact_url(output.url)
