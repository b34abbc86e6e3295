"""Where state lives and which account is used: folders, ``GENSTEP_*`` variables, config.toml, and their order."""

from genstep.config.environment import BUILT_IN, account_from_env, check_environment, providers_in_environment
from genstep.config.file import default_account, list_accounts, load_account, remove_account, save_account, set_default
from genstep.config.places import config_file, default_ledger, default_output, home
from genstep.config.resolve import Resolved, resolve_account

__all__ = [
    "BUILT_IN",
    "Resolved",
    "account_from_env",
    "check_environment",
    "config_file",
    "default_account",
    "default_ledger",
    "default_output",
    "home",
    "list_accounts",
    "load_account",
    "providers_in_environment",
    "remove_account",
    "resolve_account",
    "save_account",
    "set_default",
]
