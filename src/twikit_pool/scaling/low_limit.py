"""The limit of LOW work in one pool, as the costs ask for it."""

from __future__ import annotations

from typing import Final

from twikit_pool.events import LowWorkLimited
from twikit_pool.pool.control import Mode
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.scaling.costs import LowWork

NOTHING_HELD_BACK: Final = LowWork()


class LowLimit:
    """Sets and lifts the limit of a pool's LOW requests, unless somebody else has set one.

    There is but one limit in a pool. What is in force and is not what was set here was set by hand, and is
    left alone.
    """

    def __init__(self, pool: TwikitConnectionPool) -> None:
        self.pool: Final = pool
        self._most: int | None = None
        """The number that was set here, while it is in force."""
        self._told = NOTHING_HELD_BACK
        """What is in force as far as it comes from here, and was told as an event."""

    def set(self, low: LowWork) -> None:
        """Let there be so much LOW work, if the pool is open and nobody has set a limit by hand."""
        pool, in_force = self.pool, self.pool.matching.deferral.most
        if in_force != self._most:
            self._most = None
        by_hand = in_force is not None and self._most is None
        if by_hand or pool.mode in (Mode.NEW, Mode.CLOSED):  # its accounts are not known yet, or of no use
            return
        most = low.connections(pool.capacity)
        if most != in_force or low.reason != self._told.reason:
            pool.limit_low(most, low.reason)
            self._most = most
        self._tell(low)

    def lift(self) -> None:
        """Limit nothing any more; what was set by hand stays."""
        if self._most is not None and self.pool.matching.deferral.most == self._most:
            self.pool.limit_low(None)
        self._most = None
        self._tell(NOTHING_HELD_BACK)

    def _tell(self, low: LowWork) -> None:
        before, self._told, pool = self._told, low, self.pool
        if low != before and pool.events.heard:
            pool.events.publish(
                LowWorkLimited(pool_id=pool.pool_id, at=pool.clock.now(), share=low.share, reason=low.reason)
            )
