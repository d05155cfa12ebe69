"""Every named action, through the pool, by the real twikit, over real HTTP."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.house import House
from twikit_pool.errors import InvalidParameters
from twikit_pool.sessions import ACTIONS, records
from twikit_pool.sessions.outcomes import CallFailed, Outcome

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


async def test_posts(home: House, tmp_path: Path) -> None:
    me = home.id(0)
    first = await home.do("post_tweet", account=me, content="the first words")
    assert (first.text, first.author.handle) == ("the first words", home.x.accounts[0].handle)
    reply = await home.do("post_tweet", content="an answer", reply_to=first.id)
    quote = await home.do("post_tweet", content="look at this", quote=first.id)
    assert reply.reply_to == first.id
    assert quote.quotes == first.id
    poll = await home.do("post_tweet", content="which?", poll={"choices": ["this", "that"], "minutes": 60})
    assert poll.text.startswith("which?")
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    shown = await home.do("post_tweet", content="a dot", media=[str(picture)])
    assert len(shown.media_urls) == 1
    detail = await home.do("get_tweet", tweet_id=first.id)
    assert [each.id for each in detail.replies_page.items] == [reply.id]
    both = await home.do("get_tweets", tweet_ids=[first.id, quote.id])
    assert {each.id for each in both.items} == {first.id, quote.id}
    await home.do("delete_tweet", account=me, tweet_id=first.id)
    with pytest.raises(CallFailed) as gone:
        await home.do("get_tweet", tweet_id=first.id)
    assert gone.value.verdict.outcome is Outcome.CALLER_FAULT


async def test_uploads_and_scheduled_posts(home: House, tmp_path: Path) -> None:
    me = home.id(0)
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    uploaded = await home.do("upload_media", account=me, path=str(picture), alt_text="a dot")
    posted = await home.do("post_tweet", account=me, content="as uploaded", media_ids=[uploaded.media_id])
    assert posted.media_urls
    at = datetime.now(UTC) + timedelta(days=1)
    planned = await home.do("schedule_tweet", account=me, content="tomorrow", at=at.isoformat())
    page = await home.do("get_scheduled_tweets", account=me)
    assert [(each.id, each.text) for each in page.items] == [(planned.id, "tomorrow")]
    assert abs(page.items[0].execute_at - at) < timedelta(seconds=2)
    await home.do("delete_scheduled_tweet", account=me, tweet_id=planned.id)
    assert (await home.do("get_scheduled_tweets", account=me)).items == ()


async def test_likes_reposts_and_bookmarks(home: House) -> None:
    me, you = home.id(0), home.id(1)
    tweet = await home.do("post_tweet", account=you, content="like me")
    await home.do("like_tweet", account=me, tweet_id=tweet.id)
    await home.do("retweet", account=me, tweet_id=tweet.id)
    await home.do("bookmark_tweet", account=me, tweet_id=tweet.id)
    seen = await home.do("get_tweet", account=me, tweet_id=tweet.id)
    assert (seen.likes, seen.retweets, seen.liked) == (1, 1, True)
    my_id = home.x.accounts[0].user_id
    assert [each.id for each in (await home.do("get_likers", account=you, tweet_id=tweet.id)).items] == [
        my_id
    ]
    assert [each.id for each in (await home.do("get_retweeters", tweet_id=tweet.id)).items] == [my_id]
    assert [each.id for each in (await home.do("get_bookmarks", account=me)).items] == [tweet.id]
    likes = await home.do("get_user_tweets", account=me, user_id=my_id, kind="Likes")
    assert [each.id for each in likes.items] == [tweet.id]
    with pytest.raises(CallFailed) as again:
        await home.do("like_tweet", account=me, tweet_id=tweet.id)
    assert again.value.verdict.code == 139
    await home.do("unlike_tweet", account=me, tweet_id=tweet.id)
    await home.do("undo_retweet", account=me, tweet_id=tweet.id)
    await home.do("delete_bookmark", account=me, tweet_id=tweet.id)
    seen = await home.do("get_tweet", account=me, tweet_id=tweet.id)
    assert (seen.likes, seen.retweets, seen.liked) == (0, 0, False)


async def test_people(home: House) -> None:
    me, you = home.x.accounts[0], home.x.accounts[1]
    user = await home.do("get_user", handle=f"@{you.handle}")
    assert user == await home.do("get_user_by_id", user_id=you.user_id)
    assert user.created_at.tzinfo is not None
    await home.do("follow_user", account=me.id, user_id=you.user_id)
    followers = [each async for each in home.pool.iterate("get_followers", user_id=you.user_id)]
    assert me.user_id in {each.id for each in followers}
    following = await home.do("get_following", user_id=me.user_id)
    assert you.user_id in {each.id for each in following.items}
    await home.do("unfollow_user", account=me.id, user_id=you.user_id)
    for action in ("mute_user", "unmute_user", "block_user", "unblock_user"):
        assert (await home.do(action, account=me.id, user_id=you.user_id)).id == you.user_id
    found = await home.do("search_user", query=you.handle)
    assert you.user_id in {each.id for each in found.items}
    with pytest.raises(CallFailed, match="caller_fault"):
        await home.do("get_user", handle="nobody_here_1")


async def test_direct_messages(home: House) -> None:
    me, you = home.x.accounts[0], home.x.accounts[1]
    sent = await home.do("send_dm", account=me.id, user_id=you.user_id, text="psst")
    assert (sent.text, sent.sender_id) == ("psst", me.user_id)
    history = await home.do("get_dm_history", account=you.id, user_id=me.user_id)
    assert [(each.text, each.sender_id) for each in history.items] == [("psst", me.user_id)]


async def test_timelines_trends_and_notifications(home: House) -> None:
    me, you = home.x.accounts[0], home.x.accounts[1]
    await home.do("follow_user", account=me.id, user_id=you.user_id)
    tweet = await home.do("post_tweet", account=you.id, content="fresh news from the harbour")
    for action in ("get_timeline", "get_latest_timeline"):
        assert tweet.id in {each.id for each in (await home.do(action, account=me.id)).items}
    assert tweet.id in {each.id for each in (await home.do("get_user_tweets", user_id=you.user_id)).items}
    found = await home.do("search_tweet", query="harbour", product="Latest")
    assert tweet.id in {each.id for each in found.items}
    assert len((await home.do("get_trends")).items) > 0
    await home.do("like_tweet", account=me.id, tweet_id=tweet.id)
    notes = await home.do("get_notifications", account=you.id)
    assert len(notes.items) > 0
    assert isinstance(notes.items[0], records.Notification)


async def test_lists(home: House) -> None:
    me, you = home.x.accounts[0], home.x.accounts[1]
    made = await home.do("create_list", account=me.id, name="harbour", description="ships", private=True)
    assert (made.name, made.private) == ("harbour", True)
    await home.do("add_list_member", account=me.id, list_id=made.id, user_id=you.user_id)
    tweet = await home.do("post_tweet", account=you.id, content="for the list")
    assert (await home.do("get_list", account=me.id, list_id=made.id)).members == 1
    members = await home.do("get_list_members", account=me.id, list_id=made.id)
    assert [each.id for each in members.items] == [you.user_id]
    assert tweet.id in {
        each.id for each in (await home.do("get_list_tweets", account=me.id, list_id=made.id)).items
    }
    assert made.id in {each.id for each in (await home.do("get_lists", account=me.id)).items}
    await home.do("remove_list_member", account=me.id, list_id=made.id, user_id=you.user_id)
    await home.do("delete_list", account=me.id, list_id=made.id)


async def test_pages_come_without_gap_or_repeat_and_hold_no_lease_between(home: House) -> None:
    me = home.id(0)
    posted = [
        (await home.do("post_tweet", account=me, content=f"pagination number {n}")).id for n in range(45)
    ]
    seen: list[str] = []
    async for tweet in home.pool.iterate("search_tweet", query="pagination", count=20):
        assert not any(each.state == "leased" for each in home.pool.connections())
        seen.append(tweet.id)
    assert sorted(seen) == sorted(posted)
    some = [
        each.id async for each in home.pool.iterate("search_tweet", query="pagination", count=20, limit=25)
    ]
    assert some == seen[:25]
    with pytest.raises(InvalidParameters, match="does not come in pages"):
        _ = [each async for each in home.pool.iterate("get_user", handle="a")]


async def test_pages_that_belong_to_an_account_all_come_from_it(home: House) -> None:
    before = {account.id: home.x.calls.count("HomeTimeline", account.id) for account in home.x.accounts}
    items = [each async for each in home.pool.iterate("get_timeline", count=10, limit=35)]
    assert len(items) == 35
    asked = [
        each.id for each in home.x.accounts if home.x.calls.count("HomeTimeline", each.id) > before[each.id]
    ]
    assert len(asked) == 1


async def test_sessions_work_without_any_pool(home: House) -> None:
    tweet = await home.sessions.execute_action(home.id(2), "post_tweet", {"content": "alone"})
    assert tweet.author.id == home.x.accounts[2].user_id
    standing = await home.sessions.check(home.id(2))
    assert standing.state == "active"


async def test_a_call_spends_the_endpoint_that_the_table_names(home: House, tmp_path: Path) -> None:
    """Each action's endpoint is one that X really sees; else its rate window would be watched in vain."""
    me, you = home.x.accounts[0], home.x.accounts[1]
    tweet = await home.do("post_tweet", account=me.id, content="a")
    made = await home.do("create_list", account=me.id, name="n")
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    planned = await home.do("schedule_tweet", account=me.id, content="later", at=at)
    known: dict[str, Any] = {
        "tweet_id": tweet.id,
        "user_id": you.user_id,
        "list_id": made.id,
        "content": "b",
        "text": "c",
        "handle": you.handle,
        "query": "a",
        "tweet_ids": [tweet.id],
        "name": "o",
        "at": at,
        "path": str(picture),
    }
    last = ["delete_tweet", "delete_list", "delete_scheduled_tweet"]
    for name in [each for each in ACTIONS if each not in last] + last:
        kind = ACTIONS[name]
        fields = {field for field in kind.__struct_encode_fields__ if field in known}
        fields -= {"media_ids"} | ({"query"} if name == "get_trends" else set())
        parameters = {field: known[field] for field in fields}
        if name == "delete_scheduled_tweet":
            parameters["tweet_id"] = planned.id
        before = home.x.calls.count(kind.endpoint, me.id)
        with suppress(CallFailed):  # unliking what was not liked is refused, and counts all the same
            await home.do(name, account=me.id, **parameters)
        assert home.x.calls.count(kind.endpoint, me.id) > before, name


async def test_first_calls_at_once_make_one_handshake(home: House) -> None:
    me = home.id(0)
    calls = (home.sessions.execute_action(me, "get_user", {"handle": me}) for _ in range(5))
    await asyncio.gather(*calls)
    assert home.x.calls.count("home") == 1
