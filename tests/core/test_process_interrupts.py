"""Ctrl-C in a process of its own, at exact moments of a job: what was paid for is kept, and never bought again."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

import genstep
from genstep.sandbox.server import SandboxServer

pytestmark = pytest.mark.slow

KEYS = {"conceptviz": "cvk_fakefakefake", "nanobanana": "fakefakefake"}
CHILD = """
    import os, signal, sys, warnings
    import genstep
    from genstep.ledger import Ledger

    verb, slug = sys.argv[1:3]
    # what an interrupt finds made and not begun is not begun
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")

    def interrupted_after(owner, name):
        method = getattr(owner, name)

        def last(*values, **named):
            done = method(*values, **named)
            os.kill(os.getpid(), signal.SIGINT)
            return done

        setattr(owner, name, last)

    if verb == "returning":
        interrupted_after(Ledger, "sending" if slug == "nanobanana" else "accepted")
    try:
        with genstep.Client(account=slug) as client:
            try:
                if verb == "generate":
                    made = client.generate("a fox")
                else:
                    job = client.submit("a fox")
                    os.kill(os.getpid(), signal.SIGINT)
                    made = client.wait(job.id)
                print(made.status, len(made.assets))
            except KeyboardInterrupt:
                print("interrupted")
    except KeyboardInterrupt:
        print("again")
"""


@pytest.fixture(scope="module")
def server():
    with SandboxServer(speed=100, long_side=64, asset_port=0) as server:
        yield server


@pytest.fixture
def run(server, tmp_path, monkeypatch):
    """Run the child to its end; at each of these moments of the server it gets a Ctrl-C. What it printed."""
    server.control.reset()
    for slug, key in KEYS.items():
        monkeypatch.setenv(f"GENSTEP_{slug.upper()}_API_KEY", key)
        monkeypatch.setenv(f"GENSTEP_{slug.upper()}_BASE_URL", server.base(slug))
        monkeypatch.setenv(f"GENSTEP_{slug.upper()}_ALLOWED_HOSTS", "127.0.0.1")
    for name, place in (("HOME", "home"), ("LEDGER", "ledger.db"), ("OUTPUT", "out")):
        monkeypatch.setenv(f"GENSTEP_{name}", str(tmp_path / place))

    def run(verb, slug, *moments):
        left = list(moments)

        def tell(event):
            request = "asset" if event.slug == "assets" else "status" if event.method == "GET" else "paid"
            if left and (request, event.name) == left[0]:
                del left[0]
                child.send_signal(signal.SIGINT)

        command = [sys.executable, "-c", textwrap.dedent(CHILD), verb, slug]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            server.control.on_event(tell)
            try:
                out, err = child.communicate(timeout=60)
            finally:
                server.control.on_event(None)
                child.kill()
        assert err == b"", err.decode()
        assert not left, "the moment did not come"
        return out.decode().split()

    return run


def paid_once_and_kept(server, slug):
    """Asked again it comes, from what was paid for; the ledger knows of one job."""
    with genstep.Client(account=slug) as client:
        made = client.generate("a fox")
        assert [job.id for job in client.jobs()] == [made.id]
        assert made.assets[0].path.exists()
        assert server.control.submits(slug) == 1
        assert client.generate("a fox").from_cache
    assert server.control.submits(slug) == 1


@pytest.mark.parametrize(
    ("slug", "moment"),
    [
        *(("conceptviz", ("paid", name)) for name in ("received", "half", "sent")),
        *(("nanobanana", ("paid", name)) for name in ("received", "accepted")),
        ("conceptviz", ("status", "received")),
        *((slug, ("asset", "received")) for slug in ("conceptviz", "nanobanana")),
    ],
    ids=str,
)
def test_an_interrupt_ends_the_wait_and_loses_nothing(run, server, slug, moment):
    assert run("generate", slug, moment) == ["interrupted"]
    paid_once_and_kept(server, slug)


@pytest.mark.parametrize("slug", ["conceptviz", "nanobanana"])
@pytest.mark.parametrize("verb", ["submit", "returning"])
def test_an_interrupt_between_submit_and_wait_loses_nothing(run, server, verb, slug):
    assert run(verb, slug) == ["interrupted"]
    paid_once_and_kept(server, slug)


def test_an_impatient_second_interrupt_loses_nothing(run, server):
    assert run("generate", "nanobanana", ("paid", "received"), ("paid", "accepted")) in (
        ["interrupted", "again"],
        ["interrupted"],
    )
    paid_once_and_kept(server, "nanobanana")
