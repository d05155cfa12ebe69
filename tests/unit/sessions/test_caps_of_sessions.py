"""Caps as the sessions of an account meet them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.unit.sessions.stand_in import StandIn, account
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.accounts.caps import GivenCaps, read_caps
from twikit_pool.errors import ConfigError, UnknownAction
from twikit_pool.sessions import CallFailed, Outcome, Taken, TwikitSessionManager
from twikit_pool.sessions.limits import doubt_of

DAY = 86_400


def manager(x: StandIn, *accounts: Account, caps: dict[str, GivenCaps] | None = None) -> TwikitSessionManager:
    return TwikitSessionManager(
        MemoryAccounts(accounts), backend=x, clock=x.loop.clock, rng=x.loop.rng, caps=caps
    )


async def posts(sessions: TwikitSessionManager, *, long: bool = False) -> int:
    """How many posts are sent before the first is not."""
    sent = 0
    try:
        while True:
            await sessions.execute_action("brand", "post_tweet", {"content": str(sent), "long": long})
            sent += 1
    except CallFailed as failure:
        verdict = failure.verdict
        assert (verdict.outcome, verdict.taken) == (Outcome.RATE_LIMITED, Taken.NO)
        assert "calls a day is used up; next in" in verdict.reason
        assert verdict.reason.endswith("; nothing was sent")
    return sent


def test_i7_what_is_sent_stays_under_the_cap_of_the_account_the_manager_or_the_default() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop)
        assert await posts(manager(x, account())) == 50
        assert await posts(manager(x, account(), caps={"post_tweet": "7/day"})) == 7
        own = account(caps=read_caps({"CreateTweet": 3}))
        sessions = manager(x, own, caps={"post_tweet": "7/day"})
        assert await posts(sessions) == 3
        assert await posts(sessions, long=True) == 0
        await asyncio.sleep(DAY)
        assert await posts(sessions, long=True) == 3
        await sessions.aclose()

    simulate(main)


def test_caps_that_are_changed_in_the_source_hold_with_what_was_counted() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop)
        source = MemoryAccounts([account(caps=read_caps({"post_tweet": 3}))])
        sessions = TwikitSessionManager(source, backend=x, clock=loop.clock, rng=loop.rng)
        assert await posts(sessions) == 3
        source._accounts["brand"] = replace(
            source._accounts["brand"], caps=read_caps({"post_tweet": "5/day"})
        )
        await sessions.accounts()
        assert await posts(sessions) == 2
        source._accounts["brand"] = replace(source._accounts["brand"], caps=read_caps({"post_tweet": None}))
        await sessions.accounts()
        assert sessions.windows("brand").wait("CreateTweet") == 0
        await sessions.aclose()

    simulate(main)


def test_a_wrong_cap_of_the_manager_is_refused_and_of_an_account_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop)
        with pytest.raises(ConfigError, match="the cap 'many' of post_tweet is not understood"):
            manager(x, caps={"post_tweet": "many"})
        with pytest.raises(UnknownAction, match="post_twet"):
            manager(x, caps={"post_twet": 1})
        sessions = manager(x, account(caps=read_caps({"post_twet": 1})))
        assert await posts(sessions) == 50
        await sessions.aclose()

    simulate(main)
    assert "one of the caps of brand does not hold, the others do: no action is called" in caplog.text


def test_a_misspelled_cap_of_an_account_lifts_none_of_its_others() -> None:
    async def main(loop: SimulatedLoop) -> None:
        own = read_caps({"post_twet": 1, "post_tweet": 4, "serch_tweet": "3/hour"})
        sessions = manager(StandIn(loop), account(caps=own))
        assert await posts(sessions) == 4
        await sessions.aclose()

    simulate(main)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("post_tweets", "post_tweet"),
        ("Post_Tweet", "post_tweet"),
        ("CreateTwet", "CreateTweet"),
        ("searchtimeline", "SearchTimeline"),
        ("friendship/create", "friendships/create"),
    ],
)
def test_a_cap_that_likely_caps_nothing_is_doubted(name: str, meant: str) -> None:
    assert f"is called {name!r}; did you mean {meant!r}?" in doubt_of(name)


@pytest.mark.parametrize(
    "name", ["post_tweet", "CreateTweet", "dm/new2", "JoinCommunity", "friendships/show"]
)
def test_a_cap_of_what_x_has_or_may_have_is_not_doubted(name: str) -> None:
    assert not doubt_of(name)


def test_a_cap_of_0_is_said_to_be_one() -> None:
    async def main(loop: SimulatedLoop) -> None:
        sessions = manager(StandIn(loop), account(), caps={"like_tweet": 0})
        with pytest.raises(CallFailed, match="FavoriteTweet is switched off by its cap; nothing was sent"):
            await sessions.execute_action("brand", "like_tweet", {"tweet_id": "1"})
        await sessions.aclose()

    simulate(main)
