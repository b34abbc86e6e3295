"""What every command keeps to: exit codes, one line an error, results on stdout and all else on stderr."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.core.command import KEYS, QUICK, Command

from genstep import cli
from genstep.cli import codes, options
from genstep.errors import (
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    GenerationFailed,
    InsufficientCredits,
    InvalidRequest,
    SubmissionUncertain,
    WaitTimeout,
)
from genstep.sandbox.server import SandboxServer


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    return Command(tmp_path, monkeypatch, capfd)


def start(*words, **where):
    """A command in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "genstep.cli", *words], text=True, **where)


# ---- making


def test_the_words_are_one_prompt_and_its_path_is_all_that_is_on_stdout(command):
    ran = command("generate", "a", "red", "fox", *QUICK)
    assert ran.code == 0
    (path,) = ran.out.splitlines()
    assert Path(path).parent == command.folder / "genstep-output"
    assert "a red fox" in Path(path).read_text()
    assert "sandbox · 1 text · 1 credit (999 left)" in ran.err


def test_the_sandbox_that_stands_in_unasked_says_so_in_one_line(command):
    assert command("generate", "x", *QUICK).err.startswith("No account is set up, so the built-in sandbox is used")
    assert "No account" not in command("generate", "x", "-p", "sandbox", *QUICK).err


def test_the_same_request_again_is_answered_and_not_paid(command):
    first = command("generate", "a fox", *QUICK)
    again = command("generate", "a fox", *QUICK)
    assert again.out == first.out
    assert "answered from the ledger, nothing paid" in again.err
    fresh = command("generate", "a fox", "--fresh", *QUICK)
    assert fresh.out != first.out
    assert "(998 left)" in fresh.err


def test_json_is_one_object_with_the_paths(command):
    (made,) = command("generate", "a fox", "--json", "-n", "2", *QUICK).objects
    assert made["status"] == "completed"
    assert [Path(asset["path"]).exists() for asset in made["assets"]] == [True, True]


def test_prompt_repeated_makes_a_batch(command):
    ran = command("generate", "--prompt", "a fox", "--prompt", "a wolf", "--json", *QUICK)
    assert ran.code == 0
    assert sorted(made["request"]["prompt"] for made in ran.objects) == ["a fox", "a wolf"]


def test_a_dash_reads_the_prompt_from_stdin(command):
    (made,) = command("generate", "-", "--json", *QUICK, stdin="a fox\n from a pipe\n").objects
    assert made["request"]["prompt"] == "a fox\n from a pipe"


def test_every_field_of_a_request_has_its_option():
    from genstep.cli.generate import generate_command
    from genstep.models import GenerationRequest

    given = {parameter.name for parameter in generate_command.params}
    assert set(GenerationRequest.model_fields) - {"prompt"} <= given


def test_an_input_image_and_a_size_arrive(command):
    from PIL import Image

    Image.new("RGB", (64, 64), "red").save(command.folder / "in.png")
    ran = command("generate", "a fox", "--image", "in.png", "--width", "96", "--height", "64", "-O", "seconds=0")
    with Image.open(ran.out.strip()) as made:
        assert made.size == (96, 64)


def test_no_wait_prints_the_id_of_the_job_that_resume_then_fetches(command):
    job = command("generate", "a fox", "--no-wait", "--kind", "text", "-O", "seconds=0.2").out.strip()
    resumed = command("resume", job)
    assert resumed.code == 0
    assert Path(resumed.out.strip()).exists()


def test_no_wait_is_refused_where_the_call_is_the_wait(command):
    command.use("nanobanana", base_url="http://127.0.0.1:9")
    ran = command("generate", "a fox", "--no-wait")
    assert ran.code == 2
    assert "nanobanana answers only when it is done" in ran.err
    assert command("jobs", "--json").objects == []


# ---- exit codes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["generate", "a fox", "--width", "5"], "width: sandbox takes a whole number from 64 to 4096, not 5"),
        (["generate", "a fox", "--width", "wide"], "'wide' is not a valid integer"),
        (["generate", "a fox", "--colour", "red"], "No such option '--colour'"),
        (["generate", "a", "-fox"], "begin with - go behind --"),
        (["generate", ""], "prompt: it is empty"),
        (["generate", "a fox", "--kind", "smell"], "does not make kind='smell'; it makes"),
        (["generate", "a fox", "-n", "0"], "n: "),
        (["generate", "a fox", "-m", "gpt"], "model: sandbox takes one of sandbox-1"),
        (["generate", "a fox", "--image", "none.png"], "image: there is no file none.png"),
        (["generate", "a fox", "-O", "nonsense"], "takes KEY=VALUE"),
        (["generate", "a fox", "-O", "a=1", "-O", "a=2"], "-O a is given twice"),
        (["generate", "a fox", "--timeout", "nan"], "takes a number from 0 up"),
        (["generate", "a fox", "--duration", "0"], "takes a number above 0"),
        (["generate", "a fox", "--prompt", "a wolf"], "not both"),
        (["generate", "a fox", "-a", "nobody"], "no account 'nobody'"),
        (["generate", "a fox", "-p", "nobody"], "provider 'nobody' is not installed"),
        (["generate", "a fox", "-p", "conceptviz"], "set GENSTEP_CONCEPTVIZ_API_KEY"),
        (["generate", "a fox", "-o", "/dev/null/art"], "output folder /dev/null/art"),
        (["genrate", "a fox"], "did you mean generate?"),
        (["webhooks", "list"], "sandbox has no webhooks"),
    ],
)
def test_bad_input_is_code_2_and_a_line_that_says_what_is_allowed(words, says, command):
    ran = command(*words)
    assert ran.code == 2
    assert ran.out == ""
    assert says in ran.err
    lines = [line for line in ran.err.splitlines() if not line.startswith("No account is set up")]
    assert lines[0].startswith("Error: ")
    assert len(lines) <= 2


def test_with_json_an_error_is_an_object_too(command):
    (refused,) = command("generate", "a fox", "--width", "5", "--json").objects
    assert (refused["error"], refused["field"]) == ("InvalidRequest", "width")
    (unknown,) = command("generate", "a fox", "--colour", "red", "--json").objects
    assert unknown["error"] == "UsageError"
    assert command("generate", "--colour", "red", "--", "--json").out == ""


def test_a_failed_job_is_code_1(command):
    ran = command("generate", "a fox", "-O", "fail=true", *QUICK)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("Error: ")


def test_a_ceiling_that_would_be_passed_is_code_3_and_nothing_is_sent(command):
    ran = command("generate", "a fox", "-n", "3", "--max-credits", "2", *QUICK)
    assert ran.code == 3
    assert "max_credits is 2, and this would cost 3" in ran.err
    assert json.loads(command("balance", "--json").out)["amount"] == 1000


def test_a_ceiling_of_nothing_lets_the_ledger_answer(command):
    assert command("generate", "a fox", "--max-credits", "0", *QUICK).code == 3
    paid = command("generate", "a fox", *QUICK)
    free = command("generate", "a fox", "--max-credits", "0", *QUICK)
    assert (free.code, free.out) == (0, paid.out)


def test_a_timeout_is_code_4_and_names_the_job_to_resume(command):
    ran = command("generate", "a fox", "--timeout", "0.01", "--kind", "text", "-O", "seconds=60")
    (job,) = command("jobs", "--json").objects
    assert ran.code == 4
    assert f"genstep resume {job['id']}" in ran.err
    assert command("resume", job["id"], "--timeout", "0.01").code == 4


def test_a_lost_answer_is_code_5_until_it_is_settled_by_hand(command):
    with SandboxServer(speed=1000) as server:
        command.use("conceptviz", base_url=server.base("conceptviz"))
        server.control.fault("drop", "conceptviz", method="POST", when="after")
        lost = command("generate", "a fox")
        (job,) = command("jobs", "--json").objects
        assert lost.code == 5
        assert f"genstep resume {job['id']} --claim JOB | --not-charged | --charged" in lost.err
        assert command("generate", "a fox").code == 5
        assert server.control.submits("conceptviz") == 1

        (made,) = server.control.jobs("conceptviz")
        claimed = command("resume", job["id"], "--claim", made["id"])
        assert claimed.code == 0
        assert Path(claimed.out.strip()).exists()


def test_what_was_not_charged_may_be_made_again(command):
    with SandboxServer(speed=1000) as server:
        command.use("conceptviz", base_url=server.base("conceptviz"))
        server.control.fault("drop", "conceptviz", method="POST", when="after")
        assert command("generate", "a fox").code == 5
        (job,) = command("jobs", "--json").objects
        assert command("resume", job["id"], "--not-charged").code == 0
        assert command("generate", "a fox").code == 0
        assert server.control.submits("conceptviz") == 2


@pytest.mark.parametrize("words", [("--claim", "x", "--charged", "id"), ("--charged",), ("--charged", "a", "b")])
def test_settling_takes_one_job_and_one_answer(words, command):
    assert command("resume", *words).code == 2


def test_an_interruption_is_code_130_and_the_job_is_kept(command):
    words = ("generate", "a fox", "--kind", "text", "-O", "seconds=3600")
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if line.startswith("processing"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    (job,) = command("jobs", "--json").objects
    assert process.returncode == 130
    assert out == ""
    assert f"the job is kept. Go on with: genstep resume {job['id']}" in err
    assert "Traceback" not in err
    assert command("cancel", job["id"]).code == 0


@pytest.mark.parametrize(
    ("errors", "some_done", "code"),
    [
        ([], True, 0),
        ([GenerationFailed("x")], True, 1),
        ([InvalidRequest("x")], True, 1),
        ([InvalidRequest("x"), ConfigurationError("x")], False, 2),
        ([AuthenticationError("x")], False, 2),
        ([GenerationFailed("x"), BudgetExceeded("x")], True, 3),
        ([InsufficientCredits("x"), WaitTimeout("x")], True, 4),
        ([WaitTimeout("x"), SubmissionUncertain("x"), GenerationFailed("x")], False, 5),
    ],
)
def test_of_several_errors_the_code_is_what_a_script_must_know_first(errors, some_done, code):
    assert codes.of_all(errors, some_done=some_done) == code


def test_a_bug_is_a_line_without_secrets_and_debug_shows_where(command, monkeypatch):
    class Broken:
        def __init__(self, *_, **__):
            raise RuntimeError(f"unforeseen {KEYS['conceptviz']}")

    monkeypatch.setattr("genstep.client.Client", Broken)
    ran = command("generate", "a fox", *QUICK)
    assert ran.code == 1
    assert "Error: this is a bug in genstep: RuntimeError: unforeseen •••" in ran.err
    assert "Traceback" not in ran.err
    shown = command("--debug", "generate", "a fox", *QUICK)
    assert "Traceback" in shown.err
    assert KEYS["conceptviz"] not in ran.err + shown.err


def test_a_key_given_as_an_argument_is_not_repeated(command):
    ran = command("accounts", "add", "conceptviz", KEYS["conceptviz"])
    assert ran.code == 2
    assert KEYS["conceptviz"] not in ran.err


def test_a_reader_that_goes_away_is_no_traceback(command):
    command("generate", "a fox", *QUICK)
    read, write = os.pipe()
    os.close(read)
    with start("jobs", "--json", stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")


# ---- help, speed, terminals


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name, command):
    ran = command(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: genstep {name}")
    assert name in command("--help").out


def test_help_and_version_load_nothing_heavy(command):
    code = (
        "import sys; from genstep.cli import run\n"
        "for words in (['--version'], ['--help'], ['generate', '--help']): assert run(words) == 0\n"
        "heavy = 'asyncio httpx httpx2 pydantic rich keyring PIL genstep.client genstep.plugins'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


def test_on_a_terminal_progress_is_drawn_and_stdout_stays_clean(command):
    leader, follower = pty.openpty()
    words = ("generate", "a [red] fox", "--kind", "text", "-O", "seconds=0.5")
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with start(*words, stdout=subprocess.PIPE, stderr=follower, env=env) as process:
        os.close(follower)
        drawn = b""
        try:
            while piece := os.read(leader, 4096):
                drawn += piece
        except OSError:  # how a terminal says that nobody writes to it any more
            pass
        out = process.stdout.read()
    os.close(leader)
    assert process.returncode == 0
    assert Path(out.strip()).exists()
    assert "a [red] fox" in drawn.decode()
    assert "processing" in drawn.decode()
    assert drawn.decode().count("\x1b[?25h") >= 1  # the cursor is back


def test_elsewhere_progress_is_a_line_only_when_something_changes(command):
    lines = command("generate", "a fox", "--kind", "text", "-O", "seconds=0.5").err.splitlines()
    assert len(lines) == len(set(lines))
    assert any(line.startswith("processing") for line in lines)


# ---- words that options take


def test_a_value_is_json_where_it_reads_as_json():
    read = dict(map(options.key_value, ["a=1", "b=true", 'c={"d": [1]}', "e=red fox", "f=NaN", 'g="1"', "h=x=y"]))
    assert read == {"a": 1, "b": True, "c": {"d": [1]}, "e": "red fox", "f": "NaN", "g": "1", "h": "x=y"}


@pytest.mark.parametrize(("text", "seconds"), [("12h", 43200), ("90d", 7776000), ("2w", 1209600), ("1m", 2592000)])
def test_an_age_is_in_seconds(text, seconds):
    assert options.age(text) == seconds


@pytest.mark.parametrize("text", ["90", "d", "-1d", "9y", "1.5d", ""])
def test_an_age_without_a_unit_is_refused(text):
    with pytest.raises(click.BadParameter, match="such as 12h, 90d, 6w or 3m"):
        options.age(text)


def test_what_a_service_writes_cannot_steer_the_terminal():
    from genstep.cli.report import error_lines

    (line,) = error_lines(GenerationFailed("no\x1b[2J such\nthing\x9b1m\u202e"))
    assert line == "Error: no [2J such thing 1m"
