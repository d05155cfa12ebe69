"""The latest reading of a feed, which is asked again when a newer one is due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from twikit_pool.clock import Clock
from twikit_pool.scaling.feeds import Reading

PATIENCE: Final = 30.0
"""Seconds that an answer may take. Longer than our own feeds wait."""

PAUSE: Final = 30.0
"""Seconds between two questions at least. It doubles while no newer reading comes."""

MOST_PAUSE: Final = 1800.0

logger = logging.getLogger(__name__)


class FeedFollower:
    """Asks one feed, and remembers what it said for as long as that holds.

    Args:
        name: what it tells, for the log.
        ask: asks it.
        clock: tells what is now.
    """

    def __init__(self, name: str, ask: Callable[[], Awaitable[Reading]], clock: Clock) -> None:
        self._name = name
        self._ask = ask
        self._clock = clock
        self._latest: Reading | None = None
        self._ends = 0.0
        """When the latest reading is over by the monotonic clock, should the wall clock be put back."""
        self._failing = False

    @property
    def reading(self) -> Reading | None:
        """What is known now; None when that is nothing."""
        latest, clock = self._latest, self._clock
        over = latest is None or clock.now() >= latest.valid_until or clock.monotonic() >= self._ends
        return None if over else latest

    async def run(self) -> None:
        """Follow it for ever."""
        pause = PAUSE
        while True:
            due = await self._asked()
            if due > 0:
                pause = PAUSE
                await asyncio.sleep(max(due, PAUSE))
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_PAUSE)

    async def _asked(self) -> float:
        """Ask once. Seconds until a newer reading is due; 0 when it is due already, or there is none."""
        try:
            async with asyncio.timeout(PATIENCE):
                reading = await self._ask()
            now = self._clock.now()
            due, ends = ((each - now).total_seconds() for each in (reading.renewed_at, reading.valid_until))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._failed(error)  # nobody has cancelled this task: the feed cancels something of its own
            return 0.0
        except Exception as error:  # noqa: BLE001 - a boundary: a feed may be the operator's own
            self._failed(error)
            return 0.0
        self._latest, self._ends, self._failing = reading, self._clock.monotonic() + ends, False
        return max(due, 0.0)

    def _failed(self, error: BaseException) -> None:
        if not self._failing:
            self._failing = True
            # Its text may hold a password.
            logger.warning("asking the %s feed failed: %s", self._name, type(error).__name__)
