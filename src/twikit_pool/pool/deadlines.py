"""Every deadline of a pool on one timer of the event loop.

Most deadlines are cancelled before they are due (a waiter is served, a window is learned anew), so a
cancelled one only leaves a mark and is dropped when the heap comes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Deadline:
    """A moment and what happens then, unless it is cancelled before."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Let the moment pass. Harmless when it has passed already."""
        self.act = None


class Deadlines:
    """A heap of moments, in the event loop's time, with one timer set for the first of them."""

    __slots__ = ("_heap", "_loop", "_order", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, when: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at `when`, seconds of the loop's clock. `act` must not raise or wait."""
        deadline = Deadline(act)
        heappush(self._heap, (when, next(self._order), deadline))
        if self._heap[0][2] is deadline:
            self._set_timer()
        return deadline

    def close(self) -> None:
        """Forget all deadlines."""
        self._heap.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heap[0][0], self._due) if self._heap else None

    def _due(self) -> None:
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            deadline = heappop(self._heap)[2]
            if deadline.act is not None:
                deadline.act()
        while self._heap and self._heap[0][2].act is None:
            heappop(self._heap)
        self._set_timer()
