from __future__ import annotations

import asyncio
from math import inf

import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import scene, take
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.errors import UnknownAction
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.sessions.actions import PostTweet


async def search(pool: TwikitConnectionPool, account_id: str, times: int) -> None:
    for _ in range(times):
        await pool.execute("search_tweet", query="x", account=account_id)


@scene(3)
async def test_what_is_not_begun_is_expected_in_full(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    fleet = pool.budget("search_tweet")
    assert (fleet.endpoint, fleet.accounts, fleet.usable) == ("SearchTimeline", 3, 3)
    assert (fleet.left, fleet.limit) == (150, 150)
    assert (fleet.returns_in, fleet.returning) == (None, 0), "nothing was spent that could come back"
    assert fleet.rate == pytest.approx(150 / 901)
    assert str(fleet) == (
        "SearchTimeline: 150 calls left, 150 a window, 3 of 3 accounts can do it now; 9.99 a minute in the "
        "long run"
    )


@scene(1)
async def test_a_slow_rate_is_told_by_the_hour(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    assert "2.08 an hour in the long run" in str(pool.budget("post_tweet")), "50 a day"


@scene(3)
async def test_who_is_out_and_what_comes_back(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.limit = 10
    await search(pool, "a0", 10)
    await asyncio.sleep(100)
    await search(pool, "a1", 4)
    fleet = pool.budget("SearchTimeline")
    assert (fleet.usable, fleet.left, fleet.limit) == (2, 6 + 50, 10 + 10 + 50), "a2 was never told"
    assert fleet.returns_in == pytest.approx(800, abs=10)
    assert fleet.returning == 10
    assert fleet.out == {"a0": fleet.returns_in}
    assert "10 more in 13 min" in str(fleet)
    assert "out: a0 (in 13 min)" in str(fleet)
    await asyncio.sleep(fleet.out["a0"] + 0.01)
    assert pool.budget("SearchTimeline").out == {}


@scene(
    [
        account("well", capabilities=frozenset({"long_posts"})),
        account("locked", standing=Standing(state=AccountState.LOCKED, reason="prove it")),
        account("plain"),
        account("off", capabilities=frozenset({"long_posts"}), caps={"post_tweet": 0}),
    ]
)
async def test_who_never_can_and_why(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    fleet = pool.budget("post_tweet")
    assert (fleet.accounts, fleet.left) == (2, 100), "50 posts a day each, whatever the window holds"
    assert fleet.hopeless == {"locked (prove it)": 1, "switched off by a cap of 0": 1}
    long = pool.budget(PostTweet(content="x", long=True))
    assert long.accounts == 1
    assert long.hopeless["without long_posts"] == 2
    assert "never: 2 without long_posts, 1 switched off" in str(long)


@scene(2)
async def test_an_account_that_is_away_counts_when_it_is_back(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.quarantine("a1", "resting", 60.0)
    fleet = pool.budget("search_tweet")
    assert (fleet.accounts, fleet.usable, fleet.left) == (2, 1, 50)
    assert (fleet.returns_in, fleet.returning) == (pytest.approx(60, abs=0.1), 50)
    assert fleet.out == {"a1": fleet.returns_in}


@scene(2)
async def test_an_endpoint_without_a_known_limit(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    fleet = pool.budget("bookmark_tweet")
    assert (fleet.usable, fleet.left, fleet.limit, fleet.rate) == (2, None, None, None)
    assert str(fleet) == "CreateBookmark: no limit is known, 2 of 2 accounts can do it now"
    x.limit = 30
    await pool.execute("bookmark_tweet", tweet_id="20", account="a0")
    fleet = pool.budget("bookmark_tweet")
    assert (fleet.left, fleet.limit) == (29 + 30, 60), "what one was told is expected of the others"
    assert fleet.rate == pytest.approx(60 / 900, rel=0.01)


@scene(2)
async def test_calls_under_way_are_not_left(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.slowest = 60.0
    calling = asyncio.ensure_future(search(pool, "a0", 1))
    await asyncio.sleep(0.05)
    fleet = pool.budget("search_tweet")
    assert (fleet.usable, fleet.left) == (2, 99), "the others of its window wait for the answer only"
    calling.cancel()


@scene(2)
async def test_all_that_is_known(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await search(pool, "a0", 1)
    await (await take(pool, account_id="a1")).execute("get_user", handle="a")
    budgets = pool.budgets()
    assert {"SearchTimeline", "UserByScreenName"} <= set(budgets)
    assert budgets["SearchTimeline"] == pool.budget("search_tweet")
    assert all(each.returns_in != inf for each in budgets.values())


@scene(1)
async def test_a_name_that_nobody_knows(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(UnknownAction, match="did you mean 'search_tweet'"):
        pool.budget("search_tweets")
    with pytest.raises(UnknownAction, match="did you mean 'SearchTimeline'"):
        pool.budget("SearchTimelines")
