# pyright: reportGeneralTypeIssues=false
# msgspec inherits `frozen`; pyright wants it repeated on every class.
"""The named actions: what can be asked of an account, with every parameter's type.

An action is a small frozen struct. Its fields are its parameters, checked before anything is sent; its
class says which endpoint it spends, whether it writes, and whose its pages are. How it is carried out is
the backend's affair.

    parse_action("post_tweet", {"content": "Hello"})    # -> PostTweet(content='Hello')
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from twikit_pool.errors import InvalidParameters, UnknownAction

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$", description="an X id: digits, as a string")]
Handle = Annotated[str, Meta(pattern=r"^@?[A-Za-z0-9_]{1,15}$", description="an X handle")]
Text = Annotated[str, Meta(max_length=25_000)]
Query = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=25)]
Count = Annotated[int, Meta(ge=1, le=200)]
Minutes = Annotated[int, Meta(ge=5, le=10_080)]
Choice = Annotated[str, Meta(min_length=1, max_length=25)]
MediaSources = Annotated[list[str], Meta(max_length=4)]

LONG_POSTS: Final = "long_posts"
"""The capability of an account that may post more than 280 characters."""


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The root of all actions.

    Attributes:
        name: what it is called in job files, on the command line and over HTTP.
        endpoint: the operation whose rate window it spends.
        twikit: the method of `twikit.Client` that does the same.
        writes: whether it changes something on X; such a call is never repeated blindly.
        personal: whether its pages belong to the account that asked, so that all must come from it.
        engages: whether it raises the figures of somebody's post or profile. X forbids automating likes and
            follows, so a file of jobs that has such actions is not run unless its operator says so. Taking
            one back does not count, nor does a bookmark, which nobody else sees.
    """

    name: ClassVar[str] = ""
    endpoint: ClassVar[str] = ""
    twikit: ClassVar[str] = ""
    writes: ClassVar[bool] = False
    personal: ClassVar[bool] = False
    engages: ClassVar[bool] = False

    @property
    def spends(self) -> str:
        """The endpoint that this very call spends."""
        return self.endpoint

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that an account must have for this very call."""
        return frozenset()


ACTIONS: Final[dict[str, type[Action]]] = {}
"""Every action by its name."""

A = TypeVar("A", bound=Action)


def _action(
    name: str,
    endpoint: str,
    twikit: str,
    *,
    writes: bool = False,
    personal: bool = False,
    engages: bool = False,
) -> Callable[[type[A]], type[A]]:
    """Put an action into the table."""

    def enter(kind: type[A]) -> type[A]:
        kind.name, kind.endpoint, kind.twikit = name, endpoint, twikit
        kind.writes, kind.personal, kind.engages = writes, personal, engages
        ACTIONS[name] = kind
        return kind

    return enter


def action_named(name: str) -> type[Action]:
    """The action of this name.

    Raises:
        UnknownAction: there is none; the message names the nearest.
    """
    kind = ACTIONS.get(name)
    if kind is not None:
        return kind
    twins = [each.name for each in ACTIONS.values() if each.twikit == name]
    near = twins or difflib.get_close_matches(name, ACTIONS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`twikit-pool actions` lists them all"
    raise UnknownAction(f"no action is called {name!r}; {hint}")


def parse_action(name: str, parameters: Mapping[str, Any]) -> Action:
    """An action with its parameters checked; nothing is sent.

    Raises:
        UnknownAction: no action has this name.
        InvalidParameters: a parameter is missing, unknown or of the wrong type; the message says which.
    """
    kind = action_named(name)
    try:
        action = msgspec.convert(parameters, kind)
        msgspec.json.encode(action)  # half a surrogate pair passes for text until it is to be sent
    except UnicodeEncodeError as error:
        raise InvalidParameters(
            f"{name}: a text holds characters that cannot be sent ({error.reason})"
        ) from None
    except (msgspec.ValidationError, InvalidParameters) as error:
        raise InvalidParameters(f"{name}: {_plainly(str(error))}") from None
    return action


def _plainly(complaint: str) -> str:
    """A sentence of msgspec's in the words of a job file: `$.tweet_id` is the parameter tweet_id."""
    for theirs, ours in (
        ("Object contains unknown field", "unknown parameter"),
        ("Object missing required field", "missing parameter"),
        (" - at `$.", " in parameter `"),
        (" - at `$`", ""),
    ):
        complaint = complaint.replace(theirs, ours)
    return complaint


# ---------------------------------------------------------------- shapes that several actions share


class OfTweet(Action):
    """About one post."""

    tweet_id: Id


class OfUser(Action):
    """About one user."""

    user_id: Id


class OfList(Action):
    """About one list."""

    list_id: Id


class Paged(Action, kw_only=True):
    """Comes in pages: `count` items (X may send more), from `cursor` on."""

    count: Count = 20
    cursor: str | None = None


class PagedOfTweet(Paged, kw_only=True):
    """Pages about one post."""

    tweet_id: Id


class PagedOfUser(Paged, kw_only=True):
    """Pages about one user."""

    user_id: Id


class PagedOfList(Paged, kw_only=True):
    """Pages about one list."""

    list_id: Id


class WithMedia(Action, kw_only=True):
    """Carries up to four pieces of media: URLs to fetch, local files, or ids X gave for an upload."""

    media_urls: MediaSources = []
    media: MediaSources = []
    media_ids: MediaSources = []

    def __post_init__(self) -> None:
        pieces = len(self.media_urls) + len(self.media) + len(self.media_ids)
        if pieces > self.most_media:
            raise InvalidParameters(f"{pieces} pieces of media, and X takes at most {self.most_media}")

    most_media: ClassVar[int] = 4


# ---------------------------------------------------------------- posts


class Poll(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two to four choices of at most 25 characters, open for 5 minutes to 7 days."""

    choices: Annotated[list[Choice], Meta(min_length=2, max_length=4)]
    minutes: Minutes = 1440


@_action("post_tweet", "CreateTweet", "create_tweet", writes=True)
class PostTweet(WithMedia, kw_only=True):
    """Post: a text, a reply, a quote, a poll, with or without media."""

    content: Text = ""
    reply_to: Id | None = None
    quote: Id | None = None
    poll: Poll | None = None
    long: bool = False
    """Whether it may be longer than 280 characters; the account needs the capability `long_posts`."""
    who_can_reply: Literal["followers", "verified", "mentioned"] | None = None

    def __post_init__(self) -> None:
        WithMedia.__post_init__(self)
        has_media = bool(self.media_urls or self.media or self.media_ids)
        if not (self.content or has_media or self.quote):
            raise InvalidParameters("nothing to post: give content, media or a quote")
        if self.poll and has_media:
            raise InvalidParameters("X takes a poll or media, not both")

    @property
    def spends(self) -> str:
        """Long posts have an operation of their own."""
        return "CreateNoteTweet" if self.long else self.endpoint

    @property
    def needs(self) -> frozenset[str]:
        """Long posts need an account that may send them."""
        return frozenset({LONG_POSTS}) if self.long else frozenset()


@_action("delete_tweet", "DeleteTweet", "delete_tweet", writes=True, personal=True)
class DeleteTweet(OfTweet):
    """Delete one of the account's own posts."""


@_action("like_tweet", "FavoriteTweet", "favorite_tweet", writes=True, engages=True)
class LikeTweet(OfTweet):
    """Like a post."""


@_action("unlike_tweet", "UnfavoriteTweet", "unfavorite_tweet", writes=True)
class UnlikeTweet(OfTweet):
    """Take a like back."""


@_action("retweet", "CreateRetweet", "retweet", writes=True, engages=True)
class Retweet(OfTweet):
    """Repost a post."""


@_action("undo_retweet", "DeleteRetweet", "delete_retweet", writes=True)
class UndoRetweet(OfTweet):
    """Take a repost back."""


@_action("bookmark_tweet", "CreateBookmark", "bookmark_tweet", writes=True)
class BookmarkTweet(OfTweet):
    """Bookmark a post."""


@_action("delete_bookmark", "DeleteBookmark", "delete_bookmark", writes=True)
class DeleteBookmark(OfTweet):
    """Take a bookmark back."""


@_action("upload_media", "media/upload", "upload_media")
class UploadMedia(Action, kw_only=True):
    """Upload one piece of media, from a URL or a local file, for a later post by the same account."""

    url: str | None = None
    path: str | None = None
    alt_text: Annotated[str, Meta(max_length=1000)] | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.path is None):
            raise InvalidParameters("give either url or path")


@_action("schedule_tweet", "CreateScheduledTweet", "create_scheduled_tweet", writes=True)
class ScheduleTweet(WithMedia, kw_only=True):
    """Have X itself post at a later time (`at`, with its time zone)."""

    content: Text
    at: Annotated[datetime, Meta(tz=True)]


@_action("delete_scheduled_tweet", "DeleteScheduledTweet", "delete_scheduled_tweet", writes=True)
class DeleteScheduledTweet(OfTweet):
    """Take a scheduled post back."""


@_action("get_scheduled_tweets", "FetchScheduledTweets", "get_scheduled_tweets", personal=True)
class GetScheduledTweets(Action):
    """The account's scheduled posts."""


# ---------------------------------------------------------------- people


@_action("follow_user", "friendships/create", "follow_user", writes=True, engages=True)
class FollowUser(OfUser):
    """Follow a user."""


@_action("unfollow_user", "friendships/destroy", "unfollow_user", writes=True)
class UnfollowUser(OfUser):
    """Stop following a user."""


@_action("mute_user", "mutes/users/create", "mute_user", writes=True)
class MuteUser(OfUser):
    """Mute a user."""


@_action("unmute_user", "mutes/users/destroy", "unmute_user", writes=True)
class UnmuteUser(OfUser):
    """Hear a muted user again."""


@_action("block_user", "blocks/create", "block_user", writes=True)
class BlockUser(OfUser):
    """Block a user."""


@_action("unblock_user", "blocks/destroy", "unblock_user", writes=True)
class UnblockUser(OfUser):
    """Take a block back."""


@_action("send_dm", "dm/new2", "send_dm", writes=True)
class SendDirectMessage(WithMedia, kw_only=True):
    """Send a direct message, with at most one piece of media."""

    most_media: ClassVar[int] = 1
    user_id: Id
    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    reply_to: Id | None = None


@_action("get_dm_history", "dm/conversation/id", "get_dm_history", personal=True)
class GetDirectMessages(OfUser):
    """The account's conversation with a user, newest first; `cursor` is the oldest message's id."""

    cursor: str | None = None


@_action("get_user", "UserByScreenName", "get_user_by_screen_name")
class GetUser(Action):
    """A user by handle."""

    handle: Handle


@_action("get_user_by_id", "UserByRestId", "get_user_by_id")
class GetUserById(OfUser):
    """A user by id."""


@_action("get_followers", "Followers", "get_user_followers")
class GetFollowers(PagedOfUser):
    """Who follows a user."""


@_action("get_following", "Following", "get_user_following")
class GetFollowing(PagedOfUser):
    """Whom a user follows."""


@_action("search_user", "SearchTimeline", "search_user")
class SearchUser(Paged, kw_only=True):
    """Users who match a query."""

    query: Query


# ---------------------------------------------------------------- reading posts


@_action("search_tweet", "SearchTimeline", "search_tweet")
class SearchTweet(Paged, kw_only=True):
    """Posts that match a query."""

    query: Query
    product: Literal["Top", "Latest", "Media"] = "Latest"


@_action("get_tweet", "TweetDetail", "get_tweet_by_id")
class GetTweet(OfTweet):
    """A post with its conversation; `cursor` pages through the answers."""

    cursor: str | None = None


@_action("get_tweets", "TweetResultsByRestIds", "get_tweets_by_ids")
class GetTweets(Action):
    """Several posts by id, at once."""

    tweet_ids: Annotated[list[Id], Meta(min_length=1, max_length=200)]


@_action("get_user_tweets", "UserTweets", "get_user_tweets")
class GetUserTweets(PagedOfUser, kw_only=True):
    """A user's posts; likes are visible to the account itself alone."""

    kind: Literal["Tweets", "Replies", "Media", "Likes"] = "Tweets"

    @property
    def spends(self) -> str:
        """Each tab of a profile is an operation of its own."""
        return {
            "Tweets": "UserTweets",
            "Replies": "UserTweetsAndReplies",
            "Media": "UserMedia",
            "Likes": "Likes",
        }[self.kind]


@_action("get_timeline", "HomeTimeline", "get_timeline", personal=True)
class GetTimeline(Paged):
    """The account's home timeline, as X ranks it."""


@_action("get_latest_timeline", "HomeLatestTimeline", "get_latest_timeline", personal=True)
class GetLatestTimeline(Paged):
    """The account's home timeline, newest first."""


@_action("get_likers", "Favoriters", "get_favoriters")
class GetLikers(PagedOfTweet):
    """Who liked a post, as far as X shows it."""


@_action("get_retweeters", "Retweeters", "get_retweeters")
class GetRetweeters(PagedOfTweet):
    """Who reposted a post."""


@_action("get_bookmarks", "Bookmarks", "get_bookmarks", personal=True)
class GetBookmarks(Paged):
    """The account's bookmarks."""


@_action("get_notifications", "notifications/all", "get_notifications", personal=True)
class GetNotifications(Paged, kw_only=True):
    """The account's notifications."""

    kind: Literal["All", "Verified", "Mentions"] = "All"

    @property
    def spends(self) -> str:
        """Each tab is an operation of its own."""
        return f"notifications/{self.kind.lower()}"


@_action("get_trends", "GenericTimelineById", "get_trends")
class GetTrends(Action):
    """What trends."""

    category: Literal["trending", "for-you", "news", "sports", "entertainment"] = "trending"
    count: Count = 20


# ---------------------------------------------------------------- lists


@_action("create_list", "CreateList", "create_list", writes=True)
class CreateList(Action):
    """Make a list."""

    name_: Name = msgspec.field(name="name")
    description: Annotated[str, Meta(max_length=100)] = ""
    private: bool = False


@_action("delete_list", "DeleteList", "delete_list", writes=True)
class DeleteList(OfList):
    """Delete one of the account's own lists."""


@_action("add_list_member", "ListAddMember", "add_list_member", writes=True)
class AddListMember(OfList):
    """Put a user on one of the account's own lists."""

    user_id: Id


@_action("remove_list_member", "ListRemoveMember", "remove_list_member", writes=True)
class RemoveListMember(OfList):
    """Take a user off one of the account's own lists."""

    user_id: Id


@_action("get_lists", "ListsManagementPageTimeline", "get_lists", personal=True)
class GetLists(Paged):
    """The account's own lists."""


@_action("get_list", "ListByRestId", "get_list")
class GetList(OfList):
    """A list by id."""


@_action("get_list_tweets", "ListLatestTweetsTimeline", "get_list_tweets")
class GetListTweets(PagedOfList):
    """The posts of a list, newest first."""


@_action("get_list_members", "ListMembers", "get_list_members")
class GetListMembers(PagedOfList):
    """Who is on a list."""
