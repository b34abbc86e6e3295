"""Jobs on the command line: listed, shown, gone on with, cancelled, deleted, purged."""

import io
from pathlib import Path

import pytest
from tests.core.command import QUICK, Command


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    return Command(tmp_path, monkeypatch, capfd)


@pytest.fixture
def fox(command):
    """A finished job, as ``--json`` shows it."""
    return command("generate", "a fox", "--json", *QUICK).objects[0]


def running(command, prompt="a slow fox"):
    return command("generate", prompt, "--no-wait", "--kind", "text", "-O", "seconds=3600").out.strip()


class Terminal(io.StringIO):
    """A stdin at which somebody sits."""

    def isatty(self):
        return True


def test_jobs_are_listed_newest_first_in_columns(command, fox):
    slow = running(command)
    rows = [line.split("\t") for line in command("jobs").out.splitlines()]
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        (slow, "pending" if rows[0][1] == "pending" else "processing", "a slow fox", "sandbox"),
        (fox["id"], "completed", "a fox", "sandbox"),
    ]
    assert [job["id"] for job in command("jobs", "--status", "completed", "--json").objects] == [fox["id"]]
    assert [job["id"] for job in command("jobs", "--limit", "1", "--json").objects] == [slow]
    command("cancel", slow)


def test_jobs_since_a_date(command, fox):
    assert len(command("jobs", "--since", "1h", "--json").objects) == 1
    assert len(command("jobs", "--since", "2020-01-31", "--json").objects) == 1
    assert command("jobs", "--since", "2999-01-01", "--json").objects == []
    assert command("jobs", "--since", "yesterday").code == 2


def test_no_jobs_is_said_beside_an_empty_list(command):
    ran = command("jobs")
    assert (ran.code, ran.out, ran.err) == (0, "", "No jobs.\n")


def test_jobs_need_no_account_to_be_chosen(command, fox):
    command.use("conceptviz")
    command.use("imageapi")
    assert command("generate", "a fox").code == 2
    assert [job["id"] for job in command("jobs", "--json").objects] == [fox["id"]]
    assert command("show", fox["id"]).code == 0


def test_show_tells_what_was_asked_what_it_cost_and_where_it_is(command, fox):
    said = command("show", fox["id"]).out
    pairs = dict(line.split("\t", 1) for line in said.splitlines() if line.count("\t") == 1)
    assert pairs["prompt"] == "a fox"
    assert pairs["cost"] == "1 credit (999 left)"
    assert pairs["seconds"] == "0"
    assert fox["assets"][0]["path"] in said
    (shown,) = command("show", fox["id"][:-2], "--json").objects
    assert {**shown, "from_cache": False} == {**fox, "account": "sandbox"}


def test_an_unknown_job_is_a_line(command):
    ran = command("show", "nothing")
    assert (ran.code, ran.err) == (1, "Error: job 'nothing' is not in this ledger; see: genstep jobs\n")


def test_resume_without_an_id_goes_on_with_all(command):
    for prompt in ("a fox", "a wolf"):
        command("generate", prompt, "--no-wait", "--kind", "text", "-O", "seconds=0.2")
    ran = command("resume")
    assert ran.code == 0
    assert len([Path(line).read_text() for line in ran.out.splitlines()]) == 2
    assert "2 texts" in ran.err
    assert command("resume").err == "Nothing is unfinished.\n"


def test_a_job_is_cancelled_once(command, fox):
    slow = running(command)
    assert command("cancel", slow).code == 0
    assert command("jobs", "--status", "cancelled", "--json").objects[0]["id"] == slow
    done = command("cancel", fox["id"])
    assert done.code == 1
    assert done.err == "Not cancelled: the job is completed already\n"


def test_delete_removes_file_and_prompt_and_keeps_the_cost(command, fox):
    path = Path(fox["assets"][0]["path"])
    assert command("delete", fox["id"], "--yes").code == 0
    assert not path.exists()
    (job,) = command("jobs", "--json").objects
    assert job["prompt"] == ""
    assert job["cost"]["charged"] == 1
    assert "a fox" not in command("show", fox["id"]).out


def test_delete_asks_first(command, fox, monkeypatch):
    path = Path(fox["assets"][0]["path"])
    nobody = command("delete", fox["id"])
    assert nobody.code == 2
    assert "add --yes" in nobody.err
    monkeypatch.setattr(io, "StringIO", Terminal)
    refused = command("delete", fox["id"], stdin="n\n")
    assert refused.code == 1
    assert "Delete a fox and its 1 file?" in refused.err
    no_answer = command("delete", fox["id"], stdin="")
    assert no_answer.code == 2
    assert "no answer to the question; nothing was done" in no_answer.err
    assert path.exists()
    assert command("delete", fox["id"], stdin="y\n").code == 0
    assert not path.exists()


def test_purge_deletes_what_is_old_enough(command, fox):
    path = Path(fox["assets"][0]["path"])
    assert command("purge", "--older-than", "1h").err == "Deleted 0 jobs.\n"
    assert path.exists()
    assert command("purge").code == 2
    assert command("purge", "--older-than", "0h").err == "Deleted 1 job.\n"
    assert not path.exists()
