"""Clients who break off: a request that is sent by hand, over a socket that a crash closes."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import psutil

from tests.integration.service.served import Served
from twikit_pool.service.tokens import Scope

SOON = 10.0
"""Seconds in which anything here happens, on a machine that is busy."""


def request(
    daemon: Served, path: str, body: dict[str, Any], key: str | None = None, scope: Scope = Scope.EXECUTE
) -> bytes:
    """A POST as it goes over the wire."""
    sent = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {daemon.tokens[scope]}",
        "Content-Type: application/json",
        f"Content-Length: {len(sent)}",
    ]
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    return "\r\n".join([*lines, "", ""]).encode() + sent


def reading(daemon: Served, path: str) -> bytes:
    """A GET as it goes over the wire: of a stream, say."""
    token = daemon.tokens[Scope.READ]
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def connected(daemon: Served) -> socket.socket:
    """A socket to the daemon."""
    url = httpx.URL(daemon.url)
    raw = socket.socket()
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (url.host, url.port))
    return raw


async def sent(daemon: Served, data: bytes) -> socket.socket:
    """A socket over which this was sent."""
    raw = await connected(daemon)
    await asyncio.get_running_loop().sock_sendall(raw, data)
    return raw


def crash(raw: socket.socket) -> None:
    """Close it with a reset, as the kernel does for a process that dies with unread data."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


async def until(told: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SOON):
        while not told():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def descriptors() -> int:
    """How many this process has open for nobody.

    Both ends of a connection are in this process here. Where both are open it is kept alive by its owner (a
    client, or a session, which may open a new one at any call); where one is, the other side has left.
    """
    process = psutil.Process()
    with process.oneshot():
        ends = Counter((each.laddr, each.raddr) for each in process.net_connections("inet") if each.raddr)
        paired = sum(number for (here, there), number in ends.items() if (there, here) in ends)
        return process.num_fds() - paired


async def quiet(daemon: Served, before: int) -> None:
    """Nothing is left of any client: no lease, no place in line, no task and no descriptor."""
    pool, remote = daemon.service.pool("default"), daemon.service.remote
    await until(lambda: not pool.waiting)
    await until(lambda: not any(each.leased for each in pool.connections()))
    await until(lambda: not len(remote.acts) and not len(remote.leases))
    await until(lambda: not [each for each in asyncio.all_tasks() if each.get_name() in ("act", "presence")])
    with suppress(TimeoutError):
        await until(lambda: descriptors() <= before)
    assert descriptors() <= before
