"""The blocking client where processes end, fork and are interrupted: nothing hangs, nothing paid for is cut off."""

import os
import subprocess
import sys
import textwrap

import pytest

from genstep.ledger import Ledger
from genstep.sandbox.server import SandboxServer

SETUP = """
    import os, signal, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    import genstep

    def client(**options):
        account = genstep.Account(provider="sandbox", options={"folder": "jobs"})
        return genstep.Client(account, ledger="ledger.db", output="out")

    def asked(prompt, seconds=0.0):
        return {"prompt": prompt, "width": 64, "height": 64, "options": {"seconds": seconds}}
"""


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def script(code):
    text = textwrap.dedent(SETUP) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def states():
    ledger = Ledger("ledger.db")
    try:
        return [ledger.call(row["id"]).state for row in ledger._all("SELECT id FROM calls")]
    finally:
        ledger.close()


def test_threads_that_outlive_the_main_one_get_their_results():
    said = script("""
        one = client()
        going = threading.Event()
        def work():
            made = one.generate(asked("a fox", 0.3), on_progress=lambda _: going.set())
            print(made.status)
        threading.Thread(target=work).start()
        going.wait()
    """)
    assert said == ["completed"]


def test_an_iterator_that_is_still_held_does_not_hang_the_end():
    assert script("outcomes = client().map([asked('a'), asked('b')], concurrency=1); print(next(outcomes).status)") == [
        "completed"
    ]


def test_an_interrupt_in_a_map_is_an_interrupt():
    said = script("""
        from genstep.client import loop
        here = threading.get_ident()
        def stop():
            while not (loop._waited and sys._current_frames()[here].f_code.co_name == "wait"):
                pass
            os.kill(os.getpid(), signal.SIGINT)
        one = client()
        one.submit(asked("a fox", 60))
        threading.Thread(target=stop).start()
        try:
            list(one.map([asked("a fox", 60)]))
        except BaseException as error:
            print(type(error).__name__, one.jobs()[0].status)
    """)
    assert said == ["KeyboardInterrupt", "processing"]


@pytest.mark.parametrize("how", ["forgotten", "closed before"])
def test_a_paid_call_of_a_client_that_nobody_holds_is_waited_for(how):
    with SandboxServer(speed=20) as server:
        closing = "one.close()" if how == "closed before" else ""
        said = script(f"""
            here = {server.base("imageapi")!r}
            account = genstep.Account(provider="imageapi", api_key="sk_fakefakefakefake", base_url=here)
            one = genstep.Client(account, ledger="ledger.db", output="out")
            {closing}
            print(one.submit("a fox").status)
            del one
        """)
    assert said == ["pending"]
    assert states() == ["saved"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_what_a_forked_child_writes_survives_the_parents_closing():
    said = script("""
        one = client()
        one.generate(asked("before"))
        there, back = os.pipe(), os.pipe()
        child = os.fork()
        if not child:
            one.generate(asked("first of the child"))
            os.write(back[1], b"x")
            os.read(there[0], 1)
            one.generate(asked("second of the child"))
            os._exit(0)
        os.read(back[0], 1)
        one.close()
        os.write(there[1], b"x")
        os.waitpid(child, 0)
        print(len(client().jobs()))
    """)
    assert said == ["3"]
    assert states() == ["saved"] * 3


def test_a_system_without_fork_has_a_client_too():
    code = """
        import os
        for name in ("fork", "register_at_fork"):
            vars(os).pop(name, None)
        import genstep
        print(genstep.Client.__name__)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("Client", "")
