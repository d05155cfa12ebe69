"""Likes, retweets and bookmarks."""

from __future__ import annotations

from typing import Any

from twikit_pool.simulator.registry import Call, graphql


@graphql("FavoriteTweet")
def favorite(call: Call) -> dict[str, Any]:
    """Like a post."""
    tweet = call.state.world.tweet(call.need("tweet_id"))
    call.state.world.like(call.user, tweet, call.now)
    call.wrote(tweet.id)
    return {"data": {"favorite_tweet": "Done"}}


@graphql("UnfavoriteTweet")
def unfavorite(call: Call) -> dict[str, Any]:
    """Take a like back."""
    tweet = call.state.world.tweet(call.need("tweet_id"))
    if call.state.world.unlike(call.user, tweet):
        call.wrote(tweet.id)
    return {"data": {"unfavorite_tweet": "Done"}}


@graphql("CreateRetweet")
def retweet(call: Call) -> dict[str, Any]:
    """Pass a post on."""
    tweet = call.state.world.tweet(call.need("tweet_id"))
    made = call.state.world.retweet(call.user, tweet, call.now)
    call.wrote(tweet.id)
    shown = {"rest_id": str(made.id), "legacy": {"full_text": made.shown}}
    return {"data": {"create_retweet": {"retweet_results": {"result": shown}}}}


@graphql("DeleteRetweet")
def delete_retweet(call: Call) -> dict[str, Any]:
    """Take a retweet back."""
    world = call.state.world
    tweet = world.tweet(call.need("source_tweet_id"))
    if call.user.id in tweet.retweets:
        world.delete(world.tweets[tweet.retweets[call.user.id]])
        call.wrote(tweet.id)
    shown = {"rest_id": str(tweet.id), "legacy": {"full_text": tweet.shown}}
    return {"data": {"unretweet": {"source_tweet_results": {"result": shown}}}}


@graphql("CreateBookmark")
def bookmark(call: Call) -> dict[str, Any]:
    """Keep a post for later."""
    tweet = call.state.world.tweet(call.need("tweet_id"))
    if tweet.id not in call.user.bookmarks:
        call.user.bookmarks[tweet.id] = call.state.world.next()
        tweet.bookmarks += 1
        tweet.changed()
        call.wrote(tweet.id)
    return {"data": {"tweet_bookmark_put": "Done"}}


@graphql("DeleteBookmark")
def delete_bookmark(call: Call) -> dict[str, Any]:
    """Forget a bookmark."""
    tweet = call.state.world.tweet(call.need("tweet_id"))
    if call.user.bookmarks.pop(tweet.id, None) is not None:
        tweet.bookmarks -= 1
        tweet.changed()
        call.wrote(tweet.id)
    return {"data": {"tweet_bookmark_delete": "Done"}}


@graphql("BookmarksAllDelete")
def delete_all_bookmarks(call: Call) -> dict[str, Any]:
    """Forget every bookmark."""
    for tweet_id in call.user.bookmarks:
        if (tweet := call.state.world.tweets.get(tweet_id)) is not None:
            tweet.bookmarks -= 1
            tweet.changed()
    call.user.bookmarks.clear()
    call.wrote("all")
    return {"data": {"bookmark_all_delete": "Done"}}
