"""``genstep accounts``: set up, list, test, choose and forget accounts. Keys are typed unseen or piped in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from genstep.cli import options, session
from genstep.cli.settle import sure

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.client import Client
    from genstep.provider import Provider


@click.group("accounts", short_help="Set up, test, choose and forget accounts.")
def accounts_command() -> None:
    """Set up accounts. Secrets are kept in the system keyring, or in a private file where there is none."""


@accounts_command.command("add")
@options.provider_slug
@click.option("--name", help="What to call it; default: the provider's name.")
@click.option("--base-url", metavar="URL", help="The service's address, where it is not the usual one.")
@click.option("--username", help="For services with a login instead of a key.")
@click.option("--daily-credits", type=options.from_zero, metavar="CREDITS", help="Our own ceiling a UTC day.")
@click.option("--allowed-hosts", metavar="HOST,…", help="Hosts whose files may come over plain http.")
@click.option("--webhook-url", metavar="URL", help="Where the service shall deliver.")
@click.option("-m", "--model", help="The model to use by default.")
@click.option("-O", "--option", "given", type=options.key_value, metavar="KEY=VALUE", multiple=True, help="A setting.")
@click.option("--key-stdin", is_flag=True, help="Read the API key from stdin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--webhook-secret-stdin", is_flag=True, help="Read the webhook secret from stdin.")
@click.option("--default", is_flag=True, help="Use it where no account is named.")
@click.option("--replace", is_flag=True, help="Replace the account of that name.")
def add(
    provider: str,
    name: str | None,
    base_url: str | None,
    username: str | None,
    model: str | None,
    given: tuple[tuple[str, Any], ...],
    key_stdin: bool,
    password_stdin: bool,
    webhook_secret_stdin: bool,
    default: bool,
    replace: bool,
    **settings: Any,
) -> None:
    """Set up an account with PROVIDER; what is secret is asked for, and not shown.

    \b
      genstep accounts add conceptviz
      genstep accounts add nanobanana --base-url https://your-host --name studio
      pass show imageapi | genstep accounts add imageapi --key-stdin
    """
    from genstep import config, plugins
    from genstep.accounts import Account, check_account

    name = name or provider
    service = plugins.load(provider)
    known = [account.name for account in config.list_accounts()]
    if name in known and not replace:
        raise click.UsageError(f"there is an account {name} already; add --replace, or give another --name")
    if service.base_url is None and service.auth != "none" and base_url is None:
        base_url = _ask(f"Address of {service.title or provider} (https://…)", "--base-url")
    secrets = _piped(key=key_stdin, password=password_stdin, webhook_secret=webhook_secret_stdin)
    if not {"api_key", "password"} & set(secrets):
        username = _ask_secrets(service, username, secrets)
    account = Account(
        provider=provider,
        name=name,
        base_url=base_url,
        username=username,
        options={**({"model": model} if model else {}), **dict(given)},
        **{field: value for field, value in settings.items() if value is not None},
        **secrets,
    )
    check_account(account, service)
    first = not known
    kept = config.save_account(account, default=default or first)
    where = {"keyring": "; its secrets are in the system keyring", "": ""}.get(kept, f"; its secrets are in {kept}")
    click.echo(f"Added {name}{where}.", err=True)
    if default or first:
        click.echo("It is the default account.", err=True)
    click.echo(f"Try it with: genstep accounts test {name}", err=True)


def _piped(**wanted: bool) -> dict[str, str]:
    """The one secret that comes on stdin."""
    names = [name for name, asked in wanted.items() if asked]
    if len(names) > 1:
        raise click.UsageError("only one secret can come on stdin")
    if not names:
        return {}
    secret = sys.stdin.readline().strip()
    if not secret:
        raise click.UsageError("nothing came on stdin")
    return {"api_key" if names[0] == "key" else names[0]: secret}


def _ask_secrets(service: type[Provider], username: str | None, secrets: dict[str, str]) -> str | None:
    """Ask for what the provider's auth needs, into ``secrets``; returns the username."""
    title = service.title or service.slug
    if service.auth == "login":
        username = username or _ask(f"Username of {title} (empty: an API key)", "--username", default="")
        if username:
            secrets["password"] = _ask(f"Password of {title}", "--password-stdin", hidden=True)
            return username
    if service.auth != "none":
        secrets["api_key"] = _ask(f"API key of {title}", "--key-stdin", hidden=True)
    return username or None


def _ask(question: str, option: str, *, hidden: bool = False, default: str | None = None) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"nobody is there to ask; give {option}")
    answer: str = click.prompt(question, hide_input=hidden, default=default, show_default=False, err=True)
    return answer.strip()


@accounts_command.command("list")
@options.as_json
def list_accounts(as_json: bool) -> None:
    """List the accounts that are set up, here and in the environment; no secret is shown."""
    from genstep import config, vault
    from genstep.cli import report, tables
    from genstep.errors import GenstepError

    chosen = ""
    try:
        chosen = config.resolve_account().account.name
    except GenstepError as error:
        click.echo(f"Which one is used: {report.clean(error.message)}", err=True)
    rows = []
    for account in config.list_accounts():
        kept = ", ".join(sorted(vault.read(account.name)))
        rows.append(_row(account, kept, "config.toml", account.name == config.default_account()))
    for slug in config.providers_in_environment():
        account = config.account_from_env(slug)
        names = [field for field in ("api_key", "password", "webhook_secret") if getattr(account, field)]
        rows.append(_row(account, ", ".join(names), "variables", False))
    if as_json:
        for row in rows:
            report.print_json({**row, "used": row["name"] == chosen})
        return
    tables.show(
        ("", "NAME", "PROVIDER", "ADDRESS", "SECRETS", "FROM"),
        [
            ("*" if r["name"] == chosen else "", r["name"], r["provider"], r["base_url"], r["secrets"], r["from"])
            for r in rows
        ],
        empty="No account is set up; add one with: genstep accounts add PROVIDER",
    )


def _row(account: Account, secrets: str, source: str, default: bool) -> dict[str, Any]:
    return {
        "name": account.name,
        "provider": account.provider,
        "base_url": account.base_url,
        "secrets": secrets,
        "from": source,
        "default": default,
    }


@accounts_command.command("test")
@click.argument("name", required=False, shell_complete=options.complete_accounts)
@click.option("-p", "--provider", shell_complete=options.complete_providers, help="The provider's variables.")
def test(name: str | None, provider: str | None) -> None:
    """Check an account with a call that costs nothing."""
    from genstep.cli import report

    with session.open_client(name, provider) as client:
        said = try_out(client)
        label = report.label(client.account)
    click.echo(f"{label}: {said}", err=True)


def try_out(client: Client) -> str:
    """Make one free call that needs the key, and say what it showed; the call's own error where it is refused."""
    able = client.provider.capabilities
    if able.balance:
        from genstep.cli.report import amount

        balance = client.balance()
        return "works" if balance.amount is None else f"works; {amount(balance.amount, balance.unit)} left"
    if able.history:
        next(iter(client.history()), None)
        return "works"
    if able.models:
        return f"works; it offers {len(client.models())} models"
    if able.health:
        return f"the service is {client.health().status}; whether the key is good shows the first generation"
    return "looks right; the service has no free call, so the first generation shows whether the key is good"


@accounts_command.command("default")
@options.account_name
def default(name: str) -> None:
    """Use the account where none is named."""
    from genstep import config

    config.set_default(name)
    click.echo(f"{name} is the default account.", err=True)


@accounts_command.command("remove")
@options.account_name
@options.yes
def remove(name: str, yes: bool) -> int:
    """Forget an account and its secrets. What it made stays."""
    from genstep import config
    from genstep.cli import codes

    if name in [account.name for account in config.list_accounts()] and not (
        yes or sure(f"Forget the account {name} and its secrets?")
    ):
        return codes.FAILED
    config.remove_account(name)
    click.echo(f"Removed {name}.", err=True)
    return codes.DONE
