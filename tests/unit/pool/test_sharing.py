from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, gone, scene, settle, take
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionPriority, TwikitConnectionPool


@asynccontextmanager
async def sharing(pool: TwikitConnectionPool, pools: int) -> AsyncIterator[list[TwikitConnectionPool]]:
    """So many open pools that share the accounts."""
    async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
        made = [await manager.create_pool(f"p{n}", pool.config, shared=True) for n in range(pools)]
        await settle()
        yield made


@scene(1, opened=False)
async def test_while_one_pool_uses_an_account_the_others_leave_it_alone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with sharing(pool, 3) as (first, second, third):
        lease = await take(first)
        for other in (second, third):
            with pytest.raises(AcquireTimeoutError, match="1 in use by pool p0"):
                await take(other)
            assert other.status().quarantined == 1
        assert first.status().quarantined == 0
        lease.release()
        (await take(second)).release()
        (await take(third)).release()


@scene(1, opened=False)
async def test_pools_that_want_the_same_account_take_turns(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async with sharing(pool, 3) as pools:
        lease = await take(pools[1])
        order: list[str] = []
        waiting = {
            n: [ask(each, priority=ConnectionPriority.EMERGENCY) for _ in range(2)]
            for n, each in enumerate(pools)
        }
        await settle()
        for _ in range(6):
            lease.release()
            await settle()
            (number,) = [n for n, tasks in waiting.items() if tasks[0].done()]
            order.append(f"p{number}")
            lease = waiting[number].pop(0).result()
            if not waiting[number]:
                del waiting[number]
        assert order == ["p2", "p0", "p1", "p2", "p0", "p1"]
        lease.release()


@scene(1, opened=False, max_connections=2, max_connections_per_account=2)
async def test_a_pool_may_use_all_its_connections_of_an_account_at_once(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with sharing(pool, 2) as (first, second):
        one, other = await take(first), await take(first)
        waiting = ask(second)
        one.release()
        await settle()
        assert not waiting.done(), "the other lease holds the account still"
        other.release()
        assert (await gone(waiting)).held
        with pytest.raises(AcquireTimeoutError):
            await take(first)


@scene(2, opened=False)
async def test_what_another_pool_uses_stays_warm_and_is_not_closed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with sharing(pool, 2) as (first, second):
        lease = await take(first, account_id="a0")
        assert second.size == 2
        assert (await take(second)).account_id == "a1"
        lease.release()
        assert (await take(second)).account_id == "a0"
        assert len(x.links) == 4


@scene(1, opened=False)
async def test_a_pool_that_comes_later_finds_the_account_in_use(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
        first = await manager.create_pool("first", pool.config, shared=True)
        await settle()
        lease = await take(first)
        second = await manager.create_pool("second", pool.config, shared=True)
        waiting = ask(second)
        await asyncio.sleep(5)
        assert not waiting.done()
        lease.release()
        assert (await gone(waiting)).held


@scene(1, opened=False)
async def test_a_pool_that_shuts_down_frees_its_accounts(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
        first = await manager.create_pool("first", pool.config, shared=True)
        second = await manager.create_pool("second", pool.config, shared=True)
        await settle()
        await take(first)
        waiting = ask(second)
        await manager.shutdown_pool("first", grace=1)
        lease = await gone(waiting)
        assert lease.held
        lease.release()
        again = await manager.create_pool("first", pool.config, shared=True)
        await settle()
        (await take(again)).release()
