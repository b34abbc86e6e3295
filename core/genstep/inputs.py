"""Reading an input image: a URL, a path, a data URL or bytes, checked before anything is sent or paid."""

from __future__ import annotations

import hashlib
import stat
import struct
from io import BytesIO
from pathlib import Path

from genstep import dataurl, sniff
from genstep.errors import InvalidRequest
from genstep.models import InputImage
from genstep.sniff import pictures

#: the largest input image: bytes, and pixels when it is unpacked
MOST_BYTES = 20 * 1024 * 1024
MOST_PIXELS = 80_000_000

_READERS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
}
_ALLOWED = "a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture of at most 20 MiB"


def read_image(image: str | Path | bytes | InputImage, *, forms: frozenset[str], provider: str) -> InputImage:
    """The image, ready to be sent to ``provider``, or :class:`InvalidRequest` that says what is allowed.

    ``forms`` is what the provider takes, of "url" and "data" (see ``KindSpec.input_image``). A URL is handed on
    unread: it is for the service to fetch.
    """
    if isinstance(image, InputImage):
        image = image.data or b"" if image.url is None else image.url
    try:
        if isinstance(image, str) and "://" in image[:16]:
            return _from_url(image, forms, provider)
        if "data" not in forms:
            raise ValueError(f"{provider} takes a URL only; give the https:// URL of a picture that it can fetch")
        data, name = _read(image)
        media_type = _check(data, name)
    except ValueError as error:
        raise InvalidRequest(f"image: {error}", field="image", provider=provider) from None
    return InputImage(data=data, media_type=media_type, sha256=hashlib.sha256(data).hexdigest())


def _from_url(url: str, forms: frozenset[str], provider: str) -> InputImage:
    if not url.lower().startswith(("http://", "https://")) or not url.isprintable() or " " in url:
        raise ValueError("not a URL that a service can fetch; give an https:// URL or a file")
    if "url" not in forms:
        raise ValueError(f"{provider} takes the picture itself, not a URL; download it and give its path")
    return InputImage(url=url)


def _read(image: str | Path | bytes) -> tuple[bytes, str]:
    """The bytes, and how to name them in a message."""
    if isinstance(image, bytes):
        return image, "these bytes"
    if isinstance(image, str) and image[:5].lower() == "data:":
        try:
            return dataurl.decode(image, MOST_BYTES), "this data URL"
        except ValueError as error:
            raise ValueError(f"the data URL cannot be read: {error}; it takes {_ALLOWED}") from None
    name = str(image) if len(str(image)) <= 200 else str(image)[:199] + "…"
    if not str(image).strip() or "\0" in str(image):
        raise ValueError(f"{name!r} is no path; it takes {_ALLOWED}")
    try:
        path = Path(image).expanduser()
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise ValueError(f"{name} is a folder; it takes {_ALLOWED}")
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{name} is no regular file; it takes {_ALLOWED}")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1), name
    except FileNotFoundError:
        raise ValueError(f"there is no file {name}; it takes {_ALLOWED}") from None
    except (OSError, RuntimeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ValueError(f"{name} cannot be read ({why}); it takes {_ALLOWED}") from None


def _check(data: bytes, name: str) -> str:
    """The media type of a picture that is what it says, whole, and safe to unpack."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"{name}: larger than 20 MiB; make it smaller")
    media_type = sniff.media_type(data)
    if media_type not in _READERS:
        came = {None: "not a picture", "image/svg+xml": "SVG"}.get(media_type, media_type)
        raise ValueError(f"{name}: {'empty' if not data else came}; it takes {_ALLOWED}")
    try:
        width, height = pictures.size(BytesIO(data), media_type)
    except (ValueError, struct.error):
        width = height = 0
    if width * height > MOST_PIXELS:
        raise ValueError(f"{name}: {width} by {height} pixels; at most {MOST_PIXELS // 1_000_000} megapixels are taken")
    if not (width and height and sniff.whole(data, media_type) and _verified(data, _READERS[media_type])):
        raise ValueError(f"{name}: a damaged {_READERS[media_type]} file; it takes {_ALLOWED}")
    return media_type


def _verified(data: bytes, reader: str) -> bool:
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=[reader]) as picture:
            picture.verify()
    except Exception:  # noqa: BLE001  (Pillow's readers raise whatever garbage leads them to)
        return False
    return True
