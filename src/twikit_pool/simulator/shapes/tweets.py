"""Posts, as GraphQL and as v1.1 show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from twikit_pool.simulator.shapes.cards import card, medium_entity
from twikit_pool.simulator.shapes.users import timestamp, user_result
from twikit_pool.simulator.text import entities, links
from twikit_pool.simulator.world import RENDERINGS

if TYPE_CHECKING:
    from twikit_pool.simulator.world import Tweet, User, World

_SOURCE = '<a href="https://mobile.twitter.com" rel="nofollow">Twitter Web App</a>'


def tweet_result(
    tweet: Tweet, viewer: User, world: World, *, empty_legacy: bool = False, depth: int = 0
) -> msgspec.Raw:
    """The GraphQL form, encoded. It is kept until the post, its author or the viewer's view changes."""
    stamp = _stamp(tweet, viewer, world, depth, empty_legacy)
    encoded = tweet.renderings.get(stamp)
    if encoded is None:
        if len(tweet.renderings) >= RENDERINGS:
            tweet.renderings.clear()
        shown = _tweet(tweet, viewer, world, empty_legacy, depth)
        encoded = tweet.renderings[stamp] = msgspec.Raw(msgspec.json.encode(shown))
    return encoded


def tweet_v11(tweet: Tweet, viewer: User) -> dict[str, Any]:
    """The flat form of v1.1."""
    return {
        "id": tweet.id,
        "user_id_str": str(tweet.author.id),
        "text": tweet.shown,
        "possibly_sensitive": False,
        **_legacy(tweet, viewer),
    }


def _stamp(tweet: Tweet, viewer: User, world: World, depth: int, empty_legacy: bool) -> tuple[Any, ...]:
    author, me = tweet.author, viewer.id
    inner = world.tweets.get(tweet.quote_of or tweet.retweet_of or 0)
    return (
        tweet.version,
        author.version,
        me in tweet.likes,
        me in tweet.retweets,
        tweet.id in viewer.bookmarks,
        author.id in viewer.following,
        me in author.following,
        author.id in viewer.blocking,
        author.id in viewer.muting,
        tweet.poll and (tweet.poll.votes.get(me), len(tweet.poll.votes)),
        depth,
        empty_legacy,
        None if inner is None or depth else _stamp(inner, viewer, world, 1, empty_legacy),
    )


def _tweet(tweet: Tweet, viewer: User, world: World, empty_legacy: bool, depth: int) -> dict[str, Any]:
    author = user_result(tweet.author, viewer, empty_legacy=empty_legacy)
    legacy = _legacy(tweet, viewer)
    shown: dict[str, Any] = {
        "__typename": "Tweet",
        "rest_id": str(tweet.id),
        "core": {"user_results": {"result": author}},
        "edit_control": {
            "edit_tweet_ids": [str(tweet.id)],
            "editable_until_msecs": str(int((tweet.created_at + 3600) * 1000)),
            "is_edit_eligible": False,
            "edits_remaining": "5",
        },
        "is_translatable": False,
        "views": {"count": str(10 * (len(tweet.likes) + 1)), "state": "EnabledWithCount"},
        "source": _SOURCE,
        "legacy": legacy,
    }
    if tweet.long:
        note = {"id": str(tweet.id), "text": tweet.text, "entity_set": _entities(tweet)}
        shown["note_tweet"] = {"is_expandable": True, "note_tweet_results": {"result": note}}
    if tweet.poll is not None:
        shown["card"] = card(tweet.poll, viewer, tweet.created_at)
    inner = world.tweets.get(tweet.quote_of or tweet.retweet_of or 0)
    if inner is not None and depth == 0:
        result = {"result": tweet_result(inner, viewer, world, empty_legacy=empty_legacy, depth=1)}
        if tweet.quote_of:
            shown["quoted_status_result"] = result
        else:
            legacy["retweeted_status_result"] = result
    return shown


def _entities(tweet: Tweet) -> dict[str, Any]:
    return {**entities(tweet.shown), "urls": links(tweet.text)}


def _legacy(tweet: Tweet, viewer: User) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id_str": str(tweet.id),
        "user_id_str": str(tweet.author.id),
        "created_at": timestamp(tweet.created_at),
        "conversation_id_str": str(tweet.conversation),
        "full_text": tweet.shown[:279] + "…" if tweet.long else tweet.shown,
        "display_text_range": [0, len(tweet.shown)],
        "lang": "en",
        "entities": _entities(tweet),
        "is_quote_status": tweet.quote_of is not None,
        "possibly_sensitive": False,
        "possibly_sensitive_editable": True,
        "favorite_count": len(tweet.likes),
        "favorited": viewer.id in tweet.likes,
        "retweet_count": len(tweet.retweets),
        "retweeted": viewer.id in tweet.retweets,
        "reply_count": len(tweet.replies),
        "quote_count": tweet.quotes,
        "bookmark_count": tweet.bookmarks,
        "bookmarked": tweet.id in viewer.bookmarks,
    }
    if tweet.reply_to is not None:
        shown["in_reply_to_status_id_str"] = str(tweet.reply_to)
    if tweet.quote_of is not None:
        shown["quoted_status_id_str"] = str(tweet.quote_of)
    if tweet.media:
        media = [medium_entity(medium) for medium in tweet.media]
        shown["entities"]["media"] = media
        shown["extended_entities"] = {"media": media}
    return shown
