from __future__ import annotations

import asyncio

import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, gone, hooked, scene, settle, source_of, take
from twikit_pool.errors import AcquireTimeoutError, ConfigError
from twikit_pool.events import ConnectionClosed, ConnectionCreated, PoolResized
from twikit_pool.pool import ConnectionPriority, ConnectionState, PooledTwikitConnection, TwikitConnectionPool


def ids(pool: TwikitConnectionPool) -> set[str]:
    return {each.account_id for each in pool.connections()}


@scene(5, min_connections=2, initial_connections=3, max_connections=4)
async def test_a_pool_begins_with_so_many_connections(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    assert (pool.size, pool.capacity) == (3, 4)
    assert pool.counts()[ConnectionState.IDLE] == 3
    assert len(x.links) == 3


@scene(2, min_connections=5, max_connections=9)
async def test_no_more_are_opened_than_there_are_accounts(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    assert (pool.size, pool.capacity) == (2, 2)


@scene(3, min_connections=0, initial_connections=0)
async def test_a_connection_is_opened_when_somebody_waits_and_no_more(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    assert pool.size == 0
    lease = await take(pool)
    assert pool.size == 1
    lease.release()
    (await take(pool)).release()
    assert pool.size == 1


@scene(9, min_connections=0, initial_connections=0)
async def test_no_more_are_opened_at_once_than_wait(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    waiting = [ask(pool) for _ in range(3)]
    await asyncio.sleep(0)
    assert pool.size == 3
    for each in waiting:
        (await gone(each)).release()
    assert pool.size == 3


@scene(2, min_connections=0, initial_connections=0, max_connections=1)
async def test_at_the_maximum_the_longest_idle_makes_room(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    (await take(pool, account_id="a0")).release()
    with pool.events.subscribe(ConnectionClosed) as heard:
        lease = await take(pool, account_id="a1")
    assert ids(pool) == {"a1"}
    (event,) = heard.take()
    assert isinstance(event, ConnectionClosed)
    assert (event.connection_id, event.account_id, event.reason) == (
        "a0#1",
        "a0",
        "made room for another account",
    )
    with pytest.raises(AcquireTimeoutError):
        await take(pool, account_id="a0")
    waiting = ask(pool, account_id="a0")
    await settle()
    assert ids(pool) == {"a1"}
    lease.release()
    assert (await gone(waiting)).account_id == "a0"


@scene(3, max_connections=2, min_connections=0, initial_connections=2)
async def test_it_is_the_longest_idle_that_makes_room(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for account_id in ("a1", "a0"):
        (await take(pool, account_id=account_id)).release()
        await asyncio.sleep(1)
    await take(pool, account_id="a2")
    assert ids(pool) == {"a0", "a2"}


@scene(4, max_connections=2, min_connections=0, initial_connections=0)
async def test_who_hungers_for_room_has_it_in_the_order_of_service(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    first, second = await take(pool, account_id="a0"), await take(pool, account_id="a1")
    third = ask(pool, account_id="a2", priority=ConnectionPriority.LOW)
    fourth = ask(pool, account_id="a3", priority=ConnectionPriority.HIGH)
    given_up = ask(pool, account_id="a3", priority=ConnectionPriority.EMERGENCY)
    await settle()
    given_up.cancel()
    first.release()
    assert (await gone(fourth)).account_id == "a3"
    assert not third.done()
    second.release()
    assert (await gone(third)).account_id == "a2"
    assert pool.size == 2


@scene(3, max_connections=2, min_connections=0, initial_connections=0)
async def test_who_hungers_is_served_when_the_maximum_is_raised(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool, account_id="a0")
    await take(pool, account_id="a1")
    waiting = ask(pool, account_id="a2")
    await settle()
    pool.reconfigure(max_connections=3)
    assert (await gone(waiting)).account_id == "a2"


@scene(3, max_connections=2, min_connections=0, initial_connections=0)
async def test_who_hungers_gets_what_comes_free_of_his_own(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    first = await take(pool, account_id="a0")
    await take(pool, account_id="a1")
    waiting, behind = ask(pool), ask(pool)
    await settle()
    first.release()
    lease = await gone(waiting)
    assert lease.account_id == "a0"
    lease.release()
    assert (await gone(behind)).account_id == "a0"
    assert pool.size == 2


@scene(4, min_connections=1, initial_connections=1)
async def test_a_pool_is_resized(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(PoolResized) as heard:
        pool.resize(3)
        await settle()
        assert pool.size == 3
        lease = await take(pool)
        pool.resize(1)
        assert ids(pool) == {lease.account_id}
        with pytest.raises(ConfigError, match="a pool of 1 to 100 connections cannot be resized to 0"):
            pool.resize(0)
        with pytest.raises(ConfigError, match="resized to 101"):
            pool.resize(101)
    assert [(each.size, each.before) for each in heard.take() if isinstance(each, PoolResized)] == [
        (3, 1),
        (1, 3),
    ]


@scene(4, min_connections=1, initial_connections=1)
async def test_other_sizes_hold_at_once(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.reconfigure(min_connections=3, initial_connections=3)
    await settle()
    assert pool.size == 3
    pool.reconfigure(max_connections=2, min_connections=0, initial_connections=0)
    assert pool.size == 2


@scene(2)
async def test_a_lost_connection_is_replaced(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(ConnectionCreated, ConnectionClosed) as heard:
        pool.quarantine("a0", "a rest", 10)
        await asyncio.sleep(11)
    assert [
        (each.type, each.connection_id)
        for each in heard.take()
        if isinstance(each, ConnectionCreated | ConnectionClosed)
    ] == [
        ("connection_closed", "a0#1"),
        ("connection_created", "a0#2"),
    ]
    assert ids(pool) == {"a0", "a1"}


@scene(2)
async def test_a_lease_of_a_quarantined_account_goes_on_and_its_connection_ends_with_it(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a0")
    with pool.events.subscribe(ConnectionClosed) as heard:
        pool.quarantine("a0", "a rest", 10)
        pool.quarantine("a0", "another rest", 10)
        assert lease.held
        lease.release()
        (event,) = heard.take()
    assert isinstance(event, ConnectionClosed)
    assert event.reason == "a0 is quarantined: a rest"
    assert ids(pool) == {"a1"}


@scene(1)
async def test_a_connection_quarantined_on_its_way_to_one_who_gives_up_is_closed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    waiting = ask(pool)
    await settle()
    lease.release()
    pool.quarantine("a0", "a rest", 5)
    waiting.cancel()
    await settle()
    assert pool.size == 0


@scene(3, max_connections=1, min_connections=0, initial_connections=0)
async def test_an_account_without_a_connection_is_let_go(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool, account_id="a0")
    pool.sessions.source = source_of(account("a0"))
    await pool.refresh()
    pool.reconfigure(max_connections=3)
    with pytest.raises(AcquireTimeoutError):
        await take(pool)
    assert pool.account_ids == {"a0"}


@scene(1, min_connections=0, initial_connections=0)
async def test_who_waits_is_helped_by_an_account_that_can_be_used_again(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.quarantine("a0", "a rest", 10)
    anyone = ask(pool)
    await asyncio.sleep(11)
    (await gone(anyone)).release()
    pool.quarantine("a0", "a rest", 10)
    this = ask(pool, account_id="a0")
    await asyncio.sleep(11)
    assert (await gone(this)).held


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_what_comes_free_serves_who_waits_for_an_opening(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def slow(connection: PooledTwikitConnection) -> None:
        await asyncio.sleep(20 if pool.size == 2 else 0)

    async with hooked(pool, after_open=slow) as pool:
        lease = await take(pool)
        released = lease.connection.id
        waiting = ask(pool)
        await settle()
        assert pool.size == 2
        lease.release()
        assert (await gone(waiting)).connection.id == released


@scene(3, max_connections=2, min_connections=0, initial_connections=0)
async def test_an_account_that_can_be_used_again_is_opened_when_there_is_room(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a0")
    await take(pool, account_id="a1")
    pool.quarantine("a2", "a rest", 5)
    pool.sessions.windows("a2").rest("Likes", 100)
    this, later = ask(pool, account_id="a2"), ask(pool, account_id="a2", endpoint="Likes")
    await asyncio.sleep(6)
    assert pool.size == 2
    assert not later.done()
    lease.release()
    assert (await gone(this)).account_id == "a2"


@scene(1, max_connections=3, max_connections_per_account=3)
async def test_an_account_that_may_have_fewer_keeps_those_in_use(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.resize(3)
    await settle()
    reservation = pool.reserve("a0", "spring")
    leases = [await take(pool)]
    with pool.events.subscribe(ConnectionClosed) as heard:
        pool.reconfigure(max_connections_per_account=2)
        assert reservation.connection is not None
        assert leases[0].held
        assert pool.size == 2
        pool.reconfigure(max_connections_per_account=1)
        leases[0].release()
        await settle()
        assert pool.size == 1
        events = heard.take()
    assert {each.reason for each in events if isinstance(each, ConnectionClosed)} == {
        "its account may have fewer now (max_connections_per_account)"
    }
