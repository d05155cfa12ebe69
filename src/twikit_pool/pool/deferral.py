"""Work that can wait: how many connections LOW requests may lease at once.

Every LOW request needs one bit more than others do (`needs.DEFERRABLE`), which no account ever lacks. While
as many leases as allowed are LOW's, the bit is shut, as an open circuit shuts an endpoint's: LOW requests
wait, and everyone else is served as ever. LOW's leases are counted only while there is a ceiling, so without
one it costs nothing.

What is kept for an owner is paid for already: a LOW request that gets such a connection is neither held back
nor counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twikit_pool.errors import ConfigError
from twikit_pool.pool.needs import DEFERRABLE
from twikit_pool.pool.request import ConnectionPriority

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.matching import Matching


class Deferral:
    """The ceiling of LOW work in one pool.

    Attributes:
        most: connections that LOW requests may lease at once; None without a ceiling.
        opening: connections that are being opened because LOW requests wait.
        unopened: the bits for which no more connections are opened: LOW's, while those that it has leased and
            those that are being opened for it are as many as it may lease.
    """

    __slots__ = ("_leased", "_matching", "_reason", "most", "opening", "unopened")

    def __init__(self, matching: Matching) -> None:
        self.most: int | None = None
        self.opening = 0
        self.unopened = 0
        self._matching = matching
        self._reason = ""
        self._leased: set[PooledTwikitConnection] = set()
        """Those that count, while there is a ceiling."""

    def limit(self, most: int | None, reason: str) -> None:
        """Arguments and errors as `TwikitConnectionPool.limit_low` says."""
        if most is not None and most < 0:
            raise ConfigError(f"LOW requests may lease 0 connections or more, not {most}; None is no limit")
        matching = self._matching
        if most is None:
            matching.unwatch(self)
            self._leased.clear()
        elif self.most is None:
            matching.watch(self)
            self._leased = {each for each in matching.connections.values() if each.leased and _counts(each)}
        self.most, self._reason = most, reason
        self._follow()

    def notice(self, need: int) -> str:
        """What holds back those with this need, in words; "" when nothing does."""
        if not need & (self._matching.shut | self.unopened) & DEFERRABLE:
            return ""
        return f"LOW work is held back: {self._reason or f'it may have {self.most} connections at once'}"

    def begun(self, connection: PooledTwikitConnection) -> None:
        """A connection has just been leased."""
        if _counts(connection):
            self._leased.add(connection)
            self._follow()

    def returned(self, connection: PooledTwikitConnection) -> None:
        """A lease has just ended."""
        if connection in self._leased:
            self._leased.remove(connection)
            self._follow()

    def settle(self) -> None:
        """More or fewer connections are being opened than before."""
        if self.most is not None:
            self._follow()

    def _follow(self) -> None:
        """Hold LOW requests back, or serve them again, as the numbers now are."""
        matching, leased, most = self._matching, len(self._leased), self.most
        before = self.unopened
        self.unopened = DEFERRABLE if most is not None and leased + self.opening >= most else 0
        if most is not None and leased >= most:
            matching.shut |= DEFERRABLE
        elif not matching.waiting.of_priority(ConnectionPriority.LOW):
            matching.shut &= ~DEFERRABLE
        elif matching.shut & DEFERRABLE:
            matching.open_up(DEFERRABLE)
        elif before and not self.unopened:
            matching.open_for(DEFERRABLE)


def _counts(connection: PooledTwikitConnection) -> bool:
    """Whether a leased connection is one of those that LOW requests may have at once."""
    request, kept = connection.request, connection.reservation
    if request is None or not request.need & DEFERRABLE:
        return False
    return kept is None or kept.reserved_for != request.reserved_for
