"""What connections cost with the real twikit over HTTP, against what went over the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.house import House, house
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.resources import ConnectionFigures, ResourceMonitor
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator.transport import SimulatorTransport

KB = 1024


class CountingProxy:
    """Hands on what comes for the simulator, and keeps all of it."""

    def __init__(self, port: int) -> None:
        self.up: list[bytearray] = []
        self.down: list[bytearray] = []
        self.port = 0
        self._to = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self.up.append(up := bytearray())
        self.down.append(down := bytearray())
        await asyncio.gather(self._copy(reader, back, up), self._copy(there, writer, down))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
        try:
            while part := await reader.read(65_536):
                kept += part
                writer.write(part)
        finally:
            writer.close()


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[CountingProxy]:
    proxy = CountingProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def through(proxy: CountingProxy, home: House) -> AsyncIterator[TwikitConnectionPool]:
    """A pool over the same accounts, all of whose traffic is counted."""
    backend = TwikitBackend(transport=lambda _: SimulatorTransport(f"http://127.0.0.1:{proxy.port}"))
    async with TwikitSessionManager(home.source, backend=backend) as sessions:
        config = ConnectionPoolConfig(acquire_timeout=5, max_connections=2, min_connections=2)
        async with TwikitConnectionPool(sessions, config) as pool:
            yield pool


async def test_bytes_are_those_that_went_over_the_wire() -> None:
    async with (
        house(accounts=2) as home,
        counting(home.x.port) as proxy,
        through(proxy, home) as pool,
        ResourceMonitor(pool, interval=3600) as monitor,
    ):
        for number in range(3):
            tweet = await pool.execute("post_tweet", content=f"number {number} " + "größer " * number)
            await pool.execute("like_tweet", tweet_id=tweet.id)
        await pool.execute("search_tweet", query="number")
        figures = monitor.connections(pool)
        sent, received = sum(map(len, proxy.up)), sum(map(len, proxy.down))
        assert sum(each.sent for each in figures.values()) == sent > 5 * KB
        assert not any(b"transfer-encoding" in answers.lower() for answers in proxy.down), "it has framing"
        assert sum(each.received for each in figures.values()) == received
        assert received > 5 * KB
        monitor.measure()
        assert (monitor.usage(pool).network or 0) > 0
        await asyncio.sleep(0.05)
        monitor.measure()
        assert monitor.usage(pool).network == 0
        assert sum(each.info.network or 0 for each in pool.connections()) == sent + received


async def test_the_cpu_of_connections_and_the_rest_are_the_process_s() -> None:
    async with (
        house(ConnectionPoolConfig(max_connections=2, min_connections=2), accounts=2) as home,
        ResourceMonitor(home.pool, interval=3600) as monitor,
    ):
        for number in (0, 1):  # the handshakes
            await home.do("get_user", account=home.id(number), handle=home.x.accounts[0].handle)
        monitor.measure()
        before = {each: found.cpu_seconds for each, found in monitor.connections(home.pool).items()}
        process_before = time.process_time()
        for each in range(20):
            await home.do("post_tweet", account=home.id(0), content=f"hello {each}")
        await home.do("post_tweet", account=home.id(1), content="hello")
        monitor.measure()
        process_cpu = time.process_time() - process_before

        figures, process = monitor.connections(home.pool), monitor.process
        attributed = sum(each.cpu for each in figures.values())
        assert process.cpu is not None
        assert process.unattributed_cpu is not None
        assert attributed + process.unattributed_cpu == pytest.approx(process.cpu)
        assert monitor.usage(home.pool).cpu == pytest.approx(attributed)
        assert 0.1 * process.cpu < attributed < process.cpu, "the simulator runs in this process too"
        busy, idle = (figures[f"{home.id(number)}#1"] for number in (0, 1))
        assert busy.cpu > 3 * idle.cpu > 0
        spent = sum(each.cpu_seconds - before[name] for name, each in figures.items())
        assert attributed / process.cpu == pytest.approx(spent / process_cpu, rel=0.1)


async def test_memory_is_some_tens_of_kilobytes_for_each_connection() -> None:
    async with (
        house(ConnectionPoolConfig(max_connections=3, min_connections=3), accounts=3) as home,
        ResourceMonitor(home.pool, interval=3600) as monitor,
    ):
        for account in home.x.accounts:
            await home.do("get_user", account=account.id, handle=account.handle)
        for _ in range(3):  # two links at least in each round, however slow the machine is
            await asyncio.sleep(0.001)
            monitor.measure()
        sizes = [each.memory or 0 for each in monitor.connections(home.pool).values()]
        assert len(sizes) == 3
        assert all(5 * KB < size < 100 * KB for size in sizes), sizes
        await asyncio.sleep(0.001)
        monitor.measure()
        usage = monitor.usage(home.pool)
        assert usage.memory is not None
        assert usage.memory == pytest.approx(sum(sizes), rel=0.1)
        assert monitor.process.memory is not None
        assert usage.memory < monitor.process.memory


async def test_i10_figures_show_no_secret() -> None:
    async with (
        house(accounts=2) as home,
        ResourceMonitor(home.pool, interval=3600) as monitor,
    ):
        await home.do("post_tweet", content="hello")
        await asyncio.sleep(0.001)
        monitor.measure()
        figures = monitor.connections(home.pool)
        assert all(isinstance(each, ConnectionFigures) for each in figures.values())
        told = [figures, monitor.process, monitor.usage(home.pool), monitor.pools, vars(monitor)]
        told += [vars(each) for each in vars(monitor)["_measured"].values()]
        seen = repr(told)
        for account in home.x.accounts:
            for secret in (account.auth_token, *account.cookies.values()):
                assert secret not in seen
