"""Accounts, doctor, providers and the free questions on the command line."""

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from tests.core.command import KEYS, Command

from genstep import config, vault
from genstep.models import Health
from genstep.sandbox.server import SandboxServer

KEY = KEYS["conceptviz"]


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    return Command(tmp_path, monkeypatch, capfd)


def add(command, *words, key=KEY):
    return command("accounts", "add", *words, "--key-stdin", stdin=f"{key}\n")


# ---- accounts


def test_a_piped_key_is_kept_and_shown_nowhere(command):
    ran = add(command, "conceptviz", "--name", "studio", "--daily-credits", "50", "-m", "x", "-O", "price=2")
    assert ran.code == 0
    listed = command("accounts", "list", "--json")
    account = config.load_account("studio")
    assert account.secrets() == (KEY,)
    assert (account.daily_credits, account.options) == (50, {"model": "x", "price": 2})
    assert listed.objects[0]["used"] is True
    shown = ran.out + ran.err + listed.out + command("accounts", "list").out + command("doctor", "--json").out
    assert KEY not in shown
    assert KEY not in config.config_file().read_text()


def test_the_first_account_is_the_default_and_another_can_be(command):
    assert "It is the default account." in add(command, "conceptviz").err
    assert "default" not in add(command, "conceptviz", "--name", "two").err
    assert config.resolve_account().account.name == "conceptviz"
    assert command("accounts", "default", "two").code == 0
    assert config.resolve_account().account.name == "two"
    assert command("accounts", "default", "three").code == 2


def test_an_account_is_replaced_only_when_asked(command):
    add(command, "conceptviz")
    refused = add(command, "conceptviz", key="cvk_another_fake")
    assert refused.code == 2
    assert "--replace" in refused.err
    assert add(command, "conceptviz", "--replace", key="cvk_another_fake").code == 0
    assert config.load_account("conceptviz").secrets() == ("cvk_another_fake",)


def test_removing_an_account_forgets_its_key(command):
    add(command, "conceptviz")
    assert command("accounts", "remove", "conceptviz").code == 2  # nobody is there to ask
    assert command("accounts", "remove", "conceptviz", "--yes").code == 0
    assert vault.read("conceptviz") == {}
    assert command("accounts", "remove", "conceptviz", "--yes").code == 2


def test_a_person_is_asked_for_what_is_missing_and_types_unseen(command, monkeypatch):
    asked = []

    def prompt(question, *, hide_input=False, **_):
        asked.append((question, hide_input))
        return {"Username": "me@example.com", "Password": "fake password", "Address": "https://host"}.get(
            question.split()[0], "fakefakefake"
        )

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(io, "StringIO", Terminal)
    monkeypatch.setattr("click.prompt", prompt)
    assert command("accounts", "add", "imaginelab").code == 0
    assert [hidden for _, hidden in asked] == [False, True]
    assert config.load_account("imaginelab").secrets() == ("fake password",)
    asked.clear()
    assert command("accounts", "add", "nanobanana").code == 0
    assert [hidden for _, hidden in asked] == [False, True]
    assert config.load_account("nanobanana").base_url == "https://host"


@pytest.mark.parametrize(
    ("words", "key", "says"),
    [
        (["conceptviz"], "sk_of_another_service", "starts with cvk_"),
        (["conceptviz"], "", "nothing came on stdin"),
        (["nobody"], KEY, "provider 'nobody' is not installed"),
        (["nanobanana"], "fakefake", "give --base-url"),
        (["conceptviz", "--base-url", "http://somewhere.example"], KEY, "plain http"),
        (["conceptviz", "-O", "colour=red"], KEY, "options.colour: no such option"),
        (["conceptviz", "--name", "sandbox"], KEY, "another name"),
        (["conceptviz", "--daily-credits", "-1"], KEY, "takes a number from 0 up"),
    ],
)
def test_an_account_that_cannot_be_used_is_not_kept(words, key, says, command):
    ran = add(command, *words, key=key)
    assert ran.code == 2
    assert says in ran.err
    assert config.list_accounts() == []


def test_testing_an_account_makes_a_free_call(command):
    with SandboxServer(speed=1000) as server:
        command.use("imageapi", base_url=server.base("imageapi"))
        works = command("accounts", "test", "imageapi")
        assert works.code == 0
        assert "works; 50 requests left" in works.err
        command.use("imageapi", base_url=server.base("imageapi"), api_key="sk_")
        assert command("accounts", "test", "imageapi").code == 2
        command.use("aivisualstudio", base_url=server.base("aivisualstudio"))
        server.control.fault("refuse", "aivisualstudio", status=401)
        refused = command("accounts", "test", "aivisualstudio")
        assert refused.code == 2
        assert "the key is wrong or revoked" in refused.err
        assert server.control.submits() == 0


# ---- webhooks


def test_a_new_webhooks_secret_is_kept_with_its_account_and_never_printed(command):
    with SandboxServer(speed=1000) as server:
        base = server.base("aivisualstudio")
        add(command, "aivisualstudio", "--base-url", base, key=KEYS["aivisualstudio"])
        made = command("webhooks", "create", "https://me.example/hook", "--event", "generation.completed", "--json")
        assert made.code == 0
        (webhook,) = made.objects
        secret = config.load_account("aivisualstudio").webhook_secret.get_secret_value()
        assert secret not in made.out + made.err
        assert [row["id"] for row in command("webhooks", "list", "--json").objects] == [webhook["id"]]
        assert command("webhooks", "update", webhook["id"]).code == 2
        assert command("webhooks", "update", webhook["id"], "--url", "https://me.example/other").code == 0
        assert command("webhooks", "list", "--json").objects[0]["url"] == "https://me.example/other"
        assert command("webhooks", "delete", webhook["id"], "--yes").code == 0
        assert command("webhooks", "list").err == "No webhook is registered.\n"


def test_a_new_webhooks_secret_of_variables_is_in_a_private_file(command):
    with SandboxServer(speed=1000) as server:
        command.use("aivisualstudio", base_url=server.base("aivisualstudio"))
        made = command("webhooks", "create", "https://me.example/hook")
    path = command.home / "webhook-aivisualstudio.secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(path) in made.err
    assert path.read_text().strip() not in made.out + made.err


# ---- questions


def test_providers_say_what_they_make_and_whether_they_are_set_up(command):
    command.use("conceptviz")
    add(command, "imageapi", "--name", "studio", key=KEYS["imageapi"])
    found = {row["slug"]: row for row in command("providers", "--json").objects}
    assert found["conceptviz"]["accounts"] == ["variables"]
    assert found["imageapi"]["accounts"] == ["studio"]
    assert found["nanobanana"]["kinds"] == ["image", "video", "model3d"]
    assert "webhooks" in found["aivisualstudio"]["verbs"]


def test_a_broken_plug_in_is_named_and_the_others_work(command, monkeypatch):
    from genstep import plugins

    monkeypatch.setitem(plugins.registry().found, "broken", "no_such_module:Provider")
    found = {row["slug"]: row for row in command("providers", "--json").objects}
    assert "ModuleNotFoundError" in found["broken"]["problem"]
    assert found["conceptviz"]["kinds"] == ["image"]
    doctor = {row["what"]: row for row in command("doctor", "--json").objects}
    assert doctor["broken"]["state"] == "wrong"


def test_the_free_questions_of_the_sandbox(command):
    assert command("estimate", "a", "fox", "-n", "3").out == "3 credits\n"
    assert command("estimate", "a fox", "--json", "--kind", "video").objects == [
        {"amount": 5.0, "unit": "credits", "exact": True}
    ]
    assert {row["kind"] for row in command("models", "--kind", "video", "--json").objects} == {"video"}
    assert command("balance").out.startswith("left\t1000 credits\n")
    assert "a fox" in command("enhance", "a", "fox").out
    assert command("health").out.startswith("status\thealthy\n")
    assert command("history").err.splitlines()[-1] == "The service lists nothing."


def test_history_stops_at_its_limit(command):
    for prompt in ("a fox", "a wolf", "a bear"):
        command("generate", prompt, "--kind", "text", "-O", "seconds=0")
    assert [row["prompt"] for row in command("history", "--limit", "2", "--json").objects] == ["a bear", "a wolf"]


def test_a_service_that_is_away_is_unreachable(command, monkeypatch):
    away = Health("unreachable", {"error": "NotSent"})
    monkeypatch.setattr("genstep.client.Client.health", lambda _: away)
    ran = command("health")
    assert ran.code == 1
    assert ran.out.startswith("status\tunreachable\n")


# ---- doctor


def findings(ran):
    return {row["what"]: row for row in ran.objects}


def test_a_doctor_who_finds_nothing_wrong_leaves_nothing_behind(command):
    ran = command("doctor", "--json")
    found = findings(ran)
    assert ran.code == 0
    assert {row["state"] for row in found.values()} <= {"ok", "note"}
    assert "sandbox" in found["account"]["says"]
    assert found["ledger"]["says"] == str(command.home / "ledger.db")
    assert found["av"]["state"] == ("ok" if find_spec("av") else "note")
    assert list(command.folder.iterdir()) == []
    assert command("doctor").err == "All works.\n"


@pytest.mark.parametrize(
    ("variable", "value", "what", "says"),
    [
        ("GENSTEP_LEDGR", "x", "variables", "did you mean GENSTEP_LEDGER?"),
        ("GENSTEP_LEDGER", "/dev/null/ledger.db", "ledger", "cannot be used"),
        ("GENSTEP_OUTPUT", "/dev/null/art", "output", "/dev/null/art"),
        ("GENSTEP_CONCEPTVIZ_API_KEY", "sk_wrong", "account", "starts with cvk_"),
        ("GENSTEP_ACCOUNT", "nobody", "account", "no account 'nobody'"),
        ("GENSTEP_HTTP", "requests", "variables", "takes httpx or httpx2"),
    ],
)
def test_the_doctor_names_what_does_not_work(variable, value, what, says, command, monkeypatch):
    monkeypatch.setenv(variable, value)
    ran = command("doctor", "--json")
    assert ran.code == 2
    assert findings(ran)[what]["state"] == "wrong"
    assert says in findings(ran)[what]["says"]


def test_the_doctor_sees_secrets_that_others_may_read(command):
    add(command, "conceptviz")
    vault.secrets_file().chmod(0o644)
    ran = command("doctor", "--json")
    assert ran.code == 2
    assert "chmod 600" in findings(ran)["secrets"]["says"]


# ---- sandbox and completion


def test_the_sandbox_serves_says_how_to_use_it_and_ends_when_told(command, monkeypatch):
    words = ("sandbox", "serve", "--port", "0", "--speed", "1000")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "genstep.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Then"):
                break
        exported = dict(word.split("=", 1) for line in said for word in line.split() if word.startswith("GENSTEP_"))
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        used = [command("generate", "a fox", "-p", slug).code for slug in ("conceptviz", "imageapi")]
        process.terminate()
        process.communicate(timeout=60)
    assert used == [0, 0]
    assert process.returncode == 0


def test_a_port_that_is_taken_is_a_line(command):
    with SandboxServer() as server:
        ran = command("sandbox", "serve", "--port", server.url.rsplit(":", 1)[1])
    assert ran.code == 2
    assert "choose another with --port" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell, command):
    ran = command("completion", shell)
    assert ran.code == 0
    assert "_GENSTEP_COMPLETE" in ran.out


def completed(*words):
    """What a shell would offer for the last word."""
    line = {"COMP_WORDS": " ".join(["genstep", *words]), "COMP_CWORD": str(len(words))}
    env = {**os.environ, "_GENSTEP_COMPLETE": "bash_complete", **line}
    ran = subprocess.run([sys.executable, "-m", "genstep.cli"], env=env, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return [line.split(",", 1)[1] for line in ran.stdout.splitlines()]


def test_names_complete(command):
    add(command, "conceptviz", "--name", "studio")
    job = json.loads(command("generate", "a fox", "-a", "sandbox", "--kind", "text", "-O", "seconds=0", "--json").out)
    assert completed("gen") == ["generate"]
    assert completed("generate", "-a", "st") == ["studio"]
    assert completed("generate", "-p", "con") == ["conceptviz"]
    assert completed("show", job["id"][:6]) == [job["id"]]
