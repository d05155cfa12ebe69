"""What happens in a manager's pools, told to many at once as numbered JSON messages.

An event is encoded once; each reader has a queue of references. Publishing never waits, so a reader that is
slow loses its own oldest messages, is told how many, and delays nobody:

    async with Hub(manager, clock=clock) as hub:
        with hub.subscribe(["pool_updates", "alerts"]) as reader:
            async for text in reader:
                await socket.send_text(text)

A status goes out once, in a snapshot, and then as what has changed. So the snapshot that a reader gets is
what was told last and not what is true by now: otherwise a field that has changed back until the next telling
would stay wrong for ever. After a loss the reader gets a snapshot in place of the changes that it missed.

Messages are kept for each topic by itself, since leases come a thousand times as often as alerts do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from heapq import merge
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from twikit_pool.errors import ConfigError, PoolError
from twikit_pool.events import CallFinished, ConnectionLeased, ConnectionReleased, Event, Subscription
from twikit_pool.manager.integrations import message_of, topic_of
from twikit_pool.pool.request import check_seconds
from twikit_pool.pool.rounds import Rounds
from twikit_pool.pool.status import PoolStatus
from twikit_pool.service.reader import TOPICS, Message, Reader, as_text, check_topics

if TYPE_CHECKING:
    from twikit_pool.clock import Clock
    from twikit_pool.manager.automation import Attendants
    from twikit_pool.manager.manager import TwikitConnectionPoolManager

logger = logging.getLogger(__name__)

FREQUENT: Final = (ConnectionLeased, ConnectionReleased, CallFinished)
"""Events that come with every call: not even made while nobody wants `connection_events`."""

OURS: Final = frozenset({"seq", "topic"})
"""What a message has of the hub alone."""

EVENTS: Final = 16_384
"""Events that may wait to be encoded."""

STEP: Final = 2_048
"""Messages put into queues before others have a turn: about a millisecond."""

RETURNING: Final = 30.0
"""Seconds that frequent events are told after the last who wanted them has left: it may only reconnect."""

_FIELDS: Final = tuple(name for name in PoolStatus.__struct_fields__ if name not in {"pool_id", "at"})


class Kept:
    """The latest messages of one topic.

    Attributes:
        complete_after: whatever was told after this number is still here.
    """

    __slots__ = ("_messages", "complete_after")

    def __init__(self, most: int, after: int) -> None:
        self._messages: deque[Message] = deque(maxlen=most)
        self.complete_after = after

    def add(self, message: Message) -> None:
        """Keep it, in place of the oldest."""
        if len(self._messages) == self._messages.maxlen:
            self.complete_after = self._messages[0].seq
        self._messages.append(message)

    def after(self, seq: int) -> Iterator[Message]:
        """Those with a higher number."""
        return (each for each in self._messages if each.seq > seq)


class Hub:
    """Tells what happens while it is entered.

    Numbers rise by one from message to message, over all topics. They begin with the microseconds of the wall
    clock, so that a number of an earlier run is below all that are kept, and whoever asks for what came after
    it is told that something is missing.

    Args:
        manager: whose events are told, and whose pools.
        kept: messages of each topic that are kept for those who come again.
        queue: messages that may wait for one reader.
        interval: seconds between two looks at what has changed in the pools.
        clock: what messages are stamped with.

    Raises:
        ConfigError: a number is not positive.
    """

    def __init__(
        self,
        manager: TwikitConnectionPoolManager,
        *,
        kept: int = 1024,
        queue: int = 256,
        interval: float = 1.0,
        clock: Clock,
    ) -> None:
        check_seconds("interval", interval)
        if kept < 1 or queue < 1:
            raise ConfigError(f"kept and queue must be 1 or more, not {kept} and {queue}")
        self._manager = manager
        self._queue = queue
        self._interval = interval
        self._clock = clock
        self._rounds = Rounds("event hub")
        self._subscription: Subscription | None = None
        """None while it is not entered."""
        self._seq = int(clock.now().timestamp() * 1e6)
        self._kept: dict[str, Kept] = {topic: Kept(kept, self._seq) for topic in TOPICS}
        self._quiet = Kept(kept, self._seq)
        """Those of connection events that are not frequent, which the frequent ones soon drive out."""
        self._readers: dict[Reader, None] = {}
        self._wanted: dict[str, dict[Reader, None]] = {topic: {} for topic in TOPICS}
        self._told: dict[str, PoolStatus] = {}
        """What the readers know of each pool."""
        self._looked: float | None = None
        self._frequent = False
        """Whether frequent events are heard."""
        self._frequent_after = self._seq
        """Frequent events were told from this number on, if they are."""
        self._last_wanted = 0.0
        """When frequent events were wanted last."""
        self._dropped = 0
        """Events of this subscription that were lost, and told so."""
        self._put = 0
        """Messages put into queues in this step."""
        self._snapshots: tuple[int, dict[frozenset[str] | None, str]] = (0, {})
        """Those made since the latest message."""

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        self._listen()
        self._rounds.begin(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._rounds.end()
        finally:
            if self._subscription is not None:
                for event in self._subscription.take():
                    self._hear(event)
                self._subscription.close()
                self._subscription = None
            for reader in tuple(self._readers):
                reader.end()

    @property
    def seq(self) -> int:
        """The number of the latest message."""
        return self._seq

    @property
    def readers(self) -> int:
        """How many there are."""
        return len(self._readers)

    def subscribe(
        self, topics: Iterable[str] = (), pools: Iterable[str] | None = None, since: int | None = None
    ) -> Reader:
        """A reader of these topics, which must be closed; as `Reader.want`.

        Raises:
            PoolError: the hub is not entered.
            ConfigError: there is no such topic.
        """
        if self._subscription is None:
            raise PoolError("the event hub tells nothing now: enter it with `async with Hub(manager, …)`")
        reader = Reader(self, self._queue)
        self._readers[reader] = None
        topics = tuple(topics)
        if topics:
            try:
                reader.want(topics, pools, since)
            except ConfigError:
                reader.close()
                raise
        return reader

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Tell something that is no event of a pool.

        It has a `type` at least; `at` is now and `pool_id` null unless it says otherwise.

        Raises:
            ConfigError: there is no such topic, or the message has no type.
            TypeError: it has something that JSON cannot hold.
        """
        check_topics((topic,))
        if not message.get("type"):
            raise ConfigError("a message needs a `type`")
        begins = {"type": "", "pool_id": None, "at": self._clock.now().isoformat()}
        self._tell(topic, begins | {name: message[name] for name in message if name not in OURS})

    def heartbeat(self) -> str:
        """A message that says that nothing has happened after this number."""
        return as_text({"type": "heartbeat", "seq": self._seq})

    # ------------------------------------------------------------ telling

    def _tell(
        self,
        topic: str,
        message: Mapping[str, Any],
        *,
        is_status: bool = False,
        is_frequent: bool = False,
    ) -> None:
        seq, pool_id = self._seq + 1, message["pool_id"]
        text = as_text({"seq": seq, "topic": topic, **message})
        self._seq = seq
        told = Message(seq, topic, pool_id, is_status, text)
        self._kept[topic].add(told)
        if topic == "connection_events" and not is_frequent:
            self._quiet.add(told)
        readers = self._wanted[topic]
        for reader in readers:
            if pool_id is None or reader.pools is None or pool_id in reader.pools:
                reader.put(told)
        self._put += 1 + len(readers)

    def _hear(self, event: Event) -> None:
        try:
            self._tell(topic_of(event), message_of(event), is_frequent=isinstance(event, FREQUENT))
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            # The text of the error may quote the event; an event that cannot be told stops no other.
            logger.warning("%s cannot be told as JSON: %s", event.type, type(error).__name__)

    def _tell_statuses(self) -> None:
        """Tell what has changed in each pool since it was told last."""
        self._looked = asyncio.get_running_loop().time()
        pools = self._manager.pools
        for pool_id in [each for each in self._told if each not in pools]:
            del self._told[pool_id]
            gone = {"type": "pool_removed", "pool_id": pool_id, "at": self._clock.now()}
            self._tell("pool_updates", gone, is_status=True)
        for pool_id, pool in pools.items():
            status, before = pool.status(), self._told.get(pool_id)
            changed = {
                name: value
                for name in _FIELDS
                if (value := getattr(status, name)) != getattr(before, name, None)
            }
            if changed:
                self._told[pool_id] = status
                update = {"type": "pool_status_update", "pool_id": pool_id, "at": status.at}
                changed |= {"pool_id": pool_id, "at": status.at}
                self._tell("pool_updates", {**update, "status": changed}, is_status=True)

    def look(self) -> None:
        """Have a look at the pools, unless the latest is recent."""
        now = asyncio.get_running_loop().time()
        if self._looked is None or now >= self._looked + self._interval:
            self._tell_statuses()

    def snapshot(self, pools: frozenset[str] | None) -> str:
        """What is known of these pools: their statuses as they were told, metrics and latest decisions."""
        if self._snapshots[0] != self._seq:
            self._snapshots = (self._seq, {})
        made = self._snapshots[1]
        if pools not in made:
            attendants = self._attendants()
            shown = [
                _shown(status, attendants)
                for pool_id, status in self._told.items()
                if pools is None or pool_id in pools
            ]
            made[pools] = as_text({"type": "snapshot", "seq": self._seq, "pools": shown})
        return made[pools]

    def _attendants(self) -> Attendants | None:
        try:
            return self._manager.attendants
        except PoolError:  # nobody attends to them: there are neither metrics nor decisions
            return None

    def replay(
        self, topics: Collection[str], pools: frozenset[str] | None, since: int
    ) -> tuple[bool, deque[Message]]:
        """Whether all that was told after this number is kept, and what of it is."""
        kept = [self._kept[topic] for topic in topics]
        after = max((each.complete_after for each in kept), default=since)
        if "connection_events" in topics:
            after = max(after, self._frequent_after if self._frequent else self._seq)
        messages = merge(*(each.after(since) for each in kept), key=lambda message: message.seq)
        wanted = (m for m in messages if m.pool_id is None or pools is None or m.pool_id in pools)
        return after <= since <= self._seq, deque(wanted)

    def latest(self, pool_id: str) -> Iterator[Message]:
        """What is kept of a pool, and of none, but for its statuses: the latest first."""
        kept = {each.seq: each for of in (*self._kept.values(), self._quiet) for each in of.after(0)}
        messages = sorted(kept.values(), key=lambda message: message.seq, reverse=True)
        return (m for m in messages if not m.is_status and m.pool_id in (None, pool_id))

    # ------------------------------------------------------------ who wants what

    def route(self, reader: Reader, topics: Collection[str]) -> None:
        """Give a reader these topics from now on, and no others."""
        for topic, readers in self._wanted.items():
            if topic in topics:
                readers[reader] = None
            elif reader in readers:
                del readers[reader]
                if topic == "connection_events":
                    self._last_wanted = asyncio.get_running_loop().time()
        if self._wanted["connection_events"] and not self._frequent and self._subscription is not None:
            self._frequent = True
            self._listen()
            self._frequent_after = self._seq

    def forget(self, reader: Reader) -> None:
        """It is closed."""
        self.route(reader, ())
        self._readers.pop(reader, None)

    # ------------------------------------------------------------ hearing

    def _listen(self) -> None:
        """Hear all events, or all but the frequent ones; what was heard before is told before."""
        if self._subscription is not None:
            self._tell_dropped(self._subscription)
            for event in self._subscription.take():
                self._hear(event)
            self._subscription.close()
        kinds = () if self._frequent else tuple(_quiet_kinds())
        self._subscription, self._dropped = self._manager.events.subscribe(*kinds, maxlen=EVENTS), 0

    def _tell_dropped(self, subscription: Subscription) -> None:
        lost, self._dropped = subscription.dropped - self._dropped, subscription.dropped
        if lost:
            logger.warning("%d events came too fast to be told", lost)
            self.publish("alerts", {"type": "events_lost", "count": lost})

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(time() + self._interval):
                    await self._follow()
            self._go_round(time())

    async def _follow(self) -> None:
        """Tell events as they come."""
        while (subscription := self._subscription) is not None:
            async for event in subscription:
                self._hear(event)
                if self._put >= STEP:
                    self._put = 0
                    await asyncio.sleep(0)
            # It was closed: another has taken its place.

    def _go_round(self, now: float) -> None:
        if self._subscription is not None:
            self._tell_dropped(self._subscription)
        if self._wanted["pool_updates"]:
            self.look()
        if self._frequent and not self._wanted["connection_events"] and now >= self._last_wanted + RETURNING:
            self._frequent = False
            self._listen()


def _shown(status: PoolStatus, attendants: Attendants | None) -> dict[str, Any]:
    metrics = None if attendants is None else attendants.collector.metrics.get(status.pool_id)
    decision = None if attendants is None else attendants.scaler.decisions.get(status.pool_id)
    return {
        "pool_id": status.pool_id,
        "status": status,
        "metrics": None if metrics is None else metrics.plain(),
        "decision": decision,
    }


def _quiet_kinds(kind: type[Event] = Event) -> Iterator[type[Event]]:
    """The kinds of events that bring no frequent ones with them."""
    if not any(issubclass(frequent, kind) for frequent in FREQUENT):
        yield kind
    for each in kind.__subclasses__():
        yield from _quiet_kinds(each)
