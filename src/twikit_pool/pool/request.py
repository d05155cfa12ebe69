"""What a caller asks the pool for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from twikit_pool.sessions.actions import Action, action_named


class ConnectionPriority(IntEnum):
    """How urgent a request is; the order of service is arrival plus the priority's head start."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4
    EMERGENCY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRequest:
    """A wish for a connection.

    Attributes:
        account_id: whose connection; None for any account that can do it now.
        action: the action it is for, by name: its rate window must be open. None when the caller will
            use the client by itself.
        endpoint: the rate window it will spend, when it is not the one that `action` names.
        capabilities: what the account must be able to do.
        priority: how urgent it is.
        timeout: seconds to wait at most; None takes the pool's `acquire_timeout`.

    Raises:
        UnknownAction: no action has this name.
    """

    account_id: str | None = None
    action: str | None = None
    endpoint: str | None = None
    capabilities: frozenset[str] = frozenset()
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.action is not None and self.endpoint is None:
            object.__setattr__(self, "endpoint", action_named(self.action).endpoint)

    @classmethod
    def to(
        cls,
        action: Action,
        *,
        account_id: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        timeout: float | None = None,
    ) -> ConnectionRequest:
        """The request that this very call needs: its endpoint and the capabilities it asks for."""
        return cls(
            account_id=account_id,
            action=action.name,
            endpoint=action.spends,
            capabilities=action.needs,
            priority=priority,
            timeout=timeout,
        )
