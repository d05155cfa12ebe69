from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, ended, gone, scene, settle, take
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped, LeaseLost, PoolClosed
from twikit_pool.events import (
    EmergencyStop,
    EmergencyStopEnded,
    Event,
    PoolDrained,
    PoolOpened,
    PoolResumed,
    PoolShutDown,
    PoolSuspended,
)
from twikit_pool.pool import ConnectionPriority, Mode, TwikitConnectionPool

LOW, NORMAL, HIGH, CRITICAL, EMERGENCY = ConnectionPriority


# ---------------------------------------------------------------- suspend and resume


@scene(2)
async def test_in_a_suspended_pool_who_comes_waits_and_leases_go_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    with pool.events.subscribe(PoolSuspended, PoolResumed) as heard:
        pool.suspend()
        await lease.execute("like_tweet", tweet_id="1")
        waiting = ask(pool)
        await asyncio.sleep(30)
        assert pool.mode is Mode.SUSPENDED
        assert not waiting.done()
        lease.release()
        await settle()
        assert not waiting.done()
        pool.resume()
        pool.resume()
        assert (await gone(waiting)).held
        assert [each.type for each in heard.take()] == ["pool_suspended", "pool_resumed"]


@scene(1)
async def test_a_suspension_ends_by_itself(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(PoolSuspended) as heard:
        pool.suspend(5)
        pool.suspend(20)
        assert [each.seconds for each in heard.take() if isinstance(each, PoolSuspended)] == [5, 20]
    waiting = ask(pool)
    await asyncio.sleep(19.9)
    assert not waiting.done()
    await asyncio.sleep(0.2)
    assert (await gone(waiting)).held
    assert pool.mode is Mode.OPEN


@scene(1)
async def test_a_suspension_without_end_takes_the_place_of_one_that_ends(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.suspend(5)
    pool.suspend()
    await asyncio.sleep(100)
    assert pool.mode is Mode.SUSPENDED


@scene(1)
async def test_a_timeout_holds_in_a_suspended_pool(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.suspend()
    with pytest.raises(AcquireTimeoutError):
        await take(pool, timeout=3)
    with pytest.raises(AcquireTimeoutError):
        await take(pool, timeout=0)


@scene(3, min_connections=0, initial_connections=0)
async def test_a_suspended_pool_opens_nothing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.suspend()
    waiting = [ask(pool), ask(pool, account_id="a2")]
    pool.quarantine("a2", "a rest", 1)
    await asyncio.sleep(2)
    assert pool.size == 0
    pool.resume()
    for each in waiting:
        assert (await gone(each)).held
    assert pool.size == 2


# ---------------------------------------------------------------- emergency


@scene(4, emergency_pause=100.0)
async def test_an_emergency_stop_lets_only_what_is_critical_go_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    low, critical = await take(pool, priority=HIGH), await take(pool, priority=CRITICAL)
    await take(pool)
    await take(pool)
    refused = [ask(pool, priority=each) for each in (LOW, NORMAL, HIGH)]
    goes_on = ask(pool, priority=CRITICAL)
    await settle()
    with pool.events.subscribe(EmergencyStop, EmergencyStopEnded) as heard:
        pool.emergency_stop("a wrong post")
        assert pool.waiting == 1, "they are refused before it returns"
        assert pool.mode is Mode.EMERGENCY
        for each in refused:
            error = await ended(each)
            assert isinstance(error, EmergencyStopped)
            assert str(error) == (
                "pool 'default' makes an emergency stop until 00:01:40 UTC (a wrong post): "
                "only CRITICAL and EMERGENCY requests are served"
            )
        with pytest.raises(EmergencyStopped):
            await take(pool, priority=HIGH)
        with pytest.raises(EmergencyStopped, match="a wrong post"):
            await low.execute("like_tweet", tweet_id="1")
        assert (await critical.execute("like_tweet", tweet_id="2")).id == "2"
        assert [target for _, target in x.done] == ["2"]
        low.release()
        assert (await gone(goes_on)).held
        critical.release()
        for priority in (CRITICAL, EMERGENCY):
            (await take(pool, priority=priority)).release()
        await asyncio.sleep(100)
        assert pool.mode is Mode.OPEN
        (await take(pool, priority=LOW)).release()
        stop, over = heard.take()
    assert isinstance(stop, EmergencyStop)
    assert (stop.reason, stop.seconds, stop.paused, stop.refused) == ("a wrong post", 100, 3, 3)
    assert isinstance(over, EmergencyStopEnded)


@scene(1)
async def test_an_emergency_stop_lasts_as_long_as_it_says(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.emergency_stop("drill", pause=10)
    await asyncio.sleep(9.9)
    with pytest.raises(EmergencyStopped):
        await take(pool)
    await asyncio.sleep(0.2)
    (await take(pool)).release()
    pool.emergency_stop("drill", pause=1000)
    pool.resume()
    (await take(pool)).release()


@scene(1)
async def test_an_idle_connection_sends_nothing_in_an_emergency(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    (await take(pool, priority=CRITICAL)).release()
    (connection,) = pool.connections()
    pool.emergency_stop("drill")
    assert connection.session is not None
    with pytest.raises(EmergencyStopped):
        await connection.session.check(timeout=5)
    assert not x.calls


# ---------------------------------------------------------------- drain and shutdown


@scene(2)
async def test_a_drain_refuses_everyone_and_waits_for_leases(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease, other = await take(pool), await take(pool)
    waiting = ask(pool)
    await settle()
    with pool.events.subscribe(PoolDrained) as heard:
        drain = x.loop.create_task(pool.drain(60))
        assert isinstance(await ended(waiting), PoolClosed)
        assert str(waiting.exception()) == "pool 'default' is being drained"
        assert pool.mode is Mode.DRAINING
        with pytest.raises(PoolClosed, match="being drained"):
            await take(pool)
        other.release()
        await asyncio.sleep(5)
        assert not drain.done()
        assert lease.held
        lease.release()
        await settle()
        assert drain.done()
        assert (pool.mode, pool.size) == (Mode.DRAINED, 0)
        assert [each.reclaimed for each in heard.take() if isinstance(each, PoolDrained)] == [0]
    assert all(link.closed for link in x.links)
    with pytest.raises(PoolClosed):
        await take(pool)
    pool.resume()
    await settle()
    assert pool.size == 2
    (await take(pool)).release()


def test_after_the_grace_leases_are_closed_under_their_borrowers(caplog: LogCaptureFixture) -> None:
    @scene(2, shutdown_grace=7.0)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        lease, other = await take(pool, account_id="a1"), await take(pool, account_id="a0")
        with pool.events.subscribe(PoolDrained) as heard:
            began = x.loop.time()
            await pool.drain()
            assert 7 <= x.loop.time() - began <= 7.01
            (event,) = heard.take()
        assert isinstance(event, PoolDrained)
        assert event.reclaimed == 2
        assert not lease.held
        assert not other.held
        with pytest.raises(LeaseLost):
            _ = lease.client
        lease.release()
        assert pool.size == 0

    with caplog.at_level(logging.WARNING):
        play()
    assert "closing 2 connections still in use after 7 s: ['a0#1', 'a1#1']" in caplog.text


@scene(2)
async def test_a_drain_that_is_resumed_closes_nothing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    with pool.events.subscribe(PoolDrained) as heard:
        drain = x.loop.create_task(pool.drain(60))
        await asyncio.sleep(1)
        pool.resume()
        lease.release()
        await drain
        assert not heard.take()
    assert pool.mode is Mode.OPEN
    assert pool.size == 2


@scene(2)
async def test_two_drains_at_once_both_end_with_the_leases(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    drains = [x.loop.create_task(pool.drain(60)) for _ in range(2)]
    await asyncio.sleep(1)
    lease.release()
    await settle()
    assert all(each.done() for each in drains)
    assert x.loop.time() < 2


@scene(2)
async def test_a_shutdown_takes_over_from_a_drain(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    drain = x.loop.create_task(pool.drain(60))
    await asyncio.sleep(1)
    stop = x.loop.create_task(pool.shutdown(60))
    await asyncio.sleep(1)
    lease.release()
    await settle()
    assert drain.done()
    assert stop.done()
    assert (pool.mode, pool.size) == (Mode.CLOSED, 0)


@scene(2, opened=False)
async def test_a_pool_tells_that_it_opens_and_shuts_down_once(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(PoolOpened, PoolShutDown) as heard:
        await pool.open()
        await pool.open()
        await pool.shutdown()
        await pool.shutdown()
        opened, shut = heard.take()
    assert isinstance(opened, PoolOpened)
    assert isinstance(shut, PoolShutDown)
    assert opened.accounts == 2
    assert isinstance(opened, Event)
    with pytest.raises(PoolClosed, match="was shut down; make another"):
        await pool.open()
    with pytest.raises(PoolClosed, match="pool 'default' is shut down"):
        await take(pool)


@scene(1, opened=False)
async def test_a_pool_that_was_never_open_can_be_shut_down(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await pool.shutdown()
    assert pool.mode is Mode.CLOSED
    with pytest.raises(PoolClosed):
        await take(pool)


async def refused(operation: Awaitable[None] | Callable[[], None]) -> str:
    """How a pool that is not open refuses this."""
    try:
        await operation if isinstance(operation, Awaitable) else operation()
    except PoolClosed as closed:
        return str(closed)
    pytest.fail("it was not refused")


@scene(1, opened=False)
async def test_a_pool_that_is_not_open_cannot_be_operated(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for _ in range(2):
        for operation in (
            pool.suspend,
            pool.resume,
            lambda: pool.emergency_stop("drill"),
            pool.drain(),
            pool.refresh(),
        ):
            assert await refused(operation) in {"pool 'default' is not open", "pool 'default' is shut down"}
        await pool.shutdown()
    for operation in (lambda: pool.resize(50), lambda: pool.reconfigure(debug=True), pool.open()):
        assert await refused(operation) == "pool 'default' was shut down; make another"


@scene(1)
async def test_a_task_that_hangs_at_the_shutdown_is_cut_short(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang() -> None:
        await asyncio.sleep(1e6)

    x.links[0].aclose = hang
    began = x.loop.time()
    await pool.shutdown()
    assert x.loop.time() - began == pytest.approx(5.0)
