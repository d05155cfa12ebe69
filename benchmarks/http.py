"""What the service costs over HTTP: reads of a status a second, and leases of clients elsewhere.

The service runs in a process of its own, with the wire, the access control and the routes that it always
has, over a hundred connections that do nothing. *Reads*: eight sockets are kept alive and have 16 requests
under way each; the bar is on the service's CPU time, of which one core has a second each second. *Leases*: 50
clients acquire and release, each over its own socket, some 200 times a second in all, so that the service is
used and not flooded; a time is that of both requests together, the clients' own part included.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import psutil

from benchmarks import Bar, Report

CONNECTIONS: Final = 100
READERS: Final = 8
PIPELINED: Final = 16
SECONDS: Final = 5.0
WARM_UP: Final = 0.5
CLIENTS: Final = 50
PAUSE: Final = 0.25
"""Seconds between a client's release and its next request."""

MARK: Final = b"HTTP/1.1 200 OK"


def run() -> Report:
    with _service() as (process, host, port, token):
        per_cpu_second, per_second = asyncio.run(_read(process, host, port, token))
        times = asyncio.run(_lease(host, port, token))
    return Report(
        figures={
            "status: reads a second by the clock": per_second,
            "leases: acquired and released a second": len(times) / SECONDS,
            "leases: p50, ms": _quantile(times, 0.5) * 1e3,
            "leases: p99.9, ms": _quantile(times, 0.999) * 1e3,
        },
        bars=[
            Bar("status: reads a second of the service's CPU", per_cpu_second, 8_000, "higher"),
            Bar(
                "leases: p99 of acquire and release, 50 clients, ms",
                _quantile(times, 0.99) * 1e3,
                10,
                "lower",
            ),
        ],
    )


@contextmanager
def _service() -> Iterator[tuple[psutil.Process, str, int, str]]:
    command = [sys.executable, "-m", "benchmarks._http_service", str(CONNECTIONS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:  # noqa: S603 - ours
        try:
            assert service.stdout is not None  # noqa: S101 - for the type checker
            url, token = service.stdout.readline().split()
            host, _, port = url.removeprefix("http://").rpartition(":")
            yield psutil.Process(service.pid), host, int(port), token
        finally:
            service.terminate()


def _quantile(times: list[float], share: float) -> float:
    return sorted(times)[int(share * len(times))]


# ---------------------------------------------------------------- reads


class _Reader(asyncio.Protocol):
    """Sends a request for each answer, so that as many are always under way."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self.answers = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self._request * PIPELINED)

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        number = seen.count(MARK)
        self._tail = seen[-(len(MARK) - 1) :]
        self.answers += number
        if number and self.transport is not None:
            self.transport.write(self._request * number)


async def _read(service: psutil.Process, host: str, port: int, token: str) -> tuple[float, float]:
    """Answers a second of the service's CPU time, and a second by the clock."""
    request = f"GET /v1/pools/default HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    readers = [
        (await loop.create_connection(lambda: _Reader(request), host, port))[1] for _ in range(READERS)
    ]
    await asyncio.sleep(WARM_UP)
    answers, began, cpu = sum(each.answers for each in readers), time.perf_counter(), _cpu(service)
    await asyncio.sleep(SECONDS)
    answers = sum(each.answers for each in readers) - answers
    took, used = time.perf_counter() - began, _cpu(service) - cpu
    for each in readers:
        if each.transport is not None:
            each.transport.abort()
    return answers / used, answers / took


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


# ---------------------------------------------------------------- leases


class _Client:
    """One connection, one request at a time."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._at = host, port
        self._head = f"Host: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    async def use(self, until: float, times: list[float]) -> None:
        reader, writer = await asyncio.open_connection(*self._at)
        while time.perf_counter() < until:
            began = time.perf_counter()
            granted = msgspec.json.decode(
                await self._ask(reader, writer, "POST", "/v1/pools/default/leases", b'{"wait": 10}')
            )
            await self._ask(reader, writer, "DELETE", f"/v1/leases/{granted['lease_id']}", b"")
            times.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
        writer.close()
        await writer.wait_closed()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: bytes
    ) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not answered.startswith(b"http/1.1 2"):
            raise RuntimeError(f"the service does not do it: {answered[:100]!r}")
        _, found, rest = answered.partition(b"content-length: ")
        return await reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""


async def _lease(host: str, port: int, token: str) -> list[float]:
    gc.collect()
    gc.freeze()  # the clients' own pauses are not the service's
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(_Client(host, port, token).use(ends, times))
            await asyncio.sleep(PAUSE / CLIENTS if number else 0)  # so that they do not all come at once
    return times
