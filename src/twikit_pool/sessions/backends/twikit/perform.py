# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportArgumentType=false
# twikit leaves type arguments out of its signatures; what comes back is typed in records_of.
"""How twikit carries each action out: one short function an action, found by its class."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

from twikit.client.client import Client

from twikit_pool.errors import InvalidParameters
from twikit_pool.sessions import actions, records
from twikit_pool.sessions.actions import Action, Paged
from twikit_pool.sessions.backends.twikit import records_of
from twikit_pool.sessions.media import Media

A = TypeVar("A", bound=Action)
Files = Sequence[Media]
Performer = Callable[[Client, A, Files], Awaitable[Any]]

_PERFORMERS: Final[dict[type[Action], Performer[Any]]] = {}
_STATUS: Final = re.compile(r"/status/([0-9]+)")


def performs(kind: type[A]) -> Callable[[Performer[A]], Performer[A]]:
    """Carry this action out with the function that follows."""

    def enter(performer: Performer[A]) -> Performer[A]:
        _PERFORMERS[kind] = performer
        return performer

    return enter


async def perform(client: Client, action: Action, files: Files) -> Any:
    """Carry an action out and return its record.

    Raises:
        InvalidParameters: this backend cannot carry the action out.
        Exception: whatever twikit and httpx raise; `outcomes.judge` reads it.
    """
    performer = _PERFORMERS.get(type(action))
    if performer is None:
        raise InvalidParameters(f"the twikit backend does not know how to {action.name}")
    return await performer(client, action, files)


# ---------------------------------------------------------------- posts


async def _uploaded(client: Client, files: Files) -> list[str]:
    """X's ids of the files, uploaded one after another; moving ones once X has processed them."""
    ids: list[str] = []
    for file in files:
        moving = file.mime.startswith("video") or file.mime == "image/gif"
        category = {"video": "tweet_video", "image": "tweet_image"}[file.mime.partition("/")[0]]
        media_id = await client.upload_media(
            file.content,
            wait_for_completion=moving,
            media_type=file.mime,
            media_category="tweet_gif" if file.mime == "image/gif" else category,
        )
        ids.append(str(media_id))  # twikit says str and hands on the number X sent
    return ids


def _attachment(quote: str | None) -> str | None:
    return None if quote is None else f"https://x.com/i/status/{quote}"


@performs(actions.PostTweet)
async def _(client: Client, action: actions.PostTweet, files: Files) -> records.Tweet:
    media_ids = [*await _uploaded(client, files), *action.media_ids]
    poll = action.poll and await client.create_poll(action.poll.choices, action.poll.minutes)
    return records_of.tweet(
        await client.create_tweet(
            action.content,
            media_ids=media_ids or None,
            poll_uri=poll,
            reply_to=action.reply_to,
            attachment_url=_attachment(action.quote),
            is_note_tweet=action.long,
            conversation_control=action.who_can_reply,
        )
    )


@performs(actions.UploadMedia)
async def _(client: Client, action: actions.UploadMedia, files: Files) -> records.Uploaded:
    (media_id,) = await _uploaded(client, files)
    if action.alt_text is not None:
        await client.create_media_metadata(media_id, alt_text=action.alt_text)
    return records.Uploaded(media_id=media_id)


@performs(actions.ScheduleTweet)
async def _(client: Client, action: actions.ScheduleTweet, files: Files) -> records.Done:
    media_ids = [*await _uploaded(client, files), *action.media_ids]
    at = int(action.at.timestamp())
    return records.Done(id=await client.create_scheduled_tweet(at, action.content, media_ids or None))


@performs(actions.GetScheduledTweets)
async def _(
    client: Client, _action: actions.GetScheduledTweets, _files: Files
) -> records.Page[records.ScheduledTweet]:
    theirs = await client.get_scheduled_tweets()
    return records.Page(items=tuple(records_of.scheduled_tweet(each) for each in theirs))


# ---------------------------------------------------------------- one id in, nothing but success out


def _simple(kind: type[A], of: str) -> None:
    """An action whose twikit method takes one id and whose success says nothing more."""

    @performs(kind)
    async def _(client: Client, action: A, _files: Files) -> records.Done:
        target: str = getattr(action, of)
        await cast("Callable[[str], Awaitable[object]]", getattr(client, kind.twikit))(target)
        return records.Done(id=target)


for _kind in (
    actions.DeleteTweet,
    actions.LikeTweet,
    actions.UnlikeTweet,
    actions.Retweet,
    actions.UndoRetweet,
    actions.BookmarkTweet,
    actions.DeleteBookmark,
    actions.DeleteScheduledTweet,
):
    _simple(_kind, "tweet_id")
for _kind in (
    actions.FollowUser,
    actions.UnfollowUser,
    actions.MuteUser,
    actions.UnmuteUser,
    actions.BlockUser,
    actions.UnblockUser,
):
    _simple(_kind, "user_id")
_simple(actions.DeleteList, "list_id")


# ---------------------------------------------------------------- pages of what one id, or nothing, names


def _paged(kind: type[A], record: Callable[[Any], object], of: str | None) -> None:
    """An action whose twikit method takes an id, a count and a cursor, and returns a page."""

    @performs(kind)
    async def _(client: Client, action: A, _files: Files) -> records.Page[Any]:
        asked: Paged = cast("Paged", action)
        names = (getattr(action, of),) if of is not None else ()
        found = await getattr(client, kind.twikit)(*names, asked.count, asked.cursor)
        return records_of.page(found, record)


_paged(actions.GetFollowers, records_of.user, "user_id")
_paged(actions.GetFollowing, records_of.user, "user_id")
_paged(actions.GetLikers, records_of.user, "tweet_id")
_paged(actions.GetRetweeters, records_of.user, "tweet_id")
_paged(actions.GetListMembers, records_of.user, "list_id")
_paged(actions.GetListTweets, records_of.tweet, "list_id")
_paged(actions.SearchUser, records_of.user, "query")
_paged(actions.GetBookmarks, records_of.tweet, None)
_paged(actions.GetLists, records_of.tweet_list, None)


# ---------------------------------------------------------------- people


@performs(actions.SendDirectMessage)
async def _(client: Client, action: actions.SendDirectMessage, files: Files) -> records.Message:
    media_ids = [*await _uploaded(client, files), *action.media_ids]
    return records_of.message(
        await client.send_dm(
            action.user_id,
            action.text,
            media_id=media_ids[0] if media_ids else None,
            reply_to=action.reply_to,
        )
    )


@performs(actions.GetDirectMessages)
async def _(
    client: Client, action: actions.GetDirectMessages, _files: Files
) -> records.Page[records.Message]:
    return records_of.page(await client.get_dm_history(action.user_id, action.cursor), records_of.message)


@performs(actions.GetUser)
async def _(client: Client, action: actions.GetUser, _files: Files) -> records.User:
    return records_of.user(await client.get_user_by_screen_name(action.handle.removeprefix("@")))


@performs(actions.GetUserById)
async def _(client: Client, action: actions.GetUserById, _files: Files) -> records.User:
    return records_of.user(await client.get_user_by_id(action.user_id))


# ---------------------------------------------------------------- reading posts


@performs(actions.SearchTweet)
async def _(client: Client, action: actions.SearchTweet, _files: Files) -> records.Page[records.Tweet]:
    found = await client.search_tweet(action.query, action.product, action.count, action.cursor)
    return records_of.page(found, records_of.tweet)


@performs(actions.GetTweet)
async def _(client: Client, action: actions.GetTweet, _files: Files) -> records.Tweet:
    return records_of.tweet(await client.get_tweet_by_id(action.tweet_id, action.cursor))


@performs(actions.GetTweets)
async def _(client: Client, action: actions.GetTweets, _files: Files) -> records.Page[records.Tweet]:
    found = await client.get_tweets_by_ids(action.tweet_ids)
    return records.Page(items=tuple(records_of.tweet(each) for each in found))


@performs(actions.GetUserTweets)
async def _(client: Client, action: actions.GetUserTweets, _files: Files) -> records.Page[records.Tweet]:
    found = await client.get_user_tweets(action.user_id, action.kind, action.count, action.cursor)
    return records_of.page(found, records_of.tweet)


@performs(actions.GetTimeline)
async def _(client: Client, action: actions.GetTimeline, _files: Files) -> records.Page[records.Tweet]:
    return records_of.page(await client.get_timeline(action.count, cursor=action.cursor), records_of.tweet)


@performs(actions.GetLatestTimeline)
async def _(client: Client, action: actions.GetLatestTimeline, _files: Files) -> records.Page[records.Tweet]:
    found = await client.get_latest_timeline(action.count, cursor=action.cursor)
    return records_of.page(found, records_of.tweet)


@performs(actions.GetNotifications)
async def _(
    client: Client, action: actions.GetNotifications, _files: Files
) -> records.Page[records.Notification]:
    found = await client.get_notifications(action.kind, action.count, action.cursor)
    return records_of.page(found, records_of.notification)


@performs(actions.GetTrends)
async def _(client: Client, action: actions.GetTrends, _files: Files) -> records.Page[records.Trend]:
    # retry=False: twikit would ask again and again while X has none, inside one call and its deadline.
    found = await client.get_trends(action.category, action.count, retry=False)
    return records.Page(items=tuple(records_of.trend(each) for each in found))


# ---------------------------------------------------------------- lists


@performs(actions.CreateList)
async def _(client: Client, action: actions.CreateList, _files: Files) -> records.TweetList:
    return records_of.tweet_list(await client.create_list(action.name_, action.description, action.private))


@performs(actions.AddListMember)
async def _(client: Client, action: actions.AddListMember, _files: Files) -> records.TweetList:
    return records_of.tweet_list(await client.add_list_member(action.list_id, action.user_id))


@performs(actions.RemoveListMember)
async def _(client: Client, action: actions.RemoveListMember, _files: Files) -> records.TweetList:
    return records_of.tweet_list(await client.remove_list_member(action.list_id, action.user_id))


@performs(actions.GetList)
async def _(client: Client, action: actions.GetList, _files: Files) -> records.TweetList:
    return records_of.tweet_list(await client.get_list(action.list_id))
