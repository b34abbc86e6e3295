"""An account: which service, which secrets, which limits. Secrets are SecretStr and never shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from genstep.capabilities import Field as Field_
from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.provider import Provider

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Account(BaseModel):
    """One account with one service.

    ``daily_credits`` is our own ceiling a UTC day, in the account's own unit. ``allowed_hosts`` are hosts (optionally
    ``host:port``) whose assets may be fetched over plain http or at a private address. ``options`` are the provider's
    own settings, such as a default ``model`` or a ``price``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    provider: str
    api_key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    base_url: str | None = None
    name: str = ""
    daily_credits: float | None = Field(default=None, ge=0)
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None
    allowed_hosts: tuple[str, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            takes = ", ".join(Account.model_fields)
            why = f"no such setting; an account takes {takes}" if first["type"] == "extra_forbidden" else first["msg"]
            where = f"account: {name}: " if name else "account: "
            raise ConfigurationError(where + why.removeprefix("Value error, ")) from None
        if not self.name:
            object.__setattr__(self, "name", self.provider)

    @field_validator("provider")
    @classmethod
    def _slug(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise ValueError("a provider's slug in lower case, such as conceptviz; see: genstep providers")
        return value

    @field_validator("api_key", "password", "webhook_secret", mode="before")
    @classmethod
    def _sendable(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is None:
            return None
        if not isinstance(text, str) or not text or text != text.strip() or not text.isprintable():
            raise ValueError("it is empty, or has spaces or unprintable characters around or in it; paste it again")
        return value

    @field_validator("api_key")
    @classmethod
    def _bare_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if " " in text or not text.isascii():
            raise ValueError("only the key itself, without 'Bearer' and without spaces")
        return value

    @field_validator("base_url", "webhook_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError("a URL such as https://host/path") from None
        if not good or parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("a URL such as https://host/path, without user, query or fragment")
        return value.rstrip("/")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_plain_http(self) -> Account:
        for name in ("base_url", "webhook_url"):
            parts = urlsplit(getattr(self, name) or "https://-")
            local = parts.hostname in LOOPBACK or (name == "base_url" and parts.hostname in self.allowed_hosts)
            if parts.scheme == "http" and not local:
                raise ValueError(
                    f"{name}: plain http would show the key to the network; use https "
                    "(http only on this machine, or where allowed_hosts names the host)"
                )
        if urlsplit(self.webhook_url or "").scheme == "http" and (
            urlsplit(self.base_url or "https://-").hostname not in LOOPBACK
        ):
            raise ValueError("webhook_url: plain http only where base_url is on this machine too; use https")
        return self

    def secrets(self) -> tuple[str, ...]:
        """Every secret text of the account, for redaction."""
        return tuple(s.get_secret_value() for s in (self.api_key, self.password, self.webhook_secret) if s)

    @classmethod
    def from_env(cls, provider: str) -> Account:
        """The account that ``GENSTEP_<PROVIDER>_…`` variables describe."""
        from genstep.config import account_from_env

        return account_from_env(provider)


#: settings that every provider's account takes in ``options``
COMMON_OPTIONS = {
    "model": Field_(about="default model; a table {kind: model} where kinds differ", type=(str, dict)),
    "price": Field_(about="price of one item in the account's unit, where the service does not say it", minimum=0),
    "poll_interval": Field_(about="seconds between status requests", minimum=0.01),
    "requests_per_second": Field_(about="our own ceiling for status requests", minimum=0.01),
    "xmp_prompt": Field_(about="true: pictures carry their prompt in XMP, for whoever gets them", type=bool),
    "open_submits": Field_(about="paid calls open at the same time", minimum=1, integer=True),
}


def check_account(account: Account, provider: type[Provider]) -> None:
    """Refuse an account that the provider cannot use, with what it needs; nothing is sent."""
    slug = provider.slug
    variable = f"GENSTEP_{slug.upper()}"

    def refuse(why: str) -> ConfigurationError:
        return ConfigurationError(f"account {account.name!r}: {why}", provider=slug)

    key = account.api_key.get_secret_value() if account.api_key else ""
    if provider.auth == "key" and not key:
        raise refuse(f"{slug} needs an api_key; set {variable}_API_KEY or run: genstep accounts add {slug}")
    if provider.auth == "login" and not key and not (account.username and account.password):
        raise refuse(
            f"{slug} needs username and password, or an api_key; set {variable}_USERNAME and {variable}_PASSWORD "
            f"or run: genstep accounts add {slug}"
        )
    if (
        key
        and provider.key_prefix
        and not (key.startswith(provider.key_prefix) and len(key) > len(provider.key_prefix))
    ):
        raise refuse(f"an api_key of {slug} starts with {provider.key_prefix}; is this the key of another service?")
    if provider.base_url is None and provider.auth != "none" and not account.base_url:
        raise refuse(f"{slug} has no fixed host; set base_url (or {variable}_BASE_URL) to https://your-host")
    known = {**COMMON_OPTIONS, **provider.account_options}
    for name, value in account.options.items():
        if name not in known:
            raise refuse(f"options.{name}: no such option; it takes {', '.join(sorted(known))}")
        problem = None if isinstance(value, dict) and name == "price" else known[name].problem(value)
        if problem:
            raise refuse(f"options.{name}: takes {problem}")
