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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

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
class PoolSuspended(Event):
    """Nobody is served until the pool is resumed, or until so many seconds are over."""

    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResumed(Event):
    """Requests are served again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDrained(Event):
    """Nobody holds a connection, and none is open; `reclaimed` were closed under their borrowers."""

    reclaimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResized(Event):
    """The pool keeps at least `size` connections now; it had `before` when it was told."""

    size: int
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingDecided(Event):
    """The scaling engine decides otherwise than before; the fields are those of its `ScalingDecision`.

    `size` is how many connections there are now.
    """

    action: str
    size: int
    target_size: int
    wanted_size: int
    reason: str
    confidence: float | None
    predicted_load: float | None
    constraints: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingExecuted(Event):
    """The pool was resized from `before` connections to `size`, as the scaling engine decided."""

    before: int
    size: int
    reason: str
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LowWorkLimited(Event):
    """LOW requests may have this share of the connections from now on, because of what they cost.

    A share of 1 is no limit; `reason` is "" then.
    """

    share: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReconfigured(Event):
    """Settings were changed; `changed` names them."""

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostStopped(Event):
    """The content filter has not let something go; with a `review_id`, until a person decides.

    `account_id` is None where that was plain before an account was chosen.
    """

    account_id: str | None
    action: str
    reason: str
    review_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyStop(Event):
    """Only CRITICAL and EMERGENCY requests are served, for `seconds`.

    `paused` connections may send nothing meanwhile, and `refused` requests that waited were sent away.
    """

    reason: str
    seconds: float
    paused: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyStopEnded(Event):
    """Everyone is served again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShutDown(Event):
    """A pool has closed its last connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """Something about one account, and one connection of it where it is about that."""

    account_id: str
    connection_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCreated(ConnectionEvent):
    """A connection is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpenFailed(ConnectionEvent):
    """A connection could not be opened; its account is tried again in `retry_in` seconds."""

    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLeased(ConnectionEvent):
    """A caller has the connection; `waited` is in seconds."""

    priority: int
    action: str | None
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReleased(ConnectionEvent):
    """The connection is back; `held` is in seconds."""

    priority: int
    action: str | None
    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOverdue(ConnectionEvent):
    """A lease has lasted longer than `leak_warning`; `borrower` is the name of the task that took it."""

    borrower: str
    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReclaimed(ConnectionEvent):
    """A lease lasted longer than `lease_timeout`: the connection was closed under its borrower."""

    borrower: str
    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChecked(ConnectionEvent):
    """A health check has ended; `latency` is in seconds."""

    well: bool
    reason: str
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(ConnectionEvent):
    """The pool gave the connection up, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEvent(ConnectionEvent):
    """Something about a reservation."""

    reservation_id: str
    reserved_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationMade(ReservationEvent):
    """A connection of the account is kept for an owner, for so many seconds."""

    seconds: float
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExtended(ReservationEvent):
    """It lasts so many seconds from now on."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationPriorityChanged(ReservationEvent):
    """The owner's requests have at least this priority now."""

    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEnded(ReservationEvent):
    """It was released, or it expired."""

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
class AccountLoggedIn(ConnectionEvent):
    """A session has made a handshake, which X sees as a log-in: the account's number `today` in 24 hours."""

    today: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStateChanged(ConnectionEvent):
    """The account is in another state than `before`, with the evidence, never a secret.

    `evidence` is what X answered, in brief; `status`, `code` and `endpoint` are its parts where this program
    has seen the answer. A quarantine ends at `until`.
    """

    state: str
    reason: str
    before: str
    evidence: str = ""
    status: int | None = None
    code: int | None = None
    endpoint: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountQuarantined(ConnectionEvent):
    """The pool leaves the account alone for so many seconds, and why."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitEvent(Event):
    """Something about a circuit: `kind` is x, endpoint, account or library; `name` says of what."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOpened(CircuitEvent):
    """Nothing that needs it is sent for `seconds`, and why; told again when a try has failed."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitHalfOpened(CircuitEvent):
    """One call may try it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitClosed(CircuitEvent):
    """All is well again, after so many seconds."""

    seconds_open: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyTurnedStale(Event):
    """X refused the cookies of all these accounts within `seconds`, and served nobody: its own fault?"""

    account_ids: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeChanged(Event):
    """The calls that may be in flight at once are half or twice what they were when this was told last.

    `name` is `all`, `direct` or a proxy's host and port; `reason` is what lowered the limit.
    """

    name: str
    limit: int
    before: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireTimedOut(Event):
    """A request waited for `waited` seconds in vain."""

    account_id: str | None
    action: str | None
    priority: int
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsCollected(Event):
    """The pool's numbers were collected; `metrics` holds them by name, as plain values."""

    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesOptimized(Event):
    """Something was done about what connections cost; `result` tells what, as plain values."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDegraded(Event):
    """A part of the program (`component`: a store, a file) works less well than it should, and why.

    Anything may tell it; `pool_id` is "" for what is no pool's own.
    """

    component: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRecovered(Event):
    """It works again."""

    component: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent(Event):
    """Something about an alert; `alert` is all of it, as plain values. `pool_id` is "" for the process."""

    alert: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFired(AlertEvent):
    """Something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanged(AlertEvent):
    """It is about others than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAcknowledged(AlertEvent):
    """Somebody knows of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved(AlertEvent):
    """It is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEvent(Event):
    """Something about a batch of jobs that a service carries out."""

    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBegun(BatchEvent):
    """A batch of so many jobs has begun, or goes on; `name` is what its owner calls it."""

    name: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress(BatchEvent):
    """How many of its jobs have ended, have a request under way, and wait; told once a second at most.

    `outcomes` tells how many ended how.
    """

    jobs: int
    ended: int
    running: int
    waiting: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded(BatchEvent):
    """A batch is `done`, `stopped` or `failed`, and why; `undone` of its jobs were not sent."""

    state: str
    reason: str
    outcomes: Mapping[str, int]
    undone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFailed(Event):
    """The history cannot be written since now, and why; the pool goes on, and what happens waits in memory.

    Told again when something of this pool had to be dropped, with how much was `lost` since the last time.
    """

    reason: str
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryResumed(Event):
    """The history is written again, after so many seconds.

    `lost` intervals and events of this pool, of which nobody has been told before, are not in it.
    """

    seconds: float
    lost: int


Unmade: TypeAlias = "tuple[Callable[..., Event], Any, Any, Any, Any]"
"""What makes an event, and four facts to make it of: for what happens often, and is made when it is read."""


def _made(event: Event | Unmade) -> Event:
    return event if isinstance(event, Event) else event[0](*event[1:])


class Subscription:
    """One subscriber's queue: an async iterator for a single reader, closed by `with` or `close()`."""

    __slots__ = ("_bus", "_closed", "_sent", "_taken", "_taps", "queue", "types", "waiting")

    def __init__(self, bus: EventBus, types: tuple[type[Event], ...], maxlen: int) -> None:
        self.types = types
        self.queue: deque[Event | Unmade] = deque(maxlen=maxlen)
        """What is not read yet; filled by the taps."""
        self.waiting: asyncio.Future[None] | None = None
        """Set by a reader who waits for the next event."""
        self._bus = bus
        self._closed = False
        self._taps: list[tuple[Tap, int]] = []
        """What it hears, and what had been sent there before."""
        self._sent = 0
        self._taken = 0

    def listen_to(self, tap: Tap) -> None:
        """Receive what comes through this tap, if it is of a wanted type."""
        if not self.types or issubclass(tap.kind, self.types):
            tap.subscriptions = (*tap.subscriptions, self)
            self._taps.append((tap, tap.sent))

    @property
    def dropped(self) -> int:
        """Events lost because this subscriber read too slowly."""
        return self._sent_so_far() - self._taken - len(self.queue)

    def _sent_so_far(self) -> int:
        return self._sent + sum(tap.sent - before for tap, before in self._taps)

    def wake(self) -> None:
        """There is something to read."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    def take(self) -> list[Event]:
        """Everything queued, at once, without waiting."""
        events = [_made(each) for each in self.queue]
        self._taken += len(events)
        self.queue.clear()
        return events

    def close(self) -> None:
        """Stop receiving. What is queued can still be read; then the iteration ends."""
        if not self._closed:
            self._closed = True
            self._sent = self._sent_so_far()
            self._taps.clear()
            self._bus.forget(self)
            self.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self.queue:
            if self._closed:
                raise StopAsyncIteration
            self.waiting = asyncio.get_running_loop().create_future()
            try:
                await self.waiting
            finally:
                self.waiting = None
        self._taken += 1
        return _made(self.queue.popleft())


class Tap:
    """Where the events of one kind come out."""

    __slots__ = ("kind", "sent", "subscriptions")

    def __init__(self, kind: type[Event]) -> None:
        self.kind = kind
        self.subscriptions: tuple[Subscription, ...] = ()
        """Those who hear it; when empty, making an event is wasted."""
        self.sent = 0

    def send(self, event: Event | Unmade) -> None:
        """Put an event of this kind, or what makes one, into every subscriber's queue."""
        self.sent += 1
        for each in self.subscriptions:
            each.queue.append(event)
            if each.waiting is not None:
                each.wake()


class EventBus:
    """Where events are published. Subscribers come and go at any time."""

    __slots__ = ("_subscriptions", "_taps")

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._taps: dict[type[Event], Tap] = {}

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
        for tap in self._taps.values():
            subscription.listen_to(tap)
        return subscription

    def tap(self, kind: type[Event]) -> Tap:
        """The tap for events of exactly this kind, to keep at hand where they are many."""
        tap = self._taps.get(kind)
        if tap is None:
            tap = self._taps[kind] = Tap(kind)
            for subscription in self._subscriptions:
                subscription.listen_to(tap)
        return tap

    def publish(self, event: Event) -> None:
        """Hand the event to every subscriber's queue. Never waits, never raises."""
        self.tap(type(event)).send(event)

    def forget(self, subscription: Subscription) -> None:
        """Stop serving this subscriber; called by its `close()`."""
        self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)
        for tap in self._taps.values():
            tap.subscriptions = tuple(each for each in tap.subscriptions if each is not subscription)
