from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from twikit.errors import BadRequest, Forbidden, TwitterException, UserNotFound

from twikit_pool.simulator import Simulator

if TYPE_CHECKING:
    from tests.integration.simulator.conftest import Connect
    from twikit_pool.simulator.world import User


def seeded(x: Simulator) -> User:
    """A user who is no account."""
    return next(u for u in x.world.users.values() if not u.handle.startswith("sim_"))


async def test_a_user_by_handle_and_by_id(x: Simulator, connect: Connect) -> None:
    client, someone = connect(x), seeded(x)
    user = await client.get_user_by_screen_name(someone.handle.upper())
    assert (user.id, user.name, user.screen_name) == (str(someone.id), someone.name, someone.handle)
    assert user.description == someone.description
    assert user.is_blue_verified == someone.verified
    assert user.followers_count == len(someone.followers)
    assert user.following_count == len(someone.following)
    assert user.statuses_count == len(someone.tweets) > 0
    assert user.favourites_count == len(someone.likes)
    assert user.created_at_datetime.timestamp() == int(someone.created_at)
    assert (await client.get_user_by_id(user.id)).screen_name == someone.handle


async def test_nobody(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    with pytest.raises(UserNotFound):
        await client.get_user_by_screen_name("nobody_at_all")
    with pytest.raises(TwitterException, match="Invalid user id"):
        await client.get_user_by_id("5")
    assert len(await client.get_user_tweets("5", "Tweets")) == 0


async def test_follow_and_unfollow(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    me, them = x.accounts[0].user_id, x.accounts[1].user_id
    before = (await client.user()).following_count
    assert (await client.follow_user(them)).id == them
    assert (await client.get_user_by_id(them)).following
    assert (await other.get_user_by_id(me)).followed_by
    assert (await client.user()).following_count == before + 1
    assert (await client.get_user_followers(them))[0].id == me
    assert (await client.get_user_following(me))[0].id == them
    assert me in [u.id for u in await client.get_latest_followers(them)]
    assert int(me) in list(await client.get_followers_ids(them))
    assert int(them) in list(await client.get_friends_ids(screen_name="sim_001"))
    await client.follow_user(them)
    await client.unfollow_user(them)
    assert not (await client.get_user_by_id(them)).following
    assert [w.endpoint for w in x.writes] == ["friendships/create", "friendships/destroy"]


async def test_verified_followers(x: Simulator, connect: Connect) -> None:
    someone = max(x.world.users.values(), key=lambda u: len(u.followers))
    verified = {str(i) for i in someone.followers if x.world.users[i].verified}
    found = await connect(x).get_user_verified_followers(str(someone.id), 100)
    assert {u.id for u in found} == verified != set()


async def test_block_and_mute(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    me, them = x.accounts[0].user_id, x.accounts[1].user_id
    await other.follow_user(me)
    assert (await client.block_user(them)).id == them
    assert (await client.get_user_by_id(them)).blocking
    assert (await other.get_user_by_id(me)).blocked_by
    assert not (await other.get_user_by_id(me)).following
    with pytest.raises(Forbidden, match="162"):
        await other.follow_user(me)
    assert [u.id for u in await client.get_blocked_users()] == [them]
    await client.unblock_user(them)
    assert not (await client.get_user_by_id(them)).blocking
    await client.mute_user(them)
    assert (await client.get_user_by_id(them)).muting
    assert [u.id for u in await client.get_muted_users()] == [them]
    await client.unmute_user(them)
    assert not (await client.get_user_by_id(them)).muting
    assert len(x.writes) == 5


async def test_like_shows_wherever_it_should(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    tweet = await client.create_tweet("Like me")
    await other.favorite_tweet(tweet.id)
    mine, theirs = await client.get_tweet_by_id(tweet.id), await other.get_tweet_by_id(tweet.id)
    assert (mine.favorite_count, mine.favorited) == (1, False)
    assert (theirs.favorite_count, theirs.favorited) == (1, True)
    assert [t.id for t in await client.get_user_tweets(x.accounts[1].user_id, "Likes")] == [tweet.id]
    assert [u.screen_name for u in await client.get_favoriters(tweet.id)] == ["sim_002"]
    await other.favorite_tweet(tweet.id)
    await other.unfavorite_tweet(tweet.id)
    await other.unfavorite_tweet(tweet.id)
    assert (await other.get_tweet_by_id(tweet.id)).favorite_count == 0
    assert [w.endpoint for w in x.writes] == ["CreateTweet", "FavoriteTweet", "UnfavoriteTweet"]


async def test_bookmarks(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    tweets = [await client.create_tweet(f"Keep {n}") for n in range(3)]
    for tweet in tweets:
        await client.bookmark_tweet(tweet.id)
    assert [t.text for t in await client.get_bookmarks()] == ["Keep 2", "Keep 1", "Keep 0"]
    assert (await client.get_tweet_by_id(tweets[0].id)).bookmarked
    await client.delete_bookmark(tweets[1].id)
    assert [t.text for t in await client.get_bookmarks()] == ["Keep 2", "Keep 0"]
    await client.delete_all_bookmarks()
    assert len(await client.get_bookmarks()) == 0
    assert (await client.get_tweet_by_id(tweets[0].id)).bookmark_count == 0


async def test_tweets_by_ids(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    first, second = [await client.create_tweet(t) for t in ("one", "two")]
    found = await client.get_tweets_by_ids([second.id, "12", first.id])
    assert [t and t.text for t in found] == ["two", None, "one"]


async def test_replies_tab(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await other.create_tweet("Ask me anything")
    await client.create_tweet("What is your favourite colour?", reply_to=root.id)
    me = x.accounts[0].user_id
    assert len(await client.get_user_tweets(me, "Tweets")) == 0
    found = await client.get_user_tweets(me, "Replies")
    assert [t.text for t in found] == ["What is your favourite colour?"]
    assert [t.id for t in found[0].replies] == [root.id]


async def test_search_people(x: Simulator, connect: Connect) -> None:
    someone = seeded(x)
    found = await connect(x).search_user(someone.handle)
    assert [u.id for u in found] == [str(someone.id)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("yellow", {"yellow submarine", "Yellow taxi #city"}),
        ("yellow submarine", {"yellow submarine"}),
        ('"submarine yellow"', set()),
        ('"yellow submarine"', {"yellow submarine"}),
        ("yellow -taxi", {"yellow submarine"}),
        ("submarine OR bicycle", {"yellow submarine", "green bicycle"}),
        ("#city", {"Yellow taxi #city"}),
        ("from:sim_002", {"green bicycle"}),
        ("yellow since:2000-01-01", {"yellow submarine", "Yellow taxi #city"}),
        ("yellow until:2000-01-01", set()),
        ("yellow filter:media", set()),
        ("yellow -filter:replies", {"yellow submarine", "Yellow taxi #city"}),
        ("yellow since:nonsense", set()),
    ],
)
async def test_search_operators(x: Simulator, connect: Connect, query: str, found: set[str]) -> None:
    client = connect(x)
    await client.create_tweet("yellow submarine")
    await client.create_tweet("Yellow taxi #city")
    await connect(x, 1).create_tweet("green bicycle")
    assert {t.text for t in await client.search_tweet(query, "Latest")} == found


async def test_the_seeded_world_has_something_to_find(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    for topic in ("python", "climate", "football", "music"):
        assert len(await client.search_tweet(topic, "Latest")) > 3
    assert len(await client.get_timeline()) == 20
    trends = await client.get_trends("trending")
    assert trends[0].name.startswith("#")
    assert trends[0].tweets_count.endswith(" posts")


async def test_profile_and_log_out(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    changed = await client.update_profile(name="New Name", description="About me", url="https://example.com")
    assert (changed.name, changed.description) == ("New Name", "About me")
    user = await client.user()
    assert (user.name, user.description, user.url) == ("New Name", "About me", "https://example.com")
    assert await client.is_logged_in()
    await client.logout()
    assert not await client.is_logged_in()


async def test_notifications(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    tweet = await client.create_tweet("Notify me")
    await other.follow_user(x.accounts[0].user_id)
    await other.favorite_tweet(tweet.id)
    await other.retweet(tweet.id)
    reply = await other.create_tweet("@sim_001 hello", reply_to=tweet.id)
    found = await client.get_notifications("All")
    assert [n.message.partition(" ")[2] for n in found] == [
        "002 replied to you",
        "002 reposted your post",
        "002 liked your post",
        "002 followed you",
    ]
    assert [n.tweet and n.tweet.id for n in found] == [reply.id, tweet.id, tweet.id, None]
    assert {n.from_user.screen_name for n in found} == {"sim_002"}
    assert [n.tweet.text for n in await client.get_notifications("Mentions")] == ["@sim_001 hello"]
    assert len(await client.get_notifications("Verified")) == 0
    assert len(await other.get_notifications("All")) == 0


async def test_lists(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    me, them = x.accounts[0].user_id, x.accounts[1].user_id
    made = await client.create_list("Friends", "People I like", is_private=True)
    assert (made.name, made.description, made.mode, made.member_count) == (
        "Friends",
        "People I like",
        "Private",
        0,
    )
    assert (await client.add_list_member(made.id, them)).member_count == 1
    assert [u.id for u in await client.get_list_members(made.id)] == [them]
    assert [u.id for u in await client.get_list_subscribers(made.id)] == [me]
    tweet = await other.create_tweet("For the list")
    assert [t.id for t in await client.get_list_tweets(made.id)] == [tweet.id]
    with pytest.raises(TwitterException):
        await other.get_list(made.id)
    assert len(await other.get_user_lists(me)) == 0
    assert len(await other.search_list("Friends")) == 0
    changed = await client.edit_list(made.id, name="Good friends", is_private=False)
    assert (changed.name, changed.mode) == ("Good friends", "Public")
    assert (await other.get_list(made.id)).name == "Good friends"
    assert [one.id for one in await other.get_user_lists(me)] == [made.id]
    assert [one.id for one in await other.search_list("good")] == [made.id]
    assert [one.id for one in await client.get_lists()] == [made.id]
    with pytest.raises(Forbidden):
        await other.delete_list(made.id)
    assert (await client.remove_list_member(made.id, them)).member_count == 0
    await client.delete_list(made.id)
    assert len(await client.get_lists()) == 0


async def test_direct_messages(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    me, them = x.accounts[0].user_id, x.accounts[1].user_id
    first = await client.send_dm(them, "Hello there")
    assert (first.text, first.sender_id, first.recipient_id) == ("Hello there", me, them)
    answer = await other.send_dm(me, "General Kenobi", reply_to=first.id)
    assert (answer.replied_to_id, answer.replied_to_text) == (first.id, "Hello there")
    assert [m.text for m in await client.get_dm_history(them)] == ["General Kenobi", "Hello there"]
    inbox = await other.get_dm_inbox()
    assert [(c.partner_id, c.is_group) for c in inbox] == [(me, False)]
    await client.delete_dm(answer.id)
    assert [m.text for m in await client.get_dm_history(them)] == ["Hello there"]
    assert len(await other.get_dm_history(me)) == 2
    await client.delete_dm_conversation(inbox[0].id)
    assert len(await client.get_dm_history(them)) == 0
    assert [(w.account, w.key) for w in x.writes[:2]] == [
        ("sim_001", "Hello there"),
        ("sim_002", "General Kenobi"),
    ]


async def test_messages_page(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    them = x.accounts[1].user_id
    for n in range(45):
        await client.send_dm(them, f"message {n}")
    page, seen = await client.get_dm_history(them), []
    while page:
        seen += [m.text for m in page]
        page = await page.next()
    assert seen == [f"message {n}" for n in reversed(range(45))]


async def test_inbox_pages(connect: Connect) -> None:
    async with Simulator(accounts=30, limits=False) as x:
        client = connect(x)
        for account in x.accounts[1:]:
            await client.send_dm(account.user_id, "hi")
        page, seen = await client.get_dm_inbox(), []
        while page:
            seen += [c.partner_id for c in page]
            page = await page.next()
        assert seen == [account.user_id for account in reversed(x.accounts[1:])]


async def test_closed_doors(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    closed = next(u for u in x.world.users.values() if not u.open_to_messages)
    x.world.unfollow(closed, x.world.by_handle["sim_001"])
    with pytest.raises(Forbidden, match="349"):
        await client.send_dm(str(closed.id), "Hello?")
    with pytest.raises(BadRequest):
        await client.send_dm(x.accounts[1].user_id, "")
