"""A way to a PostgreSQL server that breaks when a test wants it to."""

from __future__ import annotations

import socket
import threading


class Line:
    """A way to the server that breaks at the commit whose number is ``cut``, before or after it arrives there."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._to = port
        self.port = self._server.getsockname()[1]
        self.cut, self.arrives, self.commits = 0, False, 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._open += [here, there]
            broken = threading.Event()
            for pair in ((here, there, True), (there, here, False)):
                thread = threading.Thread(target=self._carry, args=(*pair, broken))
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, target: socket.socket, outward: bool, broken: threading.Event) -> None:
        while data := _received(source):
            if outward and b"COMMIT\0" in data:
                self.commits += 1
                if self.commits == self.cut:
                    broken.set()
                    if not self.arrives:
                        break
            elif broken.is_set():
                break  # the commit is made, and its answer goes no further
            try:
                target.sendall(data)
            except OSError:
                break
        for end in (source, target):
            _shut(end)

    def close(self) -> None:
        _shut(self._server)
        for end in self._open:
            _shut(end)
        for thread in self._threads:
            thread.join()
        for end in (self._server, *self._open):
            end.close()


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
