"""Those who wait for a connection, in the order in which they will be served.

The order is arrival plus the head start that the priority yields, so ageing costs nothing: nobody's place
is ever computed anew, and a request waits behind later, more urgent ones for at most its own head start.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Slot
    from twikit_pool.pool.request import ConnectionRequest
    from twikit_pool.pool.reservations import Owner

    Grant: TypeAlias = asyncio.Future[PooledTwikitConnection]
else:
    Grant = asyncio.Future

Place: TypeAlias = "tuple[float, int, Waiter]"
"""Rank and arrival, by which waiters are ordered, and the waiter."""

TOMBSTONES: Final = 64
"""Waiters that have left and may still lie in a line, however short it is."""

PRIORITIES: Final = 5


class Waiter(Grant):
    """One who waits, and the future in which a connection is handed over.

    It leaves in the very moment in which it is cancelled, not when its task runs next: nobody ever
    hands a connection to it, or counts it, in between.
    """

    __slots__ = (
        "arrival",
        "came",
        "epoch",
        "equals",
        "line",
        "rank",
        "request",
        "slot",
        "timeout",
        "waiting",
    )

    request: ConnectionRequest
    line: Line
    waiting: Waiting
    came: float
    """When it was asked for, on the monotonic clock."""
    rank: float
    arrival: int
    timeout: float | None
    epoch: int
    """The lease that was handed over, which may be lost before the one who waits knows of it."""
    equals: dict[Waiter, None]
    """Those of its priority."""
    slot: Slot | None
    """Where its deadline lies, if it has one."""

    def cancel(self, msg: object = None) -> bool:
        """Stop waiting."""
        if not super().cancel(msg):
            return False
        self.line.bury()
        self.waiting.left(self)
        return True

    def refuse(self, error: Exception) -> None:
        """Stop waiting, with an error for the one who waits. Harmless when it waits no more."""
        if not self.done():
            self.set_exception(error)
            self.line.bury()
            self.waiting.left(self)

    def due(self) -> None:
        """Its time is up."""
        if not self.done():
            self.waiting.timed_out(self)


class Waiting:
    """Everyone who waits, by priority; the one to send away when there are too many."""

    __slots__ = ("_by_priority", "listeners", "timed_out", "total", "unmet")

    def __init__(self, timed_out: Callable[[Waiter], None]) -> None:
        self.total = 0
        self.timed_out = timed_out
        """Called with a waiter whose time is up; it must `refuse` it."""
        self.listeners: tuple[Callable[[int, float], None], ...] = ()
        """Called with the priority and the seconds of each who has waited and is served."""
        self.unmet: Counter[str | None] = Counter()
        """Requests that found no connection and have not had one since, those that left included; by the
        endpoint that they are for."""
        self._by_priority: tuple[dict[Waiter, None], ...] = tuple({} for _ in range(PRIORITIES + 1))

    def joined(self, waiter: Waiter) -> None:
        """One more waits."""
        waiter.equals = self._by_priority[waiter.request.priority]
        waiter.equals[waiter] = None
        self.total += 1

    def left(self, waiter: Waiter) -> None:
        """One waits no more, for whatever reason."""
        del waiter.equals[waiter]
        self.total -= 1
        slot = waiter.slot
        if slot is not None and waiter in slot:
            del slot[waiter]

    def served(self, priority: int, seconds: float) -> None:
        """One has what it waited for."""
        for listener in self.listeners:
            listener(priority, seconds)

    def of_priority(self, priority: int) -> int:
        """How many of this priority wait."""
        return len(self._by_priority[priority])

    def last(self, below: int) -> Waiter | None:
        """The latest of the lowest priority that waits, if that is below this one."""
        for waiters in self._by_priority[1:below]:
            if waiters:
                return next(reversed(waiters))
        return None

    def everyone(self, below: int = PRIORITIES + 1) -> list[Waiter]:
        """All who wait with a lower priority than this."""
        return [waiter for waiters in self._by_priority[1:below] for waiter in waiters]

    def longest(self, now: float) -> float:
        """Seconds that the one who came first waits by now."""
        return max((now - next(iter(each)).came for each in self._by_priority if each), default=0.0)


class Hopeful(Protocol):
    """One who may serve."""

    @property
    def hopeful(self) -> object:
        """Whether it can, now or later."""
        ...


class Line:
    """Waiters with one need, for one account or any, of one owner or none: a heap, the best on top.

    Those who left stay in the heap as tombstones until most of it is dead.
    """

    __slots__ = ("_heap", "account_id", "heads", "need", "opening", "owner", "servers", "waiting")

    def __init__(self, need: int, account_id: str | None = None, owner: Owner | None = None) -> None:
        self.need: Final = need
        self.account_id: Final = account_id
        self.owner: Final = owner
        self.waiting = 0
        """How many wait here: the living alone."""
        self.opening = 0
        """Connections that are being opened for those who wait here."""
        self.heads: list[Heads] = []
        """Who is told when the best here gets better."""
        self.servers: list[Hopeful] = []
        """Who could serve those here at all."""
        self._heap: list[Place] = []

    @property
    def hopeful(self) -> bool:
        """Whether anyone will ever serve those here."""
        return any(each.hopeful for each in self.servers)

    def join(self, waiter: Waiter) -> None:
        """Take one's place."""
        place = (waiter.rank, waiter.arrival, waiter)
        heappush(self._heap, place)
        self.waiting += 1
        if self._heap[0] is place:
            for heads in self.heads:
                heads.lower(self, place)

    def head(self) -> Place | None:
        """The best who waits."""
        heap = self._heap
        while heap:
            if not heap[0][2].done():
                return heap[0]
            heappop(heap)
        return None

    def take(self) -> Waiter:
        """Remove the best, which `head` has just named."""
        self.waiting -= 1
        return heappop(self._heap)[2]

    def bury(self) -> None:
        """One of those here waits no more."""
        self.waiting -= 1
        if len(self._heap) - self.waiting > TOMBSTONES + self.waiting:
            self._heap = [place for place in self._heap if not place[2].done()]
            heapify(self._heap)

    def ahead(self, place: tuple[float, int], most: int) -> int:
        """How many are served before this place, counted no further than `most`."""
        self.head()  # those who left are on top when many time out one after another
        heap, before, branches = self._heap, 0, [0]
        while branches and before < most:
            at = branches.pop()
            if at < len(heap) and heap[at][:2] < place:  # else nobody on this branch of the heap is before it
                before += not heap[at][2].done()
                branches += (2 * at + 1, 2 * at + 2)
        return before

    def rank_anew(self, earlier: Callable[[int], float]) -> None:
        """Everyone here moves forward by so many seconds, by priority (back when negative)."""
        moved: list[Place] = []
        for _, arrival, waiter in self._heap:
            if not waiter.done():
                waiter.rank -= earlier(waiter.request.priority)
                moved.append((waiter.rank, arrival, waiter))
        heapify(moved)
        self._heap = moved
        if moved:
            for heads in self.heads:
                heads.lower(self, moved[0])


class Heads:
    """The lines that some connections can serve, as a heap of lower bounds of the best in each.

    A line tells its heads only when its best gets better. That the best has left is found out when the heap
    comes to it: then its bound is raised to where it should be. So a line with thousands of waiters costs
    one entry here.
    """

    __slots__ = ("_bound", "_bounds")

    def __init__(self) -> None:
        self._bounds: list[tuple[float, int, Line]] = []
        self._bound: dict[Line, int] = {}

    def lower(self, line: Line, place: Place) -> None:
        """A line's best is now this one. A line never listed before is listed from here on."""
        self._bound[line] = place[1]
        heappush(self._bounds, (place[0], place[1], line))
        if len(self._bounds) > TOMBSTONES + 2 * len(self._bound):
            self._bounds = [each for each in self._bounds if self._bound.get(each[2]) == each[1]]
            heapify(self._bounds)

    def enlist(self, line: Line) -> None:
        """List a line, if anyone waits there."""
        head = line.head()
        if head is not None and self._bound.get(line) != head[1]:
            self.lower(line, head)

    def __iter__(self) -> Iterator[Line]:
        """The lines that are listed."""
        return iter(list(self._bound))

    def drop(self, line: Line) -> None:
        """List a line no more, until it is named again."""
        self._bound.pop(line, None)

    def best(self, lacks: int, only: Owner | None = None, *, to_open: bool = False) -> Place | None:
        """The best waiter that what lacks this can serve; lines it cannot serve now are stepped over.

        Args:
            lacks: what the connection lacks now.
            only: the one owner whose lines count, when the connection is reserved.
            to_open: leave out lines for which enough connections are being opened.
        """
        bounds, bound = self._bounds, self._bound
        stepped_over: list[tuple[float, int, Line]] | None = None
        found: Place | None = None
        while bounds:
            rank, arrival, line = bounds[0]
            if bound.get(line) != arrival:  # a better one of this line lies in the heap too
                heappop(bounds)
                continue
            best = line.head()
            if best is None:
                heappop(bounds)
                del bound[line]
            elif best[1] != arrival or best[0] != rank:  # its best has left, or has another rank now
                bound[line] = best[1]
                heapreplace(bounds, (best[0], best[1], line))
            elif (
                line.need & lacks
                or (only is not None and line.owner is not only)
                or (to_open and line.opening >= line.waiting)
            ):
                if stepped_over is None:
                    stepped_over = []
                stepped_over.append(heappop(bounds))
            else:
                found = best
                break
        if stepped_over is not None:
            for each in stepped_over:
                heappush(bounds, each)
        return found
