"""What somebody who watches what connections cost may do to them.

One that costs much is taken last, or pauses, or is closed. No lease is touched: a connection that is leased
pauses, or goes, when it comes back. One that is kept for an owner is left to him.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twikit_pool.pool.connection import IDLE, RENEWING, SHELVED, ConnectionState
from twikit_pool.pool.request import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching


class Tuning:
    """Acts on the connections of a pool.

    Args:
        matching: where they are offered.
        lifecycle: closes them.
    """

    __slots__ = ("_lifecycle", "_matching")

    def __init__(self, matching: Matching, lifecycle: Lifecycle) -> None:
        self._matching = matching
        self._lifecycle = lifecycle

    def lower(self, connection: PooledTwikitConnection) -> None:
        """Let it be taken only where no other will do, until `restore`."""
        self._set_lowered(connection, lowered=True)

    def restore(self, connection: PooledTwikitConnection) -> None:
        """Let it be taken like any other again."""
        self._set_lowered(connection, lowered=False)

    def pause(self, connection: PooledTwikitConnection, seconds: float) -> bool:
        """Let nobody have it for so long, from when it is free; whether it does. Again, it counts anew.

        Raises:
            ConfigError: the duration is no finite number, or negative.
        """
        check_seconds("the seconds of a pause", seconds, least=0.0)
        if connection.reservation is not None or connection.state is ConnectionState.CLOSED:
            return False
        if connection.pause is not None:
            connection.pause.cancel()
        ends = self._matching.now() + seconds
        connection.pause = self._matching.deadlines.add(ends, partial(self.end_pause, connection))
        if connection.state is IDLE:
            self._matching.withdraw(connection)
            connection.state = ConnectionState.PAUSED
        return True

    def end_pause(self, connection: PooledTwikitConnection) -> None:
        """Let it be had again."""
        if connection.pause is None:
            return
        connection.pause.cancel()
        connection.pause = None
        if connection.state is ConnectionState.PAUSED:
            connection.state = RENEWING
            self._lifecycle.finished(connection)

    def close(self, connection: PooledTwikitConnection, reason: str, *, serves_badly: bool = False) -> bool:
        """Close it if it is idle; whether it was.

        Args:
            connection: which.
            reason: for the event.
            serves_badly: its account's next one begins anew, and not with what this one knew.
        """
        if connection.state is not IDLE:
            return False
        close: Callable[[PooledTwikitConnection, str], None] = self._lifecycle.retire
        if serves_badly:
            connection.member.replacements.note(self._matching.now())
            close = self._lifecycle.replace
        close(connection, reason)
        return True

    def _set_lowered(self, connection: PooledTwikitConnection, *, lowered: bool) -> None:
        if connection.lowered == lowered:
            return
        free = connection.state in SHELVED
        if free:
            self._matching.withdraw(connection)
        connection.lowered = lowered
        if free:
            self._matching.offer(connection)
