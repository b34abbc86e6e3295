"""``genstep batch``: every line checked before the first is sent, made once, gone on with."""

import json
from pathlib import Path

import pytest
from tests.core.command import Command

from genstep.cli.batch_file import read
from genstep.sandbox.server import SandboxServer


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    return Command(tmp_path, monkeypatch, capfd)


def request(prompt, **fields):
    return {"prompt": prompt, "kind": "text", "options": {"seconds": 0}, **fields}


def write(name, *lines):
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_every_line_is_made_and_a_second_run_pays_for_nothing(command):
    file = write("r.jsonl", request("a fox"), "", request("a wolf", n=2), request("a fox"))
    ran = command("batch", file, "--json")
    assert ran.code == 0
    assert sorted(made["request"]["prompt"] for made in ran.objects) == ["a fox", "a fox", "a wolf"]
    assert "4 texts · 4 credits (996 left)" in ran.err
    again = command("batch", file)
    assert again.code == 0
    assert len(again.out.splitlines()) == 4
    assert "3 of 3 answered from the ledger" in again.err
    assert command("balance", "--json").objects[0]["amount"] == 996


def test_a_csv_row_has_the_fields_names_as_columns(command):
    file = write(
        "r.csv",
        "\ufeffprompt,kind,n,seed,options.seconds,options,project",
        '"a ""big"", red fox",text,2,7,0,,',
        'a wolf,text,,,,"{""seconds"": 0}",',
    )
    ran = command("batch", file, "--json")
    assert ran.code == 0
    fox, wolf = sorted((made["request"] for made in ran.objects), key=lambda made: made["prompt"])
    assert (fox["prompt"], fox["n"], fox["seed"], fox["options"]) == ('a "big", red fox', 2, 7, {"seconds": 0})
    assert (wolf["prompt"], wolf["n"]) == ("a wolf", 1)


def test_one_wrong_line_stops_all_before_anything_is_sent(command):
    file = write(
        "r.jsonl",
        request("a fox"),
        request("a fox", kind="image", width=5),
        "",
        "{not json",
        [1],
        request("a fox", colour="red"),
        request("a fox", n=0),
    )
    ran = command("batch", file)
    assert (ran.code, ran.out) == (2, "")
    said = [line.strip() for line in ran.err.splitlines()[1:]]
    assert said[0] == "Error: r.jsonl: 5 of 6 requests are not possible; nothing was sent"
    assert [line.split(":")[0] for line in said[1:]] == ["line 2", "line 4", "line 5", "line 6", "line 7"]
    assert said[1].startswith("line 2: width: sandbox takes a whole number from 64 to 4096, not 5")
    assert "colour: no such field" in said[4]
    assert command("jobs", "--json").objects == []


def test_many_wrong_lines_are_counted(command):
    ran = command("batch", write("r.jsonl", *[request("")] * 30))
    assert len(ran.err.splitlines()) < 25
    assert "and 10 more" in ran.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("r.csv", b"prompt,width\na fox,wide\n", "line 2: width: takes a whole number, not 'wide'"),
        ("r.csv", b"prompt,duration\na fox,long\n", "line 2: duration: takes a number"),
        ("r.csv", b"prompt\na,b\n", "line 2: has more cells than there are columns"),
        ("r.csv", b"prompt,options\na,3\n", "line 2: options: takes a JSON object"),
        ("r.csv", b"prompt,prompt\na,b\n", "a column's name is there twice"),
        ("r.csv", b'prompt\n"a', "is not CSV"),
        ("r.jsonl", b'{"prompt": "a"}\n\xff\n', "line 2 is not UTF-8"),
        ("r.jsonl", b"\n\n", "there is no request in it"),
        ("r.csv", b"", "there is no request in it"),
        ("r.txt", b"a fox", "ends in .jsonl or .csv"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(name, content, says, command):
    Path(name).write_bytes(content)
    ran = command("batch", name)
    assert ran.code == 2
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_json_text_may_hold_any_line_separator(command):
    file = Path("r.jsonl")
    file.write_text('{"prompt": "a\u2028b"}\r\n{"prompt": "c"}', encoding="utf-8")
    assert [(row.line, row.request.prompt) for row in read(str(file))] == [(1, "a\u2028b"), (2, "c")]


def test_a_line_that_fails_is_named_and_the_others_are_made(command):
    broken = request("a wolf", options={"seconds": 0, "fail": True})
    ran = command("batch", write("r.jsonl", request("a fox"), broken, request("a bear")))
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    assert "Error: line 2: " in ran.err
    assert "1 failed" in ran.err


def test_a_ceiling_holds_for_the_whole_file(command):
    requests = [request(f"fox {number}", kind="voice", duration=1) for number in range(6)]
    ran = command("batch", write("r.jsonl", *requests), "--max-credits", "9", "--concurrency", "1")
    assert ran.code == 3
    assert command("balance", "--json").objects[0]["amount"] >= 1000 - 9


def test_resume_goes_back_to_what_timed_out(command):
    file = write("r.jsonl", request("a fox", options={"seconds": 0.4}), request("a wolf", options={"seconds": 0.3}))
    first = command("batch", file, "--timeout", "0.01")
    assert first.code == 4
    assert "genstep resume" in first.err
    resumed = command("batch", file, "--resume")
    assert resumed.code == 0
    assert len(resumed.out.splitlines()) == 2
    assert command("balance", "--json").objects[0]["amount"] == 998


def test_a_line_that_is_perhaps_charged_is_never_sent_again(command):
    with SandboxServer(speed=1000) as server:
        command.use("conceptviz", base_url=server.base("conceptviz"))
        server.control.fault("drop", "conceptviz", method="POST", when="after")
        file = write("r.jsonl", {"prompt": "a fox"})
        for words in ((), (), ("--resume",)):
            ran = command("batch", file, *words)
            assert ran.code == 5
            assert "perhaps charged" in ran.err
        assert server.control.submits("conceptviz") == 1
