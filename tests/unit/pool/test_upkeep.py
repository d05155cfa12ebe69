from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.unit.pool.scene import CALM, ask, gone, scene, settle, take
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import LeaseLost
from twikit_pool.events import ConnectionChecked, ConnectionClosed, ConnectionReclaimed, LeaseOverdue
from twikit_pool.pool import ConnectionRequest, ConnectionState, TwikitConnectionPool

OFTEN: dict[str, Any] = {"leak_warning": 0.5}
"""Every connection is looked at as often, so that the other limits hold to the second."""

CHECKED: dict[str, Any] = {**OFTEN, "enable_health_checks": True, "health_check_interval": 60.0}


def reasons(events: list[object]) -> list[str]:
    return [each.reason for each in events if isinstance(each, ConnectionClosed)]


async def until(comes: Callable[[], bool], within: float = 91.0) -> None:
    """Wait until this is so: a check comes between half and one and a half of its interval."""
    async with asyncio.timeout(within):
        while not comes():  # noqa: ASYNC110 - time is virtual, and what comes is no event
            await asyncio.sleep(0.1)


def checking(pool: TwikitConnectionPool) -> bool:
    return pool.counts()[ConnectionState.CHECKING] > 0


def ids(pool: TwikitConnectionPool) -> set[str]:
    return {each.id for each in pool.connections()}


# ---------------------------------------------------------------- idle and old ones


@scene(4, min_connections=2, initial_connections=4, max_idle_time=10.0, **OFTEN)
async def test_idle_connections_are_closed_down_to_the_floor(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(ConnectionClosed) as heard:
        await asyncio.sleep(5)
        (await take(pool, account_id="a0")).release()
        (await take(pool, account_id="a1")).release()
        await asyncio.sleep(4.9)
        assert pool.size == 4
        await asyncio.sleep(1)
        assert ids(pool) == {"a0#1", "a1#1"}
        await asyncio.sleep(100)
        assert ids(pool) == {"a0#1", "a1#1"}
    assert reasons(list(heard.take())) == ["it was idle for 10 s"] * 2


@scene(2, min_connections=0, initial_connections=2, max_idle_time=10.0, **OFTEN)
async def test_a_reserved_or_leased_connection_is_not_idle(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.reserve("a0", "spring", duration=60)
    await take(pool, account_id="a1")
    await asyncio.sleep(59)
    assert pool.size == 2
    await asyncio.sleep(13)
    assert ids(pool) == {"a1#1"}


@scene(3, min_connections=0, initial_connections=0, max_idle_time=10.0, **OFTEN)
async def test_what_is_idle_is_kept_when_the_pool_was_resized_to_it(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.resize(2)
    await asyncio.sleep(100)
    assert pool.size == 2
    pool.resize(1)
    assert pool.size == 1


@scene(1, max_lifetime=100.0, lifetime_jitter=0.0)
async def test_an_old_connection_is_replaced(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(ConnectionClosed) as heard:
        await asyncio.sleep(99.9)
        assert ids(pool) == {"a0#1"}
        await asyncio.sleep(0.2)
        assert ids(pool) == {"a0#2"}
        await asyncio.sleep(100)
        assert ids(pool) == {"a0#3"}
    assert reasons(list(heard.take())) == ["it reached its lifetime"] * 2


@scene(1, max_lifetime=100.0, lifetime_jitter=0.0)
async def test_an_old_connection_is_replaced_when_its_lease_ends(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    await asyncio.sleep(150)
    assert lease.held
    lease.release()
    assert ids(pool) == {"a0#2"}


@scene(1, max_lifetime=100.0, lifetime_jitter=0.0)
async def test_a_connection_lent_after_its_look_is_replaced_soon_after_its_lifetime(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await asyncio.sleep(99)
    lease = await take(pool)
    await asyncio.sleep(0.5)
    lease.release()
    await asyncio.sleep(0.6)
    assert ids(pool) == {"a0#2"}


def test_lifetimes_are_spread_so_that_not_all_end_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "max_lifetime": 100.0, "lifetime_jitter": 0.2})
        async with pool_of(SimulatedX(loop), 30, config) as pool:
            await settle()
            pool.resize(30)
            await settle()
            began = {each.id: each.created for each in pool.connections()}
            ends = [each.ends - began[each.id] for each in pool.connections()]
        assert all(80 <= each <= 100 for each in ends)
        assert max(ends) - min(ends) > 10
        assert len({round(each, 6) for each in ends}) == 30

    simulate(main, order="fifo")


@scene(2, min_connections=1, initial_connections=2, max_idle_time=10.0, enable_health_checks=True)
async def test_limits_for_free_connections_hold_though_there_is_none_for_leases(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    (await take(pool)).release()
    await asyncio.sleep(105)
    assert pool.size == 1
    assert x.calls["account/settings"] >= 1


# ---------------------------------------------------------------- those that nobody gives back


@scene(1, leak_warning=30.0)
async def test_a_lease_kept_long_is_told_once_with_its_borrower(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def forget() -> None:
        await pool.acquire()

    with pool.events.subscribe(LeaseOverdue) as heard:
        await asyncio.sleep(100)
        await x.loop.create_task(forget(), name="careless")
        await asyncio.sleep(29.9)
        assert not heard.take()
        await asyncio.sleep(30.2)
        await asyncio.sleep(300)
        (event,) = heard.take()
    assert isinstance(event, LeaseOverdue)
    assert (event.borrower, event.account_id, event.connection_id) == ("careless", "a0", "a0#1")
    assert 30 <= event.held <= 60.1


@scene(1, leak_warning=30.0)
async def test_every_lease_kept_long_is_told(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(LeaseOverdue) as heard:
        for _ in range(2):
            lease = await take(pool)
            await asyncio.sleep(61)
            lease.release()
        assert len(heard.take()) == 2


@pytest.mark.parametrize("debug", [False, True])
def test_the_warning_names_the_borrower_and_in_debug_where_it_was_borrowed(
    caplog: LogCaptureFixture, debug: bool
) -> None:
    @scene(1, leak_warning=5.0, debug=debug)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        asyncio.current_task().set_name("main borrower")  # type: ignore[union-attr]
        lease = await pool.acquire()
        await asyncio.sleep(11)
        lease.release()

    with caplog.at_level(logging.WARNING):
        play()
    (record,) = [each for each in caplog.records if "release missing" in each.message]
    assert "a0#1 has been held for" in record.message
    assert "by main borrower: is its release missing?" in record.message
    assert ("it was borrowed here:" in record.message) == debug
    assert ("lease = await pool.acquire()" in record.message) == debug
    assert "traceback.format_stack" not in record.message


@scene(1, lease_timeout=20.0)
async def test_a_lease_kept_too_long_is_taken_back_and_its_client_closed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    waiting = ask(pool)
    with pool.events.subscribe(ConnectionReclaimed, ConnectionClosed) as heard:
        await asyncio.sleep(19.9)
        assert lease.held
        await asyncio.sleep(0.2)
        reclaimed, closed = heard.take()
    assert isinstance(reclaimed, ConnectionReclaimed)
    assert (reclaimed.account_id, reclaimed.connection_id) == ("a0", "a0#1")
    assert 20 <= reclaimed.held <= 20.1
    assert reclaimed.borrower.startswith("main")
    assert isinstance(closed, ConnectionClosed)
    assert closed.reason == "its lease lasted longer than 20 s"
    assert not lease.held
    with pytest.raises(LeaseLost):
        await lease.execute("like_tweet", tweet_id="1")
    assert x.links[0].closed
    other = await gone(waiting)
    lease.release()
    assert other.held, "a lease that was lost must not give back another's connection"
    assert other.connection.id == "a0#2"


@scene(1, lease_timeout=20.0, leak_warning=7.0)
async def test_short_leases_are_never_taken_back(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(ConnectionReclaimed, LeaseOverdue) as heard:
        for _ in range(30):
            lease = await take(pool)
            await asyncio.sleep(6.5)
            lease.release()
        assert not heard.take()
    assert ids(pool) == {"a0#1"}


@scene(1)
async def test_limits_set_later_hold_for_a_lease_that_runs(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    await asyncio.sleep(5)
    pool.reconfigure(lease_timeout=10.0)
    await asyncio.sleep(4.9)
    assert lease.held
    await asyncio.sleep(0.2)
    assert not lease.held


@scene(1, lease_timeout=20.0)
async def test_the_last_borrower_may_be_no_task(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(ConnectionReclaimed) as heard:
        lease = await take(pool)
        lease.connection.borrower = None
        await asyncio.sleep(21)
        (event,) = heard.take()
    assert isinstance(event, ConnectionReclaimed)
    assert event.borrower == "nobody"


# ---------------------------------------------------------------- health


@scene(1, **CHECKED)
async def test_a_free_connection_is_checked_from_time_to_time(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(ConnectionChecked) as heard:
        await asyncio.sleep(29.9)
        assert not x.calls
        await asyncio.sleep(6000)
        first, *more = heard.take()
    assert x.calls["account/settings"] == 1 + len(more) == pytest.approx(100, abs=20)
    assert isinstance(first, ConnectionChecked)
    assert (first.well, first.reason, first.connection_id, first.account_id) == (True, "", "a0#1", "a0")
    assert 0 <= first.latency <= 0.6


@scene(1, **CHECKED)
async def test_a_connection_used_a_moment_ago_is_not_checked(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for _ in range(10):
        await asyncio.sleep(29)
        (await take(pool)).release()
    assert not x.calls
    await asyncio.sleep(29.9)
    assert not x.calls
    await asyncio.sleep(61)
    assert x.calls["account/settings"] == 1


@scene(1, **CHECKED)
async def test_nobody_has_a_connection_while_it_is_checked(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.slowest = 0.0
    hold = asyncio.Event()
    check = x.links[0].check

    async def check_slowly() -> None:
        await hold.wait()
        await check()

    x.links[0].check = check_slowly
    await until(lambda: checking(pool))
    waiting = ask(pool)
    await settle()
    assert not waiting.done()
    hold.set()
    assert (await gone(waiting)).held


@scene(1, **CHECKED, health_check_timeout=5.0, health_check_failures=2)
async def test_a_connection_that_fails_its_checks_in_a_row_is_replaced(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang() -> None:
        await asyncio.sleep(1e6)

    x.links[0].check = hang
    with pool.events.subscribe(ConnectionChecked, ConnectionClosed) as heard:
        await until(lambda: checking(pool))
        await asyncio.sleep(5.1)
        (failed,) = heard.take()
        assert isinstance(failed, ConnectionChecked)
        assert (failed.well, failed.reason) == (False, "no complete answer within the call's deadline")
        assert 5 <= failed.latency <= 5.1
        assert not next(iter(pool.connections())).healthy
        assert pool.status().healthy == 0
        await until(lambda: checking(pool))
        await asyncio.sleep(5.1)
    assert ids(pool) == {"a0#2"}
    assert reasons(list(heard.take())) == [
        "2 health checks failed: no complete answer within the call's deadline"
    ]
    assert pool.status().healthy == 1


@scene(1, **CHECKED, health_check_failures=2)
async def test_a_check_that_goes_well_ends_the_row_of_failures(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for _ in range(3):
        x.codes["a0"] = [131]
        await until(lambda: pool.status().healthy == 0)
        await until(lambda: pool.status().healthy == 1)
    assert ids(pool) == {"a0#1"}


@scene(1, **CHECKED, health_check_failures=1)
async def test_a_rate_limit_says_nothing_about_health(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.limit = 0
    with pool.events.subscribe(ConnectionChecked) as heard:
        await asyncio.sleep(300)
        assert not heard.take()
    assert ids(pool) == {"a0#1"}
    assert all(each.healthy for each in pool.connections())
    assert x.over_limit == 1, "the window is shut: asking again would be hammering"


@scene(2, **CHECKED)
async def test_an_account_that_its_check_finds_ill_is_not_used_any_more(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [326]
    await until(lambda: pool.size == 1)
    assert ids(pool) == {"a1#1"}
    assert pool.status().accounts_by_state == {"locked": 1, "active": 1}


@scene(1, **CHECKED, health_check_failures=1)
async def test_what_is_closed_during_its_check_stays_closed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang() -> None:
        await asyncio.sleep(1e6)

    x.links[0].check = hang
    await until(lambda: checking(pool))
    await pool.drain(0)
    assert pool.size == 0
    pool.resume()
    await settle()
    assert (await pool.acquire(ConnectionRequest(timeout=1))).connection.id == "a0#2"
    await asyncio.sleep(30)
    assert ids(pool) == {"a0#2"}


@scene(1, **CHECKED, health_check_failures=1)
async def test_an_emergency_stop_is_not_held_against_a_connection(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.emergency_stop("drill", pause=200)
    await asyncio.sleep(199)
    assert not x.calls
    assert ids(pool) == {"a0#1"}
    assert pool.status().healthy == 1


@scene(1)
async def test_checks_can_be_switched_on_and_off(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await asyncio.sleep(100)
    pool.reconfigure(enable_health_checks=True, health_check_interval=60.0)
    await asyncio.sleep(2)
    assert x.calls["account/settings"] == 1
    pool.reconfigure(enable_health_checks=False)
    await asyncio.sleep(500)
    assert x.calls["account/settings"] == 1
