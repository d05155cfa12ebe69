"""The accounts that may be used, and where they are kept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from twikit_pool.accounts.caps import Cap, read_caps
from twikit_pool.accounts.cookie_folder import CookieFolder
from twikit_pool.accounts.memory import MemoryAccounts
from twikit_pool.accounts.model import Account, AccountState, Credentials, Standing
from twikit_pool.accounts.source import AccountSource, LedgerKeeper, Revisioned

if TYPE_CHECKING:
    from twikit_pool.accounts.keys import Keyring
    from twikit_pool.accounts.store import AccountStore

__all__ = [
    "Account",
    "AccountSource",
    "AccountState",
    "AccountStore",
    "Cap",
    "CookieFolder",
    "Credentials",
    "Keyring",
    "LedgerKeeper",
    "MemoryAccounts",
    "Revisioned",
    "Standing",
    "read_caps",
]

_LAZY = {"AccountStore": "twikit_pool.accounts.store", "Keyring": "twikit_pool.accounts.keys"}


def __getattr__(name: str) -> object:
    # SQLAlchemy and cryptography are loaded only for those who use the store.
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
