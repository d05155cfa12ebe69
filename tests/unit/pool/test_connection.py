from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import scene, settle, take
from twikit_pool.errors import LeaseLost
from twikit_pool.pool import ConnectionPriority, ConnectionState, TwikitConnectionPool
from twikit_pool.pool.health import LATEST, REMEMBERED
from twikit_pool.sessions.outcomes import Outcome


@scene(1)
async def test_a_free_connection_tells_of_itself(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    began = x.loop.time()
    await asyncio.sleep(20)
    (connection,) = pool.connections()
    info = connection.info
    assert (info.connection_id, info.account_id, info.state) == ("a0#1", "a0", ConnectionState.IDLE)
    assert (info.active, info.reserved, info.healthy) == (False, False, True)
    assert info.created_at <= EPOCH + timedelta(seconds=began)
    assert info.last_used_at is None
    assert info.idle_time == pytest.approx(20, abs=0.1)
    assert (info.usage_count, info.total_usage_time) == (0, 0)
    assert (info.average_response_time, info.p50_response_time, info.p95_response_time) == (None,) * 3
    assert (info.health, info.success_rate, info.error_count, info.session_generation) == (1, 1, 0, 1)
    assert (info.priority, info.reserved_for, info.reservation_expires_at, info.borrower) == (None,) * 4
    assert (info.memory, info.cpu, info.network) == (None, None, 0), "nobody measures it"
    assert repr(connection) == "<PooledTwikitConnection a0#1 idle>"


@scene(1)
async def test_a_leased_connection_tells_who_has_it_for_what(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def use() -> None:
        async with pool.acquire() as lease:
            await asyncio.sleep(3)
            info = lease.info
            assert (info.active, info.state, info.idle_time) == (True, ConnectionState.LEASED, 0)
            assert (info.borrower, info.priority) == ("user", 2)
            assert (info.usage_count, info.total_usage_time) == (1, pytest.approx(3))

    await x.loop.create_task(use(), name="user")
    ended = x.loop.time()
    await asyncio.sleep(5)
    lease = await take(pool, priority=ConnectionPriority.HIGH)
    info = lease.info
    assert info.last_used_at == EPOCH + timedelta(seconds=ended)
    assert (info.usage_count, info.total_usage_time, info.priority) == (2, pytest.approx(3), 3)
    lease.release()
    info = lease._connection.info  # type: ignore[union-attr]
    assert (info.borrower, info.priority, info.usage_count) == (None, None, 2)


@scene(1)
async def test_a_reserved_connection_tells_for_whom_and_until_when(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring", ConnectionPriority.CRITICAL, 60)
    (connection,) = pool.connections()
    await asyncio.sleep(10)
    info = connection.info
    assert (info.state, info.reserved, info.active) == (ConnectionState.RESERVED, True, False)
    assert (info.reserved_for, info.priority) == ("spring", 4)
    assert info.reservation_expires_at == reservation.expires_at
    assert info.idle_time >= 10
    lease = await take(pool, reserved_for="spring", priority=ConnectionPriority.LOW)
    assert (lease.info.reserved_for, lease.info.priority) == ("spring", 1)


@scene(1)
async def test_calls_are_averaged_over_the_latest(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    (connection,) = pool.connections()
    for number in range(1, 101):
        connection.health.called("like_tweet", Outcome.OK, 0.0, float(number))
    info = connection.info
    latest = range(101 - REMEMBERED, 101)
    assert info.average_response_time == pytest.approx(sum(latest) / REMEMBERED)
    assert (info.p50_response_time, info.p95_response_time) == (latest[31], latest[59])
    connection.health.called("like_tweet", Outcome.TRANSIENT, 0.0, 0.5)
    assert connection.info.error_count == 1
    assert connection.info.success_rate == pytest.approx(0.9)
    connection.health.called("like_tweet", Outcome.OK, 0.0, 0.5)
    assert connection.info.success_rate == pytest.approx(0.91)
    assert connection.info.error_count == 1


@scene(1)
async def test_what_speaks_against_a_connection_makes_it_unhealthy(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    connection = lease.connection
    assert connection.healthy
    connection.health.failed_checks = 1
    assert not connection.healthy
    connection.health.failed_checks = 0
    pool.quarantine("a0", "a rest", 5)
    assert not connection.healthy
    await asyncio.sleep(6)
    assert pool.accounts
    assert not connection.healthy, "it is to be closed"
    lease.release()
    assert connection.state is ConnectionState.CLOSED
    connection.spent = None
    assert not connection.healthy
    assert connection.info.state is ConnectionState.CLOSED


@scene(1)
async def test_the_account_is_as_its_session_knows_it(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    (connection,) = pool.connections()
    assert connection.session is not None
    assert connection.account is connection.session.account
    connection.session = None
    assert connection.account is connection.member.account


@scene(1)
async def test_a_lease_that_is_not_held_tells_nothing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = pool.acquire()
    assert repr(lease) == "<Lease not entered, not held>"
    lease.release()
    for look in ("connection", "account_id", "info", "session", "client"):
        with pytest.raises(LeaseLost, match=r"is not held (any more|yet)"):
            getattr(lease, look)
    async with lease:
        assert lease.held
        assert lease.client is x.links[0]
        assert repr(lease) == "<Lease of a0>"
        lease.connection.session = None
        with pytest.raises(LeaseLost, match="a0 has no open session"):
            _ = lease.client
    assert repr(lease) == "<Lease of a0, not held>"
    with pytest.raises(LeaseLost, match="this lease was used already"):
        await lease


@scene(1)
async def test_a_lease_given_back_in_another_task_is_given_back(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    x.loop.call_soon(pool.release, lease)
    await settle()
    assert not lease.held
    (await take(pool)).release()


@scene(1)
async def test_a_wait_that_is_dropped_without_being_cancelled_leaves_nothing_behind(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    waiting = pool.acquire().__await__()
    next(waiting)
    assert pool.waiting == 1
    waiting.close()
    assert pool.waiting == 0
    lease.release()
    assert pool.counts()[ConnectionState.IDLE] == 1


@scene(1)
async def test_its_latest_calls_are_told_with_those_that_failed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    (connection,) = pool.connections()
    assert (connection.info.response_times, connection.info.reason) == ((), "")
    connection.health.called("like_tweet", Outcome.OK, 1.0, 1.25)
    connection.health.called("like_tweet", Outcome.RATE_LIMITED, 2.0, 2.5)
    connection.health.called("like_tweet", Outcome.CALLER_FAULT, 3.0, 3.125)
    assert connection.info.response_times == (0.25, None, 0.125)
    for number in range(LATEST):
        connection.health.called("like_tweet", Outcome.OK, 0.0, float(number))
    assert connection.info.response_times == tuple(map(float, range(LATEST)))
    assert connection.health.latest[-1] == (LATEST - 1, "like_tweet", Outcome.OK, LATEST - 1)


@scene(1)
async def test_a_connection_tells_why_it_is_held_up(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    connection = lease.connection
    pool.tuning.lower(connection)
    assert connection.info.reason == "taken last: it costs more than others"
    windows = connection.member.windows
    windows.rest("SearchTimeline", 600)
    assert connection.info.reason == "cooling: SearchTimeline; the rate window opens in 10 min"
    windows.rest("FavoriteTweet", 60, "X said so")
    cooling = "cooling: FavoriteTweet, and 1 more; X said so; it opens in 60 s"
    assert connection.info.reason == cooling
    assert pool.tuning.pause(connection, 30)
    assert connection.info.reason == "pauses for 30 s: it costs too much"
    connection.health.checked(well=False)
    assert connection.info.reason == "its last check failed"
    connection.health.checked(well=False)
    assert connection.info.reason == "its last 2 checks failed"
    pool.quarantine("a0", "a rest", 5)
    assert connection.info.reason == "closes when it is free: a0 is quarantined: a rest"
    lease.release()
