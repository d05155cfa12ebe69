"""Lists of people, and posts that wait for their time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.world import Tweet, User, World, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twikit_pool.simulator.uploads import Medium


@dataclass(slots=True, eq=False)
class CuratedList:
    """A list that somebody keeps. Members and subscribers map an id to the order they came in."""

    id: int
    owner: User
    name: str
    description: str
    private: bool
    created_at: float
    members: dict[int, int] = field(default_factory=dict[int, int])
    subscribers: dict[int, int] = field(default_factory=dict[int, int])


class Lists:
    """Every list."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lists: dict[int, CuratedList] = {}

    def create(self, owner: User, name: str, description: str, *, private: bool, at: float) -> CuratedList:
        """A new list.

        Raises:
            Refusal: the name is empty or longer than 25 characters (214).
        """
        if not 1 <= len(name) <= 25:
            raise Refusal(214, "A list's name has 1 to 25 characters.", 400)
        made = CuratedList(self._world.snowflakes.take(at), owner, name, description, private, at)
        made.subscribers[owner.id] = self._world.next()
        self._lists[made.id] = made
        return made

    def get(self, list_id: object, viewer: User, *, own: bool = False) -> CuratedList:
        """A list that the viewer may see, or may change when `own`.

        Raises:
            Refusal: there is none (34), or it is somebody else's (37).
        """
        found = self._lists.get(number(list_id))
        if found is None or (found.private and found.owner is not viewer):
            raise Refusal(34)
        if own and found.owner is not viewer:
            raise Refusal(37, "You can only change a list of your own.")
        return found

    def delete(self, curated: CuratedList) -> None:
        """Take a list away."""
        del self._lists[curated.id]

    def of(self, owner: User, viewer: User) -> list[CuratedList]:
        """A user's lists that the viewer may see, newest first."""
        mine = [held for held in self._lists.values() if held.owner is owner]
        return [held for held in reversed(mine) if not held.private or owner is viewer]

    def search(self, words: str) -> list[CuratedList]:
        """Public lists whose name or description holds the words, newest first."""
        wanted = words.lower()
        return [
            held
            for held in reversed(list(self._lists.values()))
            if not held.private and wanted in f"{held.name} {held.description}".lower()
        ]

    def tweets(self, curated: CuratedList, below: int | None) -> Iterator[Tweet]:
        """The members' posts that answer nobody, newest first."""
        streams = (
            self._world.newest(self._world.users[user_id].tweets, below) for user_id in curated.members
        )
        for tweet in heapq.merge(*streams, key=lambda tweet: -tweet.id):
            if tweet.reply_to is None:
                yield tweet


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A post that waits until `execute_at` (epoch seconds)."""

    id: int
    author: User
    text: str
    media: tuple[Medium, ...]
    execute_at: int


class Schedule:
    """Posts that wait. They are published by the first call that comes after their time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: dict[int, Scheduled] = {}
        self._due: list[tuple[int, int]] = []

    def add(
        self, author: User, text: str, media: tuple[Medium, ...], execute_at: int, now: float
    ) -> Scheduled:
        """A post for later.

        Raises:
            Refusal: the time has passed (214).
        """
        if execute_at <= now:
            raise Refusal(214, "execute_at must lie in the future.", 400)
        made = Scheduled(
            id=self._world.snowflakes.take(now), author=author, text=text, media=media, execute_at=execute_at
        )
        self._waiting[made.id] = made
        heapq.heappush(self._due, (execute_at, made.id))
        return made

    def of(self, author: User) -> list[Scheduled]:
        """What waits of one author, the next first."""
        mine = [post for post in self._waiting.values() if post.author is author]
        return sorted(mine, key=lambda post: (post.execute_at, post.id))

    def delete(self, author: User, post_id: object) -> bool:
        """Give one up; whether it was there."""
        found = self._waiting.get(number(post_id))
        if found is None or found.author is not author:
            return False
        del self._waiting[found.id]
        return True

    def publish(self, now: float) -> None:
        """Post what is due. A duplicate is dropped, as X does with a scheduled post that fails."""
        while self._due and self._due[0][0] <= now:
            _, post_id = heapq.heappop(self._due)
            post = self._waiting.pop(post_id, None)
            if post is None:
                continue
            try:
                self._world.post(post.author, post.text, float(post.execute_at), media=post.media)
            except Refusal:
                continue
