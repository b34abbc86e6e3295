"""Where accounts' secrets are kept: the system keyring, or a 0600 file where there is none. Never printed.

One entry an account: a JSON object of its secrets, under the account's name.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from genstep import private_file
from genstep.config.places import home
from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


def secrets_file() -> Path:
    """The file that stands in for a keyring."""
    return home() / "secrets.json"


def _service() -> str:
    """The keyring's name for our entries; a moved home has its own, since GENSTEP_HOME moves all state."""
    return f"genstep ({home()})" if os.environ.get("GENSTEP_HOME") else "genstep"


def keyring_backend() -> KeyringBackend | None:
    """The system keyring, or None where there is none that protects anything (none, null, or a plain file)."""
    try:
        import keyring

        backend = keyring.get_keyring()
        # keyring's own line between recommended backends and those that fail, forget, or write plain text
        return backend if backend.priority >= 1 else None
    except Exception:  # noqa: BLE001  (a backend of anybody's may raise anything; the file is always there)
        return None


def where() -> str:
    """Where the next secret would be kept: "keyring (its name)", or the file's path."""
    backend = keyring_backend()
    return f"keyring ({backend.name})" if backend is not None else str(secrets_file())


def read(account: str) -> dict[str, str]:
    """The secrets of an account by name of the field; empty where none are kept."""
    # the file first: it is only written when no keyring would take the secrets, so it is the newer of the two
    kept = _read_file().get(account)
    if kept is not None:
        return kept
    backend = keyring_backend()
    if backend is None:
        return {}
    try:
        text = backend.get_password(_service(), account)
    except Exception as error:  # noqa: BLE001  (see keyring_backend)
        raise ConfigurationError(
            f"the keyring did not give the secrets of account {account!r} ({type(error).__name__}); "
            f"unlock it, or add the account again with --replace"
        ) from None
    try:
        return {str(name): str(secret) for name, secret in json.loads(text).items()} if text else {}
    except (ValueError, AttributeError):
        raise ConfigurationError(
            f"the keyring's entry for account {account!r} is not ours; add the account again with --replace"
        ) from None


def write(account: str, secrets: Mapping[str, str]) -> str:
    """Keep the secrets of an account in place of those kept before; none: forget them.

    Returns "keyring", the path of the file, or "" where there was nothing to keep.
    """
    in_keyring = _write_keyring(account, secrets)
    kept = _read_file()
    before = dict(kept)
    kept.pop(account, None)
    if secrets and not in_keyring:
        kept[account] = dict(secrets)
    if kept != before:
        _write_file(kept)
    return "" if not secrets else "keyring" if in_keyring else str(secrets_file())


def _write_keyring(account: str, secrets: Mapping[str, str]) -> bool:
    backend = keyring_backend()
    if backend is None:
        return False
    try:
        if secrets:
            backend.set_password(_service(), account, json.dumps(dict(secrets)))
        elif backend.get_password(_service(), account) is not None:
            backend.delete_password(_service(), account)
    except Exception:  # noqa: BLE001  (see keyring_backend)
        return False
    return True


def _read_file() -> dict[str, dict[str, str]]:
    path = secrets_file()
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise ConfigurationError(
                    f"{path} holds secrets and others may read it (mode {mode:04o}); run: chmod 600 {path}"
                )
            data = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        data = None
    if not isinstance(data, dict) or not all(isinstance(entry, dict) for entry in data.values()):
        raise ConfigurationError(f"{path} is not as genstep wrote it; move it away and add the accounts again")
    return data


def _write_file(secrets: Mapping[str, Mapping[str, str]]) -> None:
    path = secrets_file()
    try:
        private_file.write(path, json.dumps(secrets, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None
