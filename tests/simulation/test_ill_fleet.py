"""Fifty accounts on a bad day, with the real twikit and the simulator of X, in virtual time.

Five are locked, five suspended, five have dead cookies and five are slow; one operation is broken for
everyone for a while, and then X is down for half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from tests.simulation.simulated_loop import Order, SimulatedLoop, every_seed
from tests.simulation.virtual_x import VirtualX
from twikit_pool.accounts import AccountState
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.events import AccountQuarantined, AccountStateChanged, Event
from twikit_pool.jobs import Job, JobResult, JobRunner
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.sessions.actions import GetUser, GetUserTweets, PostTweet, SearchTweet

SETTINGS = ConnectionPoolConfig(initial_connections=50, acquire_timeout=None, call_timeout=10.0)
USED = ("SearchTimeline", "UserByScreenName", "UserTweets", "CreateTweet", "home", "account/settings")
PROBES = 4
"""Calls of an ill account until its state is known, and checks in the time that it is ill."""


def jobs(pinned: Sequence[str]) -> list[Job]:
    """Work for anyone, and a post for each of these accounts."""
    free = [
        (GetUser(handle="sim_001"), SearchTweet(query="python"), GetUserTweets(user_id="1"))[n % 3]
        for n in range(900)
    ]
    return [
        *(Job(id=f"read-{n}", line=n, action=action) for n, action in enumerate(free)),
        *(Job(id=each, line=0, action=PostTweet(content=f"From {each}"), account=each) for each in pinned),
    ]


async def slowly(work: Sequence[Job]) -> AsyncIterator[Job]:
    """So that there is work all the time."""
    for each in work:
        yield each
        await asyncio.sleep(0.08)


class Day:
    """The bad day."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.x = VirtualX(loop, accounts=50, latency=0.25, latency_sigma=0.3)
        ids = self.x.ids
        self.locked, self.suspended, self.dead, self.slow = (ids[n : n + 5] for n in (0, 5, 10, 15))
        self.ill = [*self.locked, *self.suspended, *self.dead]
        self.well = ids[20:]

    def breaks(self) -> None:
        """It begins. Some accounts have made calls before."""
        for each in self.locked:
            self.x.fault("lock", account=each)
        for each in self.suspended:
            self.x.fault("suspend", account=each)
        for each in self.dead:
            self.x.fault("expire", account=each)
        for each in self.slow:
            self.x.fault("slow", account=each, seconds=3.0)

    async def passes(self) -> None:
        """What X does in the meantime."""
        await asyncio.sleep(10)
        self.x.fault("server_error", endpoint="UserTweets")
        await asyncio.sleep(15)
        self.x.mend(endpoint="UserTweets")
        await asyncio.sleep(10)
        for each in USED:
            self.x.fault("server_error", endpoint=each)
        await asyncio.sleep(30)
        for each in USED:
            self.x.mend(endpoint=each)


async def the_day(loop: SimulatedLoop) -> None:
    day = Day(loop)
    seen: list[Event] = []
    async with day.x.pool(SETTINGS) as pool:
        with pool.events.subscribe(AccountStateChanged, AccountQuarantined) as told:
            for each in [*day.suspended, *day.well]:
                await pool.execute("get_user", handle="sim_001", account=each)
            day.breaks()
            passing = loop.create_task(day.passes())
            runner = JobRunner(pool)
            work = jobs([*day.ill, *day.slow, *day.well])
            results: dict[str, JobResult] = {}
            async with aclosing(runner.run(slowly(work))) as ended:
                async for each in ended:
                    if isinstance(each, JobResult):
                        results[each.id] = each
            await passing
            seen += told.take()
        undone = {name for name, each in results.items() if each.outcome != "ok"}
        assert undone == set(day.ill)  # they alone could not be done
        assert len(results) == len(work)
        for each in day.ill:
            assert day.x.calls(each, status=200) <= PROBES * 2, each  # with the pages of the handshake
            assert sum(day.x.calls(each, status=status) for status in (401, 403)) <= PROBES, each
        benched = {
            each.account_id for each in seen if isinstance(each, AccountStateChanged | AccountQuarantined)
        }
        assert benched.isdisjoint(day.well)
        assert set(day.ill) <= benched
        _the_report_names_them(day, pool.ill_accounts())
        await _everything_heals(day, pool)


def _the_report_names_them(day: Day, report: dict[str, str]) -> None:
    assert set(day.ill) <= set(report) <= {*day.ill, *day.slow}
    assert all("locked" in report[each] for each in day.locked)
    assert all("suspended" in report[each] for each in day.suspended)
    assert all("stale" in report[each] for each in day.dead)


async def _everything_heals(day: Day, pool: TwikitConnectionPool) -> None:
    for each in [*day.ill, *day.slow]:
        day.x.mend(account=each)
    await asyncio.sleep(900)
    standing = {each.id: each.standing.state for each in pool.accounts()}
    assert set(standing.values()) == {AccountState.ACTIVE}
    assert not any(each.bars for each in pool.accounts())
    for each in day.x.ids:
        await pool.execute("get_user", handle="sim_001", account=each)


@pytest.mark.parametrize("order", ["fifo", "tasks", "all"])
def test_a_bad_day(order: Order) -> None:
    every_seed(the_day, range(2), order=order)
