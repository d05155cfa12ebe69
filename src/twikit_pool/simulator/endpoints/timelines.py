"""Timelines of posts: a user's, the home ones, bookmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twikit_pool.simulator.paging import Page, ordered, page
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.shapes.timelines import (
    Entry,
    cursor_entries,
    entry,
    media_page,
    module,
    module_item,
    timeline,
    tweet_entries,
    tweet_item,
)
from twikit_pool.simulator.world import Tweet, User, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def pages_of(call: Call, scope: str, newest: Callable[[int | None], Iterable[Tweet]]) -> Page[Tweet]:
    """One page of posts that come by falling id."""
    return page(
        scope, call.cursor, call.count(), lambda below: ((tweet.id, tweet) for tweet in newest(below))
    )


def _cursors(found: Page[Any]) -> list[Entry]:
    return cursor_entries(found.top, found.bottom)


def _of_user(call: Call, show: Callable[[User], Entry]) -> dict[str, Any]:
    """A user's timeline; X answers with an empty user where there is none."""
    user = call.state.world.users.get(number(call.need("userId")))
    return {"data": {"user": {"result": {"__typename": "User", "timeline_v2": show(user)}} if user else {}}}


@graphql("UserTweets")
def user_tweets(call: Call) -> dict[str, Any]:
    """What a user posted and passed on, without answers to others."""
    world = call.state.world

    def show(user: User) -> Entry:
        def newest(below: int | None) -> Iterable[Tweet]:
            for tweet in world.newest(user.tweets, below):
                parent = world.tweets.get(tweet.reply_to or 0)
                if tweet.reply_to is None or (parent is not None and parent.author is user):
                    yield tweet

        found = pages_of(call, f"UserTweets/{user.id}", newest)
        return timeline(tweet_entries(found.items, call.show) + _cursors(found))

    return _of_user(call, show)


@graphql("UserTweetsAndReplies")
def user_tweets_and_replies(call: Call) -> dict[str, Any]:
    """What a user posted, each answer below what it answers."""
    world = call.state.world

    def entry_of(tweet: Tweet) -> Entry:
        parent = world.tweets.get(tweet.reply_to or 0)
        if parent is None:
            return entry(f"tweet-{tweet.id}", tweet.id, tweet_item(call.show(tweet)))
        name = f"profile-conversation-{tweet.id}"
        items = [module_item(f"{name}-tweet-{one.id}", tweet_item(call.show(one))) for one in (parent, tweet)]
        return module(name, tweet.id, items, (parent.id, tweet.id))

    def show(user: User) -> Entry:
        found = pages_of(call, f"Replies/{user.id}", lambda below: world.newest(user.tweets, below))
        return timeline([entry_of(tweet) for tweet in found.items] + _cursors(found))

    return _of_user(call, show)


@graphql("UserMedia")
def user_media(call: Call) -> dict[str, Any]:
    """A user's posts with media."""
    world = call.state.world

    def show(user: User) -> Entry:
        found = pages_of(call, f"Media/{user.id}", lambda below: world.newest(user.media, below))
        return media_page("profile-grid", found.items, call.show, _cursors(found), first=not call.cursor)

    return _of_user(call, show)


def _kept(call: Call, scope: str, orders: dict[int, int]) -> Entry:
    """A timeline of posts in the order in which somebody liked or kept them."""
    tweets = call.state.world.tweets
    newest = ordered({tweet_id: order for tweet_id, order in orders.items() if tweet_id in tweets})
    found = page(scope, call.cursor, call.count(), newest)
    shown = tweet_entries((tweets[tweet_id] for tweet_id in found.items), call.show)
    return timeline(shown + _cursors(found))


@graphql("Likes")
def likes(call: Call) -> dict[str, Any]:
    """What a user likes, the latest like first."""
    return _of_user(call, lambda user: _kept(call, f"Likes/{user.id}", user.likes))


@graphql("Bookmarks")
def bookmarks(call: Call) -> dict[str, Any]:
    """What the caller keeps, the latest first."""
    shown = _kept(call, f"Bookmarks/{call.user.id}", call.user.bookmarks)
    return {"data": {"bookmark_timeline_v2": shown}}


@graphql("HomeTimeline")
def home(call: Call) -> dict[str, Any]:
    """Posts of those whom the caller follows. X ranks them; here the newest is first."""
    found = pages_of(call, f"Home/{call.user.id}", lambda below: call.state.world.home(call.user, below))
    shown = timeline(tweet_entries(found.items, call.show) + _cursors(found))
    return {"data": {"home": {"home_timeline_urt": shown["timeline"]}}}


@graphql("HomeLatestTimeline")
def home_latest(call: Call) -> dict[str, Any]:
    """The same by time, as X has it under "Following"."""
    return home(call)
