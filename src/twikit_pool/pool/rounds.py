"""What goes on beside a pool for as long as somebody wants it: a task that has an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from twikit_pool.errors import PoolError

LOOK: Final = 1.0
"""Seconds after which a change of the settings is in force at the latest, while somebody waits by them."""


async def wait_for_round(seconds: Callable[[], float]) -> None:
    """Wait for so many seconds. They are asked for again and again: a setting may change meanwhile."""
    time = asyncio.get_running_loop().time
    began = time()
    while True:
        left = began + seconds() - time()
        if left <= 0:
            return
        await asyncio.sleep(min(left, LOOK))


class Rounds:
    """The task of something that is entered once, and left.

    Args:
        name: of the task, and of what it belongs to in messages.
    """

    __slots__ = ("_name", "_task")

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it has begun, and was not ended."""
        return self._task is not None

    def refuse_twice(self) -> None:
        """Raise a PoolError while it runs."""
        if self._task is not None:
            raise PoolError(f"this {self._name} runs already: make another")

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this until `end`."""
        self._task = asyncio.get_running_loop().create_task(work, name=self._name)

    async def end(self) -> None:
        """Do it no more; raises what it has failed with, if it has. Harmless when it does not run."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()  # it ends by itself only when it has failed
