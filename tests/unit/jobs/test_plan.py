"""Plans: found by halving, they must be what a slow walk through time finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import WINDOW, SimulatedX, account, pool_of
from tests.unit.pool.scene import scene
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.jobs import Holdups, Job, JobRunner, Plan, Rejected, Survey, plan_of
from twikit_pool.jobs.plan import _Work
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.pool.budget import AccountBudget
from twikit_pool.sessions.actions import BookmarkTweet, LikeTweet, PostTweet, SearchTweet
from twikit_pool.sessions.prospects import Prospect, Supply


def budget(name: str, left: int, ends: int, calls: int, period: int, away: int = 0) -> AccountBudget:
    supply = Supply(left, ((ends, calls),), period)
    return AccountBudget(
        account_id=name,
        prospect=Prospect(left=left, limit=None, opens_in=0.0, returns_in=ends, supplies=(supply,)),
        limit=None,
        sustained=None,
        away=away,
        hopeless="",
    )


@dataclass
class Walk:
    """One account, second by second."""

    left: int
    ends: int
    calls: int
    period: int
    away: int
    pinned: int

    def step(self, second: int, free: int) -> int:
        """What it sends in this second; returns how many jobs for anyone are left."""
        second -= self.away
        if second >= self.ends and (second - self.ends) % self.period == 0:
            self.left += self.calls
        if second >= 0:
            mine = min(self.left, self.pinned)
            self.pinned -= mine
            shared = min(self.left - mine, free)
            self.left -= mine + shared
            free -= shared
        return free


accounts = st.lists(
    st.builds(
        Walk,
        left=st.integers(0, 6),
        ends=st.integers(1, 30),
        calls=st.integers(1, 6),
        period=st.integers(1, 30),
        away=st.sampled_from([0, 0, 7]),
        pinned=st.integers(0, 12),
    ),
    min_size=1,
    max_size=4,
)


@given(walks=accounts, free=st.integers(0, 40))
def test_the_time_is_what_a_walk_through_it_finds(walks: list[Walk], free: int) -> None:
    budgets = [
        budget(f"a{number}", each.left, each.ends, each.calls, each.period, each.away)
        for number, each in enumerate(walks)
    ]
    pinned = {f"a{number}": each.pinned for number, each in enumerate(walks) if each.pinned}
    work = _Work(endpoint="S", anyone=free, pinned=pinned, able=tuple(budgets))
    found = work.seconds(call_seconds=0.0)
    second = 0
    while True:
        for each in walks:
            free = each.step(second, free)
        if not free and not any(each.pinned for each in walks):
            break
        second += 1
    assert found == pytest.approx(second, abs=0.02)


def searches(number: int, account_id: str | None = None) -> list[Job]:
    return [
        Job(id=f"s{account_id}{each}", action=SearchTweet(query="x"), account=account_id)
        for each in range(number)
    ]


def posts(number: int, account_id: str | None = None) -> list[Job]:
    return [
        Job(id=f"p{account_id}{each}", action=PostTweet(content=f"{each}"), account=account_id)
        for each in range(number)
    ]


def planned(pool: TwikitConnectionPool, *jobs: Job | Rejected, call_seconds: float = 0.5) -> Plan:
    survey = Survey()
    for job in jobs:
        survey.add(job)
    return plan_of(survey, pool, call_seconds)


@scene(4)
async def test_a_window_for_all_and_then_another(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    within = planned(pool, *searches(200))
    assert within.seconds == 25.0, "the calls by themselves: 50 an account, half a second each"
    [search] = within.endpoints
    assert (search.endpoint, search.jobs, search.fleet.left, search.fleet.limit) == (
        "SearchTimeline",
        200,
        200,
        200,
    )
    beyond = planned(pool, *searches(201))
    assert beyond.seconds == pytest.approx(901.5, abs=0.1), "one waits for the next window"
    assert beyond.bottleneck == "SearchTimeline"
    assert beyond.shorter == {"with 1 more account": pytest.approx(20.5)}


@scene(4)
async def test_jobs_that_name_an_account_wait_for_it(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    plan = planned(pool, *searches(60, "a1"), *searches(10))
    assert plan.seconds == pytest.approx(901 + 5.0, abs=0.1)
    unpinned = "if any account could do the SearchTimeline jobs that name one"
    assert plan.shorter == {unpinned: pytest.approx(9.0)}, "more accounts would not help"


@scene(2)
async def test_the_daily_cap_counts(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    assert planned(pool, *posts(100)).seconds < 60
    assert planned(pool, *posts(101)).seconds == pytest.approx(86_400, rel=0.01)
    assert planned(pool, *posts(101), *searches(50)).bottleneck == "CreateTweet"


@scene(3)
async def test_the_calls_themselves_take_time(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    bookmarks = [Job(id=str(each), action=BookmarkTweet(tweet_id="20")) for each in range(90)]
    plan = planned(pool, *bookmarks, *searches(60), call_seconds=2.0)
    assert (plan.seconds, plan.bottleneck) == (100.0, None)
    [unlimited] = [each for each in plan.endpoints if each.endpoint == "CreateBookmark"]
    assert (unlimited.fleet.left, unlimited.seconds) == (None, 60.0)


@scene(
    [
        account("well"),
        account("locked", standing=Standing(state=AccountState.LOCKED, reason="prove it")),
        account("off", caps={"SearchTimeline": 0}),
    ]
)
async def test_what_nobody_can_do_is_named(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    long = Job(id="long", action=PostTweet(content="x", long=True))
    plan = planned(pool, *searches(5, "locked"), *searches(2, "off"), *searches(1), long)
    never = {(each.endpoint, each.account): each for each in plan.impossible}
    assert set(never) == {
        ("SearchTimeline", "locked"),
        ("SearchTimeline", "off"),
        ("CreateNoteTweet", None),
    }
    locked = never["SearchTimeline", "locked"]
    assert (locked.jobs, len(locked.first)) == (5, 3)
    assert locked.reason == "locked is locked (prove it)"
    assert "cap of 0" in never["SearchTimeline", "off"].reason
    assert never["CreateNoteTweet", None].reason == "no account can: 3 without long_posts"
    [search] = plan.endpoints
    assert (search.jobs, plan.accounts) == (1, 1), "what can be done is planned all the same"


@scene(2)
async def test_an_account_that_is_away_comes_back(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.quarantine("a1", "resting", 600.0)
    assert planned(pool, *searches(1, "a1")).seconds == pytest.approx(600.5, abs=0.1)
    assert planned(pool, *searches(60)).seconds == pytest.approx(605.0, abs=0.1)


@scene(1)
async def test_nothing_to_do(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    plan = planned(pool)
    assert (plan.seconds, plan.endpoints, plan.bottleneck, dict(plan.shorter)) == (0.0, (), None, {})


def test_a_survey_counts_and_does_not_keep() -> None:
    survey = Survey(is_done=lambda job: job.id == "done")
    like = LikeTweet(tweet_id="20")
    for item in (
        *searches(1000, "a1"),
        Job(id="l", action=like),
        Job(id="done", action=like),
        Rejected(line=9, error="no"),
    ):
        survey.add(item)
    assert (survey.jobs, survey.done, survey.rejected, survey.read) == (1001, 1, 1, 1003)
    assert survey.engaging == {"like_tweet": 1}, "what is done already does not count"
    [wanted] = survey.demands["SearchTimeline"].by_account.values()
    assert (wanted.jobs, wanted.first) == (1000, ["sa10", "sa11", "sa12"])


@pytest.mark.parametrize(
    ("accounts", "limit", "jobs", "pinned"),
    [(3, 10, 95, 0), (4, 25, 0, 70), (2, 50, 180, 0)],
)
def test_a_run_takes_about_as_long_as_its_plan_says(
    accounts: int, limit: int, jobs: int, pinned: int
) -> None:
    """In virtual time, over windows of a quarter of an hour each."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=limit)
        async with pool_of(x, accounts, ConnectionPoolConfig(acquire_timeout=None)) as pool:
            for each in sorted(pool.account_ids):  # so that the limit is learned
                await pool.execute("search_tweet", query="x", account=each)
            await asyncio.sleep(WINDOW + 5)
            wanted = [*searches(jobs), *searches(pinned, "a0")]
            plan = planned(pool, *wanted, call_seconds=0.3)
            assert plan.bottleneck == "SearchTimeline"
            runner, holdups, began = JobRunner(pool), Holdups(pool), loop.time()
            looking = loop.create_task(look(holdups, runner))
            async for _ in runner.run(in_turn(wanted)):
                pass
            looking.cancel()
            assert runner.outcomes == {"ok": jobs + pinned}
            assert plan.seconds == pytest.approx(loop.time() - began, rel=0.2)
            assert x.over_limit == 0
            [(endpoint, cause, seconds), *_] = holdups.longest(3)
            assert (endpoint, cause) == ("SearchTimeline", "used-up calls")
            assert seconds == pytest.approx(plan.seconds, rel=0.2), "nearly all of it was waiting"

    simulate(main, order="fifo")


def test_what_held_nobody_up_for_a_second_is_not_told() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            holdups = Holdups(pool)
            holdups.look(searches(1), 0.5)
            assert not holdups.longest(3)
            holdups.look(searches(1), 0.5)
            assert len(holdups.longest(3)) == 1

    simulate(main, order="fifo")


async def look(holdups: Holdups, runner: JobRunner) -> None:
    while True:
        await asyncio.sleep(5.0)
        holdups.look(runner.waiting, 5.0)


async def in_turn(jobs: list[Job]) -> AsyncIterator[Job]:
    for job in jobs:
        yield job
