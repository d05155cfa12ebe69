"""LOW requests have at most so many connections at once, where the pool is told so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, ended, gone, scene, settle, take
from twikit_pool.errors import AcquireTimeoutError, ConfigError
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool

LOW: dict[str, Any] = {"priority": ConnectionPriority.LOW}


@scene(3)
async def test_running_leases_stay_and_the_next_begins_when_there_is_room(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    running = [await take(pool, **LOW) for _ in range(2)]
    pool.limit_low(1)
    assert all(each.held for each in running)
    waiting = ask(pool, **LOW)
    running.pop().release()
    await settle()
    assert not waiting.done(), "one has what LOW may have"
    running.pop().release()
    assert pool.waiting == 0, "served in the very step of the release"
    (await gone(waiting)).release()


@scene(3)
async def test_none_begins_at_0_and_all_do_when_the_limit_is_lifted(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.limit_low(0)
    waiting = [ask(pool, **LOW) for _ in range(3)]
    await settle()
    (await take(pool)).release()
    assert pool.waiting == 3
    pool.limit_low(2)
    assert pool.waiting == 1
    pool.limit_low(None)
    assert pool.waiting == 0
    for each in waiting:
        (await gone(each)).release()


@scene(2)
async def test_who_waits_is_told_why(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.limit_low(0, "carbon intensity 412 gCO2/kWh is above 400")
    told = "LOW work is held back: carbon intensity 412 gCO2/kWh is above 400"
    assert told in str(pool.explain(ConnectionRequest(**LOW)))
    assert "held back" not in str(pool.explain(ConnectionRequest()))
    with pytest.raises(AcquireTimeoutError, match="of 2 accounts 2 idle; LOW work is held back: carbon"):
        await take(pool, **LOW, timeout=0)
    late = ask(pool, **LOW, timeout=0.01)
    await asyncio.sleep(0.1)
    assert told in str(await ended(late))
    pool.suspend()
    assert f"{told}; the pool is suspended" in str(pool.explain(ConnectionRequest(**LOW)))
    pool.limit_low(None)
    assert "held back" not in str(pool.explain(ConnectionRequest(**LOW)))


@scene(2)
async def test_without_a_reason_the_number_is_told(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.limit_low(1)
    assert "held back" not in str(pool.explain(ConnectionRequest(**LOW)))
    lease = await take(pool, **LOW)
    assert "it may have 1 connections at once" in str(pool.explain(ConnectionRequest(**LOW)))
    lease.release()


@scene(3)
async def test_what_is_kept_for_its_owner_is_not_held_back(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    kept = pool.reserve("a0", "spring")
    pool.limit_low(0)
    for wish in ({}, {"account_id": "a0"}, {"endpoint": "Likes"}):
        lease = await take(pool, **LOW, reserved_for="spring", **wish)
        assert lease.account_id == "a0"
        second = ask(pool, **LOW, reserved_for="spring", **wish)
        await settle()
        assert not second.done(), "another connection would be LOW work like any other"
        lease.release()
        (await gone(second)).release()
    pool.limit_low(1)
    mine = await take(pool, **LOW, reserved_for="spring")
    (await take(pool, **LOW)).release()  # the other does not count
    mine.release()
    pool.limit_low(0)
    kept.release()
    after = ask(pool, **LOW, reserved_for="spring")
    await settle()
    assert not after.done()
    pool.limit_low(None)
    (await gone(after)).release()


@scene(2)
async def test_an_owner_whose_connection_is_leased_by_another_waits_for_it_alone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a0")
    pool.reserve("a0", "spring")
    pool.limit_low(0)
    waiting = ask(pool, **LOW, reserved_for="spring")
    await settle()
    assert not waiting.done()
    lease.release()
    assert (await gone(waiting)).account_id == "a0"


@scene(1)
async def test_a_limit_below_0_is_none(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(ConfigError, match="0 connections or more, not -1"):
        pool.limit_low(-1)
    assert pool.matching.deferral.most is None


@scene(1, opened=False)
async def test_a_limit_that_is_set_before_the_pool_opens_holds(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.limit_low(0)
    await pool.open()
    waiting = ask(pool, **LOW)
    await settle()
    assert not waiting.done()
    pool.limit_low(None)
    (await gone(waiting)).release()
