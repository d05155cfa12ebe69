"""Connection pools side by side: each driven by its public calls, over connections that do nothing.

Every side waits at most `PATIENCE` seconds where it can be told so; a pool that opens its connections only
when they are asked for has none to begin with. What a pool asks of its connections, stand-ins answer at once;
asyncpg is spared its timers against idle connections and its connections' own housekeeping.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
import asyncpg
from aiohttp.client_reqrep import ConnectionKey
from asyncpg.connection import Connection as PostgresConnection
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool
from redis.asyncio.connection import AbstractConnection as RedisConnection
from redis.asyncio.connection import BlockingConnectionPool
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import greenlet_spawn

from benchmarks._silent_pool import account, silent_pool
from twikit_pool.pool import ConnectionRequest

PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """How an open pool is used.

    Attributes:
        acquire: what it returns is awaited and gives what the pool hands out.
        release: takes that back; what it returns is awaited, unless it is None.
        acquire_from: as `acquire`, of the account or host with this number, where a pool knows such a thing.
    """

    acquire: Callable[[], Awaitable[Any]]
    release: Callable[[Any], Awaitable[object] | None]
    acquire_from: Callable[[int], Awaitable[Any]] | None = None

    async def give_back(self, connection: object) -> None:
        """Release, whichever way this pool does it; for what is not measured."""
        returning = self.release(connection)
        if returning is not None:
            await returning


Side = Callable[[int], AbstractAsyncContextManager[Face]]
"""Opens a pool of this many connections."""


# ---------------------------------------------------------------- ours


@asynccontextmanager
async def _ours(size: int, *, request: ConnectionRequest, read_events: bool = False) -> AsyncIterator[Face]:
    accounts = [account(number) for number in range(size)]
    by_account = [ConnectionRequest(account_id=each.id, action=request.action) for each in accounts]
    async with silent_pool(accounts, read_events=read_events, acquire_timeout=PATIENCE) as pool:
        yield Face(
            acquire=partial(pool.acquire, request),
            release=methodcaller("release"),
            acquire_from=lambda number: pool.acquire(by_account[number]),
        )


ours: Final[Side] = partial(_ours, request=ConnectionRequest(action="like_tweet"))
ours_for_anything: Final[Side] = partial(_ours, request=ConnectionRequest())
ours_heard: Final[Side] = partial(_ours, request=ConnectionRequest(action="like_tweet"), read_events=True)

# ---------------------------------------------------------------- the least that asyncio can do


@asynccontextmanager
async def floor(size: int) -> AsyncIterator[Face]:
    """A deque of connections and one future for each waiter, to which a connection is handed directly."""
    idle = deque(object() for _ in range(size))
    waiters: deque[asyncio.Future[object]] = deque()
    future = asyncio.get_running_loop().create_future

    async def acquire() -> object:
        if idle:
            return idle.pop()
        waiter = future()
        waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                release(waiter.result())
            raise

    def release(connection: object) -> None:
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        idle.append(connection)

    yield Face(acquire=acquire, release=release)


@asynccontextmanager
async def queue(size: int) -> AsyncIterator[Face]:
    connections: asyncio.Queue[object] = asyncio.Queue()
    for _ in range(size):
        connections.put_nowait(object())
    yield Face(acquire=connections.get, release=connections.put_nowait)


# ---------------------------------------------------------------- the peers


class _Protocol:
    transport = None
    should_close = False
    closed = None

    def is_connected(self) -> bool:
        return True

    def close(self) -> None: ...


class _Connector(aiohttp.BaseConnector):
    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ARG002 - as aiohttp has it
        return _Protocol()


@asynccontextmanager
async def aiohttp_connector(size: int) -> AsyncIterator[Face]:
    """Keyed by host: one connection to each for `acquire_from`, all to one for `acquire`."""
    timeout = aiohttp.ClientTimeout(connect=PATIENCE)

    def request(host: str) -> Any:
        key = ConnectionKey(host, 443, True, True, None, None, None)
        return SimpleNamespace(connection_key=key, proxy=None)

    async with _Connector(limit=size) as one_host, _Connector(limit=size) as many_hosts:
        hosts = [request(f"host{number}") for number in range(size)]
        for connection in [await many_hosts.connect(host, [], timeout) for host in hosts]:
            connection.release()
        yield Face(
            acquire=partial(one_host.connect, hosts[0], [], timeout),
            release=methodcaller("release"),
            acquire_from=lambda number: many_hosts.connect(hosts[number], [], timeout),
        )


class _Psycopg:
    autocommit = True
    closed = False
    pgconn = SimpleNamespace(transaction_status=TransactionStatus.IDLE)

    @classmethod
    async def connect(cls, conninfo: str = "", **_: object) -> _Psycopg:  # noqa: ARG003 - as psycopg has it
        return cls()

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def psycopg_pool(size: int) -> AsyncIterator[Face]:
    kind: Any = _Psycopg
    pool = AsyncConnectionPool(
        connection_class=kind, min_size=size, max_size=size, open=False, timeout=PATIENCE
    )
    await pool.open(wait=True, timeout=PATIENCE)
    yield Face(acquire=pool.getconn, release=pool.putconn)
    await pool.close()


class _Asyncpg(PostgresConnection):
    def __init__(self) -> None:
        self._protocol = SimpleNamespace(queries_count=0, _is_cancelling=lambda: False)
        self._pool_holder: Any = None
        self._dead = False

    def __del__(self) -> None: ...

    def is_closed(self) -> bool:
        return self._dead

    def _set_proxy(self, proxy: object) -> None: ...

    def _on_release(self, stacklevel: int = 1) -> None: ...

    async def reset(self, *, timeout: float | None = None) -> None: ...

    def terminate(self) -> None:
        self._dead = True
        self._pool_holder()._release_on_close()


@asynccontextmanager
async def asyncpg_pool(size: int) -> AsyncIterator[Face]:
    async def connect(*_: object, **__: object) -> _Asyncpg:
        return _Asyncpg()

    pool = await asyncpg.create_pool(
        connect=connect,
        connection_class=_Asyncpg,
        min_size=size,
        max_size=size,
        max_inactive_connection_lifetime=0,
    )
    yield Face(acquire=pool.acquire, release=pool.release)
    pool.terminate()


class _Redis(RedisConnection):
    def __init__(self, **_: object) -> None:
        self._re_auth_token = None

    def __del__(self, *_: object) -> None: ...

    def repr_pieces(self) -> Any:
        return []

    def _host_error(self) -> str:
        return ""

    async def _connect(self) -> None: ...

    async def connect(self) -> None: ...

    async def disconnect(self, *_: object, **__: object) -> None: ...

    async def can_read(self, *_: object, **__: object) -> bool:
        return False

    def should_reconnect(self) -> bool:
        return False


@asynccontextmanager
async def redis_pool(size: int) -> AsyncIterator[Face]:
    pool = BlockingConnectionPool(max_connections=size, timeout=PATIENCE, connection_class=_Redis)
    yield Face(acquire=pool.get_connection, release=pool.release)
    await pool.aclose()


@asynccontextmanager
async def sqlalchemy_pool(size: int) -> AsyncIterator[Face]:
    """As its asyncio engine drives it: every call in a greenlet."""

    def connect() -> Any:
        return SimpleNamespace(rollback=lambda: None, commit=lambda: None, close=lambda: None)

    pool = AsyncAdaptedQueuePool(connect, pool_size=size, max_overflow=0, timeout=PATIENCE)
    yield Face(
        acquire=lambda: greenlet_spawn(pool.connect),
        release=lambda connection: greenlet_spawn(connection.close),
    )
    await greenlet_spawn(pool.dispose)


PEERS: Final[dict[str, Side]] = {
    "asyncio.Queue": queue,
    "aiohttp": aiohttp_connector,
    "psycopg_pool": psycopg_pool,
    "asyncpg": asyncpg_pool,
    "redis-py": redis_pool,
    "SQLAlchemy": sqlalchemy_pool,
}
