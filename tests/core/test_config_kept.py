"""How accounts and their secrets are kept: config.toml, the keyring, and the private file where there is none."""

import os
import stat
import tomllib

import keyring.backend
import keyring.backends.fail
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genstep import config, vault
from genstep.accounts import Account
from genstep.config import toml
from genstep.errors import ConfigurationError

KEY = "cvk_fake_key_for_tests"


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    """No variables, an empty home, and no keyring."""
    for name in [name for name in os.environ if name.startswith("GENSTEP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def studio(**fields):
    return Account(**{"provider": "conceptviz", "api_key": KEY, "name": "studio", **fields})


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- config.toml


def test_an_account_comes_back_as_it_was_saved_and_its_secrets_are_elsewhere():
    account = studio(
        provider="aivisualstudio",
        api_key="avs_live_fake",
        base_url="https://host",
        username='a "quoted" näme\\',
        daily_credits=2.5,
        webhook_url="https://me.example/hook",
        webhook_secret="whsec_fake",
        allowed_hosts=("a.example",),
        options={"model": {"image": "x y", "odd key": "z"}, "open_submits": 3, "price": 0.5},
    )
    config.save_account(account, default=True)
    assert config.load_account("studio") == account
    written = config.config_file().read_text(encoding="utf-8")
    assert "avs_live_fake" not in written
    assert "whsec_fake" not in written
    assert mode(config.config_file()) == 0o600
    assert config.default_account() == "studio"
    assert [known.secrets() for known in config.list_accounts()] == [()]


def test_saving_one_account_keeps_the_others():
    config.config_file().parent.mkdir(parents=True)
    config.config_file().write_text(
        'default = "by hand"\n[accounts."by hand"]\nprovider = "imageapi"\noptions = { price = 1 }\n'
    )
    config.save_account(studio())
    kept, added = config.list_accounts()
    assert (kept.name, kept.options, added.name) == ("by hand", {"price": 1}, "studio")
    assert config.default_account() == "by hand"


def test_removing_an_account_forgets_its_secrets_and_the_default():
    config.save_account(studio(), default=True)
    config.remove_account("studio")
    assert config.list_accounts() == []
    assert config.default_account() is None
    assert vault.read("studio") == {}
    assert KEY not in vault.secrets_file().read_text()
    with pytest.raises(ConfigurationError, match="none is configured"):
        config.remove_account("studio")


@pytest.mark.parametrize("name", ["sandbox", "imageapi"])
def test_a_providers_slug_cannot_name_another_providers_account(name):
    with pytest.raises(ConfigurationError, match="another name"):
        config.save_account(studio(name=name))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("default = \n", r"not TOML: .*line 1"),
        ('x = 1\n\n"\udcff"'.encode("utf-8", "surrogateescape"), r"not UTF-8 \(at line 3\)"),
        ('default = "gone"\n', "default: takes the name of an account"),
        ("default = [1]\n", "default: takes the name of an account"),
        ("[acounts.studio]\n", "acounts: no such setting"),
        ("accounts = 3\n", "accounts: takes tables"),
        ("[accounts.studio]\nbase_url = 'https://h'\n", r"accounts\.studio\.provider: name a provider"),
        ("[accounts.studio]\nprovider = 'imageapi'\ncolour = 1\n", r"accounts\.studio\.colour: no such setting"),
        ("[accounts.studio]\nprovider = 'imageapi'\ndaily_credits = 'x'\n", r"accounts\.studio\.daily_credits: "),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(text, says):
    path = config.home() / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError, match=says) as caught:
        config.list_accounts()
    assert str(path) in str(caught.value)


def test_a_secret_in_the_file_is_an_error_that_says_how_to_move_it():
    config.home()
    config.config_file().write_text('[accounts.studio]\nprovider = "conceptviz"\napi_key = "cvk_fake_in_file"\n')
    with pytest.raises(ConfigurationError, match="genstep accounts add conceptviz --name studio --replace") as caught:
        config.resolve_account("studio")
    assert "cvk_fake_in_file" not in str(caught.value)


plain = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    plain | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(plain, st.dictionaries(plain, values, max_size=4), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_as_toml_reads_back_the_same(tables):
    read = tomllib.loads(toml.document({"default": "a"}, {"accounts": tables}))
    assert read == {"default": "a", **({"accounts": tables} if tables else {})}


# ---- secrets


class Memory(keyring.backend.KeyringBackend):
    """A keyring in memory, as good as the system's."""

    priority = 5
    name = "memory"

    def __init__(self):
        super().__init__()
        self.kept = {}
        self.broken = False

    def get_password(self, service, username):
        if self.broken:
            raise RuntimeError(f"locked: {KEY}")
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        if self.broken:
            raise RuntimeError("locked")
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture
def memory(empty_home):
    backend = Memory()
    keyring.set_keyring(backend)
    return backend


def test_secrets_go_to_the_keyring_and_to_no_file(memory):
    assert config.save_account(studio()) == "keyring"
    assert not vault.secrets_file().exists()
    assert config.load_account("studio").secrets() == (KEY,)
    config.remove_account("studio")
    assert memory.kept == {}


def test_another_home_has_its_own_secrets(memory, tmp_path, monkeypatch):
    config.save_account(studio())
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "elsewhere"))
    assert vault.read("studio") == {}


def test_a_keyring_that_fails_leaves_the_secrets_to_the_private_file(memory):
    memory.broken = True
    assert config.save_account(studio()) == str(vault.secrets_file())
    assert mode(vault.secrets_file()) == 0o600
    assert config.load_account("studio").secrets() == (KEY,)
    memory.broken = False
    assert config.save_account(studio(api_key="cvk_newer")) == "keyring"
    assert config.load_account("studio").secrets() == ("cvk_newer",)
    assert "studio" not in vault.secrets_file().read_text()


def test_a_locked_keyring_says_so_and_shows_nothing(memory):
    config.save_account(studio())
    memory.broken = True
    with pytest.raises(ConfigurationError, match="keyring did not give the secrets of account 'studio'") as caught:
        config.load_account("studio")
    assert KEY not in str(caught.value)


def test_a_keyring_that_protects_nothing_is_not_used(memory, monkeypatch):
    monkeypatch.setattr(Memory, "priority", 0.5)  # what keyring gives to files in plain text
    assert config.save_account(studio()) == str(vault.secrets_file())
    assert memory.kept == {}


def test_a_secrets_file_that_others_may_read_is_refused():
    config.save_account(studio())
    vault.secrets_file().chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"mode 0640\); run: chmod 600 ") as caught:
        config.load_account("studio")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"studio": 3}'])
def test_a_secrets_file_that_is_not_ours_is_refused(text):
    vault.secrets_file().write_text(text)
    vault.secrets_file().chmod(0o600)
    with pytest.raises(ConfigurationError, match="not as genstep wrote it"):
        vault.read("studio")


def test_secrets_and_settings_are_never_left_half_written(monkeypatch):
    config.save_account(studio(), default=True)
    before = config.config_file().read_bytes(), vault.secrets_file().read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        config.save_account(studio(api_key="cvk_newer", daily_credits=1))
    assert (config.config_file().read_bytes(), vault.secrets_file().read_bytes()) == before
    assert sorted(path.name for path in config.home().iterdir()) == ["config.toml", "secrets.json"]
