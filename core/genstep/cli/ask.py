"""Questions that cost nothing: providers, models, balance, estimate, history, enhance, health."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any

import click

from genstep.cli import codes, options, session

#: the verbs that not every provider has, in the words of Capabilities
VERBS = ("history", "models", "balance", "health", "cancel", "delete", "webhooks", "enhance", "build_prompt")


@click.command("providers", short_help="List the providers and what they can do.")
@options.as_json
def providers_command(as_json: bool) -> None:
    """List the providers: what they make, what they can do, and whether one is set up here."""
    from genstep import plugins
    from genstep.cli import report, tables
    from genstep.config import list_accounts, providers_in_environment

    accounts: dict[str, list[str]] = {slug: ["variables"] for slug in providers_in_environment()}
    for account in list_accounts():
        accounts.setdefault(account.provider, []).append(account.name)
    accounts.setdefault("sandbox", []).append("built in")
    found = [_provider(slug, accounts.get(slug, [])) for slug in plugins.slugs()]
    if as_json:
        for provider in found:
            report.print_json(provider)
        return
    rows = [
        (p["slug"], p["title"], " ".join(p["kinds"]), " ".join(p["verbs"]) or p["problem"], ", ".join(p["accounts"]))
        for p in found
    ]
    tables.show(("PROVIDER", "SERVICE", "MAKES", "BESIDES", "SET UP"), rows, fold=("MAKES", "BESIDES"))


def _provider(slug: str, accounts: list[str]) -> dict[str, Any]:
    from genstep import plugins

    row: dict[str, Any] = {"slug": slug, "title": slug, "kinds": [], "verbs": [], "accounts": accounts, "problem": ""}
    try:
        provider = plugins.load(slug)
    except Exception as error:  # noqa: BLE001  (a plug-in of anybody's; the others are listed all the same)
        return {**row, "problem": f"cannot be loaded: {type(error).__name__}: {error}"}
    able = provider.capabilities
    verbs = [verb.replace("_", "-") for verb in VERBS if getattr(able, verb)]
    return {**row, "title": provider.title or slug, "kinds": list(able.kinds), "verbs": verbs}


@click.command("models", short_help="List the models that the service offers.")
@options.account_options
@options.kind
@options.as_json
def models_command(account: str | None, provider: str | None, kind: str | None, as_json: bool) -> None:
    """List the models that the service offers."""
    from genstep.cli import report, tables

    with session.open_client(account, provider) as client:
        unit = client.provider.unit
        found = client.models(kind)
    if as_json:
        for model in found:
            report.print_json(asdict(model))
        return
    rows = [
        (m.id, m.name, m.kind, "" if m.price is None else report.amount(m.price, unit), m.description) for m in found
    ]
    tables.show(
        ("MODEL", "NAME", "KIND", "PRICE", "ABOUT"), rows, fold=("NAME", "ABOUT"), empty="The service lists none."
    )


@click.command("balance", short_help="Show what is left.")
@options.account_options
@options.as_json
def balance_command(account: str | None, provider: str | None, as_json: bool) -> None:
    """Show what is left, and since when that is known."""
    from genstep.cli import report, tables

    with session.open_client(account, provider) as client:
        balance = client.balance()
    if as_json:
        report.print_json(asdict(balance))
        return
    left = "unknown" if balance.amount is None else report.amount(balance.amount, balance.unit)
    seen = "" if balance.amount is None else tables.moment(balance.as_of)
    tables.pairs([("left", left), ("as of", seen), *flat(balance.details)])


@click.command("estimate", short_help="Say what a request would cost.")
@click.argument("words", nargs=-1, metavar="[WORDS OF ONE PROMPT…]")
@options.account_options
@options.request_options
@options.as_json
def estimate_command(
    words: tuple[str, ...], account: str | None, provider: str | None, as_json: bool, **fields: Any
) -> None:
    """Say what a request would cost; it is checked like one that is bought, and nothing is bought."""
    from genstep.cli import report

    request = options.request_of(options.one_prompt(words), fields)
    with session.open_client(account, provider) as client:
        estimate = client.estimate(request)
    if as_json:
        report.print_json(asdict(estimate))
    elif estimate.amount is None:
        click.echo("unknown: the service does not say its price")
    else:
        click.echo(f"{'' if estimate.exact else 'about '}{report.amount(estimate.amount, estimate.unit)}")


@click.command("history", short_help="List past work as the service knows it.")
@options.account_options
@options.kind
@click.option("--status", help="Only these, in the service's own word.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@options.as_json
def history_command(
    account: str | None, provider: str | None, kind: str | None, status: str | None, limit: int, as_json: bool
) -> None:
    """List past work as the service knows it, made with genstep or not."""
    from genstep.cli import report, tables

    filters = {name: value for name, value in (("kind", kind), ("status", status)) if value is not None}
    with session.open_client(account, provider) as client:
        found = list(islice(client.history(**filters), limit))
    if as_json:
        for item in found:
            report.print_json(asdict(item))
        return
    rows = [
        (i.id, i.status, i.kind, report.short(i.prompt or ""), tables.moment(i.created_at), " ".join(i.urls))
        for i in found
    ]
    tables.show(
        ("ID", "STATUS", "KIND", "PROMPT", "MADE", "URL"),
        rows,
        fold=("PROMPT", "URL"),
        empty="The service lists nothing.",
    )


@click.command("enhance", short_help="Turn a short idea into a richer prompt.")
@click.argument("words", nargs=-1, required=True, metavar="WORDS OF ONE PROMPT…")
@click.option("--tone", help="Such as cinematic.")
@options.account_options
@options.as_json
def enhance_command(
    words: tuple[str, ...], tone: str | None, account: str | None, provider: str | None, as_json: bool
) -> None:
    """Turn a short idea into a richer prompt, where the service can."""
    from genstep.cli import report

    with session.open_client(account, provider) as client:
        prompt = client.enhance(options.one_prompt(words), tone=tone)
    if as_json:
        report.print_json({"prompt": prompt})
    else:
        click.echo(prompt)


@click.command("health", short_help="Ask the service how it is.")
@options.account_options
@options.as_json
def health_command(account: str | None, provider: str | None, as_json: bool) -> int:
    """Ask the service how it is; exit code 1 where it cannot be reached."""
    from genstep.cli import report, tables

    with session.open_client(account, provider) as client:
        health = client.health()
    if as_json:
        report.print_json(asdict(health))
    else:
        tables.pairs([("status", health.status), *flat(health.details)])
    return codes.FAILED if health.status == "unreachable" else codes.DONE


def flat(details: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """A service's nested details as pairs: {"plan": {"name": "pro"}} is [("plan.name", "pro")]."""
    pairs: list[tuple[str, Any]] = []
    for name, value in details.items():
        if isinstance(value, dict):
            pairs += flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            pairs.append((f"{prefix}{name}", "yes" if value else "no"))
        else:
            pairs.append((f"{prefix}{name}", value))
    return pairs
