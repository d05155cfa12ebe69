"""A simulator, a pool over it, and an eye on every request: none may leave without a lease."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from twikit.client.client import Client

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.drop_in import PooledClient
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.pool.connection import ConnectionState
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator


class PlainClient(Client):
    """twikit's own client with a transport: its `proxy` setter would throw it away."""

    @property
    def proxy(self) -> str:
        return ""

    @proxy.setter
    def proxy(self, url: str | None) -> None:
        pass


class Watched(httpx.AsyncBaseTransport):
    """One account's way to the simulator. What `canned` has for a path's end is the answer: JSON, bytes or
    a status."""

    def __init__(self, home: Home, account_id: str) -> None:
        self._home = home
        self._account_id = account_id
        self._inner = home.x.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._home.sent.append((self._account_id, request))
        state = next(c.state for c in self._home.pool.connections() if c.account_id == self._account_id)
        if state is not ConnectionState.LEASED:
            self._home.unleased.append(str(request.url.path))
        for ending, answer in self._home.canned.items():
            if request.url.path.endswith(ending):
                if isinstance(answer, int):
                    return httpx.Response(answer)
                content = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
                return httpx.Response(200, content=content)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass(eq=False)
class Home:
    x: Simulator
    canned: dict[str, Any] = field(default_factory=dict[str, Any])
    sent: list[tuple[str, httpx.Request]] = field(default_factory=list[tuple[str, httpx.Request]])
    unleased: list[str] = field(default_factory=list[str])
    pool: TwikitConnectionPool = field(init=False)

    def client(self, number: int | None = None, **options: Any) -> PooledClient:
        account = None if number is None else self.id(number)
        return PooledClient(self.pool, account=account, **options)

    def id(self, number: int) -> str:
        return self.x.accounts[number].id

    def senders(self, ending: str) -> list[str]:
        """Whose requests to this operation there were, in order."""
        return [account for account, request in self.sent if request.url.path.endswith(ending)]


@asynccontextmanager
async def _simulated(
    config: ConnectionPoolConfig | None = None, *, keep: set[str] | None = None, **settings: Any
) -> AsyncIterator[Home]:
    async with Simulator(**settings) as x:
        home = Home(x)
        accounts = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=each.cookies))
            for each in x.accounts
            if keep is None or each.id in keep
        )
        backend = TwikitBackend(transport=lambda account: Watched(home, account.id))
        async with TwikitSessionManager(accounts, backend=backend) as sessions:
            home.pool = TwikitConnectionPool(sessions, config or ConnectionPoolConfig(acquire_timeout=5))
            async with home.pool:
                yield home
        assert home.unleased == []


Simulated = Callable[..., AbstractAsyncContextManager[Home]]


@pytest.fixture
def simulated() -> Simulated:
    """`async with simulated(accounts=2, …) as home`: the simulator's settings, the pool's `config`, and
    the accounts that the pool is to `keep` of the simulator's."""
    return _simulated


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    async with _simulated(accounts=3, limits=False) as home:
        yield home


@asynccontextmanager
async def _plain_of(x: Simulator, number: int) -> AsyncIterator[PlainClient]:
    client = PlainClient(transport=x.transport())
    client.set_cookies(dict(x.accounts[number].cookies))
    try:
        yield client
    finally:
        await client.http.aclose()


@pytest.fixture
def plain_of() -> Callable[[Simulator, int], AbstractAsyncContextManager[PlainClient]]:
    """`async with plain_of(x, 0) as client`: twikit's own client as the first account."""
    return _plain_of
