"""The heart: who gets which connection, and when."""

from twikit_pool.pool.brake import BrakeInfo, LimitInfo
from twikit_pool.pool.budget import FleetBudget
from twikit_pool.pool.circuit import CircuitInfo, CircuitState
from twikit_pool.pool.connection import ConnectionInfo, ConnectionState, PooledTwikitConnection
from twikit_pool.pool.control import Mode
from twikit_pool.pool.execution import Execution
from twikit_pool.pool.explanation import Explanation
from twikit_pool.pool.hooks import PoolHooks
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.pool.reservations import Reservation
from twikit_pool.pool.status import PoolStatus

__all__ = [
    "BrakeInfo",
    "CircuitInfo",
    "CircuitState",
    "ConnectionInfo",
    "ConnectionPriority",
    "ConnectionRequest",
    "ConnectionState",
    "Execution",
    "Explanation",
    "FleetBudget",
    "Lease",
    "LimitInfo",
    "Mode",
    "PoolHooks",
    "PoolStatus",
    "PooledTwikitConnection",
    "Pools",
    "Reservation",
    "TwikitConnectionPool",
    "pools_of",
]
