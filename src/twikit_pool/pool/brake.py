"""The brake: calls in flight, by proxy and in all, held to what X and the proxies bear.

A call has its turn when both limits have room (see `concurrency`), or waits for it, in the order in which
requests wait for connections. A turn is handed on in the step in which room comes free, so nobody barges:

- Who waits though its proxy has room is `ready`; the limit for all is used up then.
- Who waits for room at its proxy is parked there. For all room that comes free there, one is made ready.

Waiting ends with the turn, or when the call is cancelled, out of time or not allowed any more: its lease was
lost, or an emergency stop began. Whoever leaves makes way for those behind in the same step.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from twikit_pool.errors import LeaseLost, PoolError
from twikit_pool.events import BrakeChanged
from twikit_pool.pool.concurrency import ConcurrencyLimit
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict, call_held_back

if TYPE_CHECKING:
    from twikit_pool.config import ConnectionPoolConfig
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.matching import Matching

    Handed: TypeAlias = asyncio.Future[None]
else:
    Handed = asyncio.Future

LEAST_IN_ALL: Final = 2
LEAST_OF_A_PROXY: Final = 1
"""Calls in flight that are always allowed: without any, nobody would learn that X is well again."""

SPARE_PROXIES: Final = 64
"""Limits that may be kept of proxies that no account has any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitInfo:
    """One limit of the brake.

    Attributes:
        name: `all`, `direct` for the accounts without a proxy, or the proxy's host and port.
        limit: calls that may be in flight at once, now.
        in_flight: calls that are.
        waiting: calls that wait for their turn.
        why: what lowered the limit last; empty once all went well again.
    """

    name: str
    limit: int
    in_flight: int
    waiting: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeInfo:
    """The limit for all calls of a pool, and that of each proxy it has used."""

    fleet: LimitInfo
    proxies: tuple[LimitInfo, ...]


class Turn:
    """One call's turn, to be ended with what became of it.

    Attributes:
        connection: on which the call is made; `epoch` is the lease that it is for.
        name, endpoint: what is called.
        seconds: what is left of the call's time.
        began: when the turn began, on the monotonic clock.
    """

    __slots__ = ("_brake", "_ended", "began", "connection", "endpoint", "epoch", "name", "seconds", "way")

    def __init__(
        self,
        brake: Brake,
        way: Way,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        seconds: float,
    ) -> None:
        self._brake = brake
        self._ended = False
        self.way = way
        self.connection = connection
        self.epoch = connection.epoch
        self.name = name
        self.endpoint = endpoint
        self.seconds = seconds
        self.began = brake.now()

    def end(self, verdict: Verdict | None) -> None:
        """The call has ended; the first word counts. None says that nothing can be learned from it."""
        if not self._ended:
            self._ended = True
            self._brake.ended(self, verdict)


class Waits(Handed):
    """The future of one who waits for a turn. It leaves in the very moment in which it is cancelled."""

    __slots__ = ("_brake", "deadline", "place", "queue", "turn")

    def __init__(self, brake: Brake, turn: Turn, place: tuple[float, int], queue: Queue) -> None:
        super().__init__()
        self._brake = brake
        self.turn = turn
        self.place: Final = place
        """Rank and arrival, both negative: the first has the greatest."""
        self.queue = queue
        self.deadline: Deadline

    def cancel(self, msg: object = None) -> bool:
        """Stop waiting."""
        if not super().cancel(msg):
            return False
        self._brake.left(self)
        return True

    def refuse(self, error: Exception) -> None:
        """Stop waiting, with an error for the one who waits. Harmless when it waits no more."""
        if not self.done():
            self.set_exception(error)
            self._brake.left(self)


class Queue:
    """Those who wait, the first of them at the end."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[tuple[tuple[float, int], Waits]] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, waits: Waits) -> None:
        """One more waits."""
        waits.queue = self
        insort(self._places, (waits.place, waits))

    def pop(self) -> Waits:
        """Take the first."""
        return self._places.pop()[1]

    def remove(self, waits: Waits) -> None:
        """Take this one, which waits here."""
        del self._places[bisect_left(self._places, (waits.place,))]


class Way:
    """A limit, and who waits for room in it."""

    __slots__ = ("limit", "name", "told", "waiting")

    def __init__(self, name: str, least: int, config: ConnectionPoolConfig) -> None:
        self.name: Final = name
        self.limit: Final = ConcurrencyLimit(least)
        self.waiting: Final = Queue()
        self.heed(config)
        self.told = self.limit.limit
        """The limit that was told last."""

    def heed(self, config: ConnectionPoolConfig) -> None:
        """Follow these settings."""
        self.limit.set_bounds(config.max_concurrent_calls, adaptive=config.enable_brake)

    @property
    def room(self) -> int:
        """Calls that may begin now; negative after the limit was lowered."""
        return self.limit.limit - self.limit.in_flight

    def info(self, waiting: int) -> LimitInfo:
        """What it tells of itself, and how many wait."""
        limit = self.limit
        return LimitInfo(
            name=self.name, limit=limit.limit, in_flight=limit.in_flight, waiting=waiting, why=limit.why
        )


class Brake:
    """Gives calls their turns.

    Attributes:
        waiting: calls that wait for their turn.
        may_send: raises for a connection that may not send anything now.
        now: seconds on the monotonic clock.
    """

    def __init__(self, matching: Matching, publish: Callable[..., None]) -> None:
        self.waiting = 0
        self.may_send: Callable[[PooledTwikitConnection], None] = lambda _connection: None
        self.now = matching.now
        self._matching = matching
        self._publish = publish
        self._fleet = Way("all", LEAST_IN_ALL, matching.config)
        self._ways: dict[str | None, Way] = {}
        self._waits: dict[PooledTwikitConnection, dict[Waits, None]] = {}
        self._arrivals = 0

    def begin(
        self, connection: PooledTwikitConnection, name: str, endpoint: str | None, seconds: float
    ) -> Turn | None:
        """The call's turn; None if it must `wait` for it."""
        way, fleet = self._way(connection), self._fleet.limit
        if fleet.in_flight >= fleet.limit or way.limit.in_flight >= way.limit.limit:
            return None
        fleet.begin()
        way.limit.begin()
        return Turn(self, way, connection, name, endpoint, seconds)

    async def wait(
        self, connection: PooledTwikitConnection, name: str, endpoint: str | None, seconds: float
    ) -> Turn:
        """The call's turn, once it comes; its time runs meanwhile.

        Raises:
            CallFailed: the call's time is over; nothing was sent.
            LeaseLost: the connection was taken back.
            EmergencyStopped: the pool makes an emergency stop, and this is nothing critical.
        """
        self.may_send(connection)
        turn = Turn(self, self._way(connection), connection, name, endpoint, seconds)
        waits = self._join(turn)
        resumed = False
        try:
            await waits
            resumed = True
        finally:
            if not resumed:
                self._abandon(waits)
        asked, turn.began = turn.began, self.now()
        turn.seconds -= turn.began - asked
        if connection.epoch != turn.epoch:
            turn.end(None)
            raise taken_back(connection)
        if turn.seconds <= 0:
            turn.end(None)
            raise self._late(turn)
        return turn

    def ended(self, turn: Turn, verdict: Verdict | None) -> None:
        """A turn has ended."""
        now, well = self.now(), _well(verdict)
        # What found no way to X says something of the way alone.
        well_in_all = well if verdict is None or verdict.connected else None
        way, fleet = turn.way, self._fleet
        if fleet.limit.end(now, turn.began, turn.endpoint, well=well_in_all):
            self._tell(fleet)
        if way.limit.end(now, turn.began, turn.endpoint, well=well):
            self._tell(way)
        if self.waiting:
            self._serve(way)

    def lost(self, connection: PooledTwikitConnection) -> None:
        """The lease of a connection is lost: nobody waits for it any more."""
        for waits in list(self._waits.get(connection, ())):
            waits.refuse(taken_back(connection))

    def stop(self) -> None:
        """Some may not send anything now: tell those who wait."""
        for waits in [waits for each in self._waits.values() for waits in each]:
            try:
                self.may_send(waits.turn.connection)
            except PoolError as stop:
                waits.refuse(stop)

    def heed_settings(self) -> None:
        """Follow the pool's settings, which may be others now."""
        for way in (self._fleet, *self._ways.values()):
            way.heed(self._matching.config)
        for way in self._ways.values():
            self._serve(way)

    def info(self) -> BrakeInfo:
        """What it allows now."""
        waiting: dict[Way, int] = {}
        for each in self._waits.values():
            for waits in each:
                waiting[waits.turn.way] = waiting.get(waits.turn.way, 0) + 1
        return BrakeInfo(
            fleet=self._fleet.info(self.waiting),
            proxies=tuple(way.info(waiting.get(way, 0)) for way in self._ways.values()),
        )

    # ------------------------------------------------------------ waiting

    def _join(self, turn: Turn) -> Waits:
        matching, connection = self._matching, turn.connection
        request = connection.request
        assert request is not None  # noqa: S101 - for the type checker: who calls has leased it for one
        self._arrivals += 1
        place = (-turn.began - matching.head_start(request.priority), -self._arrivals)
        waits = Waits(self, turn, place, turn.way.waiting)
        waits.deadline = matching.deadlines.add(
            turn.began + turn.seconds, lambda: waits.refuse(self._late(turn))
        )
        self._waits.setdefault(connection, {})[waits] = None
        self.waiting += 1
        (self._fleet if turn.way.room > 0 else turn.way).waiting.add(waits)
        return waits

    def left(self, waits: Waits) -> None:
        """Somebody waits no more, without having had a turn."""
        waits.queue.remove(waits)
        self._forget(waits)
        self._serve(waits.turn.way)

    def _forget(self, waits: Waits) -> None:
        connection = waits.turn.connection
        waits.deadline.cancel()
        self.waiting -= 1
        del self._waits[connection][waits]
        if not self._waits[connection]:
            del self._waits[connection]

    def _abandon(self, waits: Waits) -> None:
        """Wait no more, however it ended; a turn that was handed over meanwhile is passed on."""
        if not waits.done():
            waits.cancel()
        elif not waits.cancelled() and waits.exception() is None:
            waits.turn.end(None)

    def _serve(self, way: Way) -> None:
        """Hand on the turns that there is room for, after room came free in this way."""
        ready = self._fleet.waiting
        for _ in range(min(way.room, len(way.waiting))):
            ready.add(way.waiting.pop())
        while ready and self._fleet.room > 0:
            waits = ready.pop()
            first = waits.turn.way
            if first.room <= 0:
                first.waiting.add(waits)
                continue
            self._fleet.limit.begin()
            first.limit.begin()
            self._forget(waits)
            waits.set_result(None)

    def _late(self, turn: Turn) -> CallFailed:
        tight = self._fleet if self._fleet.room <= 0 else turn.way
        whose = "" if tight is self._fleet else f" through {tight.name}"
        why = f": {tight.limit.why}" if tight.limit.why else ""
        reason = f"nothing was sent: the brake allows {tight.limit.limit} calls at once{whose} now{why}"
        return CallFailed(turn.connection.account_id, turn.name, call_held_back(reason, turn.endpoint))

    # ------------------------------------------------------------ limits

    def _way(self, connection: PooledTwikitConnection) -> Way:
        proxy = connection.member.account.proxy
        url = None if proxy is None else proxy.reveal()
        return self._ways.get(url) or self._new_way(url)

    def _new_way(self, url: str | None) -> Way:
        if len(self._ways) >= len(self._matching.members) + SPARE_PROXIES:
            busy = {waits.turn.way for each in self._waits.values() for waits in each}
            self._ways = {url: way for url, way in self._ways.items() if way.limit.in_flight or way in busy}
        way = self._ways[url] = Way(_shown(url), LEAST_OF_A_PROXY, self._matching.config)
        return way

    def _tell(self, way: Way) -> None:
        """Tell that a limit is half or twice what it was when it was told last."""
        limit = way.limit.limit
        if 2 * limit <= way.told or limit >= 2 * way.told:
            self._publish(BrakeChanged, name=way.name, limit=limit, before=way.told, reason=way.limit.why)
            way.told = limit


def _well(verdict: Verdict | None) -> bool | None:
    """Whether a call went well, or failed so that fewer calls may help; None when it tells of neither."""
    if verdict is None or verdict.held_back:
        return None
    return {Outcome.OK: True, Outcome.TRANSIENT: False}.get(verdict.outcome)


def taken_back(connection: PooledTwikitConnection) -> LeaseLost:
    """The error for a borrower under whom the pool has closed its connection."""
    return LeaseLost(f"{connection.id} was taken back by the pool; acquire again")


def _shown(url: str | None) -> str:
    """A proxy without its user and password."""
    if url is None:
        return "direct"
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
