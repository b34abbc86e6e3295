"""What a finished generation of document 002 holds: files, or a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstep.sandbox.server.fields import number
from genstep.sandbox.server.jobs import media_seed, times_asked

if TYPE_CHECKING:
    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Job

EXTENSIONS = {"image": "png", "infographic": "png", "video": "mp4", "voice": "wav", "music": "wav"}
LONG_SIDES = {"image": 1024, "infographic": 1024, "video": 640}
RATIOS = {"image": "1:1", "infographic": "3:4", "video": "16:9"}
SECONDS = {"video": 4.0, "voice": None, "music": 8.0}


def make_outputs(app: App, job: Job) -> None:
    """Give a completed job its files (made when they are fetched) or its text, once."""
    if job.outputs or job.texts:
        return
    prompt, kind, settings = job.fields["prompt"], job.kind, job.fields["settings"]
    seed = media_seed(app, job.account.slug, kind, prompt, times_asked(job))
    options: dict[str, Any] = {}
    if kind in LONG_SIDES:
        options["aspect_ratio"] = settings.get("aspect_ratio", RATIOS[kind])
        options["long_side"] = app.side(LONG_SIDES[kind])
    if kind in SECONDS:
        asked = number(settings.get("duration"))
        options["duration"] = SECONDS[kind] if asked is None else min(30.0, max(1.0, float(asked)))
    if kind == "text":
        job.texts = [app.assets.text(prompt, seed)]
    else:
        job.outputs = [app.assets.add(f"{job.id}.{EXTENSIONS[kind]}", kind, prompt, seed=seed, **options)]
