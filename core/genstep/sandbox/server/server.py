"""The sandbox on real sockets: a context manager for tests, and ``serve`` for the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from genstep.sandbox.server.app import App
from genstep.sandbox.server.control.scenario import Control
from genstep.sandbox.server.http import HEAD_LIMIT, Connections, Handle, turns

START_SECONDS = 20.0
MAKERS = 2


class SandboxServer:
    """The five services on a port of this machine, run by a daemon thread: ``with SandboxServer(speed=60) as server``.

    `port` 0 takes a free one. `asset_port` (0 too) puts the files on a port of their own. `public_url` is what asset
    links start with where that is not ``http://host:port``. `options` are those of :class:`App`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        asset_port: int | None = None,
        public_url: str | None = None,
        **options: Any,
    ) -> None:
        self._bind = (host, port, asset_port)
        self._public_url = public_url
        self._makers = ThreadPoolExecutor(MAKERS, "genstep-sandbox-media")
        self.app = App(executor=self._makers, **options)
        self.control = Control(self.app)
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """The origin, e.g. ``http://127.0.0.1:8123``; it has the control page."""
        return self.app.base

    @property
    def asset_url(self) -> str:
        """The origin of the files: the same, but for a server with an `asset_port`."""
        return self.app.asset_base

    def base(self, slug: str) -> str:
        """What replaces a document's scheme and host, e.g. ``http://127.0.0.1:8123/conceptviz``."""
        if slug not in self.app.services:
            raise ValueError(f"no service is called {slug!r}; there are {', '.join(self.app.services)}")
        return f"{self.url}/{slug}"

    def start(self) -> Self:
        """Serve on a daemon thread, and return once the port is open; OSError where it is taken."""
        self._thread = threading.Thread(target=self._in_thread, name="genstep-sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError("the sandbox server did not start")
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START_SECONDS)

    def end(self) -> None:
        """Let :meth:`run` return; to be called on its loop."""
        if self._stop is not None:
            self._stop.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve on the running loop until :meth:`end`, or until cancelled; `ready` is called once the port is open."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        host, port, asset_port = self._bind
        main = self._connections(self.app.handle)
        files = self._connections(self.app.handle_asset)
        listeners: list[asyncio.Server] = []
        try:
            listeners.append(await _listen(main, host, port))
            if asset_port is not None:
                listeners.append(await _listen(files, host, asset_port))
            base = self._public_url or _origin(listeners[0], host)
            self.app.place(base.rstrip("/"), _origin(listeners[-1], host) if asset_port is not None else base)
            self.control.attach(self._loop)
            ready()
            await self._stop.wait()
        finally:
            self.control.detach()
            await _close(listeners)
            await main.close()
            await files.close()
            await self.app.close()
            self._makers.shutdown(wait=True, cancel_futures=True)

    def _connections(self, handle: Handle) -> Connections:
        app = self.app
        return Connections(handle, app.clock, sent=app.sent, watched=lambda: app.on_event is not None)

    def _in_thread(self) -> None:
        try:
            asyncio.run(self.run(self._ready.set))
        except BaseException as failure:  # noqa: BLE001 - it is raised again on the thread that waits for the start
            self._failure = failure
        finally:
            self._ready.set()


def serve(
    port: int = 0,
    speed: float = 1.0,
    host: str = "127.0.0.1",
    *,
    ready: Callable[[SandboxServer], None] | None = None,
    **options: Any,
) -> None:
    """Serve until Ctrl-C or SIGTERM, and return; `ready` is told when the port is open. `options` as the server's."""
    server = SandboxServer(port=port, host=host, speed=speed, **options)

    def opened() -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(name, server.end)
            except (NotImplementedError, ValueError, RuntimeError):
                continue  # not on this platform, or not on the main thread: Ctrl-C then cancels the run
        if ready is not None:
            ready(server)

    try:
        asyncio.run(server.run(opened))
    except KeyboardInterrupt:
        return


async def _listen(connections: Connections, host: str, port: int) -> asyncio.Server:
    return await asyncio.start_server(connections.serve, host, port, limit=HEAD_LIMIT, backlog=1024)


async def _close(listeners: list[asyncio.Server]) -> None:
    # A connection that asyncio is just accepting when its listener closes would stay open for ever: first no more
    # are accepted, then those under way get their task, then the ports close.
    loop = asyncio.get_running_loop()
    for listener in listeners:
        for listening in listener.sockets:
            loop.remove_reader(listening.fileno())
    await turns()
    for listener in listeners:
        listener.close()


def _origin(listener: asyncio.Server, host: str) -> str:
    # A wildcard is no address that a client could connect to.
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    bound: socket.socket = listener.sockets[0]
    return f"http://{shown}:{bound.getsockname()[1]}"
