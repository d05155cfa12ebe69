"""A way to a service that breaks again and again: a proxy of bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Cutting:
    """Passes bytes on, and breaks each connection after so many of an answer.

    Attributes:
        target: the service's address; while it is None nobody is there.
        after: bytes of answers after which a connection breaks; None for never.
        cuts: how often one was broken.
    """

    target: str | None
    after: int | None = None
    cuts: int = 0
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.target is not None:
                parts = urlsplit(self.target)
                with suppress(OSError):
                    theirs, to_them = await asyncio.open_connection(parts.hostname, parts.port)
                    self._writers.add(to_them)
                    asking = asyncio.create_task(self._pass_on(reader, to_them))
                    await self._pass_on(theirs, writer, cut=True)
                    asking.cancel()
                    await asyncio.wait([asking])
                    to_them.transport.abort()
        finally:
            writer.transport.abort()

    def go_away(self) -> None:
        """Nobody is there any more."""
        self.target = None
        for each in self._writers:
            each.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cut: bool = False
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(512):
                writer.write(data)
                await writer.drain()
                passed += len(data)
                if cut and self.after is not None and passed >= self.after:
                    self.cuts += 1
                    return


@asynccontextmanager
async def cutting(target: str | None, after: int | None = None) -> AsyncIterator[Cutting]:
    way = Cutting(target, after)
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        await asyncio.sleep(0.05)
