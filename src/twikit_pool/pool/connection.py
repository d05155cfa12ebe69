"""A session as the pool holds it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from twikit_pool.accounts.model import Account, AccountState
from twikit_pool.sessions.session import TwikitSession
from twikit_pool.sessions.windows import RateWindows

if TYPE_CHECKING:
    from twikit_pool.pool.request import ConnectionRequest


class ConnectionState(StrEnum):
    """Where a connection is. Every connection of a pool is in exactly one of these."""

    IDLE = "idle"
    LEASED = "leased"
    RENEWING = "renewing"
    """Its HTTP client is being replaced after a call that did not end."""
    BENCHED = "benched"
    """Its account may not be used now."""
    CLOSED = "closed"


class PooledTwikitConnection:
    """One account's place in the pool. Its session is opened with its first lease.

    Attributes:
        account: the account as it was last known.
        state: where it is.
        epoch: counts its leases; a lease of an earlier epoch does nothing any more.
        leased_at: when its lease began, on the monotonic clock.
        calls: calls made on it.
    """

    __slots__ = ("_account", "calls", "epoch", "leased_at", "session", "state", "windows")

    def __init__(self, account: Account, windows: RateWindows) -> None:
        self._account = account
        self.windows = windows
        self.session: TwikitSession | None = None
        self.state = ConnectionState.IDLE
        self.epoch = 0
        self.leased_at = 0.0
        self.calls = 0

    @property
    def account(self) -> Account:
        """The account, with the cookies and standing its session knows."""
        return self.session.account if self.session is not None else self._account

    @property
    def account_id(self) -> str:
        """Whose connection it is."""
        return self._account.id

    def could_serve(self, request: ConnectionRequest) -> bool:
        """Whether it is for this request at all, whatever its windows and state are now."""
        return (request.account_id is None or request.account_id == self._account.id) and (
            request.capabilities <= self._account.capabilities
        )

    def wait_for(self, request: ConnectionRequest) -> float:
        """Seconds until the request's endpoint is open to this account; 0 when it is."""
        return self.windows.wait(request.endpoint) if request.endpoint is not None else 0.0

    def may_recover(self, now: datetime) -> bool:
        """Whether the account is usable, or will be by itself after a time."""
        standing = self.account.standing
        return standing.usable(now) or (
            standing.state is AccountState.QUARANTINED and standing.until is not None
        )

    def __repr__(self) -> str:
        return f"<PooledTwikitConnection {self.account_id} {self.state}>"
