"""Posts: new, scheduled, deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.text import MAX_NOTE, MAX_WEIGHT, weighted_length

if TYPE_CHECKING:
    from twikit_pool.simulator.world import Tweet

_STATUS: Final = re.compile(r"/status(?:es)?/(\d+)")


@graphql("CreateTweet", posts=True)
def create_tweet(call: Call) -> dict[str, Any]:
    """A post of up to 280 weighted characters."""
    tweet = _post(call, str(call.need("tweet_text")), long=False)
    return {"data": {"create_tweet": {"tweet_results": {"result": call.show(tweet)}}}}


@graphql("CreateNoteTweet", posts=True)
def create_note_tweet(call: Call) -> dict[str, Any]:
    """A long post."""
    tweet = _post(call, str(call.need("tweet_text")), long=True)
    return {"data": {"notetweet_create": {"tweet_results": {"result": call.show(tweet)}}}}


def _post(call: Call, text: str, *, long: bool) -> Tweet:
    variables, state = call.variables, call.state
    listed: dict[str, Any] = variables.get("media") or {}
    entities: list[dict[str, Any]] = listed.get("media_entities") or []
    media = state.uploads.attach([one.get("media_id") for one in entities], call.user.id, call.now)
    quoted = _STATUS.search(str(variables.get("attachment_url") or ""))
    card = variables.get("card_uri")
    reply: dict[str, Any] = variables.get("reply") or {}
    if not (text.strip() or media or quoted or card):
        raise Refusal(170)
    if len(text) > MAX_NOTE if long else weighted_length(text) > MAX_WEIGHT:
        raise Refusal(186)
    tweet = state.world.post(
        call.user,
        text,
        call.now,
        reply_to=state.world.tweet(reply.get("in_reply_to_tweet_id")) if reply else None,
        quote_of=state.world.tweet(quoted[1]) if quoted else None,
        media=media,
        poll=state.uploads.poll(card) if card else None,
        long=long,
    )
    call.wrote(text)
    return tweet


@graphql("DeleteTweet")
def delete_tweet(call: Call) -> dict[str, Any]:
    """Take a post of one's own back."""
    world = call.state.world
    tweet = world.tweet(call.need("tweet_id"))
    if tweet.author is not call.user:
        raise Refusal(179, "You are not authorized to delete this post.")
    world.delete(tweet)
    call.wrote(tweet.id)
    return {"data": {"delete_tweet": {"tweet_results": {}}}}


@graphql("CreateScheduledTweet")
def create_scheduled_tweet(call: Call) -> dict[str, Any]:
    """A post for later."""
    request: dict[str, Any] = call.need("post_tweet_request")
    text = str(request.get("status", ""))
    if weighted_length(text) > MAX_WEIGHT:
        raise Refusal(186)
    media = call.state.uploads.attach(request.get("media_ids") or [], call.user.id, call.now)
    made = call.state.schedule.add(call.user, text, media, int(call.need("execute_at")), call.now)
    call.wrote(text)
    return {"data": {"tweet": {"rest_id": str(made.id)}}}


@graphql("FetchScheduledTweets")
def fetch_scheduled_tweets(call: Call) -> dict[str, Any]:
    """What waits."""
    waiting: list[dict[str, Any]] = [
        {
            "rest_id": str(post.id),
            "scheduling_info": {"execute_at": post.execute_at * 1000, "state": "Scheduled"},
            "tweet_create_request": {"type": "PostTweetRequest", "status": post.text, "media_ids": []},
            "media_entities": [
                {"media_info": {"__typename": medium.kind, "media_id": str(medium.id)}}
                for medium in post.media
            ],
        }
        for post in call.state.schedule.of(call.user)
    ]
    return {"data": {"viewer": {"scheduled_tweet_list": waiting}}}


@graphql("DeleteScheduledTweet")
def delete_scheduled_tweet(call: Call) -> dict[str, Any]:
    """Give a waiting post up."""
    post_id = call.need("scheduled_tweet_id")
    if not call.state.schedule.delete(call.user, post_id):
        raise Refusal(144)
    call.wrote(post_id)
    return {"data": {"scheduledtweet_delete": "Done"}}
