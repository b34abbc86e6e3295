"""``genstep webhooks``: what the service delivers to. A new webhook's secret is kept, and never printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from genstep.cli import codes, options, session
from genstep.cli.settle import sure

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.models import Webhook

events_option = click.option("--event", "events", multiple=True, help="Deliver only this; may be repeated.")
webhook_id = click.argument("webhook_id", metavar="ID")


@click.group("webhooks", short_help="See and change registered webhooks.")
def webhooks_command() -> None:
    """See and change the webhooks that are registered with the service."""


@webhooks_command.command("list")
@options.account_options
@options.as_json
def list_webhooks(account: str | None, provider: str | None, as_json: bool) -> None:
    """List the registered webhooks."""
    from genstep.cli import tables

    with session.open_client(account, provider) as client:
        found = client.list_webhooks()
    if as_json:
        for webhook in found:
            _print(webhook)
        return
    rows = [(webhook.id, webhook.url, " ".join(webhook.events)) for webhook in found]
    tables.show(("ID", "URL", "EVENTS"), rows, fold=("URL",), empty="No webhook is registered.")


@webhooks_command.command("create")
@click.argument("url")
@events_option
@options.account_options
@options.as_json
def create_webhook(url: str, events: tuple[str, ...], account: str | None, provider: str | None, as_json: bool) -> None:
    """Register a URL. The secret that signs deliveries is kept with the account."""
    with session.open_client(account, provider) as client:
        webhook = client.create_webhook(url, events or None)
        kept = _keep(webhook, client.account)
    if as_json:
        _print(webhook)
    else:
        click.echo(webhook.id)
    if kept:
        click.echo(kept, err=True)


@webhooks_command.command("update")
@webhook_id
@click.option("--url", help="Deliver there from now on.")
@events_option
@options.account_options
@options.as_json
def update_webhook(
    webhook_id: str, url: str | None, events: tuple[str, ...], account: str | None, provider: str | None, as_json: bool
) -> None:
    """Change a webhook's URL or events."""
    changes = {name: value for name, value in (("url", url), ("events", list(events))) if value}
    if not changes:
        raise click.UsageError("say what to change: --url or --event")
    with session.open_client(account, provider) as client:
        webhook = client.update_webhook(webhook_id, **changes)
    if as_json:
        _print(webhook)
    else:
        click.echo(f"Updated {webhook.id}.", err=True)


@webhooks_command.command("delete")
@webhook_id
@options.account_options
@options.yes
def delete_webhook(webhook_id: str, account: str | None, provider: str | None, yes: bool) -> int:
    """Remove a webhook from the service."""
    if not (yes or sure(f"Delete the webhook {webhook_id}?")):
        return codes.FAILED
    with session.open_client(account, provider) as client:
        client.delete_webhook(webhook_id)
    click.echo(f"Deleted {webhook_id}.", err=True)
    return codes.DONE


def _print(webhook: Webhook) -> None:
    from genstep.cli import report

    report.print_json({"id": webhook.id, "url": webhook.url, "events": webhook.events})


def _keep(webhook: Webhook, account: Account) -> str:
    """Keep a new webhook's secret, which the service says only once; returns the line that says where it is."""
    from genstep import config, private_file

    if webhook.secret is None:
        return ""
    if account.name in {known.name for known in config.list_accounts()}:
        from pydantic import SecretStr

        saved = config.load_account(account.name).model_copy(update={"webhook_secret": SecretStr(webhook.secret)})
        config.save_account(saved)
        return f"Its secret is kept with the account {account.name}."
    path = config.home() / f"webhook-{account.provider}.secret"
    private_file.write(path, webhook.secret + "\n")
    return (
        f"Its secret is in {path}; set GENSTEP_{account.provider.upper()}_WEBHOOK_SECRET to it, "
        "so that deliveries can be verified"
    )
