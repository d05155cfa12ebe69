"""Who runs next in a simulated loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Order: TypeAlias = Literal["fifo", "tasks", "all", "pct"]
"""How the next one is chosen among all that are ready.

fifo: who became ready first, as on a real loop.
tasks: a random task; plain callbacks keep their order, which transports rely on.
all: anything at all; harsher than any real loop.
pct: the task of the highest random priority, with a few demotions on the way, which finds a bug that
    takes d orderings with a known probability (Burckhardt et al., ASPLOS 2010).
"""

PCT_DEMOTIONS: Final = 2
"""One less than the depth d of the bugs that "pct" looks for."""

PCT_HORIZON: Final = 400
"""Choices at the beginning of a run among which the demotions are drawn."""


class SimulatedTask(asyncio.Task[Any]):
    """A task that is hashed by its number: asyncio keeps tasks in sets, whose order must repeat."""

    def __init__(self, number: int, *args: Any, **kwargs: Any) -> None:
        self.number = number  # first, since asyncio hashes the task while it is made
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self.number


def task_of(handle: asyncio.Handle) -> SimulatedTask | None:
    """The task that this handle gives a step; None for a plain callback."""
    callback = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, SimulatedTask) and getattr(callback, "__name__", "") != "cancel":
        return owner
    return None


class Schedule:
    """Draws who runs next."""

    def __init__(self, order: Order, rng: random.Random) -> None:
        self._order = order
        self._rng = rng
        self._priorities: dict[int, float] = {}
        self._choices = 0
        self._demotions = {rng.randrange(PCT_HORIZON) for _ in range(PCT_DEMOTIONS)}

    def choose(self, ready: Sequence[asyncio.Handle]) -> int:
        """The index of what runs next."""
        if self._order == "fifo" or len(ready) == 1:
            return 0
        if self._order == "pct":
            return self._by_priority(ready)
        drawn = self._rng.randrange(len(ready))
        if self._order == "all" or task_of(ready[drawn]) is not None:
            return drawn
        return next(i for i, handle in enumerate(ready) if task_of(handle) is None)

    def _by_priority(self, ready: Sequence[asyncio.Handle]) -> int:
        oldest: dict[int, int] = {}  # from a task's number, 0 for all callbacks together, to its index
        for i, handle in enumerate(ready):
            task = task_of(handle)
            oldest.setdefault(task.number if task is not None else 0, i)
        for number in oldest:
            if number not in self._priorities:
                self._priorities[number] = self._rng.random()
        if self._choices in self._demotions:
            self._priorities[max(oldest, key=self._priorities.__getitem__)] = -1.0 - self._choices
        self._choices += 1
        return oldest[max(oldest, key=self._priorities.__getitem__)]
