from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.simulated_loop import (
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedLink, SimulatedX, account, pool_of
from tests.unit.pool.scene import CALM, settle
from tests.unit.resources.stand_in import MB, StandInProcess
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError, PoolError
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.resources import ConnectionFigures, ResourceMonitor, Usage
from twikit_pool.resources.monitor import TICK
from twikit_pool.sessions.manager import TwikitSessionManager

Play = Callable[[TwikitConnectionPool, ResourceMonitor, StandInProcess], Coroutine[Any, Any, None]]


class ForgetfulX(SimulatedX):
    """It does not list its links, or each of them would lead to all the others."""

    def open(self, account: Account) -> SimulatedLink:
        return SimulatedLink(self, account)


LONG = 3600.0
"""Seconds of an interval that does not end by itself."""


def measured(play: Play, accounts: int = 1, interval: float = LONG, **settings: Any) -> None:
    """Play on an open pool that is measured, in virtual time."""

    async def main(loop: SimulatedLoop) -> None:
        config, process = ConnectionPoolConfig(**{**CALM, **settings}), StandInProcess()
        async with (
            pool_of(ForgetfulX(loop), accounts, config) as pool,
            ResourceMonitor(pool, interval=interval, own_process=process) as monitor,
        ):
            await settle()
            await play(pool, monitor, process)

    simulate(main)


def a_manager(loop: SimulatedLoop) -> TwikitConnectionPoolManager:
    sessions = TwikitSessionManager(
        MemoryAccounts([account("a0"), account("b0")]),
        backend=SimulatedX(loop),
        clock=loop.clock,
        rng=loop.rng,
    )
    return TwikitConnectionPoolManager(sessions, automation=None)


async def work(
    pool: TwikitConnectionPool, process: StandInProcess, seconds: float, account_id: str | None = None
) -> str:
    """Take so much CPU in a call, which lasts a second; on which connection."""

    async def perform() -> None:
        process.work(seconds / 2)
        await asyncio.sleep(1)
        process.work(seconds / 2)

    async with pool.acquire(ConnectionRequest(account_id=account_id)) as lease:
        await lease.call("work", lambda _: perform())
        return lease.connection.id


def send(pool: TwikitConnectionPool, sent: int, received: int) -> None:
    """A connection's traffic grows by so much."""
    for connection in pool.connections():
        assert connection.session is not None
        connection.session.traffic.sent += sent
        connection.session.traffic.received += received


# ---------------------------------------------------------------- the figures


def test_cpu_is_that_of_the_latest_interval_and_its_whole_is_the_process_s() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        monitor.measure()
        busy = await work(pool, process, 0.4, "a0")
        idle = await work(pool, process, 0.1, "a1")
        process.work(0.2)
        process.work_elsewhere(0.3)
        await asyncio.sleep(8)
        monitor.measure()
        figures = monitor.connections(pool)
        assert figures[busy].cpu == pytest.approx(0.04, rel=1e-3)
        assert figures[idle].cpu == pytest.approx(0.01, rel=1e-3)
        assert monitor.usage(pool).cpu == pytest.approx(0.05, rel=1e-3)
        assert monitor.process.cpu == pytest.approx(0.1, rel=1e-3)
        assert monitor.process.unattributed_cpu == pytest.approx(0.05, rel=1e-3)
        await asyncio.sleep(10)
        monitor.measure()
        figures = monitor.connections(pool)
        assert (figures[busy].cpu, figures[busy].cpu_seconds) == (0.0, pytest.approx(0.4))
        assert monitor.usage(pool).cpu == monitor.process.cpu == monitor.process.unattributed_cpu == 0
        [connection] = [each for each in pool.connections() if each.id == busy]
        assert connection.cpu == pytest.approx(0.4)

    measured(play, accounts=2, min_connections=2)


def test_traffic_is_since_the_beginning_for_a_connection_and_a_second_for_a_pool() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, _: StandInProcess) -> None:
        monitor.measure()
        send(pool, 100, 400)
        await asyncio.sleep(10)
        monitor.measure()
        [figures] = monitor.connections(pool).values()
        assert (figures.sent, figures.received) == (100, 400)
        assert monitor.usage(pool).network == pytest.approx(50)
        await asyncio.sleep(10)
        monitor.measure()
        assert monitor.usage(pool).network == 0

    measured(play)


def test_traffic_of_before_is_none_of_the_first_interval_and_that_of_closed_connections_is() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**CALM)
        async with pool_of(SimulatedX(loop), 1, config) as pool:
            await settle()
            send(pool, 1000, 1000)
            async with ResourceMonitor(pool, interval=LONG, own_process=StandInProcess()) as monitor:
                send(pool, 10, 10)
                pool.quarantine("a0", "a rest", 3.0)
                await asyncio.sleep(10)
                monitor.measure()
                assert monitor.usage(pool).network == pytest.approx(2)

    simulate(main)


def test_memory_is_an_estimate_with_its_age() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, _: StandInProcess) -> None:
        assert monitor.connection_memory(pool) is None
        assert {each.memory for each in monitor.connections(pool).values()} == {None}
        monitor.measure()
        await asyncio.sleep(5)
        figures = list(monitor.connections(pool).values())
        sizes = [each.memory or 0 for each in figures]
        assert len(sizes) == 3
        assert all(500 < size < 10_000 for size in sizes)
        assert [each.memory_age for each in figures] == pytest.approx([5, 5, 5])
        assert monitor.connection_memory(pool) == pytest.approx(sum(sizes) / 3)
        await asyncio.sleep(1)
        monitor.measure()
        assert monitor.usage(pool).memory == pytest.approx(sum(sizes), abs=3)
        assert [each.memory for each in pool.connections()] == sizes

    measured(play, accounts=3, min_connections=3, max_connections_per_account=1)


def test_latency_is_that_of_a_connections_calls() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        assert [each.latency for each in monitor.connections(pool).values()] == [None]
        busy = await work(pool, process, 0)
        assert monitor.connections(pool)[busy].latency == pytest.approx(1)

    measured(play)


def test_how_late_the_loop_was_is_told_of_the_interval_in_which_it_was() -> None:
    async def play(_: TwikitConnectionPool, monitor: ResourceMonitor, __: StandInProcess) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        monitor.measure()
        loop._now += 3.0  # somebody blocks it
        await asyncio.sleep(1)
        monitor.measure()
        assert 3.0 - TICK <= monitor.process.loop_lag <= 3.0
        await asyncio.sleep(1)
        monitor.measure()
        assert monitor.process.loop_lag < 0.01

    measured(play)


def test_what_the_process_costs_is_known_at_once() -> None:
    async def play(_: TwikitConnectionPool, monitor: ResourceMonitor, __: StandInProcess) -> None:
        process = monitor.process
        assert (process.memory, process.memory_limit) == (100 * MB, 1000 * MB)
        assert (process.cpu, process.unattributed_cpu) == (None, None)

    measured(play)


async def test_by_default_it_measures_the_process_that_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("123456789")
    sessions = TwikitSessionManager(MemoryAccounts([]))
    pool = TwikitConnectionPool(sessions)
    async with ResourceMonitor(pool, interval=LONG, root=tmp_path) as monitor:
        assert monitor.process.memory_limit == 123_456_789
        assert (monitor.process.memory or 0) > MB
        await asyncio.sleep(0.01)
        monitor.measure()
        assert monitor.process.cpu is not None
        assert monitor.process.unattributed_cpu == monitor.process.cpu


# ---------------------------------------------------------------- intervals


def test_each_interval_ends_by_itself() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        for _ in range(5):
            before = monitor.process
            process.work(1)
            await asyncio.sleep(2.5)
            assert monitor.process is not before
            assert monitor.process.cpu == pytest.approx(0.4)

    measured(play, interval=2.5)


def test_an_interval_that_somebody_ended_is_followed_by_a_whole_one() -> None:
    async def play(_: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        await asyncio.sleep(4.95)
        process.work(1)
        monitor.measure()
        told = monitor.process
        await asyncio.sleep(4.9)
        assert monitor.process is told
        await asyncio.sleep(0.2)
        assert monitor.process is not told

    measured(play, interval=5.0)


def test_ended_twice_in_the_same_instant_an_interval_keeps_its_figures() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        await work(pool, process, 1)
        monitor.measure()
        told, usage = monitor.process, monitor.usage(pool)
        process.work(1)
        monitor.measure()
        assert monitor.process is told
        assert monitor.usage(pool) is usage
        await asyncio.sleep(2)
        monitor.measure()
        assert monitor.process.cpu == pytest.approx(0.5), "what was taken in that instant is not lost"

    measured(play)


async def test_an_interval_shorter_than_a_tick_does_not_stop_the_loop() -> None:
    pool = TwikitConnectionPool(TwikitSessionManager(MemoryAccounts([])))
    async with (
        asyncio.timeout(5),
        ResourceMonitor(pool, interval=0.001, own_process=StandInProcess()) as monitor,
    ):
        before = monitor.process
        await asyncio.sleep(0.02)
        assert monitor.process is not before


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf")])
def test_an_interval_is_a_positive_number(wrong: float) -> None:
    async def play(pool: TwikitConnectionPool, _: ResourceMonitor, __: StandInProcess) -> None:
        with pytest.raises(ConfigError, match="interval"):
            ResourceMonitor(pool, interval=wrong)

    measured(play)


# ---------------------------------------------------------------- entered and left


def test_what_it_measured_is_nobodys_affair_once_it_is_left() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool:
            await settle()
            monitor = ResourceMonitor(pool, interval=LONG, own_process=process)
            for _ in range(2):
                assert (monitor.pools, monitor.connections(pool)) == ({}, {})
                assert (monitor.usage(pool), monitor.connection_memory(pool)) == (Usage(), None)
                with pytest.raises(PoolError, match="does not measure now"):
                    monitor.measure()
                process.work(7)
                async with monitor:
                    with pytest.raises(PoolError, match="runs already"):
                        await monitor.__aenter__()
                    await work(pool, process, 1)
                    monitor.measure()
                    [connection] = pool.connections()
                    assert (connection.cpu, monitor.process.cpu) == (1, pytest.approx(1))
                    assert connection.memory is not None
                    assert monitor.pools == {"default": pool}
                assert pool.calls.meter is None
                assert (connection.cpu, connection.memory) == (None, None)

    simulate(main)


def test_a_call_that_outlives_it_goes_on() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool:
            async with ResourceMonitor(pool, interval=LONG, own_process=process):
                call = loop.create_task(work(pool, process, 1))
                await asyncio.sleep(0.5)
            async with ResourceMonitor(pool, interval=LONG, own_process=process) as another:
                assert await call == "a0#1"
                another.measure()
                assert another.connections(pool)["a0#1"].cpu_seconds == 0, "it is not the other's"

    simulate(main)


def test_i4_cancelled_at_any_step_it_leaves_nothing_behind() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with a_manager(loop) as manager:
            pool = await manager.create_pool("one", ConnectionPoolConfig(**CALM))

            async def measure() -> None:
                async with ResourceMonitor(manager, interval=0.5, own_process=process) as monitor:
                    await work(pool, process, 0.1)
                    monitor.measure()

            victim = asyncio.create_task(measure(), name="victim")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            await settle()
            assert pool.calls.meter is None
            assert manager.on_pool == []
            assert all(each.cpu is each.memory is None for each in pool.connections())
            assert await work(pool, process, 0.1)
            # No task of its own: the simulation looks for those itself.

    assert cancel_at_every_step(main) >= 3


def test_callers_that_are_cancelled_are_measured_and_hold_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with (
            pool_of(SimulatedX(loop), 3, ConnectionPoolConfig(**CALM)) as pool,
            ResourceMonitor(pool, interval=0.5, own_process=process) as monitor,
        ):
            callers = [
                loop.create_task(work(pool, process, 0.1), name=f"caller-{number}") for number in range(20)
            ]
            await asyncio.wait(callers)
            await asyncio.sleep(2)
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(work(pool, process, 0.1))
            monitor.measure()
            spent = sum(each.cpu_seconds for each in monitor.connections(pool).values())
            assert spent == pytest.approx(process.taken)

    every_seed(main, range(15), cancel=CancelRandomly("caller", 0.05))


def test_when_it_fails_whoever_leaves_it_is_told_and_nothing_is_left() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool:
            monitor = await ResourceMonitor(pool, interval=1, own_process=process).__aenter__()
            process.fails = ZeroDivisionError()
            await asyncio.sleep(3)
            assert await work(pool, process, 1), "calls go on"
            with pytest.raises(ZeroDivisionError):
                await monitor.__aexit__(None, None, None)
            assert pool.calls.meter is None
            with pytest.raises(ZeroDivisionError):
                await ResourceMonitor(pool, own_process=process).__aenter__()
            assert pool.calls.meter is None

    simulate(main)


def test_left_it_is_held_by_nobody() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with a_manager(loop) as manager:
            await manager.create_pool("one", ConnectionPoolConfig(**CALM))
            monitor = ResourceMonitor(manager, own_process=StandInProcess())
            async with monitor:
                await asyncio.sleep(20)
            gone = weakref.ref(monitor)
            del monitor
            gc.collect()
            assert gone() is None

    simulate(main)


# ---------------------------------------------------------------- several pools, and several monitors


def test_all_pools_of_a_manager_are_measured_from_their_beginning() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with (
            a_manager(loop) as manager,
            ResourceMonitor(manager, interval=LONG, own_process=process) as monitor,
        ):
            assert monitor.pools == {}
            monitor.measure()
            one = await manager.create_pool("one", accept=lambda each: each.id == "a0")
            other = await manager.create_pool("other")
            assert monitor.pools == {"one": one, "other": other}
            await asyncio.gather(work(one, process, 1), work(other, process, 3))
            monitor.measure()
            assert monitor.usage(other).cpu == pytest.approx(3 * (monitor.usage(one).cpu or 0))
            assert monitor.process.unattributed_cpu == pytest.approx(0)
            for pool in (one, other, one, other):
                await asyncio.sleep(1)
                monitor.measure()
                assert monitor.connection_memory(pool) is not None, "they take turns"

    simulate(main)


def test_of_calls_of_one_pool_within_those_of_another_each_second_counts_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with (
            a_manager(loop) as manager,
            ResourceMonitor(manager, interval=LONG, own_process=process) as monitor,
        ):
            one = await manager.create_pool("one", accept=lambda each: each.id == "a0")
            other = await manager.create_pool("other")
            async with one.acquire() as lease:

                async def ask_the_other() -> None:
                    process.work(1)
                    await work(other, process, 3)

                await lease.call("nested", lambda _: ask_the_other())
            process.work(2)
            monitor.measure()
            costs = [monitor.usage(pool).cpu or 0.0 for pool in (one, other)]
            assert costs[1] == pytest.approx(3 * costs[0])
            assert monitor.process.unattributed_cpu == pytest.approx(2 * costs[0])

    simulate(main)


def test_the_cpu_of_a_pool_that_was_shut_down_meanwhile_is_still_attributed() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with (
            a_manager(loop) as manager,
            ResourceMonitor(manager, interval=LONG, own_process=process) as monitor,
        ):
            former = await manager.create_pool("one")
            await work(former, process, 1)
            await manager.shutdown_pool("one")
            latter = await manager.create_pool("one")
            assert monitor.pools == {"one": latter}
            await work(latter, process, 1)
            process.work(2)
            loop_time = loop.time()
            monitor.measure()
            assert monitor.process.cpu == pytest.approx(4 / loop_time)
            assert monitor.process.unattributed_cpu == pytest.approx(2 / loop_time)
            assert monitor.usage(latter).cpu == pytest.approx(1 / loop_time)
            assert former.calls.meter is None
            assert (monitor.usage(former), monitor.connections(former)) == (Usage(), {})
            await manager.shutdown_pool("one")
            await asyncio.sleep(1)
            monitor.measure()
            assert monitor.pools == {}
            assert latter.calls.meter is None

    simulate(main)


def test_a_pool_is_measured_also_when_its_accounts_come_back_under_another_name() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with (
            a_manager(loop) as manager,
            ResourceMonitor(manager, interval=LONG, own_process=process) as monitor,
        ):
            one = await manager.create_pool("one", accept=lambda each: each.id == "a0")
            busy = await work(one, process, 5)
            await manager.shutdown_pool("one")
            two = await manager.create_pool("two", accept=lambda each: each.id == "a0")
            await settle()
            monitor.measure()
            assert monitor.pools == {"two": two}
            assert set(monitor.connections(two)) == {busy}, "its connections have the same names"
            assert monitor.connections(two)[busy].cpu_seconds == 0
            two.pool_id = "three"
            await work(two, process, 5)
            monitor.measure()
            assert monitor.connections(two)[busy].cpu_seconds == 5
            assert monitor.pools == {"three": two}

    simulate(main)


def test_a_pool_has_one_monitor_at_a_time() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with a_manager(loop) as manager:
            pool = await manager.create_pool("one", accept=lambda each: each.id == "a0")
            other = await manager.create_pool("other")
            async with ResourceMonitor(pool, own_process=StandInProcess()) as monitor:
                for source in (pool, manager):
                    another = ResourceMonitor(source, own_process=StandInProcess())
                    with pytest.raises(PoolError, match="another monitor measures pool 'one' already"):
                        await another.__aenter__()
                assert monitor.pools == {"one": pool}
                assert other.calls.meter is None
                assert manager.on_pool == []
            assert pool.calls.meter is None

    simulate(main)


def test_a_monitor_takes_over_what_another_has_left() -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = StandInProcess()
        async with a_manager(loop) as manager:
            first, second = (ResourceMonitor(manager, interval=5, own_process=process) for _ in range(2))
            await first.__aenter__()
            async with second:  # there is no pool yet
                pool = await manager.create_pool("one")
                await asyncio.sleep(20)
                assert (first.pools, second.pools) == ({"one": pool}, {})
                assert (second.usage(pool), second.connections(pool)) == (Usage(), {})
                await first.__aexit__(None, None, None)
                await asyncio.sleep(5.1)
                assert (first.pools, second.pools) == ({}, {"one": pool})
                busy = await work(pool, process, 1)
                assert second.connections(pool)[busy].cpu_seconds == 1
            assert pool.calls.meter is None
            assert manager.on_pool == []

    simulate(main)


def test_figures_tell_nothing_secret() -> None:
    async def play(pool: TwikitConnectionPool, monitor: ResourceMonitor, process: StandInProcess) -> None:
        await work(pool, process, 1)
        monitor.measure()
        [figures] = monitor.connections(pool).values()
        assert isinstance(figures, ConnectionFigures)
        assert "canary" not in repr([figures, monitor.process, monitor.usage(pool), vars(monitor)])

    measured(play)
