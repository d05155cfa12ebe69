"""What others did, and what is talked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.paging import Page, page
from twikit_pool.simulator.registry import Call, graphql, rest
from twikit_pool.simulator.shapes.timelines import Entry, entry, timeline
from twikit_pool.simulator.shapes.tweets import tweet_v11
from twikit_pool.simulator.shapes.users import user_v11

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.simulator.world import Notice

_WORDS: Final = {
    "like": "liked your post",
    "retweet": "reposted your post",
    "follow": "followed you",
    "reply": "replied to you",
    "mention": "mentioned you",
    "quote": "quoted your post",
}
_ADDRESSED: Final = frozenset({"reply", "mention", "quote"})


def _notices(call: Call, kind: str, wanted: Callable[[Notice], bool]) -> Page[Notice]:
    tweets = call.state.world.tweets
    mine = [
        (notice.id, notice)
        for notice in reversed(call.user.notices)
        if wanted(notice) and (notice.tweet is None or notice.tweet in tweets)
    ]
    return page(
        f"notifications/{kind}/{call.user.id}",
        call.cursor,
        call.count(40),
        lambda below: (pair for pair in mine if below is None or pair[0] < below),
    )


def _objects(call: Call, found: Page[Notice]) -> dict[str, Any]:
    world = call.state.world
    tweets = {notice.tweet: world.tweets[notice.tweet] for notice in found.items if notice.tweet}
    people = [notice.actor for notice in found.items] + [tweet.author for tweet in tweets.values()]
    return {
        "users": {str(person.id): user_v11(person, call.user) for person in people},
        "tweets": {str(tweet.id): tweet_v11(tweet, call.user) for tweet in tweets.values()},
    }


def _answer(objects: dict[str, Any], names: list[str], found: Page[Notice]) -> dict[str, Any]:
    entries: list[Entry] = [{"entryId": name, "sortIndex": "0", "content": {}} for name in names]
    for kind, value in (("Top", found.top), ("Bottom", found.bottom)):
        if value is not None:
            content = {"operation": {"cursor": {"value": value, "cursorType": kind}}}
            entries.append({"entryId": f"cursor-{kind.lower()}-0", "sortIndex": "0", "content": content})
    return {
        "globalObjects": objects,
        "timeline": {"id": "notifications", "instructions": [{"addEntries": {"entries": entries}}]},
    }


def _told(call: Call, kind: str, wanted: Callable[[Notice], bool]) -> dict[str, Any]:
    found = _notices(call, kind, wanted)
    objects = _objects(call, found)
    objects["notifications"] = {str(notice.id): _shown(notice) for notice in found.items}
    return _answer(objects, [f"notification-{notice.id}" for notice in found.items], found)


def _shown(notice: Notice) -> dict[str, Any]:
    return {
        "id": str(notice.id),
        "timestampMs": str(int(notice.at * 1000)),
        "icon": {"id": f"{notice.kind}_icon"},
        "message": {"text": f"{notice.actor.name} {_WORDS[notice.kind]}", "entities": []},
        "template": {
            "aggregateUserActionsV1": {
                "targetObjects": [{"tweet": {"id": str(notice.tweet)}}] if notice.tweet else [],
                "fromUsers": [{"user": {"id": str(notice.actor.id)}}],
            }
        },
    }


@rest("GET", "/2/notifications/all.json")
def everything(call: Call) -> dict[str, Any]:
    """All that the caller is told, the newest first."""
    return _told(call, "all", lambda _: True)


@rest("GET", "/2/notifications/verified.json")
def verified(call: Call) -> dict[str, Any]:
    """What verified users did."""
    return _told(call, "verified", lambda notice: notice.actor.verified)


@rest("GET", "/2/notifications/mentions.json")
def mentions(call: Call) -> dict[str, Any]:
    """Posts that address the caller: here X lists the posts themselves."""
    found = _notices(call, "mentions", lambda notice: notice.kind in _ADDRESSED)
    return _answer(_objects(call, found), [f"tweet-{notice.tweet}" for notice in found.items], found)


@graphql("GenericTimelineById")
def trends(call: Call) -> dict[str, Any]:
    """The hashtags that most posts hold; the same for every category."""
    tags = call.state.world.words.hashtags()[: call.count()]
    entries = [
        entry(
            f"trend-{tag}",
            count,
            {
                "itemType": "TimelineTrend",
                "__typename": "TimelineTrend",
                "name": tag,
                "trend_metadata": {"meta_description": f"{count} posts", "domain_context": "Trending"},
                "grouped_trends": [],
            },
        )
        for tag, count in tags
    ]
    return {"data": {"timeline": timeline(entries)}}
