"""The optimizer in virtual time: what it does, that it says so, and that nothing of it is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, cast

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    CancelRandomly,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolError
from twikit_pool.events import ResourcesOptimized
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.pool.connection import ConnectionState
from twikit_pool.resources import ResourceMonitor, ResourceOptimizer
from twikit_pool.resources.figures import ConnectionFigures, ProcessFigures, Usage
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed

MB = 1_000_000
CALM: dict[str, Any] = {
    "acquire_timeout": 1000.0,
    "max_idle_time": None,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
    "resource_check_interval": 10.0,
    "min_connections": 0,
    "initial_connections": 3,
}


class Told:
    """A monitor that measures what a test tells it."""

    def __init__(self) -> None:
        self.figures: dict[str, ConnectionFigures] = {}
        self.process = ProcessFigures(memory=10 * MB, memory_limit=100 * MB)

    def tell(self, connection_id: str, **figures: Any) -> None:
        self.figures[connection_id] = ConnectionFigures(**figures)

    def connections(self, _pool: TwikitConnectionPool) -> Mapping[str, ConnectionFigures]:
        return MappingProxyType(self.figures)

    def usage(self, _pool: TwikitConnectionPool) -> Usage:
        return Usage(memory=1, cpu=0.5, network=2.0)

    def resident(self) -> int | None:
        return self.process.memory


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{**CALM, **changes})


def optimizer_of(
    pool: TwikitConnectionPool, told: Told, collected: list[int] | None = None
) -> ResourceOptimizer:
    def collect() -> int:
        assert collected is not None, "nothing was to be collected"
        collected.append(1)
        told.process = ProcessFigures(memory=4 * MB, memory_limit=100 * MB)
        return 17

    return ResourceOptimizer(pool, cast("ResourceMonitor", told), collect=collect)


def test_what_costs_much_is_lowered_and_restored_and_all_of_it_is_told() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        async with pool_of(x, 3, settings()) as pool:
            await asyncio.sleep(1)
            busy, *_ = pool.connections()
            told.tell(busy.id, cpu=0.9, memory=3 * MB)
            with pool.events.subscribe(ResourcesOptimized) as heard:
                async with optimizer_of(pool, told) as optimizer:
                    await asyncio.sleep(11)
                    result = optimizer.results["default"]
                    assert [(each.kind, each.what) for each in result.actions] == [("lower", busy.id)]
                    assert (result.connections_lowered, result.lowered, result.paused) == (1, 1, 0)
                    assert (result.memory_usage, result.cpu_usage, result.network_usage) == (1, 0.5, 2.0)
                    assert busy.lowered
                    await asyncio.sleep(10)
                    assert optimizer.results["default"].actions == ()
                    told.tell(busy.id, cpu=0.1)
                    await asyncio.sleep(10)
                    assert optimizer.results["default"].connections_restored == 1
                    assert not busy.lowered
                    assert [len(each.actions) for each in optimizer.history("default")] == [1, 1]
                events = [each for each in heard.take() if isinstance(each, ResourcesOptimized)]
            assert [each.result["actions"][0]["kind"] for each in events] == ["lower", "restore"]

    simulate(main)


def test_a_pause_ends_and_what_is_left_of_all_is_undone_on_leaving() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        async with pool_of(x, 3, settings(optimize_pause=15.0)) as pool:
            await asyncio.sleep(1)
            first, second, _ = pool.connections()
            told.tell(first.id, cpu=0.99)
            async with optimizer_of(pool, told) as optimizer:
                await asyncio.sleep(11)
                assert first.state is ConnectionState.PAUSED
                told.tell(first.id)
                await asyncio.sleep(20)
                assert first.state is ConnectionState.IDLE
                assert [each.kind for each in optimizer.results["default"].actions] == ["resume"]
                told.tell(first.id, cpu=0.99)
                told.tell(second.id, cpu=0.9)
                optimizer.optimize_resources()
                assert first.state is ConnectionState.PAUSED
                assert second.lowered
            assert first.state is ConnectionState.IDLE
            assert first.pause is None
            assert not second.lowered

    simulate(main)


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        told.process = ProcessFigures(memory=95 * MB, memory_limit=100 * MB)
        async with pool_of(x, 4, settings(optimize_idle_after=5.0, initial_connections=4)) as pool:
            await asyncio.sleep(10)
            a, b, c, _ = (each.id for each in pool.connections())
            for each, figures in ((a, {"cpu": 0.99}), (b, {"cpu": 0.85}), (c, {"memory": 60 * MB})):
                told.tell(each, **figures)
            collected: list[int] = []
            async with optimizer_of(pool, told, collected) as optimizer:
                dry = optimizer.optimize_resources(dry_run=True)["default"]
                assert (pool.size, collected) == (4, [])
                assert not any(each.lowered or each.pause for each in pool.connections())
                wet = optimizer.optimize_resources()["default"]
                assert (dry.dry_run, wet.dry_run) == (True, False)
                assert dry.actions == wet.actions
                assert [each.kind for each in wet.actions] == ["close", "pause", "lower", "collect"]
                assert (wet.connections_before, wet.connections_after) == (4, 3)
                assert (wet.objects_collected, dry.objects_collected) == (17, 0)
                assert wet.memory_freed == 60 * MB + 91 * MB
                assert (wet.memory_before, wet.memory_after) == (95 * MB, 4 * MB)

    simulate(main)


def test_slow_connections_of_a_bad_proxy_are_found_among_the_others() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop, slowest=0.1), Told()
        async with pool_of(x, 3, settings(max_connections=3, call_timeout=100.0)) as pool:
            await asyncio.sleep(1)
            for each in ("a0", "a1", "a2"):
                for _ in range(3):
                    await pool.execute("like_tweet", account=each, tweet_id="1")
            slow = pool.matching.members["a1"].connections[0]
            x.slowest = 15.0
            for _ in range(8):
                await pool.execute("like_tweet", account="a1", tweet_id="1")
            assert (slow.health.lately or 0) > 5, "or this proves nothing"
            async with optimizer_of(pool, told) as optimizer:
                result = optimizer.optimize_resources()["default"]
                assert [(each.kind, each.cause, each.what) for each in result.actions] == [
                    ("close", "network", slow.id)
                ]
                assert result.network_quality is not None
                assert 0 < result.network_quality < 1
                assert slow.state is ConnectionState.CLOSED

    simulate(main)


def test_an_expired_reservation_is_ended_should_its_deadline_be_late() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        async with pool_of(x, 2, settings()) as pool:
            await asyncio.sleep(1)
            reservation = pool.reserve("a0", "spring", duration=0.015)
            reservation.set_deadline(reservation.expires, pool.matching.deadlines.add(99.0, lambda: None))
            await asyncio.sleep(0.1)
            assert pool.reservations(), "or this proves nothing"
            async with optimizer_of(pool, told) as optimizer:
                result = optimizer.optimize_resources()["default"]
            assert [(each.kind, each.what) for each in result.actions] == [("expire", "a0")]
            assert result.reservations_expired == 1
            assert not pool.reservations()

    simulate(main)


def test_a_pool_that_wants_it_sooner_need_not_wait_for_the_others() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        sessions = TwikitSessionManager(
            MemoryAccounts([account("a0"), account("a1")]), backend=x, clock=loop.clock, rng=loop.rng
        )
        async with TwikitConnectionPoolManager(sessions, automation=None) as manager:
            slow = settings(initial_connections=1, resource_check_interval=3600.0)
            await manager.create_pool("one", slow, accept=lambda each: each.id == "a0")
            async with ResourceOptimizer(manager, cast("ResourceMonitor", told)) as optimizer:
                await asyncio.sleep(2)
                await manager.create_pool("two", settings(initial_connections=1))
                await asyncio.sleep(11)
                assert set(optimizer.results) == {"one", "two"}

    simulate(main)


def test_pools_that_rest_or_do_not_want_it_are_left_alone() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop), Told()
        source = MemoryAccounts([account(f"a{number}") for number in range(4)])
        sessions = TwikitSessionManager(source, backend=x, clock=loop.clock, rng=loop.rng)
        async with TwikitConnectionPoolManager(sessions, automation=None) as manager:
            one = await manager.create_pool(
                "one", settings(initial_connections=2), accept=lambda each: each.id in ("a0", "a1")
            )
            optimizer = ResourceOptimizer(manager, cast("ResourceMonitor", told))
            async with optimizer:
                await asyncio.sleep(1)
                connection, _ = one.connections()
                told.tell(connection.id, cpu=0.9)
                assert optimizer.optimize_resources()["one"].lowered == 1
                one.suspend()
                assert optimizer.optimize_resources() == {}
                assert not connection.lowered, "what was done is undone meanwhile"
                one.resume()
                two = await manager.create_pool("two", settings(enable_resource_optimization=False))
                assert set(optimizer.optimize_resources()) == {"one"}
                two.reconfigure(enable_resource_optimization=True)
                await manager.shutdown_pool("one")
                assert set(optimizer.optimize_resources()) == {"two"}
                assert set(optimizer.results) == {"two"}
                with pytest.raises(PoolError, match="runs already"):
                    await optimizer.__aenter__()

    simulate(main)


# ---------------------------------------------------------------- nobody is disturbed


async def busy_and_tuned(loop: SimulatedLoop) -> None:
    """Callers of a pool whose connections seem to cost now this, now that."""
    x, told = SimulatedX(loop), Told()
    config = settings(
        resource_check_interval=0.5, optimize_pause=2.0, optimize_idle_after=1.0, initial_connections=4
    )
    pool = pool_of(x, 5, config)
    watch = Watch(x, [pool])
    async with pool, optimizer_of(pool, told, []) as optimizer:
        loop.watch = watch.look
        kept = pool.reserve("a0", "owner", duration=1000.0)

        async def use() -> None:
            with suppress(CallFailed):
                async with pool.acquire(ConnectionRequest(timeout=None)) as lease:
                    watch.got(lease)
                    await lease.execute("like_tweet", tweet_id="1")
                    await asyncio.sleep(loop.rng.random())
                    assert lease.held, "tuning takes nothing from anybody"

        work: list[asyncio.Task[None]] = []
        for wave in range(5):
            work += [loop.create_task(use(), name=f"caller-{wave}-{number}") for number in range(8)]
            for _ in range(4):
                for each in pool.connections():
                    told.tell(each.id, cpu=loop.rng.random() * 1.2, memory=loop.rng.randrange(120 * MB))
                await asyncio.sleep(0.4)
        await asyncio.wait(work)
        for each in work:
            if not each.cancelled() and (error := each.exception()) is not None:
                raise error
        assert kept.ended is None
        kept.release()
        await asyncio.sleep(10)
        told.figures.clear()  # the rest is over soon
        await asyncio.sleep(5)
        loop.watch = None
        watch.at_rest()
        done = {each.kind for result in optimizer.history("default") for each in result.actions}
    assert {"lower", "pause", "close"} <= done, "or this proves nothing"
    watch.after_shutdown()


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i1_tuning_disturbs_no_lease_in_any_order(order: Order) -> None:
    every_seed(busy_and_tuned, range(5), order=order)


def test_i4_callers_that_are_cancelled_while_connections_are_tuned() -> None:
    every_seed(busy_and_tuned, range(8), cancel=CancelRandomly("caller", 0.05))


def test_i4_cancelled_at_any_step_no_task_and_no_pause_is_left() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x, told = SimulatedX(loop, slowest=0.05), Told()
        async with pool_of(x, 3, settings(resource_check_interval=0.1)) as pool:
            await asyncio.sleep(1)
            first, second, _ = pool.connections()
            told.tell(first.id, cpu=0.99)
            told.tell(second.id, cpu=0.9)

            async def optimize() -> None:
                async with optimizer_of(pool, told):
                    await asyncio.sleep(0.35)

            victim = loop.create_task(optimize(), name="victim")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            assert (first.pause, first.lowered, second.lowered) == (None, False, False)
            assert not any(each.get_name() == "resource optimizer" for each in asyncio.all_tasks())

    assert cancel_at_every_step(scene) >= 2
