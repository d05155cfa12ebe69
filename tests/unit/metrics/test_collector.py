from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from benchmarks._silent_pool import account as silent_account
from benchmarks._silent_pool import silent_pool
from tests.simulation.simulated_loop import SimulatedLoop, cancel_at_every_step, simulate
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from tests.unit.pool.scene import CALM, settle
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, ConfigError, PoolError, PoolNotFound
from twikit_pool.events import ConnectionChecked, MetricsCollected
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.metrics import PoolCollector, PoolMetrics, Usage
from twikit_pool.metrics.collector import QUEUE
from twikit_pool.metrics.tally import MOST_ACTIONS, OTHER
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.sessions.manager import TwikitSessionManager

Play = Callable[[TwikitConnectionPool, PoolCollector], Coroutine[Any, Any, None]]


def measured(play: Play, accounts: int = 1, seed: int = 0, **settings: Any) -> None:
    """Play on an open pool that is measured, its interval longer than the play, in virtual time."""

    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "metrics_interval": 3600.0, **settings})
        async with pool_of(SimulatedX(loop), accounts, config) as pool, PoolCollector(pool) as collector:
            await settle()
            collector.collect()
            await play(pool, collector)

    simulate(main, seed)


def a_manager(loop: SimulatedLoop) -> TwikitConnectionPoolManager:
    sessions = TwikitSessionManager(
        MemoryAccounts([account("a0"), account("b0")]),
        backend=SimulatedX(loop),
        clock=loop.clock,
        rng=loop.rng,
    )
    return TwikitConnectionPoolManager(sessions, automation=None)


async def hold(pool: TwikitConnectionPool, seconds: float, request: ConnectionRequest | None = None) -> None:
    async with pool.acquire(request):
        await asyncio.sleep(seconds)


def test_leases_and_waits_are_what_they_were() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hold(pool, 4.0))
            await asyncio.sleep(1)
            group.create_task(hold(pool, 2.0, ConnectionRequest(priority=ConnectionPriority.HIGH)))
        found = collector.collect()["default"]
        assert (found.acquired, found.timed_out) == (2, 0)
        assert found.busy_time == pytest.approx(6)
        assert found.interval == pytest.approx(6)
        assert found.utilization == pytest.approx(1)
        assert found.average_acquisition_time == pytest.approx(1.5)
        assert found.p99_acquisition_time == pytest.approx(3, rel=0.01)
        assert found.p50_acquisition_time == 0
        assert found.queue_times.count == 1
        assert found.average_queue_time == pytest.approx(3)
        totals = collector.latest["default"].totals
        assert {each: times.count for each, times in totals.queue_times.items() if times.count} == {3: 1}

    measured(play)


def test_a_running_lease_is_busy_in_each_interval_that_it_lasts() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        async with pool.acquire():
            await asyncio.sleep(5)
            first = collector.collect()["default"]
            await asyncio.sleep(7)
            second = collector.collect()["default"]
        third = collector.collect()["default"]
        assert [each.busy_time for each in (first, second, third)] == pytest.approx([5, 7, 0])
        assert [each.acquired for each in (first, second, third)] == [1, 0, 0]
        assert (second.active_connections, third.active_connections, third.idle_connections) == (1, 0, 1)
        assert second.average_acquisition_time is None

    measured(play)


def test_who_waits_in_vain_is_in_the_queue_times_and_not_among_the_acquired() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        async with pool.acquire():
            with pytest.raises(AcquireTimeoutError):
                await pool.acquire(ConnectionRequest(timeout=2, priority=ConnectionPriority.LOW))
            waiting = asyncio.create_task(hold(pool, 0))
            await asyncio.sleep(1)
            found = collector.collect()["default"]
        await waiting
        assert (found.acquired, found.timed_out, found.queued_requests) == (1, 1, 1)
        assert found.queued_by_priority == {1: 0, 2: 1, 3: 0, 4: 0, 5: 0}
        assert found.longest_wait == pytest.approx(1)
        assert found.average_queue_time == pytest.approx(2, abs=0.03)
        assert found.acquisition_times.count == 1
        assert collector.latest["default"].totals.timed_out[1] == 1

    measured(play)


def test_leases_of_connections_that_are_closed_meanwhile_count() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        for _ in range(3):  # each on a connection of its own
            await hold(pool, 2)
            await settle()
        found = collector.collect()["default"]
        assert (found.acquired, found.busy_time) == (3, pytest.approx(6))
        totals = collector.latest["default"].totals
        assert totals.happened["closed"] >= 2

    measured(play, enable_connection_reuse=False)


@pytest.mark.parametrize("seed", range(15))
def test_intervals_add_up_to_all_that_happened_in_any_order(seed: int) -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        rng = random.Random(seed)
        began, done, late = pool.clock.monotonic(), [], []

        async def borrow() -> None:
            await asyncio.sleep(rng.random() * 10)
            request = ConnectionRequest(
                timeout=rng.choice((0.5, 5, 50)), priority=rng.choice(list(ConnectionPriority))
            )
            try:
                async with pool.acquire(request) as lease:
                    done.append(lease)
                    await asyncio.sleep(rng.random())
            except AcquireTimeoutError:
                late.append(request)

        async def look() -> list[PoolMetrics]:
            seen: list[PoolMetrics] = []
            for number in range(10):
                if number == 5:
                    pool.quarantine("a0", "a rest", 3.0)
                found, status = collector.collect()["default"], pool.status()
                assert found.unhealthy_connections == status.total - status.healthy
                assert found.connections_by_state == status.by_state
                seen.append(found)
                await asyncio.sleep(rng.random() * 3)
            return seen

        looking = asyncio.create_task(look())
        await asyncio.gather(*[borrow() for _ in range(60)])
        seen = [*(await looking), collector.collect()["default"]]
        totals = collector.latest["default"].totals
        assert sum(each.acquired for each in seen) == len(done) == totals.acquisition_times.count
        assert sum(each.timed_out for each in seen) == len(late) == sum(totals.timed_out.values())
        assert sum(each.interval for each in seen) == pytest.approx(pool.clock.monotonic() - began)
        assert sum(each.busy_time for each in seen) == pytest.approx(totals.busy_time)
        assert all(each.busy_time <= each.interval * 3 + 1e-6 for each in seen)
        assert all(sum(each.connections_by_state.values()) == each.total_connections for each in seen)

    measured(play, accounts=3, seed=seed)


def test_each_interval_ends_by_itself_and_is_told() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "metrics_interval": 0.25})
        pool = pool_of(SimulatedX(loop), 1, config)
        with pool.events.subscribe(MetricsCollected) as events:
            async with pool, PoolCollector(pool):
                await asyncio.sleep(1.1)
                told = events.take()
                pool.reconfigure(metrics_interval=50.0)
                await asyncio.sleep(120)
                later = events.take()
        assert [each.type for each in told] == ["metrics_collected"] * 4
        assert len(later) == 3, "one that had begun, and two of 50 s"
        assert isinstance(told[0], MetricsCollected)
        assert told[0].metrics["max_connections"] == config.max_connections
        assert "acquisition_times" not in told[0].metrics

    simulate(main)


def test_an_interval_that_is_made_shorter_holds_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "metrics_interval": 3600.0})
        async with pool_of(SimulatedX(loop), 1, config) as pool, PoolCollector(pool) as collector:
            await asyncio.sleep(10)
            assert collector.metrics == {}
            pool.reconfigure(metrics_interval=2.0)
            await asyncio.sleep(1.1)
            assert set(collector.metrics) == {"default"}

    simulate(main)


async def test_an_interval_shorter_than_a_collection_does_not_stop_the_loop() -> None:
    async with (
        asyncio.timeout(5),
        silent_pool([silent_account(0)], metrics_interval=1e-9) as pool,
        PoolCollector(pool),
    ):
        await hold(pool, 0.02)


def test_the_last_interval_is_told_when_it_ends() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM))
        async with PoolCollector(pool) as collector, pool:
            await hold(pool, 1)
        assert collector.metrics["default"].acquired == 1
        assert pool.matching.waiting.listeners == ()

    simulate(main)


def test_checks_and_resizing_are_counted() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        for well in (True, False, True):
            pool.events.publish(
                ConnectionChecked(
                    pool_id="default", at=pool.clock.now(), account_id="a0", well=well, reason="", latency=0.1
                )
            )
        pool.resize(0)
        await settle()
        await asyncio.sleep(5)
        resized_at = pool.clock.now()
        pool.resize(1)
        await settle()
        found = collector.collect()["default"]
        assert (found.health_checks_passed, found.health_checks_failed) == (2, 1)
        assert (found.scale_up_events, found.scale_down_events) == (1, 1)
        assert found.last_scaling_event == resized_at
        after = collector.collect()["default"]
        assert (after.scale_up_events, after.last_scaling_event) == (0, found.last_scaling_event)

    measured(play, min_connections=0)


def test_calls_are_counted_by_action_and_outcome() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        for _ in range(3):
            await pool.execute("like_tweet", tweet_id="1")
        found = collector.collect()["default"]
        assert (found.calls, found.calls_by_outcome) == (3, {"ok": 3})
        assert (found.success_rate, found.error_rate) == (1.0, 0.0)
        totals = collector.latest["default"].totals
        assert totals.calls == {("like_tweet", "ok"): 3}
        assert totals.response_times["like_tweet"] == found.response_times

    measured(play)


def test_names_of_calls_are_bounded() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        async with pool.acquire() as lease:
            for number in range(MOST_ACTIONS + 20):
                await lease.call(f"mine {number}", lambda client: client.request("FavoriteTweet", "1"))
                if number % 100 == 0:
                    collector.collect()
        collector.collect()
        totals = collector.latest["default"].totals
        assert len(totals.response_times) == MOST_ACTIONS + 1
        assert totals.response_times[OTHER].count == totals.calls[OTHER, "ok"] == 20

    measured(play)


def test_events_that_came_too_fast_are_told(caplog: LogCaptureFixture) -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        event = ConnectionChecked(
            pool_id="default", at=pool.clock.now(), account_id="a0", well=True, reason="", latency=0.1
        )
        for _ in range(QUEUE + 7):
            pool.events.publish(event)
        assert collector.collect()["default"].dropped_events == 7
        assert collector.collect()["default"].dropped_events == 0
        assert collector.latest["default"].totals.dropped_events == 7

    measured(play)
    assert "7 events came too fast to be counted" in caplog.text


def test_the_queue_is_read_every_second_however_long_the_interval() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        event = ConnectionChecked(
            pool_id="default", at=pool.clock.now(), account_id="a0", well=True, reason="", latency=0.1
        )
        for _ in range(5):
            for _ in range(QUEUE // 2):
                pool.events.publish(event)
            await asyncio.sleep(1.5)
        found = collector.collect()["default"]
        assert (found.health_checks_passed, found.dropped_events) == (QUEUE // 2 * 5, 0)

    measured(play)


def test_what_the_pool_costs_is_told_where_somebody_measures(caplog: LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        usages = iter([Usage(memory=5, cpu=0.5, network=7.0)])

        def measure(_: TwikitConnectionPool) -> Usage:
            return next(usages)

        pool = pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM))
        async with pool, PoolCollector(pool, interval=3600, measure=measure) as collector:
            found = collector.collect()["default"]
            assert (found.memory_usage, found.cpu_usage, found.network_usage) == (5, 0.5, 7.0)
            assert collector.collect()["default"].memory_usage is None

    simulate(main)
    assert "measuring what pool default costs failed: StopIteration" in caplog.text


def test_all_pools_of_a_manager_are_measured_from_their_beginning_to_their_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(max_connections=1, metrics_interval=3600.0)
        async with a_manager(loop) as manager:
            first = await manager.create_pool("first", config, accept=lambda each: each.id == "a0")
            async with PoolCollector(manager) as collector:
                second = await manager.create_pool("second", config)
                async with asyncio.TaskGroup() as group:
                    for pool, seconds in ((first, 1.0), (second, 3.0), (second, 3.0)):
                        group.create_task(hold(pool, seconds))
                together = (collector.collect(), collector.together())[1]
                assert {each: found.acquired for each, found in collector.metrics.items()} == {
                    "first": 1,
                    "second": 2,
                }
                assert together.pool_id == "first,second"
                assert (together.acquired, together.busy_time) == (3, pytest.approx(7))
                assert together.queue_times == collector.metrics["second"].queue_times
                await hold(second, 2)
                await manager.shutdown_pool("second")
                assert collector.collect()["second"].acquired == 1
                assert list(collector.collect()) == ["first"]
                again = await manager.create_pool("second", config.changed(enable_metrics=False))
                assert again.matching.waiting.listeners == ()
                assert list(collector.collect()) == ["first"]
                again.reconfigure(enable_metrics=True)
                collector.collect()
                await hold(again, 2)
                assert collector.collect()["second"].acquired == 1
            assert manager.on_pool == []

    simulate(main)


def test_before_the_first_collection_there_is_nothing_to_add_up() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with a_manager(loop) as manager, PoolCollector(manager) as collector:
            with pytest.raises(PoolNotFound, match="no metrics were collected yet"):
                collector.together()
            await asyncio.sleep(3)

    simulate(main)


def test_cancelled_at_any_step_it_leaves_nothing_behind() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**{**CALM, "metrics_interval": 0.5}))

        async def measure() -> None:
            async with PoolCollector(pool):
                await hold(pool, 2)

        async with pool:
            victim = asyncio.create_task(measure(), name="victim")
            await asyncio.wait([victim])
            await settle()
            assert pool.matching.waiting.listeners == ()
            assert not pool.events.heard

    assert cancel_at_every_step(main) > 0


def test_events_of_other_pools_on_the_bus_are_left_alone() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        pool.events.publish(
            ConnectionChecked(
                pool_id="another", at=pool.clock.now(), account_id="a0", well=True, reason="", latency=0.1
            )
        )
        assert collector.collect()["default"].health_checks_passed == 0

    measured(play)


def test_it_measures_while_it_is_entered_and_can_be_entered_again() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool:
            collector = PoolCollector(pool)
            for _ in range(2):
                with pytest.raises(PoolError, match="does not measure now"):
                    collector.collect()
                async with collector:
                    await hold(pool, 1)
                    with pytest.raises(PoolError, match="runs already"):
                        await collector.__aenter__()
                assert collector.metrics["default"].acquired == 1

    simulate(main)


def test_a_manager_and_a_pool_may_have_several_collectors() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with a_manager(loop) as manager:
            pool = await manager.create_pool()
            async with PoolCollector(manager) as every, PoolCollector(pool) as one:
                async with asyncio.TaskGroup() as group:
                    for _ in range(5):
                        group.create_task(hold(pool, 1))
                assert every.collect()["default"].acquired == one.collect()["default"].acquired == 5
                assert every.metrics["default"].queue_times == one.metrics["default"].queue_times

    simulate(main)


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan")])
def test_an_interval_is_a_positive_number(wrong: float) -> None:
    async def play(pool: TwikitConnectionPool, _: PoolCollector) -> None:
        with pytest.raises(ConfigError, match="interval"):
            PoolCollector(pool, interval=wrong)

    measured(play)


# ---------------------------------------------------------------- by account


def test_accounts_are_told_apart_once_somebody_asks() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector) -> None:
        await pool.execute("like_tweet", tweet_id="1")
        assert collector.collect()
        assert collector.latest["default"].accounts == {}
        collector.tell_accounts()
        for _ in range(2):  # each on a connection of its own
            await hold(pool, 2, ConnectionRequest(account_id="a1"))
            await settle()
        await pool.execute("like_tweet", account="a1", tweet_id="1")
        async with pool.acquire(ConnectionRequest(account_id="a0")):
            await asyncio.sleep(3)
            collector.collect()
            running = collector.latest["default"].accounts
        assert set(running) == {"a0", "a1"}
        assert (running["a1"].leases, running["a1"].busy_time) == (3, pytest.approx(4, abs=0.5))
        assert (running["a1"].calls, running["a1"].errors) == ({"ok": 1}, 0)
        assert running["a0"].busy_time == pytest.approx(3, abs=0.5)
        assert (running["a0"].connections, dict(running["a0"].calls)) == (1, {})
        collector.collect()
        after = collector.latest["default"].accounts
        assert sum(each.leases for each in after.values()) == 5
        assert running["a0"].busy_time <= after["a0"].busy_time

    measured(play, accounts=2, enable_connection_reuse=False)


@pytest.mark.parametrize("seed", range(10))
def test_by_account_is_all_that_happened_in_any_order(seed: int) -> None:
    async def main(loop: SimulatedLoop) -> None:
        rng = random.Random(seed)
        x = SimulatedX(loop)
        async with (
            pool_of(x, 3, ConnectionPoolConfig(**{**CALM, "min_connections": 0})) as pool,
            PoolCollector(pool, interval=3600) as collector,
        ):
            collector.tell_accounts()

            async def like() -> None:
                await asyncio.sleep(rng.random() * 10)
                await pool.execute("like_tweet", tweet_id="1")

            async def disturb() -> None:
                for _ in range(5):
                    await asyncio.sleep(rng.random() * 2)
                    pool.resize(rng.randint(0, 3))
                    collector.collect()

            await asyncio.gather(disturb(), *[like() for _ in range(40)])
            collector.collect()
            _, totals, accounts = collector.latest["default"]
            assert sum(each.leases for each in accounts.values()) == totals.acquisition_times.count == 40
            assert sum(each.busy_time for each in accounts.values()) == pytest.approx(totals.busy_time)
            assert sum(sum(each.calls.values()) for each in accounts.values()) == 40
            assert sum(each.connections for each in accounts.values()) == pool.status().total

    simulate(main, seed)


async def test_only_so_many_accounts_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twikit_pool.metrics.accounts.MOST_ACCOUNTS", 2)
    async with (
        silent_pool([silent_account(number) for number in range(3)]) as pool,
        PoolCollector(pool, interval=3600) as collector,
    ):
        collector.tell_accounts()
        collector.collect()
        assert len(collector.latest["default"].accounts) == 2
