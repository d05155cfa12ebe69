"""A real HTTP server that takes messages, and answers as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from twikit_pool.redaction import Secret

CANARY = "canary-in-the-path"


@dataclass
class Receiver:
    """What came, and what is answered: a status, `hang` or `cut`; 200 when nothing is left to answer."""

    url: Secret = field(default_factory=lambda: Secret(""))
    answers: list[int | str] = field(default_factory=list[int | str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    bodies: list[bytes] = field(default_factory=list[bytes])
    lines: list[str] = field(default_factory=list[str])
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each message."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *fields = head.decode().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (each.partition(":") for each in fields)
                    if name
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.lines.append(line)
                self.headers.append(headers)
                self.bodies.append(body)
                self.came.set()
                answer = self.answers.pop(0) if self.answers else 200
                if answer == "hang":
                    await asyncio.sleep(3600)
                if answer == "cut":
                    return
                more = "Retry-After: 1\r\n" if answer == 429 else ""
                more += "Location: http://127.0.0.1:1/\r\n" if answer == 302 else ""
                writer.write(f"HTTP/1.1 {answer} Told\r\n{more}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*answers: int | str) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(answers=list(answers))
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver.url = Secret(f"http://127.0.0.1:{port}/hooks/{CANARY}?key={CANARY}")
    try:
        yield receiver
    finally:
        server.close()
        for each in tasks:
            each.cancel()
        if tasks:
            await asyncio.wait(tasks)
