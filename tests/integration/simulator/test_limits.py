from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from twikit.errors import CouldNotTweet, TooManyRequests

from twikit_pool.errors import ConfigError
from twikit_pool.simulator import Simulator, SimulatorProcess

if TYPE_CHECKING:
    from typing import Any

    from tests.integration.simulator.conftest import Connect, HandClock


async def test_a_window_runs_out_and_opens_again(connect: Connect, clock: HandClock) -> None:
    async with Simulator(accounts=2, clock=clock) as x:
        client, other = connect(x), connect(x, 1)
        for n in range(50):
            await client.search_tweet("python", "Latest")
            assert client.rate_limit_remaining == 49 - n
        assert client.rate_limit_reset == clock.at + 900
        with pytest.raises(TooManyRequests, match="88") as refused:
            await client.search_tweet("python", "Latest")
        assert refused.value.rate_limit_reset == clock.at + 900
        assert (refused.value.headers or {})["x-rate-limit-limit"] == "50"
        assert (refused.value.headers or {})["x-rate-limit-remaining"] == "0"
        await other.search_tweet("python", "Latest")
        await client.get_user_by_screen_name("sim_001")
        clock.at += 899
        with pytest.raises(TooManyRequests):
            await client.search_tweet("python", "Latest")
        clock.at += 1
        await client.search_tweet("python", "Latest")
        assert client.rate_limit_remaining == 49
        assert x.calls.count("SearchTimeline", "sim_001", 429) == 2


async def test_the_date_is_the_simulators_own(connect: Connect, clock: HandClock) -> None:
    async with Simulator(accounts=1, clock=clock) as x:
        client = connect(x)
        _, response = await client.v11.settings()
        assert parsedate_to_datetime(response.headers["date"]).timestamp() == clock.at


@pytest.mark.parametrize(
    ("endpoint", "limit"), [("SearchTimeline", 50), ("TweetDetail", 150), ("FavoriteTweet", 500)]
)
async def test_limits_are_those_of_x(connect: Connect, endpoint: str, limit: int) -> None:
    async with Simulator(accounts=1) as x:
        client = connect(x)
        tweet = await client.create_tweet("hello")
        assert client._response_headers["x-rate-limit-limit"] == "300"
        calls = {
            "SearchTimeline": lambda: client.search_tweet("python", "Latest"),
            "TweetDetail": lambda: client.get_tweet_by_id(tweet.id),
            "FavoriteTweet": lambda: client.favorite_tweet(tweet.id),
        }
        await calls[endpoint]()
        assert client._response_headers["x-rate-limit-limit"] == str(limit)


async def test_a_scaled_window_really_ends_when_it_says(connect: Connect) -> None:
    async with Simulator(accounts=1, time_scale=900, overrides={"SearchTimeline": 2}) as x:
        client = connect(x)
        await client.user_id()
        for _ in range(2):
            await client.search_tweet("python", "Latest")
        with pytest.raises(TooManyRequests) as refused:
            await client.search_tweet("python", "Latest")
        wait = (refused.value.rate_limit_reset or 0) - time.time()
        assert 0 < wait <= 2
        await asyncio.sleep(wait)
        await client.search_tweet("python", "Latest")


async def test_limits_can_be_off_or_set(connect: Connect) -> None:
    async with Simulator(accounts=1, limits=False) as x:
        client = connect(x)
        for n in range(60):
            await client.create_tweet(f"hello {n}")
        assert client.rate_limit_remaining is None
    async with Simulator(accounts=1, overrides={"UserByScreenName": 0}) as x:
        with pytest.raises(TooManyRequests):
            await connect(x).get_user_by_screen_name("sim_001")


async def test_a_refusal_can_come_without_headers(connect: Connect, clock: HandClock) -> None:
    limits = {"UserByScreenName": 1}
    async with Simulator(accounts=1, clock=clock, overrides=limits, refusal_headers=False) as x:
        client = connect(x)
        await client.get_user_by_screen_name("sim_001")
        assert client.rate_limit_remaining == 0
        with pytest.raises(TooManyRequests, match="88") as refused:
            await client.get_user_by_screen_name("sim_001")
        headers = refused.value.headers or {}
        assert not any(name.startswith("x-rate-limit") for name in headers)
        assert parsedate_to_datetime(headers["date"]).timestamp() == clock.at


async def test_every_window_is_kept_with_what_it_granted_and_refused(
    connect: Connect, clock: HandClock
) -> None:
    async with Simulator(accounts=2, clock=clock, overrides={"UserByScreenName": 2}) as x:
        client, other = connect(x), connect(x, 1)
        for _ in range(2):
            await client.get_user_by_screen_name("sim_001")
        for _ in range(3):
            with pytest.raises(TooManyRequests):
                await client.get_user_by_screen_name("sim_001")
        await other.search_tweet("python", "Latest")
        began = clock.at
        clock.at += 1000
        await client.get_user_by_screen_name("sim_001")
        assert [(w.account, w.endpoint, w.limit, w.granted, w.refused) for w in x.windows] == [
            ("sim_001", "UserByScreenName", 2, 2, 3),
            ("sim_002", "SearchTimeline", 50, 1, 0),
            ("sim_001", "UserByScreenName", 2, 1, 0),
        ]
        assert [(w.began, w.ends) for w in x.windows if w.account == "sim_001"] == [
            (began, began + 900),
            (began + 1000, began + 1900),
        ]


async def test_windows_of_another_process_can_be_seen(connect: Connect) -> None:
    with SimulatorProcess(accounts=1, time_scale=60) as x:
        assert x.windows == []
        await connect(x).get_user_by_screen_name("sim_001")
        (window,) = x.windows
        assert (window.account, window.endpoint, window.granted) == ("sim_001", "UserByScreenName", 1)
        assert window.ends - window.began == pytest.approx(15)
    with SimulatorProcess(accounts=1, limits=False) as x:
        await connect(x).get_user_by_screen_name("sim_001")
        assert x.windows == []


@pytest.mark.parametrize("code", [344, 501, 185])
async def test_the_daily_cap_is_hidden_and_rolls(connect: Connect, clock: HandClock, code: int) -> None:
    async with Simulator(accounts=2, clock=clock, time_scale=60, daily_posts=3, daily_code=code) as x:
        client = connect(x)
        for n in range(3):
            await client.create_tweet(f"post {n}")
            clock.at += 10
        with pytest.raises(CouldNotTweet, match=str(code)):
            await client.create_tweet("one too many")
        assert client._response_headers["x-rate-limit-remaining"] not in (None, "0")
        assert x.calls.count("CreateTweet", status=200) == 4
        await connect(x, 1).create_tweet("somebody else")
        clock.at += 1440 - 30
        await client.create_tweet("the first one is a day old")
        with pytest.raises(CouldNotTweet, match=str(code)):
            await client.create_tweet("the second one is not")


async def test_refused_posts_do_not_count_for_the_day(connect: Connect, clock: HandClock) -> None:
    async with Simulator(accounts=1, clock=clock, daily_posts=2) as x:
        client = connect(x)
        await client.create_tweet("same")
        for _ in range(3):
            with pytest.raises(CouldNotTweet, match="187"):
                await client.create_tweet("same")
        await client.create_tweet("another")


@pytest.mark.parametrize(
    "settings",
    [
        {"time_scale": 0},
        {"time_scale": 901},
        {"accounts": 0},
        {"overrides": {"SearchTimeline": -1}},
        {"latency": -1.0},
        {"acounts": 3},
        {"accounts": "3"},
        {"daily_code": 1},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Simulator(**settings)
