"""The events of leases, made of what the matching noted only when somebody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twikit_pool.clock import Clock, wall_time
from twikit_pool.events import ConnectionLeased, ConnectionReleased

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.request import ConnectionRequest


class LeaseTeller:
    """Makes the events of one pool's leases."""

    def __init__(self, pool_id: str, clock: Clock) -> None:
        self._pool_id = pool_id
        self._clock = clock

    def leased(
        self, connection: PooledTwikitConnection, request: ConnectionRequest, at: float, waited: float
    ) -> ConnectionLeased:
        """A lease began at this moment of the monotonic clock, after so many seconds."""
        return ConnectionLeased(
            pool_id=self._pool_id,
            at=wall_time(self._clock, at),
            account_id=connection.account_id,
            connection_id=connection.id,
            priority=int(request.priority),
            action=request.action,
            waited=waited,
        )

    def released(
        self, connection: PooledTwikitConnection, request: ConnectionRequest, since: float, at: float
    ) -> ConnectionReleased:
        """A lease ended; both moments are of the monotonic clock."""
        return ConnectionReleased(
            pool_id=self._pool_id,
            at=wall_time(self._clock, at),
            account_id=connection.account_id,
            connection_id=connection.id,
            priority=int(request.priority),
            action=request.action,
            held=at - since,
        )
