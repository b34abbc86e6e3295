"""The table of faults: each that the sandbox server knows, at each moment, against each verb of each service.

What is not in it, and why that is true of real services:

- "busy" (a 429 in the service's own words) strikes only before a request is handled: documents 002 to 004 list it as a
  refusal, and a service that does the work and says this cannot be seen through. A 429 without a word may be anybody's,
  and is in the table at every moment.
- "wait" of a blocking service: its paid call is the wait.
- "status 409" of a free verb is there, but is the service's own answer, and may come out as one.
- "fail, kept" of imageapi: it counts what it made (document 004), and an item that failed was not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: no real host; being the account's own, it is fetched from like a public one
BASE = "https://10.0.0.1"
HOOK = "https://hooks.example/genstep"
SECRET = "whsec_fakefakefake"
LONG = 10_000.0
ACCOUNTS: dict[str, dict[str, Any]] = {
    "conceptviz": {"api_key": "cvk_fakefakefake"},
    "nanobanana": {"api_key": "fakefakefake", "options": {"price": {"image": 4, "video": 10}}},
    "imaginelab": {"username": "faults@example.com", "password": "fake-but-long"},
    "aivisualstudio": {"api_key": "avs_live_fakefake", "webhook_secret": SECRET},
    "imageapi": {"api_key": "sk_fakefakefake"},
}
#: what such a service takes for one picture
EACH = {"aivisualstudio": 5.0}
ASKED: dict[str, dict[str, Any]] = {
    "conceptviz": {},
    "nanobanana": {},
    "imaginelab": {"model": "seedream-5.0-lite"},
    "aivisualstudio": {"output_format": "png"},
    "imageapi": {"width": 256, "height": 256},
}
BLOCKING = ("nanobanana", "imageapi")
STATUSES = (500, 502, 503, 504, 429, 408, 425, 409, 303)
#: what goes wrong with a request
REQUEST_FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"kind": "refuse"},
    "refuse bare": {"kind": "refuse", "bare": True},
    "busy": {"kind": "refuse", "status": 429},
    "drop": {"kind": "drop"},
    "late": {"kind": "late", "seconds": 20.0},
    "too late": {"kind": "late", "seconds": LONG},
    "cut": {"kind": "cut"},
    "cut at 0": {"kind": "cut", "bytes": 0},
    "drip": {"kind": "drip", "seconds": 2.0},
    "html": {"kind": "html"},
    "html 200": {"kind": "html", "status": 200},
    "garbage": {"kind": "garbage"},
    "redirect": {"kind": "redirect", "location": "https://192.0.2.1/steal"},
    **{f"status {status}": {"kind": "status", "status": status} for status in STATUSES},
}
#: what goes wrong with a job
JOB_FAULTS: dict[str, dict[str, Any]] = {
    "fail": {"kind": "fail"},
    "fail, kept": {"kind": "fail", "refund": False},
    "reject": {"kind": "reject"},
    "stuck": {"kind": "stuck"},
    "hold": {"kind": "hold"},
    "slow": {"kind": "slow"},
    "word": {"kind": "word", "body": "pondering"},
}
WEBHOOK_FAULTS: dict[str, dict[str, Any]] = {
    kind: {"kind": kind, "seconds": 700.0} for kind in ("duplicate", "forged", "old", "none", "delayed")
}
PAID = ("generate", "submit", "map")
#: verbs of a job that was accepted before the fault
AFTER = ("wait", "download")
FREE = {
    "conceptviz": ("balance", "estimate"),
    "nanobanana": ("balance", "estimate", "history"),
    "imaginelab": ("balance", "estimate", "history", "models", "whoami", "delete"),
    "aivisualstudio": (
        *("balance", "estimate", "history", "models"),
        *("list_webhooks", "create_webhook", "update_webhook", "delete_webhook"),
    ),
    "imageapi": ("balance", "estimate", "models", "health", "enhance", "build_prompt"),
}
#: free verbs that may not be done twice: a lost answer is an error
ONCE_ONLY = ("create_webhook", "update_webhook", "enhance", "build_prompt")


@dataclass(frozen=True)
class Cell:
    """One fault of one service: ``when`` it strikes, and whether ``ever`` again."""

    slug: str
    verb: str
    fault: str
    when: str = "before"
    ever: bool = False

    def __str__(self) -> str:
        return f"{self.slug}-{self.verb}-{self.fault}-{self.when}{'-ever' if self.ever else ''}".replace(" ", "_")


def cells() -> Iterator[Cell]:
    """Every cell of the table."""
    for slug in ACCOUNTS:
        for verb, fault in itertools.product((*PAID, *AFTER, *FREE[slug]), REQUEST_FAULTS):
            if verb == "wait" and slug in BLOCKING:
                continue  # its paid call is the wait
            paid = verb in PAID
            moments = ("before", "during", "after") if paid else ("before", "after")
            for when in moments[:1] if fault == "busy" else moments:
                yield from (Cell(slug, verb, fault, when, ever) for ever in (False, True))
        for verb, fault in itertools.product(PAID, JOB_FAULTS):
            if (slug, fault) != ("imageapi", "fail, kept"):
                yield Cell(slug, verb, fault)
    for fault, ever in itertools.product(WEBHOOK_FAULTS, (False, True)):
        yield Cell("aivisualstudio", "webhook", fault, ever=ever)
