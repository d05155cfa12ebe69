"""Settings of a pool, with their units, defaults and bounds."""

from __future__ import annotations

from typing import Final

import msgspec

from twikit_pool.errors import ConfigError

HEAD_STARTS: Final = (20.0, 10.0, 5.0, 2.0, 0.0)
"""Seconds that LOW, NORMAL, HIGH, CRITICAL and EMERGENCY yield to a request that is more urgent."""


class ConnectionPoolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a pool behaves. Durations are seconds.

    Attributes:
        max_connections: sessions that may be live at once, at least 1.
        acquire_timeout: how long a request waits for a connection when it does not say; None waits
            for ever.
        call_timeout: the overall deadline of one call to X, everything included. httpx's own timeouts
            do not bound a response that drips, so this one is enforced over the whole call.
        max_waiting: requests that may wait at once. Beyond it a request is refused with
            `PoolOverloaded`, the least urgent first.
        head_starts: seconds that LOW, NORMAL, HIGH, CRITICAL and EMERGENCY requests yield to a later,
            more urgent one; the order of service is arrival time plus head start, so nobody waits
            behind later arrivals for longer than his own.
    """

    max_connections: int = 10_000
    acquire_timeout: float | None = 30.0
    call_timeout: float = 30.0
    max_waiting: int = 100_000
    head_starts: tuple[float, float, float, float, float] = HEAD_STARTS

    def __post_init__(self) -> None:
        for name, least in (("max_connections", 1), ("max_waiting", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, not {getattr(self, name)}")
        for name in ("acquire_timeout", "call_timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be more than 0 seconds, not {value}")
        if any(start < 0 for start in self.head_starts) or list(self.head_starts) != sorted(
            self.head_starts, reverse=True
        ):
            raise ConfigError(
                "head_starts must be five durations that fall from LOW to EMERGENCY and are not negative, "
                f"not {self.head_starts}"
            )


DEFAULT_CONNECTION_POOL_CONFIG: Final = ConnectionPoolConfig()
