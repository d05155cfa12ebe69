"""Connections that cost much are taken last, pause, or go; nobody loses a lease by it."""

from __future__ import annotations

import asyncio
from math import inf, nan

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, gone, scene, settle, take
from twikit_pool.errors import ConfigError, ConnectionNotFound, PoolError
from twikit_pool.events import ConnectionReclaimed
from twikit_pool.pool import ConnectionRequest, PooledTwikitConnection, TwikitConnectionPool
from twikit_pool.pool.connection import ConnectionState


def of(pool: TwikitConnectionPool, account_id: str) -> PooledTwikitConnection:
    return pool.matching.members[account_id].connections[0]


@scene(3)
async def test_one_that_is_lowered_serves_where_no_other_will_do(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.tuning.lower(of(pool, "a2"))
    leases = [await take(pool) for _ in range(3)]
    assert leases[-1].account_id == "a2"
    for each in leases:
        each.release()
    waiting = ask(pool, account_id="a2")
    (await gone(waiting)).release()
    pool.tuning.restore(of(pool, "a2"))
    lease = await take(pool)
    assert lease.account_id == "a2", "it was used last, so it is taken first again"
    lease.release()


@scene(2, max_attempts=1)
async def test_one_that_is_lowered_stays_so_while_its_windows_change(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.limit = 4
    pool.tuning.lower(of(pool, "a0"))
    for _ in range(3):
        await pool.execute("search_tweet", query="cats", account="a0")
    for _ in range(2):
        await pool.execute("search_tweet", query="cats", account="a1")
    lease = await take(pool)
    assert lease.account_id == "a1"
    lease.release()


@scene(2)
async def test_one_that_pauses_is_had_by_nobody_until_it_is_over(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    connection = of(pool, "a0")
    assert pool.tuning.pause(connection, 60.0)
    assert connection.state is ConnectionState.PAUSED
    assert pool.status().by_state["paused"] == 1
    waiting = ask(pool, account_id="a0", timeout=100.0)
    await asyncio.sleep(59)
    assert not waiting.done()
    assert "1 paused" in str(pool.explain(ConnectionRequest(account_id="a0")))
    await asyncio.sleep(1.1)
    (await gone(waiting)).release()
    assert connection.pause is None
    assert connection.state is ConnectionState.IDLE


@scene(1)
async def test_one_that_is_leased_pauses_when_it_comes_back(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    connection = of(pool, "a0")
    assert pool.tuning.pause(connection, 60.0)
    assert lease.held
    await lease.execute("like_tweet", tweet_id="1")
    lease.release()
    assert connection.state is ConnectionState.PAUSED
    pool.tuning.end_pause(connection)
    assert connection.state is ConnectionState.IDLE
    pool.tuning.end_pause(connection)
    lease = await take(pool)
    assert pool.tuning.pause(connection, 1.0)
    assert pool.tuning.pause(connection, 10.0), "a second counts anew"
    await asyncio.sleep(2)
    assert connection.pause is not None
    await asyncio.sleep(9)
    lease.release()
    assert connection.state is ConnectionState.IDLE, "it was over before the lease was"


@scene(2)
async def test_what_is_kept_for_an_owner_neither_pauses_nor_goes(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring")
    kept = of(pool, "a0")
    assert not pool.tuning.pause(kept, 60.0)
    assert not pool.tuning.close(kept, "it is large")
    pool.tuning.lower(kept)
    assert kept.state is ConnectionState.RESERVED
    lease = await take(pool, reserved_for="spring")
    assert lease.account_id == "a0", "whoever it is kept for gets it before all others"
    lease.release()
    reservation.release()
    lease = await take(pool)
    assert lease.account_id == "a1"
    lease.release()


@scene(1)
async def test_one_that_pauses_is_had_by_the_owner_for_whom_it_is_kept_then(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    assert pool.tuning.pause(of(pool, "a0"), 60.0)
    reservation = pool.reserve("a0", "spring")
    lease = await take(pool, reserved_for="spring")
    reservation.release()
    assert pool.tuning.pause(lease.connection, 60.0)
    reservation = pool.reserve("a0", "spring")
    lease.release()
    assert of(pool, "a0").state is ConnectionState.RESERVED
    assert of(pool, "a0").pause is None


@scene(1, max_connections=2, max_connections_per_account=2, min_connections=2, initial_connections=2)
async def test_one_that_pauses_is_kept_only_where_no_other_can_be(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    first, second = pool.matching.members["a0"].connections
    assert pool.tuning.pause(first, 60.0)
    assert pool.reserve(None, "spring").connection is second
    assert first.state is ConnectionState.PAUSED
    assert pool.reserve("a0", "autumn").connection is first
    assert first.state is ConnectionState.RESERVED


@scene(1)
async def test_a_pause_that_never_ends_is_refused(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    connection = of(pool, "a0")
    assert pool.tuning.pause(connection, 10.0)
    for wrong in (inf, nan, -1.0):
        with pytest.raises(ConfigError, match="the seconds of a pause must be 0 seconds or more"):
            pool.tuning.pause(connection, wrong)
    await asyncio.sleep(10.1)
    assert connection.state is ConnectionState.IDLE, "the one before holds"


@scene(1, min_connections=0, initial_connections=1)
async def test_only_what_is_idle_is_closed(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    connection = of(pool, "a0")
    assert not pool.tuning.close(connection, "it is large")
    assert lease.held
    lease.release()
    assert pool.tuning.close(connection, "it is large")
    await settle()
    assert pool.size == 0
    assert not pool.tuning.close(connection, "again")
    assert not pool.tuning.pause(connection, 60.0)


@scene(1, min_connections=0, initial_connections=1)
async def test_one_that_serves_badly_is_not_replaced_again_at_once(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    connection = of(pool, "a0")
    assert connection.session is not None
    session, member = connection.session, connection.member
    assert pool.tuning.close(connection, "it is slow", serves_badly=True)
    assert not session.trusted
    assert not member.replacements.may_go_on(pool.clock.monotonic())


@pytest.mark.parametrize("bye", ["drain", "shutdown", "barred"])
def test_a_pause_holds_nothing_up(bye: str) -> None:
    @scene(1)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        connection = of(pool, "a0")
        pool.tuning.pause(connection, 1000.0)
        match bye:
            case "drain":
                await pool.drain(1)
            case "shutdown":
                await pool.shutdown(1)
            case _:
                pool.quarantine("a0", "on a whim", 60.0)
        assert pool.size == 0
        assert connection.state is ConnectionState.CLOSED

    play()


@scene(2)
async def test_an_operator_closes_a_connection_or_takes_it_back(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a0")
    with pytest.raises(ConnectionNotFound, match="no connection 'a0#9'"):
        pool.close_connection("a0#9", "by hand")
    with pytest.raises(PoolError, match="nobody holds a1#1: it is idle"):
        pool.take_back("a1#1", "by hand")
    assert pool.close_connection("a0#1", "by hand").spent == "by hand"
    assert lease.held
    with pool.events.subscribe(ConnectionReclaimed) as told:
        assert pool.take_back("a0#1", "by hand").state is ConnectionState.CLOSED
    assert not lease.held
    assert len(told.take()) == 1
