"""The private event-loop thread of this process that blocking clients share; dropped in a forked child."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
V = TypeVar("V")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


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
    waiting = asyncio.run_coroutine_threadsafe(work, loop())
    try:
        return waiting.result()
    except BaseException:
        waiting.cancel()
        raise


def run_telling(work: Callable[[Callable[[V], None]], Coroutine[Any, Any, T]], listener: Callable[[V], object]) -> T:
    """Like :func:`run`, for work that tells things: the listener runs here on the caller's thread, where a slow one
    holds up nobody else."""
    told: queue.SimpleQueue[tuple[V] | None] = queue.SimpleQueue()
    waiting = asyncio.run_coroutine_threadsafe(work(lambda value: told.put((value,))), loop())
    waiting.add_done_callback(lambda _: told.put(None))
    try:
        while (value := told.get()) is not None:
            listener(value[0])
        return waiting.result()
    except BaseException:
        waiting.cancel()
        raise


def _forked() -> None:
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
