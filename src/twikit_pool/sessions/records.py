# pyright: reportGeneralTypeIssues=false
# msgspec inherits `frozen`; pyright wants it repeated on every class.
"""What actions return: plain values that hold no client, so they outlive any lease and travel as JSON.

Ids are strings, as X's exceed what JSON numbers carry. Times are in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The root of all results."""


class User(Record):
    """An X user, as seen by the account that asked."""

    id: str
    handle: str
    name: str = ""
    description: str = ""
    location: str = ""
    created_at: datetime | None = None
    followers: int = 0
    following: int = 0
    posts: int = 0
    verified: bool = False
    protected: bool = False


class Tweet(Record):
    """A post, as seen by the account that asked."""

    id: str
    text: str = ""
    author: User | None = None
    created_at: datetime | None = None
    lang: str | None = None
    reply_to: str | None = None
    quotes: str | None = None
    likes: int = 0
    retweets: int = 0
    replies: int = 0
    quote_count: int = 0
    views: int | None = None
    liked: bool = False
    media_urls: tuple[str, ...] = ()
    replies_page: Page[Tweet] | None = None
    """The first page of answers, where the action asked for the whole conversation."""


class Message(Record):
    """A direct message."""

    id: str
    text: str = ""
    sender_id: str | None = None
    recipient_id: str | None = None
    sent_at: datetime | None = None


class Notification(Record):
    """One line of an account's notifications."""

    id: str
    message: str = ""
    at: datetime | None = None
    tweet: Tweet | None = None
    user: User | None = None


class Trend(Record):
    """A topic that trends; `posts` is X's own count in words, where it gives one."""

    name: str
    posts: str | None = None
    category: str | None = None


class TweetList(Record):
    """An X list."""

    id: str
    name: str = ""
    description: str = ""
    members: int = 0
    subscribers: int = 0
    private: bool = False


class ScheduledTweet(Record):
    """A post that X itself will send at `execute_at`."""

    id: str
    text: str = ""
    execute_at: datetime | None = None
    state: str | None = None


class Uploaded(Record):
    """Media that X holds, to be named in a post within the day."""

    media_id: str


class Done(Record):
    """A write that has nothing more to say than that it happened, and to what."""

    id: str


class Page(Record, Generic[T]):
    """Some items and the cursor of the next page; None when this was the last."""

    items: tuple[T, ...] = ()
    next_cursor: str | None = None
