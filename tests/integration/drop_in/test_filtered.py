"""A twikit program behind the content filter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.integration.drop_in.conftest import Home
from twikit_pool.errors import PostBlocked, PostHeld
from twikit_pool.safety import PostGuard, SafetySettings

NEWS = "The bridge over the harbour opens again on Monday morning"
SECRET = "auth_token=" + "a1b2c3d4e5" * 4


@pytest.fixture
def guard(home: Home) -> Iterator[PostGuard]:
    guard = PostGuard.of(SafetySettings())
    home.pool.guard = guard
    yield guard
    guard.close()


async def test_posts_are_compared_across_accounts(home: Home, guard: PostGuard) -> None:
    tweet = await home.client(0).create_tweet(NEWS)
    assert tweet.text == NEWS
    with pytest.raises(PostBlocked, match=r"similar\.across_accounts"):
        await home.client(1).create_tweet(f"{NEWS}!")
    with pytest.raises(PostBlocked, match=r"repeats\.own"):
        await home.client(0).create_tweet(NEWS)
    assert home.senders("/CreateTweet") == [home.id(0)]
    assert len(guard.filter.memory) == 1


async def test_replies_of_a_tweet_that_came_back_are_looked_at(home: Home, guard: PostGuard) -> None:
    tweet = await home.client(0).create_tweet(NEWS)
    with pytest.raises(PostHeld) as held:
        await tweet.reply("My number is 4111 1111 1111 1111")
    review = guard.reviews.get(held.value.review_id or 0)
    assert review.parameters == {"content": "My number is 4111 1111 1111 1111", "reply_to": tweet.id}
    assert review.account_id == home.id(0)


async def test_everything_that_writes_words_is_looked_at(home: Home, guard: PostGuard) -> None:
    client = home.client(0)
    later = int(datetime(2031, 1, 1, tzinfo=UTC).timestamp())
    other = await client.get_user_by_screen_name(home.x.accounts[1].handle)
    for name, write in (
        ("create_tweet", lambda: client.create_tweet(SECRET)),
        ("create_scheduled_tweet", lambda: client.create_scheduled_tweet(later, SECRET)),
        ("send_dm", lambda: client.send_dm(other.id, SECRET)),
        ("create_list", lambda: client.create_list("Mine", SECRET)),
    ):
        before = len(home.sent)
        with pytest.raises(PostBlocked) as blocked:
            await write()
        assert "a1b2c3" not in str(blocked.value), name
        assert not [request for _, request in home.sent[before:] if request.method == "POST"], name


async def test_the_rest_is_as_ever(home: Home, guard: PostGuard) -> None:
    tweet = await home.client(0).create_tweet(NEWS)
    await tweet.favorite()
    assert await home.client(1).search_tweet("harbour", "Latest") is not None
    await tweet.delete()
