"""A provider as a third party would write it, and its service as a list of replies."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import genstep
from genstep import foreign
from genstep.testing import reply

KEY = "easel_fakefakefake"
REPLIES: list[tuple[str, str, Any]] = [
    ("POST", "/paintings", {"ticket": "p1", "price": 2}),
    (
        "GET",
        "/paintings/{ticket}",
        (
            {"stage": "sketching", "share": 0.2},
            reply(b"<html>Bad Gateway</html>", 502),
            {"stage": "dry", "pictures": ["https://easel.example/1.png"]},
        ),
    ),
    ("GET", "/paintings", {"paintings": [{"ticket": "p1", "words": "a fox"}], "next": None}),
    ("GET", "/brushes", {"brushes": ["fine", "broad"]}),
    ("DELETE", "/paintings/{ticket}", {}),
]


class Easel(genstep.Provider):
    slug = "easel"
    title = "Easel"
    base_url = "https://easel.example/api/v1"
    base_path = "/api/v1"
    key_prefix = "easel_"
    capabilities = genstep.Capabilities(
        {
            "image": genstep.KindSpec(
                prompt=genstep.Field(required=True, max_length=200),
                fields={
                    "aspect_ratio": genstep.Field(values=("1:1", "3:2"), default="1:1"),
                    "seed": genstep.Field(integer=True, minimum=0, maximum=2**31 - 1),
                    "image": genstep.Field(about="what to begin with"),
                },
                options={"brush": genstep.Field(values=("fine", "broad"), default="fine")},
                batch=3,
            )
        },
        history=True,
        models=True,
        delete=True,
    )

    def price(self, request):
        return 2.0 * request.n

    def group(self, request):
        return request.aspect_ratio, request.options.get("brush")

    def submit(self, request):
        return self.submit_batch([request] * request.n)

    def submit_batch(self, requests):
        first = requests[0]
        body = {"words": [request.prompt for request in requests], "shape": first.aspect_ratio, **first.options}
        if first.image is not None:
            body["begin"] = first.image.url or first.image.base64()
        answer = yield genstep.Paid("/paintings", json=body)
        ticket = foreign.need(foreign.identifier(answer["ticket"]), answer, "with a ticket that is none")
        return genstep.Accepted(ticket, credits=foreign.number(answer.get("price")))

    def poll(self, job_id):
        answer = yield genstep.Get(f"/paintings/{quote(job_id, safe='')}")
        stage = foreign.need(foreign.text(answer["stage"]), answer, "with a stage that is no word")
        if stage == "dry":
            found = answer.get("pictures")
            links = [foreign.url(link) for link in found] if isinstance(found, list) else []
            made = tuple(genstep.Output(url=link, item=item) for item, link in enumerate(links) if link)
            return genstep.Completed(foreign.need(made or None, answer, "without a picture's URL"))
        if stage == "ruined":
            return genstep.Failed("it is ruined", refunded=True)
        return genstep.Running(foreign.number(answer.get("share")), stage)

    def history(self, cursor, **filters):
        answer = yield genstep.Get("/paintings", params={"from": cursor or 0})
        rows = foreign.need(foreign.rows(answer["paintings"]), answer, "without a list")
        named = ((foreign.identifier(row.get("ticket")), row) for row in rows)
        items = [
            genstep.HistoryItem(ticket, "image", foreign.text(row.get("words")), None, None)
            for ticket, row in named
            if ticket
        ]
        return genstep.Page(tuple(items), foreign.identifier(answer.get("next")))

    def models(self, kind):
        answer = yield genstep.Get("/brushes")
        names = answer.get("brushes")
        texts = [foreign.text(name) for name in (names if isinstance(names, list) else [])]
        return [genstep.ModelInfo(name, kind="image") for name in texts if name]

    def delete(self, job_id):
        yield genstep.Delete(f"/paintings/{quote(job_id, safe='')}")
