"""The blocking client in the places where people put it: threads, running loops, forked children, ending processes."""

import asyncio
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

import genstep

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("GENSTEP_") and name != "GENSTEP_HTTP":
            monkeypatch.delenv(name)
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_it_works_inside_a_running_loop():
    async def notebook():
        with genstep.Client() as client:
            return client.generate("a loop", width=64, height=64)

    assert asyncio.run(notebook()).assets[0].path.exists()


def test_it_works_from_many_threads_at_once():
    with genstep.Client() as client, ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: client.generate(f"thread {n}", width=64, height=64), range(4)))
    assert len({one.id for one in made}) == 4


def test_progress_is_told_on_the_callers_own_thread():
    import threading

    told = set()
    with genstep.Client() as client:
        client.generate("a thread", width=64, height=64, on_progress=lambda _: told.add(threading.get_ident()))
    assert told == {threading.get_ident()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_generates_too():
    code = """
        import os, sys, warnings
        warnings.simplefilter("ignore")
        import genstep
        genstep.generate("before the fork", width=64, height=64)
        child = os.fork()
        made = genstep.generate("after the fork %d" % bool(child), width=64, height=64)
        assert made.assets[0].path.exists()
        if child:
            _, status = os.waitpid(child, 0)
            print("child", os.waitstatus_to_exitcode(status))
        else:
            os._exit(0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "child 0", done.stderr


def test_a_script_that_forgets_to_close_ends_cleanly():
    code = "import genstep; c = genstep.Client(); print(c.generate('a script', width=64, height=64).status)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "completed"
    assert done.stderr == "No account is set up, so the built-in sandbox is used: free, no key\n"
    assert done.returncode == 0


def test_a_closed_client_can_be_closed_again_and_used_again():
    client = genstep.Client()
    client.close()
    client.close()
    assert client.generate("again", width=64, height=64).status == "completed"
    client.close()
