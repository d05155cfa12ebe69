"""Those who wait for a connection, in the order they will be served.

The order is arrival plus the head start that the priority yields, so ageing costs nothing: a request
waits behind later, more urgent ones for at most its own head start.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.request import ConnectionRequest


@dataclass(order=True, slots=True)
class Waiter:
    """One request in the line. Ordered by rank, and by arrival among equals."""

    rank: float
    arrival: int
    request: ConnectionRequest = field(compare=False)
    granted: asyncio.Future[PooledTwikitConnection] = field(compare=False)
    timeout: Deadline | None = field(compare=False, default=None)


class Line:
    """Waiters, best first.

    A waiter that is cancelled is dead at once, though it leaves only when its task runs next: whoever
    looks here in between passes it over and never counts it.
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    @property
    def empty(self) -> bool:
        """Whether nobody is here, dead or alive: the quick look before the long one."""
        return not self._waiters

    def __len__(self) -> int:
        return sum(1 for _ in self._alive())

    def __iter__(self) -> Iterator[Waiter]:
        """The living, best first; they may leave meanwhile."""
        return iter(list(self._alive()))

    def _alive(self) -> Iterator[Waiter]:
        return (waiter for waiter in self._waiters if not waiter.granted.done())

    def join(self, waiter: Waiter) -> None:
        """Take one's place."""
        insort(self._waiters, waiter)

    def leave(self, waiter: Waiter) -> None:
        """Go, served or not. Harmless when one has left already."""
        if waiter.timeout is not None:
            waiter.timeout.cancel()
        place = bisect_left(self._waiters, waiter)
        if place < len(self._waiters) and self._waiters[place] is waiter:
            del self._waiters[place]

    def first(self, fits: Callable[[ConnectionRequest], bool]) -> Waiter | None:
        """The best living waiter whose request fits."""
        return next((waiter for waiter in self._alive() if fits(waiter.request)), None)

    def last(self) -> Waiter | None:
        """The one who would be served last."""
        return next((waiter for waiter in reversed(self._waiters) if not waiter.granted.done()), None)
