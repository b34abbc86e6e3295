"""The private event-loop thread of this process that blocking clients share; dropped in a forked child."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
V = TypeVar("V")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
#: what threads that outlive the main one wait for
_waited: set[concurrent.futures.Future[Any]] = set()


def loop() -> asyncio.AbstractEventLoop:
    """The loop, started on a daemon thread when first used."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="genstep", daemon=True).start()
        return _loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop and wait for it; an interrupt cancels the wait, never a paid call."""
    waiting = _start(work)
    try:
        return waiting.result()
    except BaseException:
        waiting.cancel()
        raise


def run_telling(work: Callable[[Callable[[V], None]], Coroutine[Any, Any, T]], listener: Callable[[V], object]) -> T:
    """Like :func:`run`, for work that tells things: the listener runs here on the caller's thread, where a slow one
    holds up nobody else."""
    told: queue.SimpleQueue[tuple[V] | None] = queue.SimpleQueue()
    waiting = _start(work(lambda value: told.put((value,))))
    waiting.add_done_callback(lambda _: told.put(None))
    try:
        while (value := told.get()) is not None:
            listener(value[0])
        return waiting.result()
    except BaseException:
        waiting.cancel()
        raise


def _start(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    waiting = asyncio.run_coroutine_threadsafe(work, loop())
    if not threading.current_thread().daemon:
        _waited.add(waiting)
        waiting.add_done_callback(_waited.discard)
    return waiting


def settle() -> None:
    """At the end of the process, let other threads have what they wait for, but daemons."""
    concurrent.futures.wait(list(_waited))


def _forked() -> None:
    global _loop, _lock
    _waited.clear()
    _loop, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
