"""The words of document 004: its models, its errors, and the two helpers that write prompts."""

from __future__ import annotations

import secrets
from typing import Any

from genstep.sandbox.server import fields
from genstep.sandbox.server.messages import Refusal, Response

# Document 004, "Models": slug, name, description.
MODELS = {
    "flux-schnell": ("FLUX.1 Schnell", "12B params, fast. Good default."),
    "flux-2-klein-9b": ("FLUX.2 Klein 9B", "Ultra-fast, high quality."),
    "flux-2-klein-4b": ("FLUX.2 Klein 4B", "Cost-effective, fast."),
    "flux-2-dev": ("FLUX.2 Dev", "High quality, multi-reference."),
    "lucid-origin": ("Lucid Origin", "Leonardo.AI – prompt-responsive."),  # noqa: RUF001 - the document's dash
    "phoenix-1": ("Phoenix 1.0", "Leonardo.AI – text rendering."),  # noqa: RUF001
    "stable-diffusion": ("Stable Diffusion XL", "Stability AI – foundational."),  # noqa: RUF001
    "sdxl-lightning": ("SDXL Lightning", "ByteDance – fast 1024px."),  # noqa: RUF001
    "dreamshaper-8-lcm": ("DreamShaper 8 LCM", "Photorealism, wide range."),
}
PARTS = ("subject", "setting", "mood", "art_style", "lighting", "camera", "extras")


def request_id() -> str:
    """Return a new request id."""
    return f"req_{secrets.token_hex(8)}"


def refused(status: int, message: str, **more: Any) -> Refusal:
    """An error: ``{success: false, error, request_id}``, and ``retry_after`` in a 429."""
    return Refusal(Response.json({"success": False, "error": message, **more, "request_id": request_id()}, status))


def enhance(body: dict[str, Any]) -> str:
    """Return a longer prompt out of ``prompt`` and an optional ``tone``."""
    prompt, tone = fields.text(body.get("prompt")), body.get("tone", "")
    if prompt is None:
        raise refused(400, "prompt is required")
    if not isinstance(tone, str):
        raise refused(400, "tone must be a text")
    parts = [prompt.strip(), tone.strip(), "balanced composition", "soft directional light", "fine detail"]
    return ", ".join(part for part in parts if part)


def build(body: dict[str, Any]) -> str:
    """Return one prompt out of the structured fields, of which at least one has to be there."""
    given = {name: body[name] for name in PARTS if body.get(name) not in (None, "")}
    for name, value in given.items():
        if fields.text(value) is None:
            raise refused(400, f"{name} must be a text")
    if not given:
        raise refused(400, f"Send at least one of {', '.join(PARTS)}")
    return ", ".join(value.strip() for value in given.values())
