"""Single posts: with what they answer and what answers them, in bulk, and who likes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.paging import ordered, page
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.shapes.timelines import (
    Entry,
    cursor_entries,
    module,
    module_item,
    timeline,
    tweet_entries,
    tweet_item,
    user_entries,
)
from twikit_pool.simulator.world import Tweet, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPLIES: Final = 20
"""Direct answers a page."""
NESTED: Final = 10
"""Answers to an answer that are shown below it."""


@graphql("TweetDetail")
def tweet_detail(call: Call) -> dict[str, Any]:
    """A post, what it answers above it, what answers it below, the oldest answer first."""
    world = call.state.world
    focal = world.tweet(call.need("focalTweetId"))

    def oldest(after: int | None) -> Iterable[tuple[int, Tweet]]:
        # Pages run by falling position, so the oldest answer has the highest one.
        return ((-id_, world.tweets[id_]) for id_ in focal.replies if after is None or -id_ < after)

    found = page(f"TweetDetail/{focal.id}", call.cursor, REPLIES, oldest)
    above = [] if call.cursor else [*_ancestors(call, focal), focal]
    entries = tweet_entries(above, call.show) + [_thread(call, focal, reply) for reply in found.items]
    shown = timeline(entries + cursor_entries(None, found.bottom if found.more else None))
    return {"data": {"threaded_conversation_with_injections_v2": shown["timeline"]}}


def _ancestors(call: Call, tweet: Tweet) -> list[Tweet]:
    chain: list[Tweet] = []
    parent = call.state.world.tweets.get(tweet.reply_to or 0)
    while parent is not None:
        chain.insert(0, parent)
        parent = call.state.world.tweets.get(parent.reply_to or 0)
    return chain


def _thread(call: Call, focal: Tweet, reply: Tweet) -> Entry:
    name = f"conversationthread-{reply.id}"
    display = "SelfThread" if reply.author is focal.author else "Tweet"
    shown = [reply, *(tweet for tweet, _ in zip(_below(call, reply), range(NESTED), strict=False))]
    items = [
        module_item(f"{name}-tweet-{tweet.id}", tweet_item(call.show(tweet), display)) for tweet in shown
    ]
    return module(name, reply.id, items)


def _below(call: Call, tweet: Tweet) -> Iterator[Tweet]:
    for reply_id in tweet.replies:
        reply = call.state.world.tweets[reply_id]
        yield reply
        yield from _below(call, reply)


@graphql("TweetResultsByRestIds")
def tweets_by_ids(call: Call) -> dict[str, Any]:
    """Posts by id, in the order asked; an empty one where there is none."""
    tweets = [call.state.world.tweets.get(number(tweet_id)) for tweet_id in call.need("tweetIds")]
    return {"data": {"tweetResult": [{"result": call.show(tweet)} if tweet else {} for tweet in tweets]}}


def _people(call: Call, name: str, orders: dict[int, int]) -> dict[str, Any]:
    users = call.state.world.users
    found = page(name, call.cursor, call.count(), ordered(orders))
    shown = user_entries((users[user_id] for user_id in found.items), call.show_user)
    return timeline(shown + cursor_entries(found.top, found.bottom))


@graphql("Favoriters")
def favoriters(call: Call) -> dict[str, Any]:
    """Who likes a post, the latest first."""
    tweet = call.state.world.tweet(call.need("tweetId"))
    return {"data": {"favoriters_timeline": _people(call, f"Favoriters/{tweet.id}", tweet.likes)}}


@graphql("Retweeters")
def retweeters(call: Call) -> dict[str, Any]:
    """Who passed a post on, the latest first."""
    tweet = call.state.world.tweet(call.need("tweetId"))
    return {"data": {"retweeters_timeline": _people(call, f"Retweeters/{tweet.id}", tweet.retweets)}}
