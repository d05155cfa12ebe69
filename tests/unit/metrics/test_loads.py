from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.unit.metrics.test_pool_metrics import metrics, times
from tests.unit.pool.scene import CALM, settle
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.metrics import PoolCollector, aggregate, load_of
from twikit_pool.scaling import ScalingEngine


def test_what_metrics_tell_is_in_the_load() -> None:
    load = load_of(
        metrics(
            acquired=40,
            timed_out=10,
            busy_time=20.0,
            calls_by_outcome={"ok": 6, "rate_limited": 2, "caller_fault": 2},
        ),
        moment=77.0,
        accounts_usable=9,
        opening=1.5,
    )
    assert (load.moment, load.epoch) == (77.0, datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert (load.active, load.arrivals, load.service) == (2.0, 5.0, 0.5)
    assert load.acquisition == pytest.approx(1)
    assert (load.error_rate, load.limited_rate) == (0.2, 0.2)
    assert (load.reserved, load.unhealthy, load.accounts_usable, load.opening) == (1, 1, 9, 1.5)
    assert load.demand == ()


def test_nothing_is_made_up() -> None:
    idle = load_of(metrics(acquired=0, busy_time=0.0, calls_by_outcome={}, acquisition_times=times()))
    assert (idle.active, idle.arrivals, idle.offered) == (0.0, 0.0, 0.0)
    assert (idle.service, idle.acquisition, idle.error_rate, idle.limited_rate) == (None,) * 4
    assert (idle.accounts_usable, idle.opening) == (None, None)
    assert idle.moment == idle.epoch


def test_leases_that_only_went_on_are_no_absence_of_load() -> None:
    running = load_of(metrics(acquired=0, busy_time=20.0))
    assert running.active == 2.0
    assert (running.arrivals, running.offered) == (None, None)
    in_vain = load_of(metrics(acquired=0, timed_out=5, busy_time=20.0))
    assert (in_vain.arrivals, in_vain.offered) == (0.5, None)


def test_an_interval_without_length_tells_no_rate() -> None:
    load = load_of(metrics(interval=0.0))
    assert (load.active, load.arrivals, load.offered) == (None, None, None)


def test_several_pools_are_one_load() -> None:
    one = metrics(acquired=40, busy_time=20.0)
    assert load_of(aggregate([one, one])).offered == pytest.approx(2 * (load_of(one).offered or 0))


def test_an_engine_can_be_asked_with_metrics_alone() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "max_connections": 10, "metrics_interval": 3600.0})
        async with pool_of(SimulatedX(loop), 10, config) as pool, PoolCollector(pool) as collector:
            await settle()
            collector.collect()

            async def borrow(number: int) -> None:
                await asyncio.sleep(number * 0.25)
                async with pool.acquire():
                    await asyncio.sleep(0.5)

            await asyncio.gather(*[borrow(number) for number in range(40)])
            now = collector.collect()["default"]
            engine = ScalingEngine(config.changed(min_connections=1))
            decision = engine.analyze_scaling_needs(load_of(now), 3, now.queued_requests)
        assert decision.predicted_load == pytest.approx(2, rel=0.1)
        assert decision.action == "scale_up"
        assert 5 <= decision.target_size <= 8, "two erlangs, by Erlang-C or the thresholds' step"

    simulate(main)
