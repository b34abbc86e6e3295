"""The control page: the server's state as HTML tables; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

# What a newcomer tries first; the key is any that is well formed.
CURLS = {
    "conceptviz": "curl -H 'Authorization: Bearer cvk_demo' -H 'Content-Type: application/json' "
    """-d '{"prompt": "water cycle diagram"}' BASE/api/v1/generate""",
    "nanobanana": "curl -H 'Authorization: Bearer demo' -H 'Content-Type: application/json' "
    """-d '{"prompt": "a red fox in the snow"}' BASE/api/v1/images""",
    "imaginelab": "curl -d 'username=you@example.com&password=demo' BASE/api/v1/auth/login",
    "aivisualstudio": "curl -H 'Authorization: Bearer avs_live_demo' -H 'Content-Type: application/json' "
    """-d '{"prompt": "a futuristic city"}' BASE/api/v1/generate/image""",
    "imageapi": "curl -H 'Authorization: Bearer sk_demo' -H 'Content-Type: application/json' "
    """-d '{"prompt": "a sunset over mountains"}' BASE/api/v1/generate""",
}


@cache
def _template() -> str:
    return files(__package__).joinpath("page.html").read_text("utf-8")


def page(state: Mapping[str, Any], nonce: str) -> str:
    """Return the whole page; its script and style carry `nonce`, and it loads nothing from elsewhere."""
    return _template().replace("{{nonce}}", nonce).replace("{{main}}", main(state))


def main(state: Mapping[str, Any]) -> str:
    """Return the part of the page that changes."""
    parts = [
        f"<p class=facts>Speed {state['speed']:g} · seed {state['seed']}</p>",
        _services(state["services"]),
        _table(
            "Accounts",
            ("account", "service", "key", "balance", "jobs"),
            ((a["id"], a["slug"], a["label"], f"{a['credits']:,} {a['unit']}", a["jobs"]) for a in state["accounts"]),
            "No account yet. The first use of any well-formed key opens one.",
        ),
        _table(
            "Charges",
            ("time", "account", "job", "amount", "balance"),
            (
                (_time(c["time"]), c["account"], c["job"], _amount(c), f"{c['balance']:,}")
                for c in reversed(state["charges"])
            ),
            "Nothing was paid yet.",
        ),
        _table(
            "Jobs",
            ("job", "account", "kind", "status"),
            (
                (j["id"], j["account"], j["kind"], f"{j['status']}{' (held)' if j['held'] else ''}")
                for j in reversed(state["jobs"])
            ),
            "No job yet.",
        ),
        _table(
            "Faults",
            ("fault", "kind", "where", "left"),
            ((f["id"], f["kind"], _where(f), _left(f)) for f in state["faults"]),
            "None is set: every service answers as its document says.",
        ),
        _table(
            "Webhooks",
            ("time", "job", "to", "attempt", "answer"),
            ((_time(d["time"]), d["job"], d["url"], d["attempt"], _answer(d)) for d in reversed(state["deliveries"])),
            "None was delivered yet.",
        ),
        _table(
            "Requests",
            ("time", "service", "method", "path", "status", "ms"),
            (
                (
                    _time(r["time"]),
                    r["slug"],
                    r["method"],
                    r["path"],
                    r["status"] or "dropped",
                    round(r["milliseconds"]),
                )
                for r in reversed(state["requests"])
            ),
            "No request yet.",
        ),
    ]
    return "\n".join(parts)


def _services(services: Mapping[str, str]) -> str:
    cards = []
    for slug, base in services.items():
        curl = CURLS[slug].replace("BASE", base)
        cards.append(
            f"<div class=card><h3>{escape(slug)}</h3><code class=base>{escape(base)}</code>"
            f"<pre>{escape(curl)}</pre><button type=button data-copy='{escape(curl, quote=True)}'>Copy</button></div>"
        )
    return f"<section><h2>Services</h2><div class=cards>{''.join(cards)}</div></section>"


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[object]], empty: str) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return f"<section><h2>{title}</h2><p class=empty>{escape(empty)}</p></section>"
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{title}</h2><div class=scroll tabindex=0>{table}</div></section>"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def _amount(charge: Mapping[str, Any]) -> str:
    return f"+{charge['amount']:,} refund" if charge["refund"] else f"−{charge['amount']:,}"  # noqa: RUF001


def _where(fault: Mapping[str, Any]) -> str:
    names = ("slug", "method", "endpoint", "path", "job_kind")
    return " ".join(str(fault[name]) for name in names if fault[name]) or "anywhere"


def _left(fault: Mapping[str, Any]) -> str:
    return "for ever" if fault["times"] is None else f"{fault['times'] - fault['struck']} more"


def _answer(delivery: Mapping[str, Any]) -> str:
    said = {0: "no answer", -1: "host not allowed"}.get(delivery["status"], str(delivery["status"]))
    return f"{said} ({delivery['fault']})" if delivery["fault"] else said
