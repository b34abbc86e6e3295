"""Where state lives: the home folder, config.toml, the ledger, the output folder, and the variables that move them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from genstep import private_file
from genstep.errors import ConfigurationError


def _users(kind: str) -> Path:
    """The user's own folder for "data" or "config", as the system names it."""
    import platformdirs

    look = {"data": platformdirs.user_data_path, "config": platformdirs.user_config_path}[kind]
    with suppress(RuntimeError):
        # without a home, older versions name a folder in the current one, where payments would be forgotten with it
        if (folder := look("genstep", appauthor=False)).is_absolute():
            return folder
    raise ConfigurationError("this user has no home folder; set GENSTEP_HOME to a folder that you may write")


def _moved(variable: str) -> Path | None:
    """The absolute path that a variable names; None where it is not set, or empty."""
    value = os.environ.get(variable, "")
    if not value:
        return None
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        raise ConfigurationError(f"{variable}: there is no such user's home folder; give a whole path") from None


def home() -> Path:
    """The folder of all state: ``GENSTEP_HOME``, else "genstep" in the user's data folder; made with mode 0700."""
    folder = _moved("GENSTEP_HOME")
    if folder is None:
        folder = _users("data")
    try:
        return private_file.make_folder(folder)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(
            f"cannot make the folder {folder}: {reason}; set GENSTEP_HOME to a folder that you may write"
        ) from None


def config_file() -> Path:
    """config.toml in the user's config folder, or in ``GENSTEP_HOME`` where that is set; it need not exist."""
    folder = _moved("GENSTEP_HOME")
    if folder is None:
        folder = _users("config")
    return folder / "config.toml"


def default_ledger() -> str:
    """``GENSTEP_LEDGER`` (a path or a PostgreSQL URL), else ledger.db in :func:`home`."""
    value = os.environ.get("GENSTEP_LEDGER", "")
    if "://" in value:
        return value
    return str(_moved("GENSTEP_LEDGER") or home() / "ledger.db")


def default_output() -> str:
    """``GENSTEP_OUTPUT`` (a folder or a URL such as ``s3://bucket/art``), else genstep-output in the current folder."""
    value = os.environ.get("GENSTEP_OUTPUT", "")
    if "://" in value:
        return value
    return str(_moved("GENSTEP_OUTPUT") or Path("genstep-output").absolute())
