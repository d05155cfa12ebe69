"""Programs written for twikit, run on twikit's own client and on a pooled one: they say the same."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from twikit import errors
from twikit.client.client import Client

Say = Callable[[object], None]
Program = Callable[[Client, Say, Any], Awaitable[None]]


async def search_and_like(client: Client, say: Say, _x: Any) -> None:
    page = await client.search_tweet("the", "Latest", count=5)
    liked = 0
    while page and liked < 12:
        for tweet in page:
            await tweet.favorite()
            liked += 1
            say(f"liked {tweet.user.screen_name}: {tweet.full_text} ({tweet.favorite_count})")
        page = await page.next()
    again = await client.search_tweet("the", "Latest", count=5)
    say([tweet._legacy.get("favorited") for tweet in again])
    await client.favorite_tweet(again[0].id)  # a second time: X says "already", twikit says nothing
    say(client.rate_limit_remaining is None)


async def page_through_followers(client: Client, say: Say, x: Any) -> None:
    user = await client.get_user_by_screen_name(x.accounts[0].handle)
    say((user.name, user.followers_count))
    page = await user.get_followers(count=3)
    pages = 0
    while page:
        say([follower.screen_name for follower in page])
        page = await page.next()
        pages += 1
    say(pages)
    say(len(await client.get_user_following(user.id, count=50)))


async def post_with_media_reply_and_delete(client: Client, say: Say, _x: Any) -> None:
    media = await client.upload_media(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    await client.create_media_metadata(media, alt_text="a picture of nothing")
    tweet = await client.create_tweet("Look at this", media_ids=[media])
    say((tweet.text, len(tweet.media or []), tweet.user.screen_name if tweet.user else None))
    answer = await tweet.reply("and this")
    say(answer.in_reply_to == tweet.id)
    detail = await client.get_tweet_by_id(tweet.id)
    say([reply.text for reply in detail.replies or []])
    with pytest.raises(errors.DuplicateTweet) as twice:
        await client.create_tweet("and this", reply_to=tweet.id)
    say(twice.value)
    with pytest.raises(TypeError, match="must be a list"):
        await client.create_tweet("no list", media_ids=str(media))  # pyright: ignore[reportArgumentType] - the point
    await answer.delete()
    await client.delete_tweet(tweet.id)
    try:
        await client.get_tweet_by_id(tweet.id)
    except errors.TweetNotAvailable as gone:
        say(gone)
    poll = await client.create_poll(["yes", "no"], 60)
    asked = await client.create_tweet("Is it?", poll_uri=poll)
    say(asked.poll.choices)


async def direct_messages(client: Client, say: Say, x: Any) -> None:
    other = x.accounts[1].user_id
    first = await client.send_dm(other, "hello")
    say((first.text, first.recipient_id))
    second = await first.reply("still there?")
    say(second.text)
    history = await client.get_dm_history(other)
    say([message.text for message in history])
    inbox = await client.get_dm_inbox()
    say([conversation.partner_id for conversation in inbox])
    await second.delete()
    say([message.text for message in await client.get_dm_history(other)])


async def notifications(client: Client, say: Say, _x: Any) -> None:
    page = await client.get_notifications("All", count=3)
    while page:
        for each in page:
            about = each.tweet.text if each.tweet else None
            say((each.message, each.from_user.screen_name if each.from_user else None, about))
        page = await page.next()


async def threads_quotes_and_reposts(client: Client, say: Say, _x: Any) -> None:
    root = await client.create_tweet("one of three")
    middle = await root.reply("two of three")
    await middle.reply("three of three")
    say([tweet.text for tweet in await client.get_thread(root.id)])
    quoting = await client.create_tweet("see", attachment_url=f"https://x.com/i/status/{root.id}")
    say(quoting.quote.text if quoting.quote else None)
    await root.retweet()
    say([user.screen_name for user in await root.get_retweeters()])
    await root.update()
    say(root.retweet_count)
    say([tweet.text for tweet in await client.get_tweets_by_ids([root.id, middle.id])])


async def mistakes(client: Client, say: Say, _x: Any) -> None:
    for wrong in (
        lambda: client.get_user_by_screen_name("nobody_of_this_name"),
        lambda: client.get_tweet_by_id("1"),
        lambda: client.get_user_tweets("1", "Sideways"),  # pyright: ignore[reportArgumentType] - the point
        lambda: client.create_tweet(""),
        lambda: client.get_list("1"),
        lambda: client.follow_user("1"),
        lambda: client.update_profile(),
        lambda: client.get_tweet_by_url("https://example.com"),
    ):
        with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever twikit raises is what is compared
            await wrong()
        say((type(failed.value).__name__, str(failed.value)))


PROGRAMS: list[Program] = [
    search_and_like,
    page_through_followers,
    post_with_media_reply_and_delete,
    direct_messages,
    notifications,
    threads_quotes_and_reposts,
    mistakes,
]


async def said_by(program: Program, client: Client, x: Any) -> list[str]:
    """What a program says, without the ids, which follow the clock."""
    said: list[str] = []
    await program(client, lambda what: said.append(re.sub(r"\d{15,}", "ID", str(what))), x)
    assert said
    return said


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "unbound"])
async def test_a_program_says_the_same_over_a_pool(
    program: Program, bound: bool, simulated: Any, plain_of: Any
) -> None:
    # Where no account is named any may answer; with one in the pool it is the same as the plain client's.
    settings = {"accounts": 3, "limits": False, "seed": 7}
    async with simulated(**settings) as home, plain_of(home.x, 1) as second, plain_of(home.x, 0) as plain:
        await _liven(second, home.x)
        expected = await said_by(program, plain, home.x)
    keep = None if bound else {"sim_001"}
    async with simulated(**settings, keep=keep) as home, plain_of(home.x, 1) as second:
        await _liven(second, home.x)
        assert await said_by(program, home.client(0 if bound else None), home.x) == expected
        assert {account for account, _ in home.sent} == {home.id(0)}


async def _liven(second: Client, x: Any) -> None:
    """Another account follows the first and mentions it, so that there is something to be told of."""
    await second.follow_user(x.accounts[0].user_id)
    await second.create_tweet(f"hello @{x.accounts[0].handle}")
