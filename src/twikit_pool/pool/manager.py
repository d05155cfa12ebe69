"""Several pools by name, over the same sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from twikit_pool.accounts.model import Account
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import PoolError
from twikit_pool.events import EventBus
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.sessions.manager import TwikitSessionManager


class TwikitConnectionPoolManager:
    """Pools by name. Use it with `async with`; leaving shuts all of them down."""

    def __init__(self, sessions: TwikitSessionManager, *, events: EventBus | None = None) -> None:
        self._sessions = sessions
        self._pools: dict[str, TwikitConnectionPool] = {}
        self.events = events or EventBus()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    @property
    def pools(self) -> Mapping[str, TwikitConnectionPool]:
        """The pools by name, to look at."""
        return MappingProxyType(self._pools)

    async def create_pool(
        self,
        name: str,
        config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG,
        *,
        accept: Callable[[Account], bool] = lambda _account: True,
    ) -> TwikitConnectionPool:
        """Make and open a pool over the accounts that `accept` takes and no other pool here holds.

        An account is in one pool at most: two would both hand its connection out.

        Raises:
            PoolError: a pool of this name exists, or no account is left for it.
        """
        if name in self._pools:
            raise PoolError(f"a pool named {name!r} exists already; choose another name")

        def held() -> set[str]:
            return {each.account_id for pool in self._pools.values() for each in pool.connections()}

        pool = TwikitConnectionPool(
            self._sessions,
            config,
            pool_id=name,
            # Asked when the pool takes its accounts, in one step: another may be opening meanwhile.
            accept=lambda account: account.id not in held() and accept(account),
            events=self.events,
            clock=self._sessions.clock,
        )
        self._pools[name] = pool
        try:
            await pool.open()
        except BaseException:
            del self._pools[name]
            raise
        if not pool.size and (taken := held()):
            del self._pools[name]
            await pool.shutdown()
            raise PoolError(f"no account is left for pool {name!r}: {len(taken)} are in other pools")
        return pool

    async def shutdown(self) -> None:
        """Shut all pools down, one after another."""
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.shutdown()
