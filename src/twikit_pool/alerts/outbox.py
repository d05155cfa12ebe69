"""Messages on their way: each destination has a line of its own, which is bounded, and tries again.

Putting a message in never waits. A destination that fails or hangs delays no other, and the pool not at all.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from twikit_pool.alerts.destination import Destination
from twikit_pool.alerts.notice import Notice
from twikit_pool.errors import DeliveryFailed
from twikit_pool.redaction import without_frames

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 100
"""Messages that may wait for one destination; the oldest is dropped first."""

PATIENCE: Final = 15.0
"""Seconds that a destination has to take a message."""

ATTEMPTS: Final = 10
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between attempts: each is drawn between the first and thrice the last. In all some five minutes."""


class DestinationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination does.

    Attributes:
        name: which, without anything secret.
        sent: messages that it has taken.
        waiting: messages that wait for it, the one under way included.
        failed: messages that were given up.
        dropped: messages that were too many to wait.
        problem: why the latest attempt failed; empty when it did not.
    """

    name: str
    sent: int = 0
    waiting: int = 0
    failed: int = 0
    dropped: int = 0
    problem: str = ""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt: whether the message arrived, and why not."""

    name: str
    arrived: bool
    problem: str = ""


class Outbox:
    """Sends messages to all destinations, from `begin` to `end`.

    Args:
        destinations: where; closed at the end.
        rng: chance, for the pauses.
        on_done: told of each message, and whether at least one destination has taken it, when all are done
            with it; None where there is no destination.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        rng: random.Random,
        on_done: Callable[[Notice, bool | None], None] = lambda _notice, _well: None,
    ) -> None:
        self._lines: Final = [_Line(each, rng, self._done) for each in destinations]
        self._on_done = on_done
        self._left: dict[str, tuple[int, bool]] = {}
        """Of each message under way: lines that are not done with it, and whether one has got it there."""

    @property
    def status(self) -> list[DestinationStatus]:
        """How each destination does."""
        return [each.status() for each in self._lines]

    def put(self, notice: Notice) -> None:
        """Send a message, some time."""
        if not self._lines:
            self._on_done(notice, None)
            return
        self._left[notice.key] = len(self._lines), False
        for each in self._lines:
            each.put(notice)

    def _done(self, notice: Notice, well: bool) -> None:
        left, arrived = self._left.pop(notice.key, (1, False))
        if left > 1:
            self._left[notice.key] = left - 1, arrived or well
        else:
            self._on_done(notice, arrived or well)

    async def test(self, notice: Notice) -> list[Tried]:
        """Try every destination once, now, all at the same time."""
        return list(await asyncio.gather(*(each.try_once(notice) for each in self._lines)))

    def begin(self) -> None:
        """Begin to send."""
        for each in self._lines:
            each.begin()

    async def end(self, patience: float) -> None:
        """Send what waits for so many seconds at most, and end. What is left is not told to be done."""
        tasks = [each.task for each in self._lines if each.task is not None]
        for each in self._lines:
            each.leave()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=patience)
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            for each in self._lines:
                await each.close()


class _Line:
    """One destination, and what waits for it."""

    def __init__(
        self, destination: Destination, rng: random.Random, done: Callable[[Notice, bool], None]
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        self._destination = destination
        self._rng = rng
        self._done = done
        self._waiting: deque[Notice] = deque()
        self._filled = asyncio.Event()
        self._leaving = False
        self._sent = self._failed = self._dropped = 0
        self._problem = ""

    def status(self) -> DestinationStatus:
        return DestinationStatus(
            name=self._destination.name,
            sent=self._sent,
            waiting=len(self._waiting),
            failed=self._failed,
            dropped=self._dropped,
            problem=self._problem,
        )

    def put(self, notice: Notice) -> None:
        if len(self._waiting) >= MOST_WAITING:
            # The first may be under way.
            oldest = self._waiting[1]
            del self._waiting[1]
            self._dropped += 1
            logger.warning("%s: a message about an alert is dropped, too many wait", self._destination.name)
            self._done(oldest, False)
        self._waiting.append(notice)
        self._filled.set()

    def begin(self) -> None:
        self.task = asyncio.get_running_loop().create_task(
            self._run(), name=f"alerts to {self._destination.name}"
        )

    def leave(self) -> None:
        self._leaving = True
        self._filled.set()

    async def close(self) -> None:
        self.task = None
        try:
            async with asyncio.timeout(PATIENCE):
                await self._destination.aclose()
        except Exception as error:  # noqa: BLE001 - a boundary: the destination may be the operator's own
            self._log("was not closed", type(without_frames(error)).__name__)

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                if self._leaving:
                    return
                self._filled.clear()
                await self._filled.wait()
            notice = self._waiting[0]
            well = await self._bring(notice)
            self._waiting.popleft()
            self._sent += well
            self._failed += not well
            self._done(notice, well)

    async def _bring(self, notice: Notice) -> bool:
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            failure = await self._attempt(notice)
            if failure is None:
                self._problem = ""
                return True
            self._problem = str(failure)
            if not failure.again or attempt == ATTEMPTS:
                break
            pause = min(LONGEST_PAUSE, self._rng.uniform(FIRST_PAUSE, pause * 3))
            await asyncio.sleep(max(pause, failure.after))
        self._log("a message about an alert is given up", self._problem)
        return False

    async def _attempt(self, notice: Notice) -> DeliveryFailed | None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._destination.send(notice)
        except DeliveryFailed as failure:
            return failure
        except TimeoutError:
            return DeliveryFailed(f"it did not take the message within {PATIENCE:g} s", again=True)
        except Exception as error:  # noqa: BLE001 - a boundary: the destination may be the operator's own
            return DeliveryFailed(f"it failed ({type(without_frames(error)).__name__})", again=True)
        return None

    async def try_once(self, notice: Notice) -> Tried:
        failure = await self._attempt(notice)
        problem = "" if failure is None else str(failure)
        return Tried(name=self._destination.name, arrived=failure is None, problem=problem)

    def _log(self, what: str, why: str) -> None:
        logger.warning("%s: %s: %s", self._destination.name, what, why)
