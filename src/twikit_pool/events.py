"""Everything observable, as typed events on one bus.

Publishing is synchronous and never fails or waits: each subscriber has a bounded queue of its own, and
one that reads too slowly loses its oldest events, counted, without delaying the pool or anyone else.

    with bus.subscribe(ConnectionLeased, ConnectionReleased) as events:
        async for event in events:
            print(event.type, event.account_id)
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from datetime import datetime

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        type: the class's name in snake case, as it appears on the wire (`connection_created`).
        pool_id: the pool it happened in.
        at: when, in UTC.
    """

    type: ClassVar[str] = "event"
    pool_id: str
    at: datetime

    def __init_subclass__(cls) -> None:
        # No super() call: slots=True makes the class anew, and a zero-argument super() here would
        # speak of the first one.
        cls.type = _WORD.sub("_", cls.__name__).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOpened(Event):
    """A pool is ready; `accounts` is how many it may use."""

    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShutDown(Event):
    """A pool has closed its last connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """Something about one connection."""

    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCreated(ConnectionEvent):
    """The pool holds a session for this account from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLeased(ConnectionEvent):
    """A caller has the connection; `waited` is in seconds."""

    priority: int
    action: str | None
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReleased(ConnectionEvent):
    """The connection is back; `held` is in seconds."""

    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(ConnectionEvent):
    """The pool gave the connection up, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(ConnectionEvent):
    """An attempt ended. `latency` is in seconds; `code` is X's own error code, if it gave one."""

    action: str
    outcome: str
    latency: float
    status: int | None
    code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCooling(ConnectionEvent):
    """The account may not call this endpoint for `seconds`."""

    endpoint: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStateChanged(ConnectionEvent):
    """The account is in another state, with the evidence (code, endpoint), never a secret."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireTimedOut(Event):
    """A request waited for `waited` seconds in vain."""

    account_id: str | None
    action: str | None
    priority: int
    waited: float


class Subscription:
    """One subscriber's queue: an async iterator for a single reader, closed by `with` or `close()`."""

    __slots__ = ("_bus", "_closed", "_queue", "_types", "_waiting", "dropped")

    def __init__(self, bus: EventBus, types: tuple[type[Event], ...], maxlen: int) -> None:
        self._bus = bus
        self._types = types
        self._queue: deque[Event] = deque(maxlen=maxlen)
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False
        self.dropped = 0
        """Events lost because this subscriber read too slowly."""

    def offer(self, event: Event) -> None:
        """Queue the event if it is of a wanted type; called by the bus."""
        if self._types and not isinstance(event, self._types):
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take(self) -> list[Event]:
        """Everything queued, at once, without waiting."""
        events = list(self._queue)
        self._queue.clear()
        return events

    def close(self) -> None:
        """Stop receiving. What is queued can still be read; then the iteration ends."""
        self._closed = True
        self._bus.forget(self)
        self._wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._queue.popleft()


class EventBus:
    """Where events are published. Subscribers come and go at any time."""

    __slots__ = ("_subscriptions",)

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()

    @property
    def heard(self) -> bool:
        """Whether anyone listens: lets a hot path skip making an event nobody reads."""
        return bool(self._subscriptions)

    def subscribe(self, *types: type[Event], maxlen: int = 1024) -> Subscription:
        """Receive events of these types (all, when none is named).

        Args:
            types: event classes; a base class receives all that derive from it.
            maxlen: how many unread events are kept before the oldest is dropped.
        """
        subscription = Subscription(self, types, maxlen)
        self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Hand the event to every subscriber's queue. Never waits, never raises."""
        for subscription in self._subscriptions:
            subscription.offer(event)

    def forget(self, subscription: Subscription) -> None:
        """Stop serving this subscriber; called by its `close()`."""
        self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
