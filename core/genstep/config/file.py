"""config.toml: the accounts and which is the default. Settings only; secrets are in :mod:`genstep.vault`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstep import private_file, vault
from genstep.config import toml
from genstep.config.environment import BUILT_IN
from genstep.config.places import config_file
from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.accounts import Account

SECRETS = ("api_key", "password", "webhook_secret")


@dataclass(slots=True)
class _Content:
    """What config.toml says, as plain data; ``accounts`` maps names to tables."""

    path: Path
    default: str | None = None
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self) -> None:
        values = {"default": self.default} if self.default is not None else {}
        try:
            private_file.write(self.path, toml.document(values, {"accounts": self.accounts}))
        except OSError as error:
            raise ConfigurationError(f"cannot write {self.path}: {error.strerror or error}") from None
        except TypeError as error:
            raise ConfigurationError(f"options: {error}; give text, numbers, true or false, lists or tables") from None


def _read() -> _Content:
    path = config_file()
    content = _Content(path)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return content
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    import tomllib  # only where there is a file: most requests come from the environment

    try:
        data = tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}: not TOML: it is not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    for name in data:
        if name not in ("default", "accounts"):
            raise ConfigurationError(f"{path}: {name}: no such setting; it takes default and [accounts.NAME] tables")
    default, accounts = data.get("default"), data.get("accounts", {})
    if not isinstance(accounts, dict) or not all(isinstance(table, dict) for table in accounts.values()):
        raise ConfigurationError(f"{path}: accounts: takes tables, such as [accounts.studio]")
    if default is not None and not (isinstance(default, str) and default in accounts):
        there = ", ".join(accounts) or "none"
        raise ConfigurationError(f"{path}: default: takes the name of an account ({there}), not {default!r}")
    content.default, content.accounts = default, accounts
    return content


def _account(content: _Content, name: str, secrets: Mapping[str, str]) -> Account:
    """The account of one table, or :class:`ConfigurationError` naming the file, the account and the setting."""
    from genstep.accounts import Account

    table, where = content.accounts[name], f"{content.path}: accounts.{name}"
    provider = table.get("provider")
    if not isinstance(provider, str):
        raise ConfigurationError(f"{where}.provider: name a provider; see: genstep providers")
    for secret in SECRETS:
        if secret in table:
            move = f"genstep accounts add {provider} --name {toml.key(name)} --replace"
            raise ConfigurationError(
                f"{where}.{secret}: secrets are not kept in this file; take the line out and run: {move}"
            )
    if "name" in table:
        raise ConfigurationError(f"{where}.name: the table's own name is the account's; take the line out")
    try:
        return Account(name=name, **table, **secrets)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.{error.message.removeprefix('account: ')}") from None


def list_accounts() -> list[Account]:
    """The accounts of config.toml, in its order and without their secrets."""
    content = _read()
    return [_account(content, name, {}) for name in content.accounts]


def default_account() -> str | None:
    """The name of the default account, or None."""
    return _read().default


def _with(name: str) -> _Content:
    """The file's content, which has this account; :class:`ConfigurationError` with the names that there are."""
    content = _read()
    if name not in content.accounts:
        there = f"there are: {', '.join(content.accounts)}" if content.accounts else "none is configured"
        raise ConfigurationError(f"no account {name!r}; {there}; to add one, run: genstep accounts add PROVIDER")
    return content


def load_account(name: str) -> Account:
    """The account of this name with its secrets; :class:`ConfigurationError` with the names that there are."""
    content = _with(name)
    _account(content, name, {})  # what is wrong in the table is said before a keyring asks to be unlocked
    return _account(content, name, vault.read(name))


def save_account(account: Account, default: bool = False) -> str:
    """Keep an account under its name, replacing one of that name; ``default`` makes it the default.

    Returns where its secrets are now: "keyring", the path of the file, or "" where it has none.
    """
    if account.name in BUILT_IN and account.name != account.provider:
        raise ConfigurationError(f"the name {account.name!r} is a provider's; give the account another name")
    if not account.name.strip() or not account.name.isprintable():
        raise ConfigurationError("an account's name takes printable characters")
    content = _read()
    table = account.model_dump(exclude={"name", *SECRETS}, exclude_defaults=True)
    content.accounts[account.name] = {"provider": account.provider, **table}
    if default:
        content.default = account.name
    secrets = {name: getattr(account, name) for name in SECRETS}
    kept = vault.write(account.name, {name: s.get_secret_value() for name, s in secrets.items() if s is not None})
    content.write()
    return kept


def remove_account(name: str) -> None:
    """Forget an account and its secrets; the default is forgotten with it. What it made stays."""
    content = _with(name)
    del content.accounts[name]
    if content.default == name:
        content.default = None
    content.write()
    vault.write(name, {})


def set_default(name: str) -> None:
    """Make an account the default."""
    content = _with(name)
    content.default = name
    content.write()
