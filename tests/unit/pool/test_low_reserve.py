"""LOW requests leave a share of each window to more urgent ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, gone, scene, settle, take
from twikit_pool.accounts.caps import read_caps
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.sessions.responses import RawResponse

LIKES = "Likes"
LOW: dict[str, Any] = {"endpoint": LIKES, "priority": ConnectionPriority.LOW}
NORMAL: dict[str, Any] = {"endpoint": LIKES}
EPOCH = 1_700_000_000


def tell(pool: TwikitConnectionPool, remaining: int, limit: int = 50, account_id: str = "a0") -> None:
    """X says that so many calls of a window of 900 s are left, in its first moment."""
    now = int(pool.clock.monotonic())
    pool.sessions.windows(account_id).note(
        RawResponse(
            endpoint=LIKES,
            method="GET",
            status=200,
            limit=limit,
            remaining=remaining,
            reset=EPOCH + now + 899,
            date=EPOCH + now,
        )
    )


async def refused(pool: TwikitConnectionPool, **wish: Any) -> str:
    with pytest.raises(AcquireTimeoutError) as late:
        await take(pool, **{**wish, "timeout": 0})
    return str(late.value)


@scene(1)
async def test_low_requests_wait_where_others_are_served(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    tell(pool, 49)
    (await take(pool, **LOW)).release()
    tell(pool, 4)
    waiting = ask(pool, **LOW)
    await settle()
    assert not waiting.done()
    why = await refused(pool, **LOW)
    assert "1 keeping their last Likes calls for more urgent requests" in why
    assert "the next window opens in" in why
    (await take(pool, **NORMAL)).release()
    await settle()
    assert not waiting.done()
    why = str(pool.explain(ConnectionRequest(**NORMAL)))
    assert "keeping" not in why


@scene(1)
async def test_what_is_kept_melts_and_then_the_waiter_is_served(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    tell(pool, 49)
    tell(pool, 3)
    waiting = ask(pool, **{**LOW, "timeout": 900.0})
    await asyncio.sleep(350)
    assert not waiting.done()
    await asyncio.sleep(20)
    (await gone(waiting)).release()


@scene(1)
async def test_a_used_up_window_closes_both_ways(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    tell(pool, 0)
    for wish in (LOW, NORMAL):
        assert "1 out of Likes calls" in await refused(pool, **wish)
    member = pool.matching.members["a0"]
    assert len(member.thaws) == 2
    await asyncio.sleep(901)
    assert not member.thaws
    (await take(pool, **LOW)).release()


@scene(1)
async def test_the_share_follows_the_settings(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    tell(pool, 4)
    assert await refused(pool, **LOW)
    waiting = ask(pool, **LOW)
    await settle()
    pool.reconfigure(low_priority_reserve=0.05)
    (await gone(waiting)).release()
    pool.reconfigure(low_priority_reserve=0.2)
    assert await refused(pool, **LOW)
    pool.reconfigure(enable_priority_queuing=False)
    (await take(pool, **LOW)).release()


@scene([account("a0", caps=read_caps({LIKES: "10/day"}))])
async def test_a_share_of_a_cap_is_kept_too(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    windows = pool.sessions.windows("a0")
    for _ in range(9):
        windows.sent(LIKES)
        tell(pool, 40)
    assert await refused(pool, **LOW)
    (await take(pool, **NORMAL)).release()


@scene(1, low_priority_reserve=0.0)
async def test_without_a_share_low_requests_are_as_others(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    tell(pool, 1)
    (await take(pool, **LOW)).release()


@scene(2)
async def test_low_requests_go_where_there_is_more(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    tell(pool, 2, account_id="a0")
    tell(pool, 40, account_id="a1")
    lease = await take(pool, **LOW)
    assert lease.account_id == "a1"
    lease.release()
