"""What each service's refusals look like, with the request's own secrets in them wherever there is a text."""

from __future__ import annotations

import json
from typing import Any

HEADER = "your header is 'Authorization: {{authorization}}', and that is not right"
KEY = "{{key}}"
PAGE = (
    "<!DOCTYPE html><html><head><title>Debug</title></head><body>"
    + "<p>It went wrong.</p>" * 3
    + "<p>Authorization: {{authorization}}</p><p>The key {{key}} is not known.</p></body></html>"
)
#: the endpoint of the paid call for a picture, by the names of the sandbox server
SUBMIT = {
    "conceptviz": "generate",
    "nanobanana": "images",
    "imaginelab": "generate",
    "aivisualstudio": "generate-image",
    "imageapi": "generate",
}
#: the endpoint that says how a job stands; the others' paid call is the wait
POLL = {"conceptviz": "task", "imaginelab": "status", "aivisualstudio": "record"}
CODES = {
    "conceptviz": {401: "INVALID_API_KEY", 402: "INSUFFICIENT_CREDITS", 500: "OTHER"},
    "aivisualstudio": {401: "invalid_api_key", 402: "insufficient_credits", 500: "internal_error"},
}


def refusal(slug: str, status: int, said: str = HEADER, code: str | None = None) -> str:
    """The body of a refusal in the service's own dialect."""
    code = code or CODES.get(slug, {}).get(status, "")
    bodies: dict[str, Any] = {
        "conceptviz": {"error": said, "code": code},
        "nanobanana": {"success": False, "error": said, "request_id": KEY},
        "imaginelab": {"detail": said},
        "aivisualstudio": {"error": {"code": code, "message": said, "details": {"required": KEY}}},
        "imageapi": {"success": False, "error": said, "request_id": KEY},
    }
    return json.dumps(bodies[slug])


def nothing_but_echoes() -> str:
    """A body that repeats the key in every field that any of the services is read from."""
    texts = dict.fromkeys(("code", "message", "detail", "request_id"), KEY)
    return json.dumps({**texts, "error": {"code": KEY, "message": HEADER, "details": {"required": KEY}}})


def failed(slug: str) -> list[tuple[str, str]]:
    """(endpoint, body) of the answers that say that a job failed, and why."""
    texts: dict[str, Any] = {
        "conceptviz": [("task", {"status": "failed", "error": HEADER, "code": KEY, "credits_refunded": True})],
        "nanobanana": [("images", {"success": False, "error": HEADER})],
        "imaginelab": [("status", {"id": 1, "status": "failed"}), ("record", {"status": "failed", "error": HEADER})],
        "aivisualstudio": [
            ("record", {"id": "gen_1", "status": "failed", "error": {"code": KEY, "message": HEADER}}),
        ],
        "imageapi": [
            ("generate", {"success": True, "data": {"results": [{"success": False, "error": HEADER}] * 2}}),
        ],
    }
    return [(endpoint, json.dumps(body)) for endpoint, body in texts[slug]]
