from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, scene, settle, take
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.pool import ConnectionPriority, PoolStatus, TwikitConnectionPool
from twikit_pool.pool.status import together

ACCOUNTS = [
    *(account(f"a{n}") for n in range(4)),
    account("a4", standing=Standing(state=AccountState.LOCKED, reason="by X")),
]


def of_priority(**numbers: int) -> dict[int, int]:
    return {int(each): numbers.get(each.name, 0) for each in ConnectionPriority}


@scene(ACCOUNTS)
async def test_the_status_of_a_pool_adds_up(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool, account_id="a0", priority=ConnectionPriority.HIGH)
    pool.reserve("a1", "spring")
    pool.quarantine("a2", "a rest", 100)
    for priority in (ConnectionPriority.LOW, ConnectionPriority.LOW, ConnectionPriority.CRITICAL):
        ask(pool, account_id="a0", priority=priority)
        await asyncio.sleep(2)
    status = pool.status()
    assert (status.pool_id, status.mode, status.at) == (
        "default",
        "open",
        EPOCH + timedelta(seconds=x.loop.time()),
    )
    assert (status.total, status.available, status.active, status.reserved, status.healthy) == (3, 1, 1, 1, 3)
    assert (status.queued, round(status.longest_wait, 6)) == (3, 6)
    assert (status.accounts, status.quarantined) == (5, 2)
    assert status.queued_by_priority == of_priority(LOW=2, CRITICAL=1)
    assert status.active_by_priority == of_priority(HIGH=1)
    assert status.by_account == {"a0": 1, "a1": 1, "a3": 1}
    assert {state: number for state, number in status.by_state.items() if number} == {
        "leased": 1,
        "reserved": 1,
        "idle": 1,
    }
    assert len(status.by_state) == 7
    assert status.accounts_by_state == {"active": 3, "quarantined": 1, "locked": 1}
    assert [each.id for each in pool.accounts()] == [f"a{n}" for n in range(5)]


@scene(2)
async def test_several_pools_are_told_as_one(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool, account_id="a0", priority=ConnectionPriority.HIGH)
    ask(pool, account_id="a0", priority=ConnectionPriority.LOW)
    await asyncio.sleep(3)
    one = pool.status()
    await asyncio.sleep(4)
    pool.suspend()
    other = pool.status()
    whole = together([one, one], at=EPOCH)
    assert (whole.pool_id, whole.mode, whole.at) == ("default,default", "open", EPOCH)
    assert (whole.total, whole.active, whole.accounts, whole.queued) == (4, 2, 4, 2 * one.queued)
    assert whole.active_by_priority == of_priority(HIGH=2)
    assert whole.by_account == {"a0": 2, "a1": 2}
    assert whole.accounts_by_state == {"active": 4}
    mixed = together([one, other], at=EPOCH)
    assert mixed.mode == "mixed"
    assert mixed.longest_wait == other.longest_wait >= one.longest_wait


@scene(1)
async def test_no_pools_at_all_are_told_as_nothing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    nothing = together([], at=EPOCH)
    assert (nothing.pool_id, nothing.mode, nothing.total, nothing.longest_wait) == ("", "mixed", 0, 0)
    assert nothing.by_account == {}
    await settle()
    assert isinstance(nothing, PoolStatus)
