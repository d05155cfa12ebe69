"""How to test a bot without an account: `pytest examples/test_my_bot.py`.

The bot answers everyone who greets it, and rests when X tells it to. `x_simulator` comes with
twikit-pool: pytest finds it by itself.
"""

# ruff: noqa: S101 - assert is how pytest speaks

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twikit.client.client import Client
from twikit.errors import TooManyRequests

if TYPE_CHECKING:
    from twikit_pool.simulator import Simulator


class SimulatedClient(Client):
    """twikit's client over the transport that it is given; its own `proxy` setter would discard it."""

    @property
    def proxy(self) -> str:
        """None in use."""
        return ""

    @proxy.setter
    def proxy(self, url: str) -> None:
        """Keep the transport."""


def log_in(x: Simulator, number: int) -> Any:
    client = SimulatedClient(transport=x.transport())
    client.set_cookies(x.accounts[number].cookies)
    return client


async def answer_greetings(client: Any) -> int:
    """The bot: answers every greeting that it has not answered; how many it answered."""
    answered = 0
    for notification in await client.get_notifications("Mentions"):
        tweet = notification.tweet
        if "hello" in tweet.text.lower() and tweet.reply_count == 0:
            try:
                await tweet.reply(f"Hello, @{tweet.user.screen_name}!")
            except TooManyRequests:
                break
            answered += 1
    return answered


async def test_it_answers_once(x_simulator: type[Simulator]) -> None:
    async with x_simulator(accounts=2) as x:
        bot, fan = log_in(x, 0), log_in(x, 1)
        greeting = await fan.create_tweet("Hello @sim_001")
        assert await answer_greetings(bot) == 1
        assert await answer_greetings(bot) == 0
        replies = (await fan.get_tweet_by_id(greeting.id)).replies
        assert [reply.text for reply in replies] == ["Hello, @sim_002!"]
        for client in (bot, fan):
            await client.http.aclose()


async def test_it_rests_when_x_says_so(x_simulator: type[Simulator]) -> None:
    async with x_simulator(accounts=2) as x:
        bot, fan = log_in(x, 0), log_in(x, 1)
        await fan.create_tweet("Hello @sim_001")
        x.fault("rate_limited", account="sim_001", endpoint="CreateTweet", times=1)
        assert await answer_greetings(bot) == 0
        assert await answer_greetings(bot) == 1
        assert [write.account for write in x.writes] == ["sim_002", "sim_001"]
        for client in (bot, fan):
            await client.http.aclose()
