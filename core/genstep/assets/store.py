"""The store: one result in, one whole, checked, marked and described file out."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

# what only a finished job needs (sniff, provenance, sidecar, …) is imported there: a request is out sooner
from genstep.assets import remote
from genstep.assets.places import Folder, Place, digest
from genstep.clock import SystemClock
from genstep.errors import AssetError, ConfigurationError
from genstep.models import Asset

if TYPE_CHECKING:
    from genstep.assets.download import Fetch
    from genstep.clock import Clock
    from genstep.provider import Output

#: the largest result, in bytes: of a video, and of anything else
MOST_VIDEO = 2 * 1024**3
MOST = 512 * 1024**2
#: the longest that fetching a result may take, in seconds: of a video, and of anything else
LIMIT_VIDEO = 2 * 3600.0
LIMIT = 1800.0


@dataclass(frozen=True, slots=True)
class _Coming:
    """One result on its way: what :meth:`AssetStore.save` was handed, and the part that it is written to."""

    file: BinaryIO
    part: Path
    output: Output
    stem: str
    kind: str
    about: Mapping[str, Any]
    say_prompt: bool


class AssetStore:
    """Results under one ``output``: a local folder or ``file://`` URL, any other URL through fsspec, or the default."""

    def __init__(self, output: str | os.PathLike[str] | None = None) -> None:
        if output is None:
            from genstep.config import default_output

            output = default_output()
        self._place = _place(os.fspath(output))
        #: whether the output was found writable
        self.checked = False

    def __repr__(self) -> str:
        return f"AssetStore({self._place.label!r})"

    def check(self) -> None:
        """Make sure, once, that the output can be written; :class:`ConfigurationError` says why not and what to do."""
        if not self.checked:
            self._place.check()
            self.checked = True

    async def save(
        self,
        output: Output,
        *,
        stem: str,
        kind: str,
        fetch: Fetch,
        about: Mapping[str, Any],
        clock: Clock | None = None,
        say_prompt: bool = False,
    ) -> Asset:
        """Fetch, check and keep one result, as ``<stem><extension>``, or :class:`AssetError`.

        ``kind`` is what the content must be: "image" for a preview, whatever it previews. ``about`` (prompt, provider,
        model, seed, request, created_at, fingerprint) goes into the sidecar ``<name>.json``. A file that is there
        already is never replaced: the same content is the same asset, another one gets a number. ``say_prompt`` writes
        the prompt into the picture itself. A download that fails is tried again, and goes on where it broke; the error
        after that has the code "download": another day may mend it.
        """
        try:
            file, part = self._place.open_part(stem)
            try:
                with file:
                    coming = _Coming(file, part, output, stem, kind, about, say_prompt)
                    return await self._saved(coming, fetch, clock or SystemClock())
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise self._not_saved(error) from error

    async def adopt(self, asset: Asset, stem: str) -> Asset:
        """The asset in this store: itself where it lies here, else a copy of it and its sidecar."""
        import asyncio

        return asset if self._place.holds(asset) else await asyncio.to_thread(self._copy, asset, stem)

    def exists(self, asset: Asset) -> bool:
        """Whether the file is still there, in its full size; :class:`AssetError` where nobody can tell."""
        try:
            size = remote.size(asset.uri) if asset.path is None else asset.path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise AssetError(f"{asset.uri} cannot be looked at ({_why(error)})", code="asset_unreachable") from error
        return size == asset.size

    def remove(self, asset: Asset) -> None:
        """Remove the file and its sidecar; no error where they are gone already."""
        try:
            if asset.path is None:
                remote.remove(asset.uri)
                remote.remove(f"{asset.uri}.json")
            else:
                from genstep.assets.sidecar import sidecar_path

                asset.path.unlink(missing_ok=True)
                sidecar_path(asset.path).unlink(missing_ok=True)
        except OSError as error:
            raise AssetError(f"{asset.uri} cannot be removed ({_why(error)})", code="asset_unreachable") from error

    async def _saved(self, coming: _Coming, fetch: Fetch, clock: Clock) -> Asset:
        """Receive the content, over as many attempts as it takes, and keep it."""
        import asyncio

        from genstep.assets.content import source_url
        from genstep.assets.download import ATTEMPTS, BROKEN, Transfer

        output, kind = coming.output, coming.kind
        most, limit = (MOST_VIDEO, LIMIT_VIDEO) if kind == "video" else (MOST, LIMIT)
        if output.text is not None or output.data is not None or source_url(output) is None:
            return await asyncio.to_thread(self._written, coming, most)
        transfer = Transfer(output.url or "", fetch, coming.file, most, clock, limit)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                announced = await transfer.receive()
                return await asyncio.to_thread(self._finish, coming, announced)
            except AssetError as error:
                if error.code != BROKEN or attempt == ATTEMPTS or transfer.late:
                    raise
            await clock.sleep(0.25 * 2**attempt)
        raise AssertionError("unreachable")

    def _written(self, coming: _Coming, most: int) -> Asset:
        _write(coming.file, coming.output, most)
        return self._finish(coming, False)

    def _finish(self, coming: _Coming, announced: bool) -> Asset:
        """Check what came, mark it, put it in place and describe it; ``announced``: its length was, and was kept."""
        from genstep import provenance, sniff
        from genstep.assets.content import checked_type, source_url
        from genstep.assets.sidecar import GENERATOR, sidecar

        part, output, about = coming.part, coming.output, coming.about
        coming.file.flush()
        media_type = checked_type(part, output, coming.kind, announced)
        prompt = about.get("prompt") if output.prompt is None else output.prompt
        if media_type.startswith("image/"):
            data = part.read_bytes()
            marked = provenance.mark(data, media_type, tool=GENERATOR, prompt=prompt if coming.say_prompt else None)
            if marked is not data:
                coming.file.seek(0)
                coming.file.write(marked)
                coming.file.truncate()
            size, sha256 = len(marked), hashlib.sha256(marked).hexdigest()
        else:
            size, sha256 = part.stat().st_size, digest(part)
        coming.file.close()
        measures = sniff.measure(part, media_type)
        name = self._place.put(part, coming.stem, sniff.extension(media_type))
        uri, path = self._place.where(name)
        asset = Asset(
            uri=uri,
            path=path,
            role=output.role,
            media_type=media_type,
            size=size,
            sha256=sha256,
            width=measures.width,
            height=measures.height,
            duration=measures.duration,
            prompt=prompt,
            seed=about.get("seed") if output.seed is None else output.seed,
            source_url=source_url(output),
            metadata=output.metadata,
        )
        self._place.describe(name, sidecar(asset, coming.kind, about))
        return asset

    def _copy(self, asset: Asset, stem: str) -> Asset:
        from genstep import sniff
        from genstep.assets.sidecar import read_sidecar

        try:
            file, part = self._place.open_part(stem)
            try:
                with remote.plain_errors(), file, asset.open() as source:
                    shutil.copyfileobj(source, file, 1 << 20)
                if digest(part) != asset.sha256:
                    raise AssetError(
                        f"{asset.uri} was changed since it was saved; ask with fresh=True", code="asset_changed"
                    )
                name = self._place.put(part, stem, sniff.extension(asset.media_type))
            finally:
                part.unlink(missing_ok=True)
            described = read_sidecar(asset)
            if described is not None:
                self._place.describe(name, described)
        except OSError as error:
            raise self._not_saved(error) from error
        uri, path = self._place.where(name)
        return replace(asset, uri=uri, path=path)

    def _not_saved(self, error: OSError) -> AssetError:
        return AssetError(
            f"output folder {self._place.label}: the result could not be saved ({_why(error)}); "
            "give it room and access, or choose another with -o, output= or GENSTEP_OUTPUT, then resume the job",
            code="asset_not_saved",
        )


def _place(output: str) -> Place:
    if "://" not in output:
        return Folder(Path(output))
    path = path_of(output)
    if path is None:
        return remote.Remote(output)
    if urlsplit(output).netloc not in ("", "localhost"):
        raise ConfigurationError(
            f"output folder {output}: a file URL has three slashes, as in file:///home/me/pictures"
        )
    return Folder(path)


def path_of(uri: str) -> Path | None:
    """The local path that a URI names; None for one of a remote store."""
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("file", "local") else None


def _write(file: BinaryIO, output: Output, most: int) -> None:
    """Write a result that came with the reply itself."""
    from genstep import dataurl

    if output.text is not None:
        file.write(output.text.encode(errors="replace"))
    elif output.data is not None:
        file.write(output.data)
    elif output.url is None:
        raise AssetError("the service named a result without any content; resume the job", code="asset_empty")
    else:
        try:
            file.write(dataurl.decode(output.url, most))
        except ValueError as error:
            raise AssetError(f"the service sent a data URL that is broken: {error}", code="asset_broken") from None
    if file.tell() > most:
        raise AssetError(f"the service sent a result larger than the limit of {most:,} bytes", code="asset_too_large")
    file.flush()


def _why(error: OSError) -> str:
    return error.strerror or str(error)
