"""The project list of document 001: type filter, pages, order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstep.sandbox.server import fields
from genstep.sandbox.server.nanobanana.media import Outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstep.sandbox.server.app import App
    from genstep.sandbox.server.state import Account

KINDS = {"all": None, "images": "image", "videos": "video", "3d": "model3d"}


async def projects(app: App, account: Account, query: Mapping[str, str]) -> dict[str, Any] | str:
    """Return one page of what the account has made (finished work alone), or what is wrong with the query."""
    kind = query.get("type", "all")
    if kind not in KINDS:
        return f"type must be one of {', '.join(KINDS)}"
    page, limit = fields.digits(query.get("page", "1")), fields.digits(query.get("limit", "20"))
    if not page:
        return "page must be a number from 1"
    if limit is None or not 1 <= limit <= 100:
        return "limit must be a number from 1 to 100"
    if query.get("sort", "createdAt") != "createdAt":
        return "sort must be createdAt"
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        return "order must be asc or desc"
    made = [job for job in account.jobs if job.finished is not None and not job.fails]
    found = [job for job in made if KINDS[kind] in (None, job.kind)]
    if order == "desc":
        found.reverse()
    start = (page - 1) * limit
    pages = -(-len(found) // limit)
    return {
        "projects": [await Outputs(app, job).project() for job in found[start : start + limit]],
        "pagination": {
            "page": page,
            "limit": limit,
            "total": len(found),
            "pages": pages,
            "has_more": page < pages,
        },
    }
