"""I4: every public coroutine of the pool, the manager and the lease, cancelled at each of its steps."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import SimulatedLoop, cancel_at_every_step
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolClosed
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest, Lease, PoolHooks, TwikitConnectionPool
from twikit_pool.sessions.actions import parse_action


class UnhurriedAccounts(MemoryAccounts):
    """A source that takes a moment, so that there is something to cancel."""

    async def accounts(self) -> list[Account]:
        await asyncio.sleep(0.01)
        return list(await super().accounts())


@dataclass(frozen=True)
class Stage:
    """What a victim acts on: a pool of one account that is busy for a moment, and a manager of two more."""

    loop: SimulatedLoop
    pool: TwikitConnectionPool
    manager: TwikitConnectionPoolManager


Act: TypeAlias = Callable[[Stage], Coroutine[Any, Any, object]]


async def acquire(stage: Stage) -> None:
    async with stage.pool.acquire():
        await asyncio.sleep(0.01)


async def acquire_from_manager(stage: Stage) -> None:
    async with stage.manager.acquire(ConnectionRequest(account_id="b0")):
        await asyncio.sleep(0.01)


async def iterate(stage: Stage) -> None:
    async for _ in stage.pool.iterate("get_timeline"):
        pass


async def lease_execute(stage: Stage) -> None:
    async with stage.pool.acquire() as lease:
        await lease.execute("like_tweet", tweet_id="1")
        await lease.execute("like_tweet", tweet_id="2")


async def lease_carry_out(stage: Stage) -> None:
    async with stage.pool.acquire() as lease:
        await lease.carry_out(LIKE)


async def lease_call(stage: Stage) -> None:
    async with stage.pool.acquire() as lease:
        await lease.call("by hand", lambda client: client.request("FavoriteTweet", "1"))


async def create_pool(stage: Stage) -> None:
    await stage.manager.create_pool("two", accept=lambda each: each.id == "b1")


async def open_another(stage: Stage) -> None:
    another = TwikitConnectionPool(stage.manager.pool("one").sessions, clock=stage.loop.clock)
    try:
        await another.open()
    finally:
        await another.shutdown()


LIKE: Final = parse_action("like_tweet", {"tweet_id": "1"})

ACTS: Final[dict[str, Act]] = {
    "TwikitConnectionPool.acquire": acquire,
    "TwikitConnectionPool.open": open_another,
    "TwikitConnectionPool.refresh": lambda stage: stage.pool.refresh(),
    "TwikitConnectionPool.shutdown": lambda stage: stage.pool.shutdown(0.5),
    "TwikitConnectionPool.drain": lambda stage: stage.pool.drain(0.5),
    "TwikitConnectionPool.execute": lambda stage: stage.pool.execute("like_tweet", tweet_id="1"),
    "TwikitConnectionPool.perform": lambda stage: stage.pool.perform(LIKE),
    "TwikitConnectionPool.iterate": iterate,
    "TwikitConnectionPoolManager.acquire": acquire_from_manager,
    "TwikitConnectionPoolManager.create_pool": create_pool,
    "TwikitConnectionPoolManager.execute": lambda stage: stage.manager.execute("like_tweet", tweet_id="1"),
    "TwikitConnectionPoolManager.shutdown_pool": lambda stage: stage.manager.shutdown_pool("one", 0.5),
    "TwikitConnectionPoolManager.shutdown": lambda stage: stage.manager.shutdown(0.5),
    "Lease.execute": lease_execute,
    "Lease.carry_out": lease_carry_out,
    "Lease.call": lease_call,
}


def _slow_hook(_: object) -> Coroutine[Any, Any, None]:
    return asyncio.sleep(0.01)


def _quick_hook(_: object) -> None: ...


HOOKS: Final[dict[str, PoolHooks]] = {
    "no hooks": PoolHooks(),
    "functions": PoolHooks(
        before_open=_quick_hook,
        after_open=_quick_hook,
        on_acquire=_quick_hook,
        on_release=_quick_hook,
        on_close=_quick_hook,
    ),
    "coroutines": PoolHooks(
        before_open=_slow_hook,
        after_open=_slow_hook,
        on_acquire=_slow_hook,
        on_release=_slow_hook,
        on_close=_slow_hook,
    ),
}


def _public_coroutines() -> set[str]:
    return {
        f"{kind.__name__}.{name}"
        for kind in (TwikitConnectionPool, TwikitConnectionPoolManager, Lease)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and _is_awaited(method)
    }


def _is_awaited(method: Callable[..., object]) -> bool:
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        return True
    told = str(method.__annotations__.get("return", ""))
    return told.startswith(("AsyncIterator", "Awaitable", "Coroutine")) or told == "Lease"


def test_every_public_coroutine_has_a_scene() -> None:
    assert _public_coroutines() == set(ACTS)


@pytest.mark.parametrize("hooks", HOOKS)
@pytest.mark.parametrize("name", ACTS)
def test_i4_cancelled_at_any_step_it_leaves_nothing_behind(name: str, hooks: str) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None, enable_health_checks=False, leak_warning=None)

    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        mine = pool_of(x, source=UnhurriedAccounts([account("a0")])).sessions
        theirs = pool_of(x, source=UnhurriedAccounts([account("b0"), account("b1")])).sessions
        pool = TwikitConnectionPool(mine, config, hooks=HOOKS[hooks], clock=loop.clock, rng=loop.rng)
        async with TwikitConnectionPoolManager(theirs, automation=None) as manager:
            one = await manager.create_pool(
                "one", config, accept=lambda each: each.id == "b0", hooks=HOOKS[hooks]
            )
            one.rng.seed(0)
            await pool.open()
            watch = Watch(x, [pool, one])
            loop.watch = watch.look
            holder = await pool.acquire()
            loop.call_later(0.1, holder.release)
            victim = loop.create_task(ACTS[name](Stage(loop, pool, manager)), name="victim")
            behind = loop.create_task(acquire(Stage(loop, pool, manager)))
            await asyncio.wait([victim, behind])
            if not victim.cancelled() and victim.exception() is not None:
                raise victim.exception() or AssertionError
            assert behind.exception() is None or isinstance(behind.exception(), PoolClosed)
            for each in (pool, one):
                if each.mode != "closed":
                    each.resume()
                    async with each.acquire() as lease:
                        watch.got(lease)
            await asyncio.sleep(10)
            for each in (pool, one):
                if each.mode == "closed":
                    await each.shutdown()
            loop.watch = None
            await pool.shutdown()
        watch.after_shutdown()

    assert cancel_at_every_step(scene) >= 2
