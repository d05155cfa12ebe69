"""The heart: who gets which connection, and when."""

from twikit_pool.pool.connection import ConnectionState, PooledTwikitConnection
from twikit_pool.pool.execution import Execution
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest

__all__ = [
    "ConnectionPriority",
    "ConnectionRequest",
    "ConnectionState",
    "Execution",
    "Lease",
    "PooledTwikitConnection",
    "TwikitConnectionPool",
    "TwikitConnectionPoolManager",
]
