"""Pools that share a ceiling, in every order: never more than it, nobody disturbed, everyone served."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.simulation.__main__ import CANCELS, ORDERS
from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    CancelRandomly,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from tests.simulation.test_scaling import SERVICE, Bounds, Callers, settings
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.errors import AcquireTimeoutError, ConfigError, LeaseLost
from twikit_pool.events import ConnectionClosed, ScalingDecided
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, ConnectionState, TwikitConnectionPool
from twikit_pool.scaling import AutoScaler, Ceiling, PoolNeed, SharedCeiling, connections_for
from twikit_pool.sessions.manager import TwikitSessionManager

HIGH: Final = ConnectionPriority.HIGH

in_every_order = pytest.mark.parametrize("order", ORDERS)


class LimitedWatch(Watch):
    """As others watch; and of a pool that has too many, none lies idle."""

    def examine(self, pool: TwikitConnectionPool) -> None:
        super().examine(pool)
        if pool.size > pool.matching.most:
            assert not pool.counts()[ConnectionState.IDLE], "it has too many, and one of them lies idle"


# ---------------------------------------------------------------- a pool that is limited


async def use(pool: TwikitConnectionPool, request: ConnectionRequest, seconds: float) -> None:
    async with pool.acquire(request) as lease:
        await asyncio.sleep(seconds)
        assert lease.held, "a limit takes nothing from anybody"


async def whims(pool: TwikitConnectionPool, rng: random.Random) -> None:
    """Other limits come and go; the last one leaves one connection."""
    for most in (*(rng.choice((0, 1, 2, 3, None)) for _ in range(25)), 1):
        await asyncio.sleep(0.01 + grid(rng, 1))  # the watch would not see two in one step
        pool.limit_size(most)


@in_every_order
@pytest.mark.parametrize("cancel", [CANCELS["none"], CANCELS["handoff"], CANCELS["random"]])
def test_while_limits_come_and_go_everyone_is_served_in_the_end(order: Order, cancel: object) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        config = settings(acquire_timeout=None, max_idle_time=None, max_connections=4)
        async with pool_of(x, 6, config) as pool:
            watch = LimitedWatch(x, [pool])
            loop.watch = watch.look
            pool.reserve("a0", "spring", duration=15)
            crowd: list[asyncio.Task[None]] = []
            limits = loop.create_task(whims(pool, loop.rng))
            for number in range(60):
                request = ConnectionRequest(
                    priority=loop.rng.choice((ConnectionPriority.LOW, HIGH)),
                    account_id=loop.rng.choice((None, None, "a0", "a1")),
                    reserved_for=loop.rng.choice((None, None, "spring")),
                )
                coming = use(pool, request, grid(loop.rng, 1))
                crowd.append(loop.create_task(coming, name=f"actor-borrower-{number}"))
                await asyncio.sleep(grid(loop.rng, 0.4))
            await limits
            await asyncio.wait(crowd)
            for each in crowd:
                assert each.cancelled() or each.exception() is None
            await asyncio.sleep(20)
            assert pool.size == 1
            pool.limit_size(None)
            await asyncio.sleep(1)
            watch.at_rest()
            assert pool.size == 2, "min_connections"
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(8), order=order, cancel=cancel)  # type: ignore[arg-type]


def test_i4_who_waits_at_the_limit_and_is_cancelled_at_any_step_leaves_nothing() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 3, settings(max_idle_time=None)) as pool:
            watch = LimitedWatch(x, [pool])
            loop.watch = watch.look
            request = ConnectionRequest()
            first = [loop.create_task(use(pool, request, 1)) for _ in range(3)]
            await asyncio.sleep(0.5)
            pool.limit_size(1)
            victim = loop.create_task(use(pool, request, 1), name="victim")
            behind = loop.create_task(use(pool, ConnectionRequest(account_id="a2"), 1))
            await asyncio.wait([*first, victim, behind])
            assert all(each.exception() is None for each in (*first, behind))
            assert pool.size == 1
            pool.limit_size(None)
            await asyncio.sleep(1)
            watch.at_rest()
            loop.watch = None

    assert cancel_at_every_step(scene) >= 3


def test_a_pool_that_is_never_idle_shrinks_all_the_same() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 8, settings(initial_connections=8)) as pool:
            watch = LimitedWatch(x, [pool])
            loop.watch = watch.look
            crowd = [loop.create_task(use(pool, ConnectionRequest(), 1)) for _ in range(40)]
            await asyncio.sleep(0.5)
            pool.limit_size(3)
            assert pool.size == 8, "all are leased"
            await asyncio.sleep(1.5)
            assert (pool.size, pool.counts()[ConnectionState.LEASED]) == (3, 3)
            assert pool.waiting > 20
            pool.reconfigure(min_connections=0, max_connections=2, initial_connections=0)
            await asyncio.sleep(1.5)
            assert pool.size == 2, "likewise when it is the setting that is lowered"
            pool.limit_size(None)
            await asyncio.wait(crowd)
            assert all(each.exception() is None for each in crowd)
            loop.watch = None

    every_seed(main, range(5))


def test_nothing_opens_one_beyond_the_limit_and_who_waits_is_told() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 9, settings(min_connections=4, initial_connections=6)) as pool:
            await asyncio.sleep(1)
            with pool.events.subscribe(ConnectionClosed) as heard:
                pool.limit_size(3, "the canary needs room")
            assert pool.size == 3, "fewer than min_connections"
            assert {getattr(each, "reason", "") for each in heard.take()} == {
                "there may be fewer connections now (the canary needs room)"
            }
            pool.resize(5)
            pool.suspend()
            pool.resume()
            await pool.refresh()
            pool.reserve("a8", "spring")
            await asyncio.sleep(1)
            assert pool.size == 3
            async with pool.acquire(), pool.acquire(), pool.acquire(ConnectionRequest(reserved_for="spring")):
                request = ConnectionRequest(timeout=1)
                told = "the pool has all the connections it may have (3) now: the canary needs room"
                assert pool.explain(request).notice == told
                with pytest.raises(AcquireTimeoutError, match="the canary needs room"):
                    await pool.acquire(request)
                waiting = asyncio.ensure_future(pool.acquire())
                await asyncio.sleep(1)
                pool.limit_size(None)
                (await waiting).release()
                assert pool.size == 5
            with pytest.raises(ConfigError, match="0 connections or more, not -1"):
                pool.limit_size(-1)

    simulate(main, order="fifo")


# ---------------------------------------------------------------- what the autoscaler makes of ceilings


def test_a_ceiling_holds_between_two_decisions_and_is_lifted_in_the_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, bounds = SimulatedX(loop), Bounds(6)
        async with pool_of(x, 30, settings(initial_connections=4)) as pool:
            async with AutoScaler(pool, ceilings=[bounds, Bounds(9)]):
                await asyncio.sleep(1.5)
                crowd = [loop.create_task(use(pool, ConnectionRequest(), 5)) for _ in range(20)]
                await asyncio.sleep(0.5)
                assert pool.size == 6
                assert "others need more" in pool.explain(ConnectionRequest()).notice
                bounds.size = 8
                await asyncio.sleep(1)
                assert pool.size == 8
                bounds.size = None
                await asyncio.sleep(1)
                assert pool.size == 9, "one that fails bounds nothing"
                pool.reconfigure(scaling_dry_run=True)
                await asyncio.sleep(1.1)
                assert pool.size > 9, "a dry run changes nothing"
                pool.reconfigure(scaling_dry_run=False)
                await asyncio.sleep(1)
                assert pool.matching.most == 9
            assert pool.matching.most == pool.config.max_connections
            await asyncio.wait(crowd)

    simulate(main)


class NoMemory:
    """A container that is full."""

    def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
        return {pool_id: Ceiling(kind="container", size=0, reason="there is no memory") for pool_id in needs}


@pytest.mark.parametrize(("least", "left"), [(0, 1), (3, 3)])
def test_a_container_that_is_full_closes_no_pool_for_good(least: int, left: int) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        config = settings(min_connections=least, initial_connections=5)
        async with pool_of(x, 9, config) as pool, AutoScaler(pool, ceilings=[NoMemory()]) as scaler:
            await asyncio.sleep(1.5)
            crowd = [loop.create_task(use(pool, ConnectionRequest(), 1)) for _ in range(12)]
            await asyncio.sleep(1)
            assert pool.size == left
            assert "there is no memory" in pool.explain(ConnectionRequest()).notice
            assert "container" in scaler.decisions["default"].constraints
            await asyncio.wait(crowd)
            assert all(each.exception() is None for each in crowd)

    every_seed(main, range(3))


def test_i4_an_autoscaler_that_is_cancelled_at_any_step_leaves_no_limit_behind() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with manager_of(x, 8) as manager:
            pools = [
                await manager.create_pool(f"p{number}", SMALL, accept=own(number)) for number in range(2)
            ]

            async def scale() -> None:
                async with AutoScaler(manager, ceilings=[SharedCeiling(manager, 5)]) as scaler:
                    await asyncio.sleep(1.2)
                    scaler.decide_now()

            victim = loop.create_task(scale(), name="victim")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            assert not manager.on_pool
            assert all(each.matching.limit is None for each in pools)
            assert all(each.matching.waiting.listeners == () for each in pools)

    assert cancel_at_every_step(scene) >= 2


# ---------------------------------------------------------------- pools that share a ceiling

SMALL: Final = settings(min_connections=1, initial_connections=1, max_connections=4)
EACH: Final = 40
"""Accounts of each pool."""


def manager_of(x: SimulatedX, accounts: int) -> TwikitConnectionPoolManager:
    source = MemoryAccounts([account(f"a{number}") for number in range(accounts)])
    sessions = TwikitSessionManager(source, backend=x, clock=x.loop.clock, rng=x.loop.rng)
    return TwikitConnectionPoolManager(sessions, rng=x.loop.rng, automation=None)


def own(number: int, each: int = 4) -> Any:
    """Which accounts are those of this pool."""
    return lambda account: int(account.id[1:]) // each == number


@contextmanager
def at_most(
    most: int, loop: SimulatedLoop, manager: TwikitConnectionPoolManager, watch: Watch | None = None
) -> Iterator[None]:
    """Between any two steps the pools together have no more than this."""

    def look() -> None:
        if watch is not None:
            watch.look()
        sizes = {name: pool.size for name, pool in manager.pools.items()}
        assert sum(sizes.values()) <= most, sizes

    loop.watch = look
    yield
    loop.watch = None


def quick(**changes: Any) -> Any:
    """A pool that follows its load as fast as it can."""
    fast: dict[str, Any] = {
        "min_connections": 1,
        "initial_connections": 1,
        "max_connections": EACH,
        "scaling_stabilisation": 5.0,
        "scaling_cooldown": 2.0,
    }
    return settings(**fast | changes)


def test_capacity_follows_the_load_from_one_pool_to_the_other_within_seconds() -> None:
    most = 34

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(x, 2 * EACH) as manager:
            pools = [
                await manager.create_pool(name, quick(), accept=own(number, EACH))
                for number, name in enumerate(("one", "other"))
            ]
            one, other = (Callers(loop, each) for each in pools)
            shared = SharedCeiling(manager, most, guarantees={"one": 5, "other": 5})
            async with AutoScaler(manager, ceilings=[shared]) as scaler:
                with at_most(most, loop, manager):
                    for busy, idle in ((one, other), (other, one), (one, other)):
                        await asyncio.gather(busy.come(8, 18.0), idle.come(8, 1.0))
                        assert busy.pool.size >= connections_for(18.0, SERVICE) - 2, loop.time()
                        await asyncio.gather(busy.come(30, 18.0), idle.come(30, 1.0))
                        assert busy.pool.waiting == 0
                    await asyncio.gather(one.come(60, 25.0), other.come(60, 25.0))
                    assert pools[0].size + pools[1].size >= most - 1, "nothing lies waste"
                    assert min(each.size for each in pools) >= 12, "equals have equal shares"
                    told = [scaler.decisions[name].constraints for name in ("one", "other")]
                    assert ("shared",) in told
            await one.leave()
            await other.leave()

    every_seed(main, range(4))


def test_the_more_urgent_pool_has_its_need_and_the_other_its_guarantee() -> None:
    most = 30

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(x, 2 * EACH) as manager:
            urgent = await manager.create_pool("urgent", quick(), accept=own(0, EACH))
            other = await manager.create_pool("other", quick(), accept=own(1, EACH))
            shared = SharedCeiling(manager, most, guarantees={"other": 4}, priorities={"urgent": HIGH})
            callers = Callers(loop, urgent), Callers(loop, other)
            async with AutoScaler(manager, ceilings=[shared]):
                with at_most(most, loop, manager):
                    await asyncio.gather(callers[0].come(20, 0.5), callers[1].come(20, 20.0))
                    assert other.size >= 24
                    await asyncio.gather(callers[0].come(10, 30.0), callers[1].come(10, 20.0))
                    assert (urgent.size, other.size) == (26, 4), "what is guaranteed is kept"
                    assert other.waiting > 20
                    assert (
                        "26 of the 30 connections that pools share"
                        in other.explain(ConnectionRequest()).notice
                    )
                    await asyncio.gather(callers[0].come(30, 1.0), callers[1].come(30, 2.0))
                    assert not other.waiting
                    assert other.size > 4
            for each in callers:
                await each.leave()

    every_seed(main, range(3))


def test_a_pool_that_is_made_or_resumed_later_breaks_nothing() -> None:
    most = 20

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(x, 3 * EACH) as manager:
            first = await manager.create_pool("first", quick(), accept=own(0, EACH))
            callers = Callers(loop, first)
            shared = SharedCeiling(manager, most, guarantees={"kept": 3})
            async with AutoScaler(manager, ceilings=[shared]):
                with at_most(most, loop, manager):
                    await callers.come(15, 30.0)
                    assert first.size == most - 3
                    kept = await manager.create_pool(
                        "kept", quick(initial_connections=9), accept=own(1, EACH)
                    )
                    await callers.come(0.5, 30.0)
                    assert kept.size >= 3, "its guarantee was kept free for it"
                    config = quick(min_connections=6, initial_connections=15)
                    late = await manager.create_pool("late", config, accept=own(2, EACH))
                    await callers.come(5, 30.0)
                    assert late.size >= 6, "as leases end, what it keeps for itself"
                    late.suspend()
                    waiting = [loop.create_task(use(late, ConnectionRequest(), 1)) for _ in range(30)]
                    await callers.come(5, 30.0)
                    late.resume()
                    await callers.come(30, 30.0)
                    await asyncio.wait(waiting)
                    late.reconfigure(enable_auto_scaling=False)
                    waiting = [loop.create_task(use(late, ConnectionRequest(), 1)) for _ in range(30)]
                    await callers.come(30, 30.0)
                    await asyncio.wait(waiting)
                    await late.drain(0)
                    await callers.come(5, 30.0)
                    assert late.size == 0
                    await manager.shutdown_pool("late")
                    await callers.come(5, 30.0)
                    assert first.size >= most - 3 - 3
            await callers.leave()

    every_seed(main, range(3))


# ---------------------------------------------------------------- any order, cancelled anywhere


async def three_pools(loop: SimulatedLoop) -> None:
    """Crowds that come to one pool after another, each pool growing by itself as they wait."""
    x, most = SimulatedX(loop), 7
    async with manager_of(x, 12) as manager:
        config = quick(
            min_connections=1,
            initial_connections=1,
            max_connections=4,
            acquire_timeout=None,
            scaling_interval=0.5,
            scaling_stabilisation=0.0,
            scaling_cooldown=0.0,
            max_idle_time=2.0,
        )
        pools = [await manager.create_pool(f"p{number}", config, accept=own(number)) for number in range(3)]
        pools[2].reserve("a8", "owner", duration=30)
        shared = SharedCeiling(manager, most, guarantees={"p1": 2}, priorities={"p0": HIGH})
        watch = LimitedWatch(x, pools)
        at_least = {"p0": 0, "p1": 0, "p2": 0}

        async def one(pool: TwikitConnectionPool) -> None:
            async with pool.acquire() as lease:
                watch.got(lease)
                await asyncio.sleep(grid(loop.rng, 1))
                await lease.execute("like_tweet", tweet_id="1")
                assert lease.held, "a ceiling takes nothing from anybody"

        async with AutoScaler(manager, ceilings=[shared]):
            with at_most(most, loop, manager, watch):
                crowd: list[asyncio.Task[None]] = []
                for wave in range(6):
                    for number in range(loop.rng.randint(3, 15)):
                        pool = loop.rng.choice(pools[: 1 + wave % 3])
                        crowd.append(loop.create_task(one(pool), name=f"caller-{wave}-{number}"))
                    await asyncio.sleep(grid(loop.rng, 3))
                    for name, pool in manager.pools.items():
                        at_least[name] = max(at_least[name], pool.size)
                await asyncio.wait(crowd)
                for each in crowd:
                    if not each.cancelled() and (error := each.exception()) is not None:
                        assert not isinstance(error, LeaseLost)
                        raise error
        assert at_least["p0"] == 4, "the most urgent had all it could have, or this proves nothing"
        await asyncio.sleep(30)
        watch.at_rest()
    watch.after_shutdown()


@in_every_order
def test_i2_together_they_never_have_more_than_they_share_in_any_order(order: Order) -> None:
    every_seed(three_pools, range(8), order=order)


def test_i4_callers_that_are_cancelled_while_connections_change_hands() -> None:
    every_seed(three_pools, range(12), cancel=CancelRandomly("caller", 0.05))


def test_decisions_tell_what_they_share() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(x, EACH) as manager:
            pool = await manager.create_pool("alone", quick(), accept=own(0, EACH))
            callers = Callers(loop, pool)
            with manager.events.subscribe(ScalingDecided) as heard:
                async with AutoScaler(manager, ceilings=[SharedCeiling(manager, 12)]):
                    await callers.come(10, 20.0)
                    assert pool.size == 12, "one alone has everything"
            reasons = [each.reason for each in heard.take() if isinstance(each, ScalingDecided)]
            assert any(
                each.endswith("0 of the 12 connections that pools share are for others") for each in reasons
            )
            await callers.leave()

    simulate(main)
