"""The HTTP wire: who is slow, large or one too many is sent away, and nobody else is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.served import served
from twikit_pool.errors import ConfigError
from twikit_pool.service.app import application
from twikit_pool.service.server import HttpServer, listen
from twikit_pool.service.settings import is_loopback
from twikit_pool.service.wire import WireLimits


@asynccontextmanager
async def wired(folder: Path, **limits: Any) -> AsyncIterator[tuple[str, int]]:
    async with served(folder) as daemon:
        app = application(daemon.service, most_body=1_000)
        async with HttpServer(app, listen("127.0.0.1", 0), WireLimits(**limits), patience=1) as server:
            url = httpx.URL(server.url)
            yield url.host, url.port or 0


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Headers that never end."""
    for _ in range(200):
        writer.write(b"x" * 10_000)
        await writer.drain()
        await asyncio.sleep(0)


async def healthy(host: str, port: int) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://{host}:{port}/healthz")).status_code == 200


async def test_headers_that_do_not_come_in_time_are_answered_and_closed(tmp_path: Path) -> None:
    async with wired(tmp_path, header_seconds=0.2) as (host, port):
        for begun in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(begun)
            assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
            writer.close()
        assert await healthy(host, port)


async def test_a_drip_of_headers_is_no_way_around_it(tmp_path: Path) -> None:
    async with wired(tmp_path, header_seconds=0.3) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        dripping = asyncio.create_task(answer(reader))
        for each in b"GET /healthz HTTP/1.1\r\n":
            if dripping.done():
                break
            writer.write(bytes([each]))
            await asyncio.sleep(0.05)
        assert (await dripping).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_body_that_does_not_come_in_time_ends_the_connection(tmp_path: Path) -> None:
    async with wired(tmp_path, body_seconds=0.2) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await answer(reader)
        writer.close()
        assert await healthy(host, port)


async def test_headers_that_are_too_large_are_refused(tmp_path: Path) -> None:
    async with wired(tmp_path, header_bytes=2_000) as (host, port):
        for large in (
            b"X-Large: " + b"x" * 3_000 + b"\r\n\r\n",
            b"".join(b"X-%d: y\r\n" % n for n in range(400)),
        ):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + large + b"\r\n")
            assert (await answer(reader)).startswith(b"HTTP/1.1 431 ")
            writer.close()
        reader, writer = await asyncio.open_connection(host, port)
        with pytest.raises(ConnectionError):
            await endless(writer)
        writer.close()


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with wired(tmp_path) as (host, port), httpx.AsyncClient(trust_env=False) as http:
        refused = await http.post(f"http://{host}:{port}/v1/session", content=b" " * 5_000)
        assert refused.status_code == 413


async def test_one_socket_too_many_is_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    async with wired(tmp_path, sockets=3) as (host, port):
        kept = [await asyncio.open_connection(host, port) for _ in range(3)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(host, port)
        assert (await answer(reader)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        first_reader, first_writer = kept[0]
        first_writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await answer(first_reader)).startswith(b"HTTP/1.1 200 ")
        for _, each in kept:
            each.close()


async def test_a_connection_is_used_again_and_again(tmp_path: Path) -> None:
    async with (
        wired(tmp_path, header_seconds=0.3) as (host, port),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        for _ in range(5):
            await asyncio.sleep(0.1)
            assert (await http.get(f"http://{host}:{port}/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["::", "10.0.0.1", "192.168.1.2", "example.com", ""])
def test_another_address_takes_a_decision(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match=r"allow_remote"):
        listen(host, 0)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"nothing can listen on 127.0.0.1:{port}"):
            listen("127.0.0.1", port)
