"""Several pools by name, over the same sessions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from twikit_pool.accounts.model import Account
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import PoolError, PoolNotFound
from twikit_pool.events import EventBus
from twikit_pool.manager.automation import Attendants, Automation
from twikit_pool.manager.integrations import Integration, Integrations
from twikit_pool.pool.guarding import Guard
from twikit_pool.pool.hooks import PoolHooks
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.request import ConnectionRequest
from twikit_pool.pool.sharing import Sharing
from twikit_pool.pool.status import PoolStatus, together
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.manager import TwikitSessionManager

DEFAULT_POOL: Final = "default"
"""The pool that is meant where none is named, if there is one; else the first that was made."""

AUTOMATION: Final = Automation()
"""All of it, as the settings of each pool have it."""


class TwikitConnectionPoolManager:
    """Pools by name. Use it with `async with`; leaving shuts all of them down.

    An account belongs to one pool at a time. Pools that are created with `shared=True` may have the same
    accounts: while one of them uses an account, the others leave it alone, and they take turns.

    While it is entered its pools are measured, sized and kept from wasting resources.

    Args:
        sessions: opens and keeps the accounts' sessions.
        events: the bus of all pools; its own when not given.
        rng: chance, for its pools.
        automation: what it does about its pools by itself; None does nothing.
        guard: stands before every write of its pools (`safety.PostGuard`, say).

    Raises:
        ConfigError: the automation guarantees more connections than there may be.
    """

    def __init__(
        self,
        sessions: TwikitSessionManager,
        *,
        events: EventBus | None = None,
        rng: random.Random | None = None,
        automation: Automation | None = AUTOMATION,
        guard: Guard | None = None,
    ) -> None:
        self._sessions = sessions
        self._guard = guard
        self._rng = rng
        self._pools: dict[str, TwikitConnectionPool] = {}
        self._sharing = Sharing()
        self._shared: set[str] = set()
        self._integrations: dict[str, Integrations] = {}
        self.events = events or EventBus()
        self.on_pool: list[Callable[[TwikitConnectionPool], None]] = []
        """Called with each pool that is made, before it opens."""
        self._attendants = None
        if automation is not None:
            self._attendants = Attendants(self, automation, clock=sessions.clock, rng=rng)

    async def __aenter__(self) -> Self:
        if self._attendants is not None:
            await self._attendants.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._attendants is not None:
                await self._attendants.end()
        finally:
            try:
                await self.shutdown()
            finally:
                if self._attendants is not None:
                    await self._attendants.end_recording()

    @property
    def pools(self) -> Mapping[str, TwikitConnectionPool]:
        """The pools by name, to look at."""
        return MappingProxyType(self._pools)

    @property
    def attendants(self) -> Attendants:
        """Who attends to the pools: `collector`, `monitor`, `scaler`, `optimizer`, and so on.

        Raises:
            PoolError: nobody does.
        """
        if self._attendants is None:
            raise PoolError("nobody attends to these pools: the manager was made with automation=None")
        return self._attendants

    async def create_pool(
        self,
        name: str = DEFAULT_POOL,
        config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG,
        *,
        accept: Callable[[Account], bool] = lambda _account: True,
        shared: bool = False,
        hooks: PoolHooks | None = None,
        integrations: Sequence[Integration] = (),
    ) -> TwikitConnectionPool:
        """Make and open a pool over the accounts that `accept` takes and that are free for it.

        Args:
            name: what it is called.
            config: its settings.
            accept: which accounts it may have.
            shared: whether it may have accounts that other shared pools have too.
            hooks: the operator's own steps in a connection's life.
            integrations: broadcasters, campaign sources and analytics sinks; see `integrations`.

        Raises:
            PoolError: a pool of this name exists, or no account is left for it.
        """
        if name in self._pools:
            raise PoolError(f"a pool named {name!r} exists already; choose another name")
        pool = TwikitConnectionPool(
            self._sessions,
            config,
            pool_id=name,
            # Asked when the pool takes its accounts, in one step: another may be opening meanwhile.
            accept=lambda account: not self._held_beside(name, account.id) and accept(account),
            events=self.events,
            hooks=hooks,
            guard=self._guard,
            clock=self._sessions.clock,
            rng=self._rng,
        )
        if shared:
            self._sharing.join(pool.matching)
            self._shared.add(name)
        self._pools[name] = pool
        for told in tuple(self.on_pool):
            told(pool)
        try:
            collector = None if self._attendants is None else self._attendants.collector
            self._integrations[name] = Integrations(pool, integrations, collector)
            await pool.open()
            self._refuse_empty(pool)
        except BaseException:
            await self._shut_down(name)
            raise
        return pool

    def _refuse_empty(self, pool: TwikitConnectionPool) -> None:
        taken = {account_id for each in self._pools.values() for account_id in each.account_ids}
        if taken and not pool.account_ids:
            raise PoolError(f"no account is left for pool {pool.pool_id!r}: {len(taken)} are in other pools")

    def _held_beside(self, name: str, account_id: str) -> bool:
        """Whether another pool has the account, and does not share it with this one."""
        return any(
            account_id in pool.account_ids
            for other, pool in self._pools.items()
            if other != name and not {other, name} <= self._shared
        )

    def pool(self, name: str | None = None) -> TwikitConnectionPool:
        """The pool of this name, or the default one.

        Raises:
            PoolNotFound: there is none.
        """
        if name is None:
            name = DEFAULT_POOL if DEFAULT_POOL in self._pools else next(iter(self._pools), DEFAULT_POOL)
        pool = self._pools.get(name)
        if pool is None:
            known = ", ".join(self._pools) or "there are none; call create_pool() first"
            raise PoolNotFound(f"no pool named {name!r} ({known})")
        return pool

    def acquire(self, request: ConnectionRequest | None = None, *, pool: str | None = None) -> Lease:
        """Ask a pool for a connection; as `TwikitConnectionPool.acquire`.

        Where no pool is named and the request names an account, the pool that has the account is asked.

        Raises:
            PoolNotFound: there is no such pool.
        """
        account_id = None if request is None else request.account_id
        return self._route(pool, account_id).acquire(request)

    async def execute(
        self, action: str | Action, *, pool: str | None = None, account: str | None = None, **how: Any
    ) -> Any:
        """Do one thing through a pool; as `TwikitConnectionPool.execute`, routed as `acquire`.

        Raises:
            PoolNotFound: there is no such pool; and as `TwikitConnectionPool.execute`.
        """
        return await self._route(pool, account).execute(action, account=account, **how)

    def _route(self, name: str | None, account_id: str | None) -> TwikitConnectionPool:
        if name is None and account_id is not None:
            for pool in self._pools.values():
                if account_id in pool.account_ids:
                    return pool
        return self.pool(name)

    def status(self) -> PoolStatus:
        """All pools together."""
        return together((pool.status() for pool in self._pools.values()), self._sessions.clock.now())

    async def shutdown_pool(self, name: str, grace: float | None = None) -> None:
        """Shut one pool down; its accounts are free for others then.

        Raises:
            PoolNotFound: there is none of this name.
        """
        self.pool(name)
        await self._shut_down(name, grace)

    async def shutdown(self, grace: float | None = None) -> None:
        """Shut all pools down, one after another, each as `TwikitConnectionPool.shutdown`."""
        while self._pools:
            await self._shut_down(next(reversed(self._pools)), grace)

    async def _shut_down(self, name: str, grace: float | None = None) -> None:
        pool = self._pools[name]
        try:
            await pool.shutdown(grace)
        finally:
            self._pools.pop(name, None)
            if name in self._shared:
                self._shared.discard(name)
                self._sharing.leave(pool.matching)
            if (integrations := self._integrations.pop(name, None)) is not None:
                await integrations.aclose()
