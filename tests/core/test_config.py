"""Where state is, which account is used and why, and what the variables mean."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import keyring.backends.fail
import pytest

from genstep import config, plugins
from genstep.accounts import Account
from genstep.config import environment
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


# ---- places


def test_the_home_variable_moves_everything_and_the_folder_is_private(tmp_path):
    home = tmp_path / "home"
    assert not home.exists()
    assert config.home() == home
    assert mode(home) == 0o700
    assert config.config_file() == home / "config.toml"
    assert config.default_ledger() == str(home / "ledger.db")


def test_without_the_variable_state_is_in_the_users_folders(tmp_path, monkeypatch):
    monkeypatch.delenv("GENSTEP_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert tmp_path in config.home().parents
    assert tmp_path in config.config_file().parents
    assert config.config_file().name == "config.toml"


def test_ledger_and_output_can_be_moved_to_a_path_or_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.default_output() == str(tmp_path / "genstep-output")
    monkeypatch.setenv("GENSTEP_OUTPUT", "s3://bucket/art")
    monkeypatch.setenv("GENSTEP_LEDGER", "postgresql://host/db")
    assert (config.default_output(), config.default_ledger()) == ("s3://bucket/art", "postgresql://host/db")
    monkeypatch.setenv("GENSTEP_OUTPUT", "art")
    monkeypatch.setenv("GENSTEP_LEDGER", "~/mine.db")
    assert config.default_output() == str(tmp_path / "art")
    assert config.default_ledger() == str(Path("~/mine.db").expanduser())


def test_a_home_that_cannot_be_made_says_which_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigurationError, match="set GENSTEP_HOME to a folder that you may write"):
        config.home()


# ---- which account


def test_nothing_set_up_is_the_sandbox_and_says_so():
    found = config.resolve_account(None)
    assert (found.account.provider, found.account.name, found.sandbox) == ("sandbox", "sandbox", True)
    assert "sandbox" in found.why
    assert "\n" not in found.why


def test_the_order_is_argument_variable_default_environment(monkeypatch):
    def used(*arguments):
        return config.resolve_account(*arguments).account.name

    monkeypatch.setenv("GENSTEP_IMAGEAPI_API_KEY", "sk_fake")
    assert used() == "imageapi"
    config.save_account(studio(), default=True)
    config.save_account(studio(name="other"))
    config.save_account(studio(name="third"))
    assert used() == "studio"
    monkeypatch.setenv("GENSTEP_ACCOUNT", "other")
    assert used() == "other"
    assert used("third") == "third"
    handed = studio(name="handed")
    assert config.resolve_account(handed).account is handed


def test_variables_of_two_providers_need_a_choice(monkeypatch):
    monkeypatch.setenv("GENSTEP_IMAGEAPI_API_KEY", "sk_fake")
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match="conceptviz, imageapi; choose one"):
        config.resolve_account()
    assert config.resolve_account(provider="imageapi").account.provider == "imageapi"
    assert config.resolve_account("conceptviz").account.provider == "conceptviz"


def test_a_provider_picks_its_variables_before_its_configured_account(monkeypatch):
    config.save_account(studio())
    assert config.resolve_account(provider="conceptviz").account.name == "studio"
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", "cvk_from_the_environment")
    chosen = config.resolve_account(provider="conceptviz").account
    assert chosen.api_key.get_secret_value() == "cvk_from_the_environment"
    monkeypatch.setenv("GENSTEP_ACCOUNT", "studio")
    assert config.resolve_account(provider="conceptviz").account.name == "studio"


def test_several_accounts_of_a_provider_need_a_choice_or_the_default():
    config.save_account(studio())
    config.save_account(studio(name="other"))
    with pytest.raises(ConfigurationError, match="several accounts: studio, other"):
        config.resolve_account(provider="conceptviz")
    config.set_default("other")
    assert config.resolve_account(provider="conceptviz").account.name == "other"


def test_an_account_of_another_provider_is_refused():
    config.save_account(studio())
    with pytest.raises(ConfigurationError, match="belongs to conceptviz, not to imageapi"):
        config.resolve_account("studio", provider="imageapi")


def test_the_sandbox_can_be_asked_for_beside_a_paid_account():
    config.save_account(studio(), default=True)
    assert config.resolve_account("sandbox").sandbox
    assert config.resolve_account(provider="sandbox").sandbox


def test_accounts_without_a_default_are_named_when_the_sandbox_stands_in():
    config.save_account(studio())
    found = config.resolve_account()
    assert found.sandbox
    assert "studio" in found.why


def test_an_unknown_account_lists_those_that_there_are():
    config.save_account(studio())
    with pytest.raises(ConfigurationError, match="no account 'stduio'; there are: studio"):
        config.resolve_account("stduio")


# ---- variables


def test_built_in_slugs_are_those_of_the_registry():
    assert sorted(environment.BUILT_IN) == [slug for slug in plugins.slugs() if slug in environment.BUILT_IN]
    ours = {slug for slug, found in plugins.registry().found.items() if str(found).find("genstep.") >= 0}
    assert set(environment.BUILT_IN) == ours


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("GENSTEP_CONCEPTVIZ_APIKEY", "GENSTEP_CONCEPTVIZ_API_KEY"),
        ("GENSTEP_CONCEPTVIS_API_KEY", "GENSTEP_CONCEPTVIZ_API_KEY"),
        ("GENSTEP_ACOUNT", "GENSTEP_ACCOUNT"),
        ("GENSTEP_LEDGR", "GENSTEP_LEDGER"),
    ],
)
def test_an_unknown_variable_is_an_error_that_names_the_nearest(wrong, right, monkeypatch):
    monkeypatch.setenv(wrong, "secret-value")
    with pytest.raises(ConfigurationError, match=rf"unknown variable {wrong}; did you mean {right}\?") as caught:
        config.resolve_account()
    assert "secret-value" not in str(caught.value)


def test_a_plug_ins_variables_are_known(monkeypatch):
    monkeypatch.setitem(plugins.registry().found, "thirdparty", "somewhere:Class")
    monkeypatch.setenv("GENSTEP_THIRDPARTY_API_KEY", "fake")
    assert config.resolve_account().account.provider == "thirdparty"


def test_the_http_library_is_one_of_two(monkeypatch):
    monkeypatch.setenv("GENSTEP_HTTP", "httpx2")
    config.check_environment()
    monkeypatch.setenv("GENSTEP_HTTP", "requests")
    with pytest.raises(ConfigurationError, match="GENSTEP_HTTP: takes httpx or httpx2"):
        config.check_environment()


def test_every_setting_of_an_account_has_its_variable(monkeypatch):
    values = {
        "API_KEY": "avs_live_fake",
        "USERNAME": "me",
        "PASSWORD": "fake password",
        "BASE_URL": "https://host/api/v1/",
        "ALLOWED_HOSTS": "a.example, b.example:8080",
        "WEBHOOK_URL": "https://me.example/hook",
        "WEBHOOK_SECRET": "whsec_fake",
        "DAILY_CREDITS": "12.5",
        "MODEL": "some/model",
    }
    for setting, value in values.items():
        monkeypatch.setenv(f"GENSTEP_AIVISUALSTUDIO_{setting}", value)
    account = Account.from_env("aivisualstudio")
    assert account.name == account.provider == "aivisualstudio"
    assert account.secrets() == ("avs_live_fake", "fake password", "whsec_fake")
    assert (account.username, account.base_url, account.webhook_url) == (
        "me",
        "https://host/api/v1",
        "https://me.example/hook",
    )
    assert account.allowed_hosts == ("a.example", "b.example:8080")
    assert account.daily_credits == 12.5
    assert account.options == {"model": "some/model"}


@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_a_malformed_number_names_its_variable(value, monkeypatch):
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_DAILY_CREDITS", value)
    with pytest.raises(ConfigurationError, match="GENSTEP_CONCEPTVIZ_DAILY_CREDITS: takes a number"):
        Account.from_env("conceptviz")


def test_a_malformed_value_names_its_variable_and_not_itself(monkeypatch):
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", "Bearer cvk_fake_secret")
    with pytest.raises(ConfigurationError, match=r"^GENSTEP_CONCEPTVIZ_API_KEY: only the key itself") as caught:
        Account.from_env("conceptviz")
    assert "cvk_fake_secret" not in str(caught.value)
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", KEY)
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_BASE_URL", "http://somewhere.example")
    with pytest.raises(ConfigurationError, match=r"^GENSTEP_CONCEPTVIZ_BASE_URL: plain http"):
        Account.from_env("conceptviz")


def test_a_secret_set_to_nothing_does_not_become_the_sandbox(monkeypatch):
    monkeypatch.setenv("GENSTEP_CONCEPTVIZ_API_KEY", "")
    with pytest.raises(ConfigurationError, match="GENSTEP_CONCEPTVIZ_API_KEY is set, but to nothing"):
        config.resolve_account()
    monkeypatch.setenv("GENSTEP_IMAGEAPI_API_KEY", "sk_fake")
    assert config.resolve_account().account.provider == "imageapi"


def test_choosing_an_account_by_variables_loads_no_plug_ins_and_no_keyring(tmp_path):
    code = (
        "import sys; from genstep.config import resolve_account; resolve_account()\n"
        "print([name for name in ('keyring', 'httpx', 'genstep.plugins', 'rich') if name in sys.modules])"
    )
    env = {**os.environ, "GENSTEP_CONCEPTVIZ_API_KEY": KEY}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
