from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.unit.pool.scene import CALM, settle
from tests.unit.resources.stand_in import MB, StandInProcess
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.resources import ContainerCeiling, ProcessFigures, ResourceMonitor, Usage
from twikit_pool.resources.ceiling import FILLED
from twikit_pool.scaling import AutoScaler, Ceiling, Load, PoolNeed


class Measured(ResourceMonitor):
    """A monitor that has measured what it is told."""

    def __init__(
        self, *pools: TwikitConnectionPool, each: float | None, usage: Usage, **process: Any
    ) -> None:
        super().__init__(pools[0], own_process=StandInProcess())
        self.process = ProcessFigures(**process)
        self._those = {pool.pool_id: pool for pool in pools}
        self._each = each
        self._usage = usage

    @property
    def pools(self) -> dict[str, TwikitConnectionPool]:
        return self._those

    def usage(self, pool: TwikitConnectionPool) -> Usage:
        return self._usage

    def connection_memory(self, pool: TwikitConnectionPool) -> float | None:
        return self._each


def need(size: int, active: float | None = None) -> PoolNeed:
    load = Load(moment=0.0, epoch=0.0, active=active)
    return PoolNeed(load=load, config=ConnectionPoolConfig(), size=size, queue=0, wanted=size)


def bounds(
    *sizes: int,
    leased: int = 0,
    active: float | None = None,
    each: float | None = MB,
    cpu: float | None = None,
    process: dict[str, Any] | None = None,
) -> list[Ceiling | None]:
    """The ceilings of pools of these sizes, the first of which has so many connections leased."""
    figures = {"memory": 100 * MB, "memory_limit": 200 * MB, "cpu": 0.1, "loop_cpu": 0.1, "cpu_limit": 4.0}
    figures |= process or {}

    async def main(loop: SimulatedLoop) -> list[Ceiling | None]:
        x, config = SimulatedX(loop), ConnectionPoolConfig(**{**CALM, "acquire_timeout": 1.0})
        async with pool_of(x, max(leased, 1), config) as pool:
            names = [f"pool {number}" for number in range(1, len(sizes))]
            pools = [pool, *[TwikitConnectionPool(pool.sessions, config, pool_id=name) for name in names]]
            leases = [await pool.acquire() for _ in range(leased)]
            monitor = Measured(*pools, each=each, usage=Usage(cpu=cpu), **figures)
            needs = {each.pool_id: need(size, active) for each, size in zip(pools, [*sizes], strict=True)}
            found = ContainerCeiling(monitor).ceilings(needs)
            for lease in leases:
                lease.release()
            return [found.get(each.pool_id) for each in pools]

    return simulate(main).result


def size(*sizes: int, **given: Any) -> int | None:
    [found] = bounds(*sizes, **given)
    return None if found is None else found.size


def test_memory_bounds_the_size_by_what_there_is_room_for() -> None:
    room = 200 * FILLED - 100
    assert size(10) == 10 + int(room)
    assert size(10, each=MB * 3) == 10 + int(room / 3)
    assert size(10, process={"memory": 180 * MB}) == 10


def test_memory_that_is_full_lets_a_pool_shrink_to_what_is_leased() -> None:
    assert size(10, process={"memory": 185 * MB}) == 5
    assert size(10, leased=7, process={"memory": 185 * MB}) == 7
    assert size(10, leased=2, process={"memory": 500 * MB}) == 2
    assert size(10, leased=2, process={"memory_limit": 0}) == 2
    assert size(0, process={"memory": 500 * MB}) == 0


def test_what_room_there_is_goes_by_the_sizes() -> None:
    large, small, none = bounds(60, 20, 0, process={"memory_limit": (100 + 81) / FILLED * MB})
    assert large is not None
    assert small is not None
    assert none is not None
    assert (large.size - 60, small.size - 20, none.size) == (60, 20, 1)
    shrunk = bounds(60, 20, process={"memory": 220 * MB})
    assert [each.size for each in shrunk if each] == [30, 10]


def test_cpu_bounds_growth_and_takes_nothing_away() -> None:
    least = {"memory": None}
    assert size(10, active=5.0, cpu=0.1, process=least) == 10 + int((0.9 - 0.1) / 0.02)
    assert size(10, active=5.0, cpu=0.1, process={**least, "loop_cpu": 0.95}) == 10
    assert size(10, active=5.0, cpu=0.1, process={**least, "cpu": 3.7}) == 10
    assert size(10, active=5.0, cpu=0.1, process={**least, "cpu": 3.0}) == 10 + int(0.6 / 0.02), (
        "other threads have other cores"
    )
    assert size(10, active=5.0, cpu=0.1, process={**least, "cpu_limit": 0.5}) == 10 + int((0.45 - 0.1) / 0.02)


def test_the_tighter_of_memory_and_cpu_holds() -> None:
    [tight] = bounds(10, active=5.0, cpu=0.1)
    assert tight is not None
    assert (tight.kind, tight.size) == ("container", 10 + int((0.9 - 0.1) / 0.02))
    assert tight.reason == "0.10 of the event loop's 1 cores are in use, and a busy connection takes 0.020"
    [tight] = bounds(10, active=5.0, cpu=0.01, each=10 * MB)
    assert tight is not None
    assert tight.size == 18
    assert tight.reason == (
        "100 of 200 MB of memory are in use, and a connection takes an estimated 10,240 KB"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"each": None},
        {"each": 0.0},
        {"process": {"memory": None}},
        {"process": {"memory_limit": None}},
    ],
)
@pytest.mark.parametrize(
    "and_cpu",
    [
        {"cpu": None, "active": 5.0},
        {"cpu": 0.0, "active": 5.0},
        {"cpu": 0.1, "active": None},
        {"cpu": 0.1, "active": 0.0},
        {"cpu": 0.1, "active": 0.5},
    ],
)
def test_what_is_not_known_bounds_nothing(given: dict[str, Any], and_cpu: dict[str, Any]) -> None:
    assert bounds(10, **given, **and_cpu) == [None]


@pytest.mark.parametrize("missing", ["cpu", "cpu_limit"])
def test_without_the_cpu_of_the_process_there_is_no_bound_by_it(missing: str) -> None:
    unknown = {missing: None, "loop_cpu": None}
    assert bounds(10, each=None, active=5.0, cpu=0.1, process=unknown) == [None]


def test_a_pool_that_is_not_measured_has_no_bound_and_of_no_pools_there_is_none() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool:
            ceiling = ContainerCeiling(Measured(pool, each=MB, usage=Usage(), memory=1, memory_limit=10))
            assert ceiling.ceilings({"another": need(5)}) == {}
            assert ceiling.ceilings({}) == {}

    simulate(main)


def test_a_run_that_scales_by_it_repeats_itself() -> None:
    async def main(loop: SimulatedLoop) -> list[int]:
        process, sizes = StandInProcess(), list[int]()
        config = ConnectionPoolConfig(
            **{**CALM, "min_connections": 1, "initial_connections": 2, "max_connections": 30}
        )
        async with (
            pool_of(SimulatedX(loop), 30, config) as pool,
            ResourceMonitor(pool, interval=1, own_process=process) as monitor,
            AutoScaler(pool, ceilings=[ContainerCeiling(monitor)]) as scaler,
        ):

            async def use() -> None:
                async with pool.acquire() as lease:
                    await lease.call("work", lambda _: work())

            async def work() -> None:
                await asyncio.sleep(loop.rng.random())
                process.work(0.2)

            for number in range(2, 28):
                async with asyncio.TaskGroup() as group:
                    for _ in range(number):
                        group.create_task(use())
                process.work(0.001 * pool.size)
                sizes.append(pool.size)
                await settle()
            told = [each.decision.constraints for each in scaler.history("default")]
            assert any("container" in each for each in told), "or this proves nothing"
        return sizes

    first, second = simulate(main, 5), simulate(main, 5)
    assert first.result == second.result
    assert first.digest == second.digest
