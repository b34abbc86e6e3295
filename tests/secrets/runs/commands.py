"""A user at the command line, with the account in variables and then in the file of secrets; each command as typed."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

from dialects import PAGE, POLL, SUBMIT, refusal
from notes import all_struck, fault, log_everything

from genstep import cli

SLUG = os.environ["SLUG"]
HERE = Path.cwd()


class Shell:
    """``shell("name", "generate", "a fox")`` runs a command with its stdout and stderr in files of that name."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def __call__(self, name: str, *words: str, stdin: str = "") -> str:
        sys.stdin = io.StringIO(stdin)
        out = HERE / f"{name}.out"
        with out.open("w", encoding="utf-8") as sys.stdout, (HERE / f"{name}.err").open("w") as sys.stderr:
            self.codes[name] = cli.run(words)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        all_struck()
        return out.read_text("utf-8")


def use(shell: Shell, at: str, free: tuple[str, ...]) -> None:
    """What a user does with an account, wherever its secrets are; ``at`` begins the names of the steps."""
    paid = {"method": "POST", "endpoint": SUBMIT[SLUG]}
    shell(f"{at}-generate", "generate", "a", "red", "fox", "with", at)
    shell(f"{at}-again", "generate", f"a red fox with {at}", "--json")
    shell(f"{at}-several", "generate", "--prompt", f"a hare, {at}", "--prompt", f"an owl, {at}", "--json")
    for as_json in ([], ["--json"]):
        times = 2 if SLUG == "imaginelab" else 1  # after one new login
        fault("status", SLUG, status=401, body=refusal(SLUG, 401), times=times, **paid)
        shell(f"{at}-401{''.join(as_json)}", "generate", f"a refused fox {at} {as_json}", *as_json)
        fault("status", SLUG, status=500, body=PAGE, **paid)
        shell(f"{at}-500{''.join(as_json)}", "generate", f"a lost fox {at} {as_json}", *as_json)
    away = os.environ["STRANGER"] + "/cli?token=" + os.environ["LINK_TOKEN"]
    fault("redirect", SLUG, status=307, location=away, **paid)
    shell(f"{at}-redirect", "generate", f"a fox led astray {at}")
    if SLUG in POLL:
        shell(f"{at}-no-wait", "generate", f"a patient fox {at}", "--no-wait", "--json")
    (HERE / "batch.csv").write_text(f"prompt\na badger {at}\na mole {at}\n")
    shell(f"{at}-batch", "batch", "batch.csv", "--json")
    for row in shell(f"{at}-jobs-json", "jobs", "--json").splitlines()[:6]:
        job = json.loads(row)["id"]
        shell(f"{at}-show-{job}", "show", job)
        shell(f"{at}-show-{job}-json", "show", job, "--json")
    shell(f"{at}-jobs", "jobs")
    shell(f"{at}-resume", "resume")
    for words in free:
        shell(f"{at}-{words.replace(' ', '-')}", *words.split())


def add(shell: Shell) -> None:
    """Take the secrets out of the variables into an account; once mistyped."""
    prefix = f"GENSTEP_{SLUG.upper()}_"
    given = {name.removeprefix(prefix): os.environ.pop(name) for name in list(os.environ) if name.startswith(prefix)}
    haste = ["-O", "requests_per_second=1000", "-O", "poll_interval=0.03"]
    words = [*haste, "--name", "studio", "--base-url", given["BASE_URL"], "--allowed-hosts", given["ALLOWED_HOSTS"]]
    if SLUG == "imaginelab":
        words += ["--username", given["USERNAME"], "--password-stdin", "-m", given["MODEL"]]
        secret = given["PASSWORD"]
        pasted = f"{secret}\x00"
    else:
        words += ["--key-stdin"]
        secret = given["API_KEY"]
        pasted = f"Bearer {secret}"
    shell("add-pasted", "accounts", "add", SLUG, *words, stdin=f"{pasted}\n")
    shell("add", "accounts", "add", SLUG, *words, stdin=f"{secret}\n")
    shell("add-twice", "accounts", "add", SLUG, *words, stdin=f"{secret}\n")


def main() -> None:
    log_everything(HERE / "everything.log")
    shell = Shell()
    free = ["balance", "estimate a fox", "models", "health", "providers", "doctor", "accounts list", "accounts test"]
    free += [f"{words} --json" for words in free[:-1]]
    # its links are the answer that was asked for; see proof.py
    use(shell, "variables", (*free, "history", "history --json"))
    if SLUG == "aivisualstudio":
        shell("webhooks-create", "webhooks", "create", os.environ["WEBHOOK"] + "/hook", "--json")
        shell("webhooks-list", "webhooks", "list", "--json")
    add(shell)
    use(shell, "file", ("doctor", "doctor --json", "accounts list", "accounts list --json", "accounts test"))
    shell("debug", "--debug", "generate", "a fox in a debugger")
    shell("debug-accounts", "--debug", "accounts", "list")
    fault("status", SLUG, status=500, body=PAGE, method="POST", endpoint=SUBMIT[SLUG])
    shell("debug-500", "--debug", "generate", "a lost fox in a debugger")
    (HERE / "codes.json").write_text(json.dumps(shell.codes, indent=1), "utf-8")


if __name__ == "__main__":
    main()
