"""The files of one generation of document 001, and what a reply and the project list say of them."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from genstep.sandbox.server.clock import stamp
from genstep.sandbox.server.jobs import media_seed

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.assets import Asset
    from genstep.sandbox.server.state import Job

AREA = 1920 * 1080
TYPES = {"image": "image", "video": "video", "model3d": "3d"}


def sides(ratio: str, *, area: int = 0, short: int = 0) -> tuple[int, int]:
    """Return width and height of a ratio, for an area or a short side in pixels; both are even, as video needs."""
    across, down = (int(part) for part in ratio.split(":"))
    scale = short / min(across, down) if short else (area / (across * down)) ** 0.5
    return max(2, round(across * scale / 2) * 2), max(2, round(down * scale / 2) * 2)


class Outputs:
    """What one job made, registered when the job starts and made when its reply or a download needs it."""

    def __init__(self, app: App, job: Job) -> None:
        self.app = app
        self.job = job
        if not job.outputs:
            job.outputs = getattr(self, f"_{job.kind}")()

    def _size(self, ratio: str, **of: int) -> tuple[int, int]:
        width, height = sides(ratio, **of)
        cap = self.app.side(max(width, height)) / max(width, height)
        return (width, height) if cap >= 1 else sides(ratio, short=max(2, int(min(width, height) * cap)))

    def _image(self) -> list[Asset]:
        fields = self.job.fields
        width, height = self._size(fields["aspect_ratio"], area=AREA)
        serial = secrets.randbelow(90_000) + 10_000
        return [
            self._asset(
                f"generated-image-{serial}-{index}.{fields['output_format']}",
                "image",
                index,
                width=width,
                height=height,
                output_format=fields["output_format"],
            )
            for index in range(1, fields["count"] + 1)
        ]

    def _video(self) -> list[Asset]:
        fields = self.job.fields
        width, height = self._size(fields["aspect_ratio"], short=fields["short_side"])
        name = f"generated-video-{secrets.randbelow(90_000) + 10_000}.mp4"
        return [self._asset(name, "video", 1, width=width, height=height, duration=fields["duration"])]

    def _model3d(self) -> list[Asset]:
        serial = secrets.randbelow(90_000) + 10_000
        side = self.app.side(512)
        return [
            self._asset(f"3d-model-{serial}.glb", "model3d", 1),
            self._asset(f"preview-{serial}.jpg", "image", 2, width=side, height=side, output_format="jpeg"),
        ]

    def _asset(self, name: str, kind: str, index: int, **options: Any) -> Asset:
        fields = self.job.fields
        about = fields["prompt"] or "3D model"
        seed = media_seed(self.app, "nanobanana", kind, about, fields.get("source"), index)
        return self.app.assets.add(name, kind, about, seed=seed, **options)

    async def prepare(self) -> None:
        """Make the files while the caller waits, so that the reply with their sizes is not late."""
        await asyncio.gather(*(self.app.assets.facts(asset) for asset in self.job.outputs), return_exceptions=True)

    async def images(self) -> list[dict[str, Any]]:
        entries = []
        for asset in self.job.outputs:
            made = await self.app.assets.facts(asset)
            entry = {
                "url": self.app.assets.url(asset),
                "content_type": made.media_type,
                "file_name": asset.name,
                "file_size": made.size,
                "width": made.width,
                "height": made.height,
                "aspect_ratio": self.job.fields["aspect_ratio"],
            }
            entries.append(entry)
        return entries

    async def video(self) -> dict[str, Any]:
        asset, fields = self.job.outputs[0], self.job.fields
        made = await self.app.assets.facts(asset)
        return {
            "url": self.app.assets.url(asset),
            "content_type": made.media_type,
            "file_name": asset.name,
            "file_size": made.size,
            "width": made.width,
            "height": made.height,
            "duration": fields["duration"],
            "resolution": fields["resolution"],
            "aspect_ratio": fields["aspect_ratio"],
            "model": fields["model"],
            "generation_id": self.job.id,
        }

    async def model(self) -> dict[str, Any]:
        asset, preview = self.job.outputs
        made = await self.app.assets.facts(asset)
        return {
            "url": self.app.assets.url(asset),
            "preview_image": self.app.assets.url(preview),
            "content_type": made.media_type,
            "file_name": asset.name,
            "file_size": made.size,
            "texture_quality": self.job.fields["texture_quality"],
            "generation_id": self.job.id,
        }

    async def project(self) -> dict[str, Any]:
        """The generation as the project list shows it: one URL, whatever it made."""
        asset, fields = self.job.outputs[0], self.job.fields
        made = await self.app.assets.facts(asset)
        metadata: dict[str, Any] = {"file_size": made.size}
        if self.job.kind != "model3d":
            metadata = {
                "aspect_ratio": fields["aspect_ratio"],
                "file_size": made.size,
                "dimensions": f"{made.width}x{made.height}",
            }
        return {
            "id": self.job.id,
            "type": TYPES[self.job.kind],
            "prompt": fields["prompt"],
            "created_at": stamp(self.job.created),
            "url": self.app.assets.url(asset),
            "thumbnail": self.app.assets.url(self._thumbnail()),
            "metadata": metadata,
        }

    def _thumbnail(self) -> Asset:
        if self.job.kind == "model3d":
            return self.job.outputs[1]
        known = self.job.fields.get("thumbnail")
        if known is None:
            source = self.job.outputs[0]
            stem = source.name.rpartition(".")[0].replace("generated-", "thumb-")
            if self.job.kind == "image":
                known = self.app.assets.add(f"{stem}.jpg", "image", "", seed=0, thumbnail_of=source.id)
            else:
                width, height = sides(self.job.fields["aspect_ratio"], short=180)
                known = self._asset(f"{stem}.jpg", "image", 1, width=width, height=height, output_format="jpeg")
            self.job.fields["thumbnail"] = known
        asset: Asset = known
        return asset
