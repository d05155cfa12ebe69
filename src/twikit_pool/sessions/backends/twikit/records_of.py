# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportPrivateUsage=false, reportUnnecessaryComparison=false, reportUnknownParameterType=false
# twikit's types promise what X leaves out, and its properties raise on it: `_legacy` is read with care here,
# once, and everything is typed from here on.
"""twikit's objects as plain records.

X leaves fields out at will, so every optional one is read with care: one odd post must not cost a page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from twikit.list import List
from twikit.message import Message as TwikitMessage
from twikit.notification import Notification as TwikitNotification
from twikit.trend import Trend as TwikitTrend
from twikit.tweet import ScheduledTweet as TwikitScheduledTweet
from twikit.tweet import Tweet as TwikitTweet
from twikit.user import User as TwikitUser
from twikit.utils import Result

from twikit_pool.sessions import records

R = TypeVar("R")

_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}


def user(theirs: TwikitUser) -> records.User:
    """A user."""
    return records.User(
        id=theirs.id,
        handle=theirs.screen_name,
        name=theirs.name or "",
        description=theirs.description or "",
        location=theirs.location or "",
        created_at=_x_time(theirs.created_at),
        followers=theirs.followers_count or 0,
        following=theirs.following_count or 0,
        posts=theirs.statuses_count or 0,
        verified=bool(theirs.is_blue_verified or theirs.verified),
        protected=bool(theirs.protected),
    )


def tweet(theirs: TwikitTweet) -> records.Tweet:
    """A post, with the first page of answers where twikit fetched them."""
    legacy: dict[str, Any] = theirs._legacy or {}
    views = str(theirs.view_count or "")
    answers = theirs.replies
    return records.Tweet(
        id=theirs.id,
        text=theirs.full_text or "",
        author=user(theirs.user) if theirs.user is not None else None,
        created_at=_x_time(legacy.get("created_at")),
        lang=legacy.get("lang"),
        reply_to=legacy.get("in_reply_to_status_id_str"),
        quotes=legacy.get("quoted_status_id_str"),
        likes=legacy.get("favorite_count") or 0,
        retweets=legacy.get("retweet_count") or 0,
        replies=legacy.get("reply_count") or 0,
        quote_count=legacy.get("quote_count") or 0,
        views=int(views) if views.isdecimal() else None,
        liked=bool(legacy.get("favorited")),
        media_urls=tuple(each.media_url for each in theirs.media or () if each.media_url),
        replies_page=page(answers, tweet) if answers is not None else None,
    )


def message(theirs: TwikitMessage) -> records.Message:
    """A direct message."""
    return records.Message(
        id=theirs.id,
        text=theirs.text or "",
        sender_id=theirs.sender_id,
        recipient_id=theirs.recipient_id,
        sent_at=_milliseconds(theirs.time),
    )


def notification(theirs: TwikitNotification) -> records.Notification:
    """A notification."""
    return records.Notification(
        id=theirs.id,
        message=theirs.message or "",
        at=_milliseconds(theirs.timestamp_ms),
        tweet=tweet(theirs.tweet) if theirs.tweet is not None else None,
        user=user(theirs.from_user) if theirs.from_user is not None else None,
    )


def trend(theirs: TwikitTrend) -> records.Trend:
    """A trend."""
    return records.Trend(name=theirs.name, posts=theirs.tweets_count, category=theirs.domain_context)


def tweet_list(theirs: List) -> records.TweetList:
    """A list."""
    return records.TweetList(
        id=theirs.id,
        name=theirs.name or "",
        description=theirs.description or "",
        members=theirs.member_count or 0,
        subscribers=theirs.subscriber_count or 0,
        private=theirs.mode == "Private",
    )


def scheduled_tweet(theirs: TwikitScheduledTweet) -> records.ScheduledTweet:
    """A scheduled post."""
    return records.ScheduledTweet(
        id=theirs.id,
        text=theirs.text or "",
        execute_at=_milliseconds(theirs.execute_at),
        state=theirs.state,
    )


def page(theirs: Result[Any], record: Callable[[Any], R]) -> records.Page[R]:
    """A page with all that X sent, and the cursor of the next.

    X sends more than it was asked for; twikit hands out the asked-for number and keeps the surplus,
    which its cursor already lies behind. Dropping that would lose it, so it belongs to this page. An empty
    page ends the sequence, whatever cursor comes with it: X always gives one.
    """
    surplus: list[Any] = getattr(theirs, "_Result__overflow", [])
    items = tuple(record(each) for each in [*theirs, *surplus])
    return records.Page(items=items, next_cursor=theirs.next_cursor if items else None)


@lru_cache(maxsize=1024)
def _x_time(text: str | None) -> datetime | None:
    """`Wed Oct 10 20:19:24 +0000 2018`, or nothing where X left it out.

    Cut by hand: strptime takes as long as the rest of a post, and the same authors come again and again.
    """
    if not text or text[20:25] != "+0000":
        return None
    try:
        day, hour, minute, second = (int(text[at : at + 2]) for at in (8, 11, 14, 17))
        return datetime(int(text[26:30]), _MONTHS[text[4:7]], day, hour, minute, second, tzinfo=UTC)
    except (ValueError, KeyError):
        return None


def _milliseconds(epoch: str | float | None) -> datetime | None:
    """An epoch in milliseconds; scheduled posts give seconds."""
    if epoch is None or epoch == "":
        return None
    number = float(epoch)
    return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, tz=UTC)
