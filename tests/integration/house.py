"""A simulator, and all of ours over it, with the real twikit in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator


@dataclass
class House:
    x: Simulator
    source: MemoryAccounts
    sessions: TwikitSessionManager
    pool: TwikitConnectionPool

    async def do(self, action: str, **parameters: Any) -> Any:
        return await self.pool.execute(action, **parameters)

    def id(self, number: int) -> str:
        return self.x.accounts[number].id


@asynccontextmanager
async def house(config: ConnectionPoolConfig | None = None, **settings: Any) -> AsyncIterator[House]:
    async with Simulator(**settings) as x:
        accounts = [
            Account(id=each.id, handle=each.handle, credentials=Credentials(cookies=Cookies(each.cookies)))
            for each in x.accounts
        ]
        source = MemoryAccounts(accounts)
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with TwikitSessionManager(source, backend=backend) as sessions:
            pool = TwikitConnectionPool(sessions, config or ConnectionPoolConfig(acquire_timeout=5))
            async with pool:
                for _ in range(pool.size + 1):  # who is hottest does not depend on who asks first
                    await asyncio.sleep(0)
                yield House(x, source, sessions, pool)
