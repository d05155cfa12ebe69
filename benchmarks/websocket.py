"""Live events to 1,000 WebSocket clients, beside ten that never read and ten that break off and come again.

The server is a process of its own: hub, route and uvicorn, as the service has them. Once a second it tells
all clients a message of 2 KB; its latency is the time until a client has it, which is in part the clients'
own: one process reads for all of them, on the other core. The ten that never read are meant 200 KB a second,
which neither they nor the kernel take, and come again when the server has closed them; the other ten read for
a while, vanish without a word, and come again. *Memory* and *CPU* are the server's.

*Broadcast* is what this machine gives at the time: the same clients without the rude ones, told by
`websockets.broadcast`, which writes one frame to all and knows no topics, queues or losses.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import random
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from statistics import mean, quantiles
from typing import Final

import msgspec
import psutil
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import WebSocketException

from benchmarks import Bar, Report
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.service.hub import Hub
from twikit_pool.service.socket import PATIENCE, Socket, events_socket
from twikit_pool.service.socket_protocol import FAREWELL, SERVED
from twikit_pool.sessions import TwikitSessionManager

SUBSCRIBERS: Final = 1_000
RUDE: Final = 10
"""Clients that never read, and as many that break off."""
SIZE: Final = 2_048
MANY: Final = 100
"""Messages a second for those that never read."""
READING: Final = 3.0
"""Seconds that those read on the mean who break off."""
WARMING: Final = PATIENCE + FAREWELL + 5
"""Seconds until those that never read have been closed once."""
MEASURED: Final = 60.0
CONNECTING: Final = 25
"""Clients that connect at once."""
SEND_BUFFER: Final = 65_536
"""Bytes of the kernel's buffer of a connection, which it would let grow to megabytes for who never reads."""


class Sample(msgspec.Struct, frozen=True):
    """The server at one moment: bytes of memory, seconds of CPU, and what it holds."""

    at: float
    memory: int
    cpu: float
    descriptors: int
    readers: int


def run() -> Report:
    clients = asyncio.run(_race("hub", MEASURED, RUDE))
    bare = asyncio.run(_race("broadcast", MEASURED / 3, 0))
    samples = clients.samples
    third = len(samples) // 3
    second, last = samples[third : 2 * third], samples[2 * third :]
    memory = [mean(each.memory for each in part) for part in (second, last)]
    percentiles, floor = (quantiles([1e3 * e for e in each.latencies], n=100) for each in (clients, bare))
    seconds = samples[-1].at - samples[0].at
    figures: dict[str, float | int | str] = {
        "messages received, of those that were due": clients.received,
        "latency p50, ms": percentiles[49],
        "latency p99, ms": percentiles[98],
        "latency, longest, ms": 1e3 * max(clients.latencies),
        "broadcast: latency p50, ms": floor[49],
        "broadcast: latency p99, ms": floor[98],
        "CPU of the server, share of a core": (samples[-1].cpu - samples[0].cpu) / seconds,
        "memory of the server, MB": memory[1] / 2**20,
        "times that a client that never reads was closed": clients.closed,
        "times that a client broke off": clients.broken_off,
        "readers left when all have gone": clients.after.readers,
        "descriptors left when all have gone": clients.after.descriptors - clients.before.descriptors,
    }
    bars = [
        Bar("latency p99, ms", percentiles[98], 80, "lower"),
        Bar("latency p99, times broadcast's", percentiles[98] / floor[98], 2, "lower"),
        Bar("memory: growth from the second third to the last", memory[1] / memory[0] - 1, 0.1, "lower"),
    ]
    return Report(figures, bars)


# ---------------------------------------------------------------- the clients


async def _race(kind: str, seconds: float, rude: int) -> Clients:
    """The clients of a server of this kind, when all is measured."""
    gc.disable()  # collecting what a thousand clients leave takes 0.3 s, which would count as the server's
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.websocket", kind, stdin=PIPE, stdout=PIPE
    )
    try:
        clients = Clients(server, int(await _line(server)))
        await clients.measure(seconds, rude)
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()
        gc.enable()
    return clients


async def _line(server: Process) -> bytes:
    if server.stdout is None:
        raise RuntimeError("the server was started without a pipe")
    return await server.stdout.readline()


class Clients:
    """All clients of one server, and what they measure."""

    def __init__(self, server: Process, port: int) -> None:
        self.latencies: list[float] = []
        self.samples: list[Sample] = []
        self.closed = 0
        self.broken_off = 0
        self._sent: set[float] = set()
        """When messages were told that somebody has received."""
        self._server = server
        self._port = port
        self._url = f"ws://127.0.0.1:{port}/v1/events"
        self._begins = self._ends = 0.0
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._rng = random.Random(0)  # noqa: S311 - when clients break off is no secret

    @property
    def received(self) -> float:
        """The share of all messages that were received."""
        return len(self.latencies) / (SUBSCRIBERS * len(self._sent))

    async def measure(self, seconds: float, rude: int) -> None:
        """Connect everyone, and measure when all is as it will be."""
        self.before = await self._sample()
        tasks = [asyncio.create_task(self._read()) for _ in range(SUBSCRIBERS)]
        tasks += [asyncio.create_task(self._never_read()) for _ in range(rude)]
        tasks += [asyncio.create_task(self._break_off()) for _ in range(rude)]
        await asyncio.sleep(WARMING)
        self._begins, self._ends = time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < self._ends:
            self.samples.append(await self._sample())
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)  # what was told last arrives
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(FAREWELL + 1)
        self.after = await self._sample()

    async def _sample(self) -> Sample:
        if self._server.stdin is None:
            raise RuntimeError("the server was started without a pipe")
        self._server.stdin.write(b"\n")
        return msgspec.json.decode(await _line(self._server), type=Sample)

    async def _read(self) -> None:
        async with self._connecting:
            client = await connect(self._url, proxy=None, compression=None, open_timeout=60)
        try:
            await client.send('{"op":"subscribe","topics":["jobs"]}')
            while True:
                said = await client.recv(decode=False)
                now = time.monotonic()
                if b'"sent":' in said[-64:]:
                    sent = float(said[said.rindex(b":") + 1 : -1])
                    if self._begins < sent < self._ends:
                        self._sent.add(sent)
                        self.latencies.append(now - sent)
        finally:
            client.transport.abort()

    async def _break_off(self) -> None:
        while True:
            with contextlib.suppress(OSError, WebSocketException):
                client = await connect(self._url, proxy=None, compression=None)
                try:
                    await client.send('{"op":"subscribe","topics":["jobs"]}')
                    async with asyncio.timeout(self._rng.uniform(0, 2 * READING)):
                        async for _ in client:
                            pass
                finally:
                    client.transport.abort()
                    self.broken_off += 1

    async def _never_read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with socket.socket() as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                raw.setblocking(False)
                await loop.sock_connect(raw, ("127.0.0.1", self._port))
                await loop.sock_sendall(raw, _handshake(self._port))
                await loop.sock_recv(raw, 1_024)
                await loop.sock_sendall(raw, _frame(b'{"op":"subscribe","topics":["alerts"]}'))
                with contextlib.suppress(OSError):
                    while True:  # until the server has closed it: then nothing can be sent
                        await asyncio.sleep(1)
                        await loop.sock_sendall(raw, _frame(b"", opcode=0xA))
            self.closed += 1


def _handshake(port: int) -> bytes:
    return (
        f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def _frame(said: bytes, opcode: int = 1) -> bytes:
    """A client's frame, masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(said), 0, 0, 0, 0]) + said


# ---------------------------------------------------------------- the server


async def _broadcast() -> None:
    """The same with `websockets.broadcast`."""
    async with serve(_wait, "127.0.0.1", 0, compression=None) as server, asyncio.TaskGroup() as group:
        group.create_task(_tell(lambda topic, message: _broadcast_one(server, topic, message)))
        group.create_task(_answer(lambda: len(server.connections)))
        print(server.sockets[0].getsockname()[1], flush=True)


async def _wait(client: ServerConnection) -> None:
    await client.wait_closed()


def _broadcast_one(server: Server, topic: str, message: Mapping[str, object]) -> None:
    if topic == "jobs":
        broadcast(server.connections, msgspec.json.encode(message).decode())


async def _serve() -> None:
    """Tell messages on a free port, which is printed first; print a sample for each line that comes."""
    sessions = TwikitSessionManager(MemoryAccounts([]), clock=SYSTEM_CLOCK)
    async with (
        sessions,
        TwikitConnectionPoolManager(sessions, automation=None) as manager,
        Hub(manager, clock=SYSTEM_CLOCK) as hub,
    ):
        app = Litestar([events_socket(hub, _anyone)], openapi_config=None)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", **SERVED))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            group.create_task(_tell(hub.publish))
            group.create_task(_answer(lambda: hub.readers))
            print(listener.getsockname()[1], flush=True)


async def _anyone(_socket: Socket) -> bool:
    return True


async def _tell(publish: Callable[[str, Mapping[str, object]], None]) -> None:
    """To all once a second; to those that never read in between."""
    filler = "x" * (SIZE - 120)
    due = time.monotonic()
    for number in itertools.count():
        if number % MANY == 0:
            publish("jobs", {"type": "job", "filler": filler, "sent": time.monotonic()})
        else:
            publish("alerts", {"type": "alert", "filler": filler})
        due += 1 / MANY
        await asyncio.sleep(due - time.monotonic())


async def _answer(readers: Callable[[], int]) -> None:
    loop, process = asyncio.get_running_loop(), psutil.Process()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(0, "rb"))
    while await lines.readline():
        times, memory = process.cpu_times(), process.memory_info().rss
        sample = Sample(time.monotonic(), memory, times.user + times.system, process.num_fds(), readers())
        print(msgspec.json.encode(sample).decode(), flush=True)


if __name__ == "__main__":
    # As a service should: what was imported is never garbage. Without it a full collection, which comes every
    # 20 s and stops all clients, takes about twice as long.
    gc.collect()
    gc.freeze()
    asyncio.run(_broadcast() if sys.argv[1:] == ["broadcast"] else _serve())
