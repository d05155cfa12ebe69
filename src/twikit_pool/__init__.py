"""One pool for all the X (Twitter) accounts that you own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twikit_pool.accounts import (
        Account,
        AccountSource,
        AccountState,
        AccountStore,
        CookieFolder,
        Credentials,
        Keyring,
        MemoryAccounts,
    )
    from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
    from twikit_pool.drop_in import PooledClient
    from twikit_pool.errors import TwikitPoolError
    from twikit_pool.events import EventBus
    from twikit_pool.manager import TwikitConnectionPoolManager
    from twikit_pool.pool import (
        ConnectionPriority,
        ConnectionRequest,
        PooledTwikitConnection,
        TwikitConnectionPool,
    )
    from twikit_pool.sessions import CallFailed, Outcome, TwikitBackend, TwikitSession, TwikitSessionManager

__version__ = "0.1.0"

_HOME: Final = {
    "Account": "accounts",
    "AccountSource": "accounts",
    "AccountState": "accounts",
    "AccountStore": "accounts",
    "CallFailed": "sessions",
    "ConnectionPoolConfig": "config",
    "ConnectionPriority": "pool",
    "ConnectionRequest": "pool",
    "CookieFolder": "accounts",
    "Credentials": "accounts",
    "DEFAULT_CONNECTION_POOL_CONFIG": "config",
    "EventBus": "events",
    "Keyring": "accounts",
    "MemoryAccounts": "accounts",
    "Outcome": "sessions",
    "PooledClient": "drop_in",
    "PooledTwikitConnection": "pool",
    "TwikitBackend": "sessions",
    "TwikitConnectionPool": "pool",
    "TwikitConnectionPoolManager": "manager",
    "TwikitPoolError": "errors",
    "TwikitSession": "sessions",
    "TwikitSessionManager": "sessions",
}

__all__ = [
    "DEFAULT_CONNECTION_POOL_CONFIG",
    "Account",
    "AccountSource",
    "AccountState",
    "AccountStore",
    "CallFailed",
    "ConnectionPoolConfig",
    "ConnectionPriority",
    "ConnectionRequest",
    "CookieFolder",
    "Credentials",
    "EventBus",
    "Keyring",
    "MemoryAccounts",
    "Outcome",
    "PooledClient",
    "PooledTwikitConnection",
    "TwikitBackend",
    "TwikitConnectionPool",
    "TwikitConnectionPoolManager",
    "TwikitPoolError",
    "TwikitSession",
    "TwikitSessionManager",
]


def __getattr__(name: str) -> Any:
    # Lazily: twikit takes most of a second to import, and `twikit-pool --help` does not need it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
