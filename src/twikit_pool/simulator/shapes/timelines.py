"""Timelines: entries, modules, cursors and the instructions that carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twikit_pool.simulator.world import Tweet, User

Entry = dict[str, Any]


def tweet_item(result: Any, display: str = "Tweet") -> Entry:
    """The content of an item that shows a post."""
    return {
        "itemType": "TimelineTweet",
        "__typename": "TimelineTweet",
        "tweet_results": {"result": result},
        "tweetDisplayType": display,
    }


def user_item(result: Any) -> Entry:
    """The content of an item that shows a user."""
    return {
        "itemType": "TimelineUser",
        "__typename": "TimelineUser",
        "user_results": {"result": result},
        "userDisplayType": "User",
    }


def list_item(shown: Entry) -> Entry:
    """The content of an item that shows a list."""
    return {"itemType": "TimelineTwitterList", "__typename": "TimelineTwitterList", "list": shown}


def entry(entry_id: str, order: int, item: Entry) -> Entry:
    """An entry of one item; `order` sorts, the highest first."""
    return {
        "entryId": entry_id,
        "sortIndex": str(order),
        "content": {
            "entryType": "TimelineTimelineItem",
            "__typename": "TimelineTimelineItem",
            "itemContent": item,
        },
    }


def module_item(entry_id: str, item: Entry) -> Entry:
    """One item of a module."""
    return {"entryId": entry_id, "item": {"itemContent": item}}


def module(entry_id: str, order: int, items: list[Entry], tweet_ids: Iterable[int] = ()) -> Entry:
    """An entry of several items that belong together; `tweet_ids` are those of the conversation."""
    content: Entry = {
        "entryType": "TimelineTimelineModule",
        "__typename": "TimelineTimelineModule",
        "items": items,
    }
    if ids := [str(tweet_id) for tweet_id in tweet_ids]:
        content["metadata"] = {"conversationMetadata": {"allTweetIds": ids}}
    return {"entryId": entry_id, "sortIndex": str(order), "content": content}


def cursor_entries(top: str | None, bottom: str | None) -> list[Entry]:
    """The cursors that end a page, those that there are."""
    return [
        {
            "entryId": f"cursor-{kind.lower()}-{order}",
            "sortIndex": str(order),
            "content": {
                "entryType": "TimelineTimelineCursor",
                "__typename": "TimelineTimelineCursor",
                "cursorType": kind,
                "value": value,
            },
        }
        for order, (kind, value) in enumerate((("Top", top), ("Bottom", bottom)))
        if value is not None
    ]


def timeline(entries: list[Entry], *more: Entry) -> Entry:
    """A timeline of entries; further instructions go before them."""
    return {"timeline": {"instructions": [*more, {"type": "TimelineAddEntries", "entries": entries}]}}


def add_to_module(module_entry_id: str, items: list[Entry]) -> Entry:
    """The instruction that continues a module on a later page."""
    return {
        "type": "TimelineAddToModule",
        "moduleEntryId": module_entry_id,
        "moduleItems": items,
    }


def tweet_entries(tweets: Iterable[Tweet], show: Callable[[Tweet], Any]) -> list[Entry]:
    """One entry a post."""
    return [entry(f"tweet-{tweet.id}", tweet.id, tweet_item(show(tweet))) for tweet in tweets]


def user_entries(users: Iterable[User], show: Callable[[User], Any]) -> list[Entry]:
    """One entry a user, in the order given."""
    return [entry(f"user-{user.id}", -place, user_item(show(user))) for place, user in enumerate(users)]


def media_page(
    grid: str, tweets: list[Tweet], show: Callable[[Tweet], Any], cursors: list[Entry], *, first: bool
) -> Entry:
    """A page of a grid of media: a module of its own, which later pages add to."""
    items = [module_item(f"{grid}-0-tweet-{tweet.id}", tweet_item(show(tweet))) for tweet in tweets]
    if first:
        return timeline([module(f"{grid}-0", 1, items), *cursors])
    return timeline(cursors, add_to_module(f"{grid}-0", items))
