"""A service on loopback, alone in its process: it makes a job in two looks, or drops the answer to every paid call.

``python loopback.py`` prints its port, serves until its input ends, and then prints how many POSTs it took.
"""

import asyncio
import json
import sys
from pathlib import Path


class Loopback:
    """Speaks ConceptViz's dialect, as far as a submit, a status and a file go; ``file`` is what every job made."""

    def __init__(self, file: bytes, *, drops: bool) -> None:
        self.posts = 0
        self._file = file
        self._drops = drops
        self._asked: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive until the client closes it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                await reader.readexactly(int(fields.get(b"content-length", 0)))
                if method == b"POST":
                    self.posts += 1
                    if self._drops:
                        writer.transport.abort()
                        return
                kind, body = self._answer(method.decode(), path.decode(), fields[b"host"].decode())
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, path: str, host: str) -> tuple[bytes, bytes]:
        if path.startswith("/files/"):
            return b"image/png", self._file
        said: dict[str, object] = {"data": [], "total": 0}
        if method == "POST":
            said = {"taskId": f"task{self.posts}", "status": "pending", "credits_used": 1, "credits_remaining": 99}
        elif "/task/" in path:
            task = path.rpartition("/")[2]
            said = {"status": "processing"}
            if task in self._asked:
                picture = {"url": f"http://{host}/files/{task}.png", "prompt": ""}
                said = {"status": "completed", "images": [picture]}
            self._asked.add(task)
        return b"application/json", json.dumps(said).encode()


async def main(file: bytes | None) -> None:
    service = Loopback(file or b"", drops=file is None)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    print(service.posts, flush=True)


if __name__ == "__main__":
    asyncio.run(main(None if sys.argv[1] == "--drops" else Path(sys.argv[1]).read_bytes()))
