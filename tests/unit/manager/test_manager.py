from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import scene, settle, take
from twikit_pool.accounts import Account
from twikit_pool.errors import (
    AccountNotFound,
    AcquireTimeoutError,
    ConfigError,
    PoolClosed,
    PoolError,
    PoolNotFound,
)
from twikit_pool.events import PoolShutDown
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionRequest,
    Mode,
    PooledTwikitConnection,
    PoolHooks,
    TwikitConnectionPool,
)


@asynccontextmanager
async def managed(pool: TwikitConnectionPool) -> AsyncIterator[TwikitConnectionPoolManager]:
    async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
        yield manager


def only(*account_ids: str) -> Any:
    def accept(account: Account) -> bool:
        return account.id in account_ids

    return accept


@scene(4, opened=False)
async def test_requests_go_to_the_pool_that_is_named_or_has_the_account(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with managed(pool) as manager:
        news = await manager.create_pool("news", accept=only("a0", "a1"))
        brand = await manager.create_pool("brand", accept=only("a2"))
        assert dict(manager.pools) == {"news": news, "brand": brand}
        assert (manager.pool(), manager.pool("brand")) == (news, brand)
        async with manager.acquire(pool="brand") as lease:
            assert lease.account_id == "a2"
        async with manager.acquire(ConnectionRequest(account_id="a2")) as lease:
            assert lease.account_id == "a2"
        async with manager.acquire() as lease:
            assert lease.account_id in {"a0", "a1"}
        with pytest.raises(AccountNotFound, match="pool 'news' has no account 'nobody'"):
            await manager.acquire(ConnectionRequest(account_id="nobody"))
        with pytest.raises(PoolNotFound, match=r"no pool named 'sport' \(news, brand\)"):
            manager.acquire(pool="sport")
        await manager.execute("like_tweet", account="a2", tweet_id="1")
        await manager.execute("like_tweet", pool="brand", tweet_id="2", priority=ConnectionPriority.HIGH)
        assert x.done == [("a2", "1"), ("a2", "2")]


@scene(1, opened=False)
async def test_the_default_pool_is_the_one_of_that_name_or_the_first(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with managed(pool) as manager:
        with pytest.raises(
            PoolNotFound, match=r"no pool named 'default' \(there are none; call create_pool\(\) first\)"
        ):
            manager.pool()
        first = await manager.create_pool("first", shared=True)
        assert manager.pool() is first
        default = await manager.create_pool(shared=True)
        assert default.pool_id == "default"
        assert manager.pool() is default


@scene(3, opened=False)
async def test_an_account_is_in_one_pool_at_a_time(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async with managed(pool) as manager:
        await manager.create_pool("one", accept=only("a0"))
        two = await manager.create_pool("two", shared=True)
        assert two.account_ids == {"a1", "a2"}
        with pytest.raises(PoolError, match="no account is left for pool 'three': 3 are in other pools"):
            await manager.create_pool("three")
        three = await manager.create_pool("three", shared=True)
        assert three.account_ids == {"a1", "a2"}
        with pytest.raises(PoolError, match="a pool named 'three' exists already; choose another name"):
            await manager.create_pool("three")
        await manager.shutdown_pool("one")
        assert (await manager.create_pool("four")).account_ids == {"a0"}
        with pytest.raises(PoolNotFound):
            await manager.shutdown_pool("one")


@scene(0, opened=False)
async def test_a_pool_without_accounts_may_be_made_where_there_are_none(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with managed(pool) as manager:
        assert (await manager.create_pool()).account_ids == set()


@scene(2, opened=False)
async def test_a_pool_is_made_with_its_settings_and_hooks(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    opened: list[str] = []

    def note(connection: PooledTwikitConnection) -> None:
        opened.append(connection.id)

    async with managed(pool) as manager:
        config = pool.config.changed(acquire_timeout=2.0, min_connections=0, initial_connections=1)
        made = await manager.create_pool("one", config, hooks=PoolHooks(after_open=note))
        await settle()
        assert opened == ["a0#1"]
        assert made.config is config
        assert made.events is manager.events
        await manager.acquire()
        await manager.acquire()
        with pytest.raises(AcquireTimeoutError, match="within 2 s"):
            await manager.acquire()


@scene(4, opened=False)
async def test_all_pools_are_told_together_and_shut_down_together(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with managed(pool) as manager:
        one = await manager.create_pool("one", accept=only("a0", "a1"))
        two = await manager.create_pool("two")
        await settle()
        await take(one)
        status = manager.status()
        assert (status.pool_id, status.total, status.active, status.available) == ("one,two", 4, 1, 3)
        with manager.events.subscribe(PoolShutDown) as heard:
            await manager.shutdown(0)
            assert [each.pool_id for each in heard.take()] == ["two", "one"]
        assert not manager.pools
        assert (one.mode, two.mode) == (Mode.CLOSED, Mode.CLOSED)
        assert manager.status().total == 0
        with pytest.raises(PoolClosed):
            await take(one)
        await manager.shutdown()
    assert all(link.closed for link in x.links)


@scene(2, opened=False)
async def test_what_is_no_integration_is_refused_and_leaves_no_pool(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    class Broadcaster:
        async def broadcast(self, topic: str, message: Mapping[str, Any]) -> None: ...

    async with managed(pool) as manager:
        wrong: Any = object()
        with pytest.raises(
            ConfigError,
            match=r"object is no integration: it has none of broadcast\(\), campaign_events\(\) and process",
        ):
            await manager.create_pool("one", integrations=[Broadcaster(), wrong])
        assert not manager.pools
        await manager.create_pool("one", shared=True)
        with pytest.raises(ConfigError):
            await manager.create_pool("two", shared=True, integrations=[wrong])
        lease = await manager.acquire(pool="one")
        lease.release()
