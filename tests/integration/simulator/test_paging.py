from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from twikit.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.integration.simulator.conftest import Connect
    from twikit_pool.simulator import Simulator
    from twikit_pool.simulator.world import Tweet


async def everything(page: Any, key: Callable[[Any], str]) -> list[str]:
    seen = []
    while page:
        seen += [key(one) for one in page]
        page = await page.next()
    return seen


async def by_id(page: Any) -> list[str]:
    return await everything(page, lambda one: one.id)


@pytest.fixture
async def posts(x: Simulator) -> list[Tweet]:
    author = x.world.by_handle["sim_001"]
    return [x.world.post(author, f"page {n}", 1_800_000_000.0 + n) for n in range(53)]


async def test_every_timeline_pages_without_gap_or_repeat(
    x: Simulator, connect: Connect, posts: list[Tweet]
) -> None:
    client, me = connect(x), x.accounts[0].user_id
    wanted = [str(tweet.id) for tweet in reversed(posts)]
    for tweet in posts:
        x.world.like(x.world.by_handle["sim_001"], tweet, 1.8e9)
        await client.bookmark_tweet(str(tweet.id))
    assert await by_id(await client.get_user_tweets(me, "Tweets", 7)) == wanted
    assert await by_id(await client.get_user_tweets(me, "Replies", 10)) == wanted
    assert await by_id(await client.get_user_tweets(me, "Likes", 53)) == wanted
    assert await by_id(await client.search_tweet("page from:sim_001", "Latest", 20)) == wanted
    assert await by_id(await client.get_bookmarks(20)) == wanted
    home = await by_id(await client.get_latest_timeline(30))
    assert [i for i in home if i in set(wanted)] == wanted
    assert len(home) == len(set(home)) > len(wanted)


async def test_replies_page(x: Simulator, connect: Connect) -> None:
    client, author = connect(x), x.world.by_handle["sim_001"]
    root = x.world.post(author, "root", 1.8e9)
    replies = [x.world.post(author, f"reply {n}", 1.8e9, reply_to=root) for n in range(45)]
    found = await client.get_tweet_by_id(str(root.id))
    assert await by_id(found.replies) == [str(tweet.id) for tweet in replies]


async def test_people_page(x: Simulator, connect: Connect) -> None:
    client, me = connect(x), x.world.by_handle["sim_001"]
    for user in list(x.world.users.values()):
        x.world.follow(user, me, 1.8e9)
    wanted = [str(i) for i in sorted(me.followers, key=me.followers.__getitem__, reverse=True)]
    assert await by_id(await client.get_user_followers(str(me.id), 7)) == wanted
    assert await by_id(await client.get_latest_followers(str(me.id), count=7)) == wanted
    ids = await everything(await client.get_followers_ids(str(me.id), count=7), str)
    assert ids == wanted


async def test_media_page(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    made = []
    for n in range(5):
        media_id = await client.upload_media(b"\x89PNG" + bytes(9), media_type="image/png")
        made.insert(0, (await client.create_tweet(f"picture {n}", media_ids=[media_id])).id)
    assert await by_id(await client.get_user_tweets(x.accounts[0].user_id, "Media", 2)) == made
    assert await by_id(await client.search_tweet("picture", "Media", 2)) == made


async def test_lists_and_notifications_page(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    lists = [(await client.create_list(f"List {n}")).id for n in range(5)][::-1]
    assert await by_id(await client.get_lists(2)) == lists
    assert await by_id(await client.get_user_lists(x.accounts[0].user_id, 2)) == lists
    assert await by_id(await other.search_list("List", 2)) == lists
    tweets = [(await client.create_tweet(f"mention @sim_002 {n}")).id for n in range(5)][::-1]
    mentions = await other.get_notifications("Mentions", 2)
    assert await everything(mentions, lambda one: one.tweet.id) == tweets
    everyone = await other.get_notifications("All", 2)
    assert await everything(everyone, lambda one: one.tweet.id) == tweets


async def test_what_comes_in_between_moves_nothing(
    x: Simulator, connect: Connect, posts: list[Tweet]
) -> None:
    client, author = connect(x), x.world.by_handle["sim_001"]
    wanted = [str(tweet.id) for tweet in reversed(posts)]
    page, seen = await client.search_tweet("page from:sim_001", "Latest", 10), []
    for n in itertools.count():
        if not page:
            break
        seen += [tweet.id for tweet in page]
        x.world.post(author, f"page in between {n}", 1.8e9 + 100 + n)
        page = await page.next()
    assert seen == wanted


async def test_back_to_what_is_newer(x: Simulator, connect: Connect, posts: list[Tweet]) -> None:
    client = connect(x)
    first = await client.search_tweet("page from:sim_001", "Latest", 10)
    second = await first.next()
    assert [t.id for t in await second.previous()] == [t.id for t in first]
    assert len(await first.previous()) == 0


async def test_a_cursor_that_is_none_or_of_another_timeline_is_refused(
    x: Simulator, connect: Connect, posts: list[Tweet]
) -> None:
    client = connect(x)
    other = (await client.get_user_tweets(x.accounts[0].user_id, "Tweets", 5)).next_cursor
    for wrong in ("nonsense", "!!!", other, "c2VhcmNo"):
        with pytest.raises(BadRequest, match="214"):
            await client.search_tweet("page", "Latest", 5, cursor=wrong)
    with pytest.raises(BadRequest, match="214"):
        await client.get_followers_ids(x.accounts[0].user_id, cursor="nonsense")
