"""The ``GENSTEP_*`` variables: which there are, and the account that a provider's variables describe."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.accounts import Account

PREFIX = "GENSTEP_"
#: known without loading plug-ins, which costs time; a test holds it against the registry
BUILT_IN = ("aivisualstudio", "conceptviz", "imageapi", "imaginelab", "nanobanana", "sandbox")
#: variables of no one provider; GENSTEP_PROXY_TOKEN is read by the WordPress plugin
GENERAL = tuple(PREFIX + name for name in ("ACCOUNT", "HOME", "HTTP", "LEDGER", "OUTPUT", "PROXY_TOKEN"))
#: the end of a provider's variable, and the field of the account that it sets
SETTINGS = {
    "API_KEY": "api_key",
    "USERNAME": "username",
    "PASSWORD": "password",
    "BASE_URL": "base_url",
    "ALLOWED_HOSTS": "allowed_hosts",
    "WEBHOOK_URL": "webhook_url",
    "WEBHOOK_SECRET": "webhook_secret",
    "DAILY_CREDITS": "daily_credits",
    "MODEL": "options",
}


def variable(provider: str, setting: str) -> str:
    """The variable's name: ``variable("conceptviz", "API_KEY")`` is GENSTEP_CONCEPTVIZ_API_KEY."""
    return f"{PREFIX}{provider.upper()}_{setting}"


def _names(slugs: Iterable[str]) -> set[str]:
    return {*GENERAL, *(variable(slug, setting) for slug in slugs for setting in SETTINGS)}


def check_environment() -> None:
    """Refuse what would be silently ignored: an unknown ``GENSTEP_*`` name, an unknown value of ``GENSTEP_HTTP``.

    A typing error in a variable's name must not quietly become the sandbox, or another account's money.
    """
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in _names(BUILT_IN))
    if unknown:
        from genstep.plugins import slugs

        known = _names(slugs())
        for name in unknown:
            if name not in known:
                import difflib

                near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
                raise ConfigurationError(f"unknown variable {name}; did you mean {near[0]}? Correct it, or unset it")
    if os.environ.get("GENSTEP_HTTP", "") not in ("", "httpx", "httpx2"):
        raise ConfigurationError("GENSTEP_HTTP: takes httpx or httpx2")


def _set(provider: str) -> dict[str, str]:
    """The provider's variables that are set, by setting."""
    values = {setting: os.environ.get(variable(provider, setting)) for setting in SETTINGS}
    return {setting: value for setting, value in values.items() if value is not None}


def _slugs_named() -> list[str]:
    """Slugs that some variable names: the built-in ones, and any other that ends in a provider's setting."""
    found = set()
    for name in os.environ:
        for setting in SETTINGS:
            if name.startswith(PREFIX) and name.endswith(f"_{setting}") and name not in GENERAL:
                found.add(name[len(PREFIX) : -len(setting) - 1].lower())
    return sorted(found)


def providers_in_environment() -> list[str]:
    """The slugs of providers of which at least one variable is set and not empty."""
    return [slug for slug in _slugs_named() if any(_set(slug).values())]


def empty_variables() -> list[str]:
    """Provider's variables that are set to nothing: most often a secret that a CI did not hand over."""
    return [variable(slug, setting) for slug in _slugs_named() for setting, value in _set(slug).items() if not value]


def account_from_env(provider: str) -> Account:
    """The account that ``GENSTEP_<PROVIDER>_…`` variables describe; :class:`ConfigurationError` names what to set."""
    from genstep.accounts import Account

    check_environment()
    slug = provider.lower()
    values = {setting: value for setting, value in _set(slug).items() if value}
    if not values and slug != "sandbox":
        raise ConfigurationError(f"no account for {slug}: set {_needed(slug)} or run: genstep accounts add {slug}")
    fields: dict[str, Any] = {SETTINGS[setting]: value for setting, value in values.items() if setting != "MODEL"}
    if "MODEL" in values:
        fields["options"] = {"model": values["MODEL"]}
    if "DAILY_CREDITS" in values:
        fields["daily_credits"] = _number(slug, values["DAILY_CREDITS"])
    try:
        return Account(provider=slug, **fields)
    except ConfigurationError as error:
        raise ConfigurationError(_naming_the_variable(slug, error.message), provider=slug) from None


def _number(slug: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"{variable(slug, 'DAILY_CREDITS')}: takes a number from 0, such as 50", provider=slug)
    return value


def _needed(slug: str) -> str:
    """The variables that make an account of this provider; an unknown slug is refused by the registry."""
    from genstep.plugins import load

    found = load(slug)
    names = variable(slug, "API_KEY")
    if found.auth == "login":
        names = f"{variable(slug, 'USERNAME')} and {variable(slug, 'PASSWORD')} (or {names})"
    return names if found.base_url else f"{names} and {variable(slug, 'BASE_URL')}"


def _naming_the_variable(slug: str, message: str) -> str:
    field, _, why = message.removeprefix("account: ").partition(": ")
    for setting, name in SETTINGS.items():
        if name == field.partition(".")[0]:
            return f"{variable(slug, setting)}: {why}"
    return message
