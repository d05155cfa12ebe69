"""What one reader of the hub's messages has not read yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, get_args

import msgspec

from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from twikit_pool.service.hub import Hub

Topic: TypeAlias = Literal["pool_updates", "connection_events", "scaling", "alerts", "jobs"]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)

_encode: Final = msgspec.json.Encoder().encode


def as_text(message: Mapping[str, Any]) -> str:
    """A message as it is sent. Text, since a text frame is what a browser reads as JSON."""
    return _encode(message).decode()


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message.

    Attributes:
        seq: its number.
        pool_id: the pool that it is about; None is about none, and for all.
        text: JSON.
        is_status: whether it tells how a pool's status has changed, which a later snapshot tells as well.
    """

    seq: int
    topic: str
    pool_id: str | None
    is_status: bool
    text: str = field(repr=False)


def check_topics(topics: Iterable[str]) -> None:
    """Refuse what is no topic.

    Raises:
        ConfigError: one of them is none.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise ConfigError(f"no topic is called {topic!r}; there are {', '.join(TOPICS)}")


class Reader:
    """What one reader has not read yet. Close it, or use it with `with`.

    Attributes:
        topics: what it wants.
        pools: of these pools alone; None is of all.
        lost: messages that it has lost because it read too slowly.
    """

    __slots__ = (
        "_ended",
        "_first",
        "_hub",
        "_missed",
        "_missed_seq",
        "_missed_status",
        "_queue",
        "_replayed",
        "_shown",
        "_waiting",
        "lost",
        "pools",
        "topics",
    )

    def __init__(self, hub: Hub, most: int) -> None:
        self.topics: frozenset[str] = frozenset()
        self.pools: frozenset[str] | None = None
        self.lost = 0
        self._hub = hub
        self._queue: deque[Message] = deque(maxlen=most)
        self._first: deque[str] = deque()
        """What it is told before all else: a gap, a snapshot."""
        self._replayed: deque[Message] = deque()
        """Not a part of the queue, which is often shorter than what is kept."""
        self._shown = 0
        """The number of its latest snapshot: status updates up to it are in there."""
        self._missed = 0
        """Messages lost that it does not know of yet."""
        self._missed_seq = 0
        self._missed_status = False
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False

    def want(
        self, topics: Iterable[str], pools: Iterable[str] | None = None, since: int | None = None
    ) -> None:
        """Read these topics from now on, of these pools alone where they are named.

        It begins with a snapshot. With `since` it goes on after that number instead, if all that came later
        is still kept; else it is told of the gap, shown a snapshot, and given what there is.

        Raises:
            ConfigError: there is no such topic.
        """
        topics = frozenset(topics)
        check_topics(topics)
        if self._ended:
            return
        self.topics, self.pools = topics, None if pools is None else frozenset(pools)
        hub = self._hub
        hub.look()
        hub.route(self, topics)
        if since is None:
            self._keep_wanted()
            self._show()
        else:
            self._begin_again(since)
        self._wake()

    def leave(self, topics: Iterable[str]) -> None:
        """Read these topics no more.

        Raises:
            ConfigError: there is no such topic.
        """
        topics = frozenset(topics)
        check_topics(topics)
        self.topics -= topics
        self._hub.route(self, self.topics)
        self._keep_wanted()

    def _keep_wanted(self) -> None:
        for messages in (self._replayed, self._queue):
            wanted = [each for each in messages if self._wants(each)]
            messages.clear()
            messages.extend(wanted)

    def _wants(self, message: Message) -> bool:
        of_pool = self.pools is None or message.pool_id is None or message.pool_id in self.pools
        return of_pool and message.topic in self.topics

    def _begin_again(self, since: int) -> None:
        for each in (self._queue, self._first):
            each.clear()
        self._missed, self._missed_status, self._shown = 0, False, 0
        complete, self._replayed = self._hub.replay(self.topics, self.pools, since)
        if not complete:
            self._first.append(as_text({"type": "gap", "since": since, "seq": self._hub.seq}))
            self._show()

    def _show(self) -> None:
        self._first.append(self._hub.snapshot(self.pools))
        self._shown = self._hub.seq

    # ------------------------------------------------------------ what comes

    def put(self, message: Message) -> None:
        """A message for it; the oldest is lost where there is no room."""
        queue = self._queue
        if len(queue) == queue.maxlen:
            oldest = queue[0]
            self.lost += 1
            self._missed += 1
            self._missed_seq = oldest.seq
            self._missed_status |= oldest.is_status and oldest.seq > self._shown
        queue.append(message)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take_now(self) -> str | None:
        """The next message if there is one."""
        if self._first:
            return self._first.popleft()
        if (text := self._from(self._replayed)) is not None:
            return text
        if self._missed:
            return self._tell_missed()
        return self._from(self._queue)

    def _from(self, messages: deque[Message]) -> str | None:
        while messages:
            message = messages.popleft()
            if not message.is_status or message.seq > self._shown:
                return message.text
        return None

    def _tell_missed(self) -> str:
        text = as_text({"type": "lost", "count": self._missed, "seq": self._missed_seq})
        if self._missed_status:
            self._show()
        self._missed, self._missed_status = 0, False
        return text

    async def take(self) -> str | None:
        """The next message, as soon as there is one; None when there will be none. Safe to cancel."""
        while (text := self.take_now()) is None:
            if self._ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return text

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        text = await self.take()
        if text is None:
            raise StopAsyncIteration
        return text

    # ------------------------------------------------------------ leaving

    def end(self) -> None:
        """Give it nothing more. What it has can still be read."""
        if not self._ended:
            self._ended = True
            self._hub.forget(self)
            self._wake()

    def close(self) -> None:
        """Be done with it."""
        self.end()
        for each in (self._first, self._replayed, self._queue):
            each.clear()
        self._missed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
