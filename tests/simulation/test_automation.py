"""A manager that attends to its pools by itself, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import Order, SimulatedLoop, cancel_at_every_step, every_seed, simulate
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.resources.stand_in import MB, StandInProcess
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError, PoolClosed, PoolError
from twikit_pool.manager import Automation, Costs, TwikitConnectionPoolManager
from twikit_pool.metrics import PoolMetrics
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.scaling import CostLimits, CostModel
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed

CALM: dict[str, Any] = {
    "acquire_timeout": 1000.0,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
    "min_connections": 1,
    "initial_connections": 1,
    "metrics_interval": 5.0,
    "scaling_cooldown": 0.0,
    "scaling_stabilisation": 5.0,
    "max_idle_time": 5.0,
}


def manager_of(
    x: SimulatedX, accounts: int, automation: Automation | None = None
) -> TwikitConnectionPoolManager:
    source = MemoryAccounts([account(f"a{number}") for number in range(accounts)])
    sessions = TwikitSessionManager(source, backend=x, clock=x.loop.clock, rng=x.loop.rng)
    if automation is None:
        automation = Automation(own_process=StandInProcess())
    return TwikitConnectionPoolManager(sessions, rng=x.loop.rng, automation=automation)


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{**CALM, **changes})


async def hold(pool: TwikitConnectionPool, seconds: float, **wish: Any) -> None:
    async with pool.acquire(ConnectionRequest(**wish)):
        await asyncio.sleep(seconds)


class Sink:
    """An analytics sink."""

    def __init__(self) -> None:
        self.taken: list[PoolMetrics] = []

    async def process_real_time_pool_metrics(self, metrics: PoolMetrics) -> None:
        self.taken.append(metrics)


def test_it_measures_sizes_and_tells_without_being_asked() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, sink = SimulatedX(loop), Sink()
        async with manager_of(x, 30) as manager:
            pool = await manager.create_pool("news", settings(), integrations=[sink])
            for _ in range(30):
                work = [loop.create_task(hold(pool, 0.5)) for _ in range(10)]
                await asyncio.sleep(0.5)
                await asyncio.wait(work)
            decision = manager.attendants.scaler.decisions["news"]
            assert pool.size >= 10
            assert decision.predicted_load == pytest.approx(10, rel=0.3)
            latest = sink.taken[-1]
            assert latest.pool_id == "news"
            assert latest.target_connections == pytest.approx(pool.size, abs=3)
            assert latest.memory_usage is not None
            assert (latest.cpu_usage, latest.network_usage) == (0.0, 0.0)
            assert set(manager.attendants.optimizer.optimize_resources()) == {"news"}
        assert pool.calls.meter is None
        assert pool.matching.waiting.listeners == ()

    simulate(main)


def test_what_the_settings_switch_off_is_left_alone() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(x, 5) as manager:
            config = settings(
                enable_auto_scaling=False, enable_metrics=False, enable_resource_optimization=False
            )
            await manager.create_pool("still", config)
            await asyncio.sleep(20)
            assert manager.attendants.scaler.decisions == {}
            assert manager.attendants.collector.metrics == {}
            assert manager.attendants.optimizer.optimize_resources() == {}

    simulate(main)


def test_pools_share_a_ceiling_and_a_full_container_bounds_them() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, process = SimulatedX(loop), StandInProcess()
        automation = Automation(
            most_connections=12,
            guarantees={"brand": 4},
            priorities={"brand": ConnectionPriority.HIGH},
            own_process=process,
        )
        async with manager_of(x, 40, automation) as manager:
            brand = await manager.create_pool("brand", settings(), accept=lambda each: each.id < "a2")
            news = await manager.create_pool("news", settings())
            work = [loop.create_task(hold(pool, 60)) for pool in (brand, news) for _ in range(15)]
            for _ in range(50):
                await asyncio.sleep(1)
                assert brand.size + news.size <= 12
            assert brand.size >= 4
            await asyncio.sleep(200)
            assert all(each.done() for each in work)
            process.costs["memory"] = 990 * MB
            await asyncio.sleep(20)
            decision = manager.attendants.scaler.decisions["news"]
            assert news.size <= 5 or "container" in decision.constraints

    simulate(main)


def test_costs_hold_low_work_back_and_nothing_else() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        costs = Costs(model=CostModel(per_account_hour=1.0), limits=CostLimits(budget_per_day=0.0))
        automation = Automation(costs=costs, own_process=StandInProcess())
        async with manager_of(x, 5, automation) as manager:
            pool = await manager.create_pool("news", settings())
            await asyncio.sleep(120)
            assert manager.attendants.costs is not None
            assert manager.attendants.costs.low_work.share == 0
            waits = loop.create_task(hold(pool, 1, priority=ConnectionPriority.LOW))
            await hold(pool, 1)
            assert not waits.done()
            waits.cancel()

    simulate(main)


def test_guarantees_that_cannot_be_kept_are_refused_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        with pytest.raises(ConfigError, match="fewer than the 9 that are guaranteed"):
            manager_of(SimulatedX(loop), 1, Automation(most_connections=5, guarantees={"a": 4, "b": 5}))
        async with manager_of(SimulatedX(loop), 1) as manager:
            with pytest.raises(PoolError, match="already"):
                await manager.__aenter__()
        manager = TwikitConnectionPoolManager(manager._sessions, automation=None)
        with pytest.raises(PoolError, match="automation=None"):
            _ = manager.attendants

    simulate(main)


async def two_pools_in_use(loop: SimulatedLoop) -> None:
    """Callers of two pools that grow, shrink and share a ceiling, while the manager attends to them."""
    x = SimulatedX(loop)
    automation = Automation(most_connections=8, own_process=StandInProcess())
    async with manager_of(x, 14, automation) as manager:
        pools = [
            await manager.create_pool(
                name, settings(max_connections=6, resource_check_interval=1.0), shared=True
            )
            for name in ("one", "two")
        ]
        watch = Watch(x, pools)
        loop.watch = watch.look

        async def use(pool: TwikitConnectionPool) -> None:
            with suppress(CallFailed, PoolClosed):
                async with pool.acquire(ConnectionRequest(timeout=None)) as lease:
                    watch.got(lease)
                    await lease.execute("like_tweet", tweet_id="1")
                    await asyncio.sleep(loop.rng.random())
                    assert lease.held

        work: list[asyncio.Task[None]] = []
        for wave in range(4):
            pool = pools[wave % 2]
            work += [loop.create_task(use(pool), name=f"caller-{wave}-{each}") for each in range(12)]
            await asyncio.sleep(3 * loop.rng.random())
        await asyncio.wait(work)
        for each in work:
            if not each.cancelled() and (error := each.exception()) is not None:
                raise error
        await asyncio.sleep(60)
        loop.watch = None
        watch.at_rest()
    watch.after_shutdown()


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i1_nobody_is_disturbed_in_any_order(order: Order) -> None:
    every_seed(two_pools_in_use, range(5), order=order)


def test_i4_cancelled_at_any_step_no_task_is_left() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)

        async def attend() -> None:
            async with manager_of(x, 3) as manager:
                pool = await manager.create_pool("one", settings())
                await pool.execute("like_tweet", tweet_id="1")
                await asyncio.sleep(1.5)

        victim = loop.create_task(attend(), name="victim")
        await asyncio.wait([victim])
        if not victim.cancelled() and (error := victim.exception()) is not None:
            raise error
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(link.closed for link in x.links)

    assert cancel_at_every_step(scene) >= 5
