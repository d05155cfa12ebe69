"""The state behind the endpoints: who exists, what was posted, who likes and follows what."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.snowflakes import Snowflakes
from twikit_pool.simulator.text import mentions, wire_text
from twikit_pool.simulator.word_index import WordIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twikit_pool.simulator.uploads import Medium, Poll

RENDERINGS: Final = 8
"""Encoded forms of one post that are kept, for viewers that see it differently."""


@dataclass(slots=True, eq=False)
class User:
    """Somebody. Relations map the other's id to the order in which they came about."""

    id: int
    handle: str
    name: str
    created_at: float
    description: str = ""
    location: str = ""
    url: str = ""
    verified: bool = False
    open_to_messages: bool = True
    followers: dict[int, int] = field(default_factory=dict[int, int])
    following: dict[int, int] = field(default_factory=dict[int, int])
    blocking: dict[int, int] = field(default_factory=dict[int, int])
    muting: dict[int, int] = field(default_factory=dict[int, int])
    likes: dict[int, int] = field(default_factory=dict[int, int])
    bookmarks: dict[int, int] = field(default_factory=dict[int, int])
    tweets: list[int] = field(default_factory=list[int])
    media: list[int] = field(default_factory=list[int])
    texts: set[tuple[str, int | None, int | None]] = field(
        default_factory=set[tuple[str, "int | None", "int | None"]]
    )
    notices: list[Notice] = field(default_factory=list["Notice"])
    version: int = 0


@dataclass(slots=True, eq=False)
class Tweet:
    """A post. `likes` and `retweets` map a user's id to order and to the retweet's id."""

    id: int
    author: User
    text: str
    created_at: float
    shown: str
    conversation: int
    reply_to: int | None = None
    quote_of: int | None = None
    retweet_of: int | None = None
    media: tuple[Medium, ...] = ()
    poll: Poll | None = None
    long: bool = False
    likes: dict[int, int] = field(default_factory=dict[int, int])
    retweets: dict[int, int] = field(default_factory=dict[int, int])
    replies: list[int] = field(default_factory=list[int])
    quotes: int = 0
    bookmarks: int = 0
    version: int = 0
    renderings: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def changed(self) -> None:
        """Forget what was encoded of it."""
        self.version += 1
        self.renderings.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a user is told: `kind` is like, retweet, follow, reply, mention or quote."""

    id: int
    kind: str
    actor: User
    tweet: int | None
    at: float


class World:
    """Everything that exists. Every method keeps both ends of a relation in step."""

    def __init__(self) -> None:
        self.users: dict[int, User] = {}
        self.by_handle: dict[str, User] = {}
        self.tweets: dict[int, Tweet] = {}
        self.snowflakes = Snowflakes()
        self.words = WordIndex()
        self._order = 0

    def next(self) -> int:
        """A number larger than all before, for things that only need an order."""
        self._order += 1
        return self._order

    # ------------------------------------------------------------ people

    def add_user(self, user: User) -> User:
        """Someone new."""
        self.users[user.id] = user
        self.by_handle[user.handle.lower()] = user
        return user

    def user(self, user_id: object) -> User:
        """A user by id, in any spelling of the number.

        Raises:
            Refusal: there is no such user (50).
        """
        found = self.users.get(number(user_id))
        if found is None:
            raise Refusal(50)
        return found

    def follow(self, who: User, whom: User, at: float) -> bool:
        """Whether this changed anything.

        Raises:
            Refusal: the other one blocks this user (162).
        """
        if who.id in whom.blocking:
            raise Refusal(162)
        if who is whom or whom.id in who.following:
            return False
        who.following[whom.id] = whom.followers[who.id] = self.next()
        self._changed(who, whom)
        self.notify(whom, "follow", who, None, at)
        return True

    def unfollow(self, who: User, whom: User) -> bool:
        """Whether this changed anything."""
        if who.following.pop(whom.id, None) is None:
            return False
        del whom.followers[who.id]
        self._changed(who, whom)
        return True

    def block(self, who: User, whom: User) -> bool:
        """Whether this changed anything. Neither follows the other afterwards."""
        if whom.id in who.blocking:
            return False
        who.blocking[whom.id] = self.next()
        self.unfollow(who, whom)
        self.unfollow(whom, who)
        self._changed(who, whom)
        return True

    def _changed(self, *users: User) -> None:
        for user in users:
            user.version += 1

    # ------------------------------------------------------------ posts

    def tweet(self, tweet_id: object) -> Tweet:
        """A post by id, in any spelling of the number.

        Raises:
            Refusal: there is no such post (144).
        """
        found = self.tweets.get(number(tweet_id))
        if found is None:
            raise Refusal(144)
        return found

    def post(
        self,
        author: User,
        text: str,
        at: float,
        *,
        reply_to: Tweet | None = None,
        quote_of: Tweet | None = None,
        media: tuple[Medium, ...] = (),
        poll: Poll | None = None,
        long: bool = False,
    ) -> Tweet:
        """A new post.

        Raises:
            Refusal: the author posted the same text in the same place already (187).
        """
        answered = reply_to.id if reply_to else None
        quoted = quote_of.id if quote_of else None
        fingerprint = (text, answered, quoted)
        if fingerprint in author.texts and not media and poll is None:
            raise Refusal(187)
        author.texts.add(fingerprint)
        made = self.snowflakes.take(at)
        tweet = Tweet(
            id=made,
            author=author,
            text=text,
            created_at=at,
            shown=wire_text(text),
            conversation=reply_to.conversation if reply_to else made,
            reply_to=answered,
            quote_of=quoted,
            media=media,
            poll=poll,
            long=long,
        )
        self._add(tweet)
        self.words.add(made, text)
        told = {author.id}
        if reply_to is not None:
            reply_to.replies.append(made)
            reply_to.changed()
            self._tell(told, reply_to.author, "reply", tweet)
        if quote_of is not None:
            quote_of.quotes += 1
            quote_of.changed()
            self._tell(told, quote_of.author, "quote", tweet)
        for handle in mentions(text):
            if handle in self.by_handle:
                self._tell(told, self.by_handle[handle], "mention", tweet)
        return tweet

    def _add(self, tweet: Tweet) -> None:
        self.tweets[tweet.id] = tweet
        tweet.author.tweets.append(tweet.id)
        if tweet.media:
            tweet.author.media.append(tweet.id)
        tweet.author.version += 1

    def delete(self, tweet: Tweet) -> None:
        """Take a post away, with its retweets and the traces it left in others' counts."""
        del self.tweets[tweet.id]
        author = tweet.author
        author.tweets.remove(tweet.id)
        if tweet.media:
            author.media.remove(tweet.id)
        author.version += 1
        author.texts.discard((tweet.text, tweet.reply_to, tweet.quote_of))
        for user_id in tweet.likes:
            del self.users[user_id].likes[tweet.id]
        for retweet_id in list(tweet.retweets.values()):
            self.delete(self.tweets[retweet_id])
        if (original := self.tweets.get(tweet.retweet_of or 0)) is not None:
            original.retweets.pop(author.id, None)
            original.changed()
        if (parent := self.tweets.get(tweet.reply_to or 0)) is not None:
            parent.replies.remove(tweet.id)
            parent.changed()
        if (quoted := self.tweets.get(tweet.quote_of or 0)) is not None:
            quoted.quotes -= 1
            quoted.changed()

    def like(self, who: User, tweet: Tweet, at: float) -> None:
        """Like a post.

        Raises:
            Refusal: the user likes it already (139).
        """
        if who.id in tweet.likes:
            raise Refusal(139)
        tweet.likes[who.id] = who.likes[tweet.id] = self.next()
        tweet.changed()
        who.version += 1
        self.notify(tweet.author, "like", who, tweet.id, at)

    def unlike(self, who: User, tweet: Tweet) -> bool:
        """Whether this changed anything."""
        if tweet.likes.pop(who.id, None) is None:
            return False
        del who.likes[tweet.id]
        tweet.changed()
        who.version += 1
        return True

    def retweet(self, who: User, tweet: Tweet, at: float) -> Tweet:
        """The retweet, a post of its own.

        Raises:
            Refusal: the user retweeted it already (327).
        """
        if who.id in tweet.retweets:
            raise Refusal(327)
        made = self.snowflakes.take(at)
        text = f"RT @{tweet.author.handle}: {tweet.text}"
        retweet = Tweet(
            id=made,
            author=who,
            text=text,
            created_at=at,
            shown=wire_text(text),
            conversation=made,
            retweet_of=tweet.id,
        )
        self._add(retweet)
        tweet.retweets[who.id] = made
        tweet.changed()
        self.notify(tweet.author, "retweet", who, tweet.id, at)
        return retweet

    # ------------------------------------------------------------ what is told and shown

    def _tell(self, told: set[int], whom: User, kind: str, tweet: Tweet) -> None:
        if whom.id not in told:
            told.add(whom.id)
            self.notify(whom, kind, tweet.author, tweet.id, tweet.created_at)

    def notify(self, whom: User, kind: str, actor: User, tweet: int | None, at: float) -> None:
        """Tell a user what somebody else did."""
        if whom is not actor and actor.id not in whom.blocking and actor.id not in whom.muting:
            whom.notices.append(Notice(id=self.next(), kind=kind, actor=actor, tweet=tweet, at=at))

    def newest(self, tweet_ids: list[int], below: int | None = None) -> Iterator[Tweet]:
        """The posts of an ascending list of ids that still exist, newest first, from below an id."""
        end = len(tweet_ids) if below is None else bisect_left(tweet_ids, below)
        for at in range(end - 1, -1, -1):
            if (tweet := self.tweets.get(tweet_ids[at])) is not None:
                yield tweet

    def home(self, viewer: User, below: int | None = None) -> Iterator[Tweet]:
        """What a user's home timeline shows, newest first: no replies to people he does not follow."""
        authors = [viewer, *(self.users[user_id] for user_id in viewer.following)]
        seen = {author.id for author in authors} - viewer.muting.keys()
        streams = (self.newest(author.tweets, below) for author in authors if author.id in seen)
        for tweet in heapq.merge(*streams, key=lambda tweet: -tweet.id):
            parent = self.tweets.get(tweet.reply_to or 0)
            if parent is None or parent.author.id in seen:
                yield tweet


def number(text: object) -> int:
    """An id as a number; 0, which nothing has, for what is none."""
    try:
        return int(str(text))
    except ValueError:
        return 0
