"""What a caller asks the pool for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import inf

from twikit_pool.errors import ConfigError
from twikit_pool.pool.needs import UNHEARD, listen, need_of
from twikit_pool.sessions.actions import Action, action_named


class ConnectionPriority(IntEnum):
    """How urgent a request is; the order of service is arrival plus the priority's head start."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4
    EMERGENCY = 5


def priority_of(value: int) -> ConnectionPriority:
    """The priority of this number.

    Raises:
        ConfigError: there is none.
    """
    try:
        return ConnectionPriority(value)
    except ValueError:
        raise ConfigError(f"a priority is 1 (LOW) to 5 (EMERGENCY), not {value!r}") from None


def check_seconds(name: str, seconds: float, *, least: float = 0.001) -> None:
    """See that a duration is one.

    Raises:
        ConfigError: it is less than `least`, or no finite number.
    """
    if not least <= seconds < inf:
        more = "0 seconds or more" if not least else "more than 0 seconds"
        raise ConfigError(f"{name} must be {more}, and finite, not {seconds!r}")


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class ConnectionRequest:
    """A wish for a connection.

    Attributes:
        account_id: whose connection; None for any account that can do it now.
        action: the action it is for, by name: its rate window must be open. None when the caller will
            use the client by itself.
        endpoint: the rate window it will spend, when it is not the one that `action` names.
        capabilities: what the account must be able to do.
        priority: how urgent it is.
        reserved_for: the owner whose reserved connections it may use, before all others.
        avoid: an account that is rather not taken: only when no connection of another is free. One that
            has to wait may get it.
        timeout: seconds to wait at most, 0 for not at all, `math.inf` for as long as it takes; None takes the
            pool's `acquire_timeout`.

    Raises:
        UnknownAction: no action has this name.
        ConfigError: there is no such priority, or the timeout is no duration.
    """

    account_id: str | None = None
    action: str | None = None
    endpoint: str | None = None
    capabilities: frozenset[str] = frozenset()
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    reserved_for: str | None = None
    avoid: str | None = None
    timeout: float | None = None
    need: int = field(init=False, repr=False, compare=False, default=0)
    """The bits of all that, as `needs` has them."""
    particular: bool = field(init=False, repr=False, compare=False, default=False)
    """Whether it matters whose connection it gets, as far as more than its need goes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "priority", priority_of(self.priority))
        if self.timeout is not None and self.timeout != inf:
            check_seconds("timeout", self.timeout, least=0.0)
        if self.action is not None and self.endpoint is None:
            object.__setattr__(self, "endpoint", action_named(self.action).endpoint)
        whose = (self.account_id, self.reserved_for, self.avoid)
        object.__setattr__(self, "particular", any(each is not None for each in whose))
        self.capability_named()
        if self.need & UNHEARD:
            listen(self)
            self.capability_named()  # it may have been named by another thread just before

    def capability_named(self) -> None:
        """Work the need out anew: it may now be known which accounts can do what is asked for."""
        low = self.priority is ConnectionPriority.LOW
        object.__setattr__(self, "need", need_of(self.endpoint, self.capabilities, low=low))

    @classmethod
    def to(
        cls,
        action: Action,
        *,
        account_id: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        reserved_for: str | None = None,
        timeout: float | None = None,
    ) -> ConnectionRequest:
        """The request that this very call needs: its endpoint and the capabilities it asks for."""
        return cls(
            account_id=account_id,
            action=action.name,
            endpoint=action.spends,
            capabilities=action.needs,
            priority=priority,
            reserved_for=reserved_for,
            timeout=timeout,
        )

    @property
    def reads(self) -> bool:
        """Whether it is known that what it is for only reads."""
        return self.action is not None and not action_named(self.action).writes

    def __str__(self) -> str:
        whose = f" of {self.account_id}" if self.account_id else ""
        purpose = f" for {self.action or self.endpoint}" if self.action or self.endpoint else ""
        return f"a connection{whose}{purpose}"
