"""Every deadline of a pool on one timer of the event loop.

Most deadlines are cancelled before they are due (a waiter is served, a window is learned anew), so a
cancelled one only leaves a mark and is dropped when the heap comes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

SWEEP: Final = 64
"""Cancelled deadlines that may lie in the heap, however few there are in all."""


class Deadline:
    """A moment and what happens then, unless it is cancelled before."""

    __slots__ = ("_all", "act")

    def __init__(self, act: Callable[[], None], deadlines: Deadlines) -> None:
        self.act: Callable[[], None] | None = act
        self._all = deadlines

    def cancel(self) -> None:
        """Let the moment pass. Harmless when it has passed already."""
        if self.act is not None:
            self.act = None
            self._all.one_cancelled()


class Deadlines:
    """A heap of moments, in the event loop's time, with one timer set for the first of them."""

    __slots__ = ("_cancelled", "_heap", "_loop", "_order", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, when: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at `when`, seconds of the loop's clock. `act` must not raise or wait."""
        deadline = Deadline(act, self)
        heappush(self._heap, (when, next(self._order), deadline))
        if self._heap[0][2] is deadline:
            self._set_timer()
        return deadline

    def one_cancelled(self) -> None:
        """A deadline in the heap is cancelled; once most of them are, they are swept out."""
        self._cancelled += 1
        if self._cancelled > SWEEP and self._cancelled * 2 > len(self._heap):
            self._heap = [each for each in self._heap if each[2].act is not None]
            heapify(self._heap)
            self._cancelled = 0
            self._set_timer()

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
            act, deadline.act = deadline.act, None
            if act is not None:
                act()
            else:
                self._cancelled -= 1
        self._set_timer()
