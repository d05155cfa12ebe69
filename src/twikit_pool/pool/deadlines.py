"""Every deadline of a pool on one timer of the event loop.

Deadlines lie in slots of a fiftieth of a second; the loop's timer is set for the first slot. So adding
and cancelling one costs a dictionary entry, however many there are. A deadline is never early, and late by a
slot at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Protocol, TypeAlias, cast

SLOT: Final = 0.02
"""Seconds that a slot takes."""

AT_A_TIME: Final = 500
"""Deadlines that are met before the event loop has its turn again."""


class Due(Protocol):
    """What can lie in a slot."""

    def due(self) -> None:
        """The moment has come. Must not raise or wait."""
        ...


Slot: TypeAlias = "dict[object, None]"


class Deadline:
    """A moment and what happens then, unless it is cancelled before."""

    __slots__ = ("_act", "slot", "when")

    def __init__(self, when: float, act: Callable[[], None]) -> None:
        self.when: Final = when
        self._act = act
        self.slot: Slot | None = None

    def due(self) -> None:
        """Act."""
        self._act()

    def cancel(self) -> None:
        """Let the moment pass. Harmless when it has passed already."""
        if self.slot is not None:
            self.slot.pop(self, None)
            self.slot = None


class Deadlines:
    """Moments in the event loop's time."""

    __slots__ = ("_loop", "_met", "_order", "_slots", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, dict[Due, None]] = {}
        self._order: list[int] = []
        self._met = int(loop.time() / SLOT)
        """The last slot whose time has come."""
        self._timer: asyncio.Handle | None = None

    def add(self, when: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at `when`, seconds of the loop's clock. `act` must not raise or wait."""
        deadline = Deadline(when, act)
        deadline.slot = self.put(when, deadline)
        return deadline

    def put(self, when: float, entry: Due) -> Slot:
        """Have the entry's `due()` called at `when`; remove it from the slot returned to prevent that."""
        number = int(when / SLOT) + 1
        if number <= self._met:
            number = self._met + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = {}
            heappush(self._order, number)
            if self._order[0] == number:
                self._set_timer()
        slot[entry] = None
        return cast("Slot", slot)

    def close(self) -> None:
        """Forget all deadlines."""
        for slot in self._slots.values():
            slot.clear()
        self._slots.clear()
        self._order.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._order[0] * SLOT, self._meet) if self._order else None

    def _meet(self) -> None:
        now = self._loop.time()
        left = AT_A_TIME
        while self._order and (number := self._order[0]) * SLOT <= now:
            self._met = number
            slot = self._slots[number]
            for entry in list(slot)[:left]:
                if entry in slot:  # one before it may have removed it
                    del slot[entry]
                    left -= 1
                    entry.due()
            if slot:
                self._timer = self._loop.call_soon(self._meet)
                return
            if self._order:  # what was due may have closed us
                del self._slots[heappop(self._order)]
        self._set_timer()
