from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import account_ids, ask, gone, holders, scene, settle, take
from twikit_pool.errors import (
    AcquireTimeoutError,
    ConfigError,
    PoolClosed,
    PoolOverloadedError,
)
from twikit_pool.events import AcquireTimedOut, ConnectionLeased, ConnectionReleased, PoolReconfigured
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.sessions.outcomes import Outcome

LOW, NORMAL, HIGH, CRITICAL, EMERGENCY = ConnectionPriority
CAPABLE = frozenset({"long_posts"})

# ---------------------------------------------------------------- which free connection


@scene(3)
async def test_the_connection_used_last_is_lent_first(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for account_id in ("a1", "a2", "a0"):
        (await take(pool, account_id=account_id)).release()
    leases = [await take(pool) for _ in range(3)]
    assert account_ids(leases) == ["a0", "a2", "a1"]


@scene(3, selection="least_used")
async def test_the_connection_used_least_is_lent_first(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for account_id in ("a0", "a0", "a2"):
        (await take(pool, account_id=account_id)).release()
    leases = [await take(pool) for _ in range(3)]
    assert account_ids(leases) == ["a1", "a2", "a0"]


@scene(3, selection="best_quality")
async def test_the_connection_that_does_best_is_lent_first(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for connection, outcome in zip(
        pool.connections(), (Outcome.TRANSIENT, Outcome.OK, Outcome.OK), strict=True
    ):
        seconds = 1.0 if connection.account_id == "a1" else 0.2
        connection.health.called("like_tweet", outcome, 0.0, seconds)
    leases = [await take(pool) for _ in range(3)]
    for lease in leases:
        lease.release()
    assert account_ids([await take(pool) for _ in range(3)]) == ["a2", "a1", "a0"]


@scene(3)
async def test_another_selection_holds_at_once(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for account_id in ("a1", "a2", "a0"):
        (await take(pool, account_id=account_id)).release()
    (await take(pool, account_id="a0")).release()
    kept = pool.reserve("a2", "spring")
    pool.reconfigure(selection="least_used")
    assert account_ids([await take(pool), await take(pool)]) == ["a1", "a0"]
    assert (await take(pool, reserved_for="spring")).account_id == kept.account_id


@scene([account("a0"), account("a1", capabilities=CAPABLE)])
async def test_a_request_gets_only_what_it_asks_for(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    (await take(pool, account_id="a0")).release()
    lease = await take(pool, capabilities=CAPABLE)
    assert lease.account_id == "a1"
    with pytest.raises(AcquireTimeoutError):
        await take(pool, capabilities=CAPABLE)
    lease.release()
    pool.sessions.windows("a1").rest("Likes", 100)
    with pytest.raises(AcquireTimeoutError, match="out of Likes calls; the next window opens in 99 s"):
        await take(pool, capabilities=CAPABLE, endpoint="Likes")
    assert (await take(pool, endpoint="Likes")).account_id == "a0"


@scene(1)
async def test_a_window_that_opens_serves_who_waits_for_it(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.sessions.windows("a0").rest("Likes", 10)
    waiting = ask(pool, endpoint="Likes")
    other = await take(pool, endpoint="Search")
    other.release()
    await asyncio.sleep(9.9)
    assert not waiting.done()
    await asyncio.sleep(0.2)
    (await gone(waiting)).release()


@scene(1)
async def test_a_window_that_is_closed_longer_opens_later(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    windows = pool.sessions.windows("a0")
    windows.rest("Likes", 10)
    windows.rest("Likes", 20)
    waiting = ask(pool, endpoint="Likes")
    await asyncio.sleep(19.9)
    assert not waiting.done()
    await asyncio.sleep(0.2)
    (await gone(waiting)).release()


@scene(1, opened=False)
async def test_a_window_known_before_the_pool_opened_holds(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.sessions.windows("a0").rest("Likes", 10)
    await pool.open()
    await settle()
    with pytest.raises(AcquireTimeoutError):
        await take(pool, endpoint="Likes")
    (await take(pool, endpoint="Likes", timeout=20)).release()


@scene(1)
async def test_a_call_under_way_closes_an_unknown_window_until_it_is_answered(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    windows = pool.sessions.windows("a0")
    windows.sent("Likes")
    waiting = ask(pool, endpoint="Likes")
    await asyncio.sleep(30)
    assert not waiting.done()
    windows.unsent("Likes")
    assert (await gone(waiting)).held


# ---------------------------------------------------------------- order


@scene(1, enable_priority_queuing=False)
async def test_without_priorities_the_order_is_that_of_arrival(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    waiting = [ask(pool, priority=each) for each in (LOW, EMERGENCY, NORMAL)]
    await settle()
    assert await holders(waiting, holder) == [0, 1, 2]


@scene(1, head_starts=(9.0, 4.0, 3.0, 2.0, 0.0))
async def test_head_starts_are_those_of_the_settings(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    holder = await take(pool)
    waiting = [ask(pool, priority=LOW)]
    await asyncio.sleep(4.5)
    waiting.append(ask(pool, priority=NORMAL))  # 4.5 + 4 < 9
    await asyncio.sleep(1)
    waiting.append(ask(pool, priority=HIGH))  # 5.5 + 3 = 8.5, as the one before, who came first
    await asyncio.sleep(4)
    waiting.append(ask(pool, priority=EMERGENCY))  # 9.5 > 9
    await settle()
    assert await holders(waiting, holder) == [1, 2, 0, 3]


@scene(1)
async def test_other_head_starts_hold_for_who_comes_from_now_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    waiting = [ask(pool, priority=NORMAL)]
    await settle()
    pool.reconfigure(head_starts=(30.0, 20.0, 15.0, 11.0, 10.5))
    waiting += [ask(pool, priority=each) for each in (EMERGENCY, HIGH)]
    await settle()
    pool.reconfigure(enable_priority_queuing=False)
    waiting.append(ask(pool, priority=LOW))
    await settle()
    assert await holders(waiting, holder) == [3, 0, 1, 2]


@scene(2)
async def test_who_asked_first_for_any_account_is_before_who_asked_for_this_one(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    first, second = await take(pool, account_id="a0"), await take(pool)
    anyone, this = ask(pool), ask(pool, account_id="a0")
    await settle()
    first.release()
    await settle()
    assert (anyone.done(), this.done()) == (True, False)
    second.release()
    await settle()
    assert not this.done()
    anyone.result().release()
    await settle()
    assert this.done()


@scene(2)
async def test_a_connection_that_only_others_can_use_stays_free(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool, account_id="a0")
    waiting = ask(pool, account_id="a0")
    await settle()
    assert (await take(pool)).account_id == "a1"
    holder.release()
    await settle()
    assert waiting.done()


# ---------------------------------------------------------------- timeouts


@scene(1)
async def test_a_timeout_of_zero_takes_what_is_free_and_waits_for_nothing(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, timeout=0)
    before = x.loop.time()
    with pytest.raises(AcquireTimeoutError, match=r"^no connection within 0 s: of 1 accounts 1 leased$"):
        await take(pool, timeout=0)
    ask(pool, timeout=0.01)
    await asyncio.sleep(0)
    with pytest.raises(AcquireTimeoutError, match="1 leased; 1 wait before it"):
        await take(pool, timeout=0)
    assert x.loop.time() == before
    lease.release()


@scene(1, acquire_timeout=7.0)
async def test_the_settings_say_how_long_a_request_waits_that_does_not(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    with pool.events.subscribe(AcquireTimedOut) as heard:
        began = x.loop.time()
        with pytest.raises(AcquireTimeoutError, match="within 7 s"):
            await pool.acquire(ConnectionRequest(priority=HIGH, action="like_tweet", account_id="a0"))
        assert 7 <= x.loop.time() - began <= 7.03
    (event,) = heard.take()
    assert isinstance(event, AcquireTimedOut)
    assert (event.account_id, event.action, event.priority) == ("a0", "like_tweet", 3)
    assert 7 <= event.waited <= 7.03
    lease.release()


@scene(1, acquire_timeout=None)
async def test_without_a_timeout_a_request_waits_for_ever(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    lease = await take(pool)
    waiting = x.loop.create_task(pool.acquire().__aenter__())
    await asyncio.sleep(1e6)
    assert not waiting.done()
    lease.release()
    assert (await gone(waiting)).held


@scene(1)
async def test_a_thousand_timeouts_at_once_look_at_the_accounts_once(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool)
    late = [ask(pool, timeout=5) for _ in range(1000)]
    await asyncio.sleep(6)
    messages = {str(each.exception()) for each in late}
    assert "no connection within 5 s: of 1 accounts 1 leased" in messages
    assert all("1 leased" in each for each in messages)
    lease = ask(pool, timeout=1)
    pool.quarantine("a0", "a rest", 100)
    await asyncio.sleep(1.1)
    assert "1 quarantined" in str(lease.exception()), "the census was too old"


# ---------------------------------------------------------------- too many


@scene(1, max_waiting=2)
async def test_when_too_many_wait_the_latest_of_the_least_urgent_goes(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool)
    first, latest = ask(pool, priority=LOW), ask(pool, priority=LOW)
    await settle()
    high = ask(pool, priority=NORMAL)
    await settle()
    with pytest.raises(
        PoolOverloadedError, match=r"2 requests wait for pool 'default' already \(max_waiting\); ask again"
    ):
        await latest
    with pytest.raises(PoolOverloadedError):
        await take(pool, priority=LOW)
    assert not first.done()
    assert not high.done()
    assert pool.waiting == 2


@scene(1, max_waiting=10, max_waiting_by_priority=(1, None, 0, None, None))
async def test_a_priority_may_have_a_limit_of_its_own(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool)
    ask(pool, priority=LOW)
    await settle()
    with pytest.raises(PoolOverloadedError, match=r"1 of this priority wait .* \(max_waiting_by_priority\)"):
        await take(pool, priority=LOW)
    with pytest.raises(PoolOverloadedError, match="0 of this priority"):
        await take(pool, priority=HIGH)
    for each in (NORMAL, CRITICAL, EMERGENCY):
        ask(pool, priority=each)
    await settle()
    assert pool.waiting == 4


@scene(1, max_waiting=1)
async def test_who_waits_for_nothing_sends_nobody_away(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool)
    low = ask(pool, priority=LOW)
    await settle()
    with pytest.raises((AcquireTimeoutError, PoolOverloadedError)):
        await take(pool, priority=HIGH, timeout=0)
    await settle()
    assert not low.done()


# ---------------------------------------------------------------- not open, and live settings


@scene(1, opened=False)
async def test_a_pool_that_is_not_open_serves_nobody(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(PoolClosed, match="pool 'default' is not open: use `async with pool:`"):
        await take(pool)
    pool.reconfigure(max_connections=5)
    assert pool.config.max_connections == 5


@scene(2, max_connections=2)
async def test_more_connections_per_account_are_opened_when_the_settings_allow_them(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool, account_id="a0")
    second = ask(pool, account_id="a0")
    await settle()
    assert not second.done()
    with pool.events.subscribe(PoolReconfigured) as heard:
        pool.reconfigure(max_connections=4, max_connections_per_account=2)
    await settle()
    assert (await gone(second)).account_id == "a0"
    assert [each.changed for each in heard.take() if isinstance(each, PoolReconfigured)] == [
        ("max_connections", "max_connections_per_account")
    ]
    with pytest.raises(ConfigError):
        pool.reconfigure(max_connections=1, max_connections_per_account=2)
    assert pool.config.max_connections == 4


@scene(1)
async def test_each_lease_is_told_with_how_long_it_was_waited_for_and_held(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(ConnectionLeased, ConnectionReleased) as heard:
        lease = await take(pool, action="like_tweet", priority=HIGH)
        began = x.loop.time()
        waiting = ask(pool)
        await asyncio.sleep(3)
        lease.release()
        (await gone(waiting)).release()
        leased, released, second, _ = heard.take()
    assert isinstance(leased, ConnectionLeased)
    assert isinstance(released, ConnectionReleased)
    assert isinstance(second, ConnectionLeased)
    assert (leased.waited, leased.action, leased.priority, leased.account_id) == (0, "like_tweet", 3, "a0")
    assert (leased.connection_id, leased.pool_id) == ("a0#1", "default")
    assert leased.at == EPOCH + timedelta(seconds=began)
    assert (released.held, released.action, released.priority) == (pytest.approx(3), "like_tweet", 3)
    assert (released.connection_id, released.account_id) == ("a0#1", "a0")
    assert released.at == EPOCH + timedelta(seconds=began + 3)
    assert (second.waited, second.action, second.priority) == (pytest.approx(3), None, 2)
