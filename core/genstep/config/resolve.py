"""Which account is used, and why: the argument, GENSTEP_ACCOUNT, the configured default, the variables, the sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genstep.config.environment import (
    account_from_env,
    check_environment,
    empty_variables,
    providers_in_environment,
)
from genstep.config.file import default_account, list_accounts, load_account
from genstep.config.places import config_file
from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.accounts import Account


@dataclass(frozen=True, slots=True)
class Resolved:
    """The account to use, ``why`` it is this one (one line), and whether it is the built-in sandbox."""

    account: Account
    why: str
    sandbox: bool


def resolve_account(account: str | Account | None = None, *, provider: str | None = None) -> Resolved:
    """The account to use. ``provider`` picks that provider's variables, or the one account configured for it.

    :class:`ConfigurationError` where the name is not known, where two providers' variables are set and nothing
    chooses, and where a ``GENSTEP_*`` variable is unknown.
    """
    check_environment()
    if account is None:
        chosen = _of_provider(provider.lower()) if provider else _first_found()
    elif isinstance(account, str):
        chosen = _by_name(account, f"the account {account} was asked for")
    else:
        chosen = _resolved(account, "the account was handed in")
    if provider and chosen.account.provider != provider.lower():
        raise ConfigurationError(
            f"account {chosen.account.name!r} belongs to {chosen.account.provider}, not to {provider}; name one of them"
        )
    return chosen


def _resolved(account: Account, why: str) -> Resolved:
    return Resolved(account, why, sandbox=account.provider == "sandbox")


def _by_name(name: str, why: str) -> Resolved:
    """A configured account; else, where the name is a provider's, its variables; ``sandbox`` is always there."""
    if name not in {known.name for known in list_accounts()}:
        if name in providers_in_environment():
            return _resolved(account_from_env(name), f"{why}, and {name}'s variables are set")
        if name == "sandbox":
            return _sandbox(why)
    return _resolved(load_account(name), why)


def _of_provider(slug: str) -> Resolved:
    named = os.environ.get("GENSTEP_ACCOUNT")
    if named:
        chosen = _by_name(named, "GENSTEP_ACCOUNT names it")
        if chosen.account.provider == slug:
            return chosen
    if slug in providers_in_environment():
        return _resolved(account_from_env(slug), f"{slug} was asked for, and its variables are set")
    names = [known.name for known in list_accounts() if known.provider == slug]
    default = default_account()
    if len(names) > 1 and default not in names:
        raise ConfigurationError(f"{slug} has several accounts: {', '.join(names)}; choose one with account= or -a")
    if names:
        name = default if default in names else names[0]
        return _resolved(load_account(str(name)), f"{slug} was asked for, and {config_file()} has this account of it")
    if slug == "sandbox":
        return _sandbox("the sandbox was asked for")
    return _resolved(account_from_env(slug), "")  # raises, with what to set


def _first_found() -> Resolved:
    named = os.environ.get("GENSTEP_ACCOUNT")
    if named:
        return _by_name(named, "GENSTEP_ACCOUNT names it")
    default = default_account()
    if default is not None:
        return _resolved(load_account(default), f"it is the default of {config_file()}")
    found = providers_in_environment()
    if len(found) > 1:
        raise ConfigurationError(
            f"variables of several providers are set: {', '.join(found)}; choose one with provider= or -p, "
            "or name an account in GENSTEP_ACCOUNT"
        )
    if found:
        return _resolved(account_from_env(found[0]), f"{found[0]} is the one provider whose variables are set")
    empty = empty_variables()
    if empty:
        raise ConfigurationError(
            f"{empty[0]} is set, but to nothing; give it its value, or unset it to use the built-in sandbox"
        )
    names = [known.name for known in list_accounts()]
    what = f"no account is the default (there are: {', '.join(names)})" if names else "no account is set up"
    return _sandbox(f"{what}, so the built-in sandbox is used: free, no key")


def _sandbox(why: str) -> Resolved:
    from genstep.accounts import Account

    return _resolved(Account(provider="sandbox", name="sandbox"), why)
