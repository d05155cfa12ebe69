"""Opening and shutting the gate: suspend, resume, drain, emergency stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import Clock
from twikit_pool.errors import EmergencyStopped, PoolClosed
from twikit_pool.events import (
    EmergencyStop,
    EmergencyStopEnded,
    PoolDrained,
    PoolResumed,
    PoolSuspended,
)
from twikit_pool.pool.matching import NOBODY, Matching
from twikit_pool.pool.request import ConnectionPriority, check_seconds

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.lifecycle import Lifecycle

logger = logging.getLogger(__name__)

GOES_ON = ConnectionPriority.CRITICAL
"""Requests of this priority and above are served during an emergency stop."""


class Mode(StrEnum):
    """Whom a pool serves."""

    NEW = "new"
    OPEN = "open"
    SUSPENDED = "suspended"
    """Nobody; requests wait."""
    EMERGENCY = "emergency"
    """CRITICAL and EMERGENCY; the others are refused."""
    DRAINING = "draining"
    DRAINED = "drained"
    """Nobody; requests are refused, and no connection is open."""
    CLOSED = "closed"


class Outstanding:
    """Connections that somebody still holds, for one who waits for all of them."""

    def __init__(self, connections: Iterable[PooledTwikitConnection]) -> None:
        self.connections = set(connections)
        self.none_left = asyncio.Event()
        if not self.connections:
            self.none_left.set()

    def returned(self, connection: PooledTwikitConnection) -> None:
        """One is given back."""
        self.connections.discard(connection)
        if not self.connections:
            self.none_left.set()


class Control:
    """The pool's gate, and who may send through it."""

    def __init__(
        self, matching: Matching, lifecycle: Lifecycle, clock: Clock, publish: Callable[..., None]
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._publish = publish
        self._mode = Mode.NEW
        """The mode but for an emergency stop, which lies over it."""
        self._stop: str | None = None
        """What those are told whom an emergency stop refuses."""
        self._suspended: Deadline | None = None
        self._stopped: Deadline | None = None

    @property
    def mode(self) -> Mode:
        """Whom the pool serves."""
        serving = self._mode in (Mode.OPEN, Mode.SUSPENDED)
        return Mode.EMERGENCY if serving and self._stop is not None else self._mode

    def open(self) -> None:
        """Begin to serve."""
        self._mode = Mode.OPEN
        self._matching.start()

    def suspend(self, seconds: float | None) -> None:
        """Serve nobody; who comes waits. Running leases go on."""
        self._refuse_when_closed()
        if seconds is not None:
            check_seconds("the seconds of a suspension", seconds, least=0.0)
        self._enter(Mode.SUSPENDED)
        if seconds is not None:
            self._suspended = self._after(seconds, self._end_suspension)
        self._publish(PoolSuspended, seconds=seconds)

    def resume(self) -> None:
        """Serve everyone again."""
        self._refuse_when_closed()
        self._end_stop()
        self._end_suspension()

    def stop_all_but_critical(self, reason: str, seconds: float) -> None:
        """Refuse whoever is not critical, now and for so long; nothing of theirs is sent any more."""
        self._refuse_when_closed()
        check_seconds("the pause of an emergency stop", seconds, least=0.0)
        until = self._clock.now() + timedelta(seconds=seconds)
        self._stop = (
            f"pool {self._matching.pool_id!r} makes an emergency stop until {until:%H:%M:%S} UTC ({reason}): "
            "only CRITICAL and EMERGENCY requests are served"
        )
        if self._stopped is not None:
            self._stopped.cancel()
        self._stopped = self._after(seconds, self._end_stop)
        refused = self._set_gate()
        paused = sum(not _critical(each) for each in self._matching.connections.values())
        self._publish(EmergencyStop, reason=reason, seconds=seconds, paused=paused, refused=refused)

    def may_send(self, connection: PooledTwikitConnection) -> None:
        """Called before every request that leaves a connection.

        Raises:
            EmergencyStopped: the pool makes an emergency stop, and this is nothing critical.
        """
        if self._stop is not None and not _critical(connection):
            raise EmergencyStopped(self._stop)

    def _end_stop(self) -> None:
        if self._stop is not None and self._stopped is not None:
            self._stopped.cancel()
            self._stop = self._stopped = None
            self._publish(EmergencyStopEnded)
            self._set_gate()

    def _end_suspension(self) -> None:
        if self._mode is not Mode.OPEN:
            self._enter(Mode.OPEN)
            self._publish(PoolResumed)

    async def drain(self, grace: float, mode: Mode = Mode.DRAINING) -> None:
        """Refuse everyone, give leases so many seconds to end, and close every connection."""
        matching = self._matching
        self._enter(mode)
        reclaimed = 0
        try:
            await self._leases_to_end(grace)
        finally:
            if self._mode is mode:  # it may have been resumed, or shut down, meanwhile
                for connection in list(matching.connections.values()):
                    reclaimed += connection.leased
                    self._lifecycle.close(connection, f"the pool is {_WORDS[mode]}")
                if mode is Mode.DRAINING:
                    self._enter(Mode.DRAINED)
                    self._publish(PoolDrained, reclaimed=reclaimed)

    def closed(self) -> None:
        """The shutdown has ended."""
        self._matching.refusal = lambda _: PoolClosed(
            f"pool {self._matching.pool_id!r} is shut down: make another"
        )

    async def _leases_to_end(self, grace: float) -> None:
        matching = self._matching
        outstanding = matching.outstanding
        if outstanding is None or outstanding.none_left.is_set():  # else somebody else drains too
            leased = [each for each in matching.connections.values() if each.leased]
            outstanding = matching.outstanding = Outstanding(leased)
        try:
            async with asyncio.timeout(grace):
                await outstanding.none_left.wait()
        except TimeoutError:
            held = sorted(each.id for each in outstanding.connections)
            logger.warning("closing %d connections still in use after %g s: %s", len(held), grace, held[:20])

    def _enter(self, mode: Mode) -> None:
        if self._suspended is not None:
            self._suspended.cancel()
            self._suspended = None
        self._mode = mode
        self._set_gate()

    def _set_gate(self) -> int:
        """Let in whom the mode and the stop let in; returns how many were refused of those who waited."""
        gate = NOBODY if self._mode is not Mode.OPEN else 0 if self._stop is None else GOES_ON
        self._matching.notice = f"the pool is {_WORDS[self.mode]}" if self.mode in _WORDS else ""
        refused = self._matching.set_gate(gate, self._refusal)
        if gate < NOBODY:
            self._lifecycle.came_free()
            self._lifecycle.fill()
        return refused

    def _refusal(self, priority: int) -> Exception | None:
        """The error for those whom the gate stops; None for those who may wait until it opens."""
        if self._mode is not Mode.SUSPENDED and self._mode in _WORDS:
            return PoolClosed(f"pool {self._matching.pool_id!r} is {_WORDS[self._mode]}")
        if self._stop is not None and priority < GOES_ON:
            return EmergencyStopped(self._stop)
        return None

    def _after(self, seconds: float, act: Callable[[], None]) -> Deadline:
        return self._matching.deadlines.add(self._clock.monotonic() + seconds, act)

    def _refuse_when_closed(self) -> None:
        if self._mode in (Mode.NEW, Mode.CLOSED):
            word = "shut down" if self._mode is Mode.CLOSED else "not open"
            raise PoolClosed(f"pool {self._matching.pool_id!r} is {word}")


_WORDS: Final = {
    Mode.SUSPENDED: "suspended",
    Mode.EMERGENCY: "in an emergency stop",
    Mode.DRAINING: "being drained",
    Mode.DRAINED: "drained: resume() opens it again",
    Mode.CLOSED: "shutting down",
}


def _critical(connection: PooledTwikitConnection) -> bool:
    request = connection.request
    return connection.leased and request is not None and request.priority >= GOES_ON
