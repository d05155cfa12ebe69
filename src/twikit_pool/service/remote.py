"""What the service does for those who act from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from twikit_pool.service.acts import Acts
from twikit_pool.service.idempotency import IdempotentActs
from twikit_pool.service.leases import RemoteLeases

if TYPE_CHECKING:
    from twikit_pool.clock import Clock


class Remote:
    """Acts, their keys, and leases; entered while the service runs.

    Attributes:
        acts: what is being done.
        idempotent: the same, once with each key.
        leases: connections that others hold.
    """

    def __init__(self, clock: Clock) -> None:
        self.acts: Final = Acts()
        self.idempotent: Final = IdempotentActs(self.acts, clock)
        self.leases: Final = RemoteLeases(clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.acts.aclose()
        finally:
            self.leases.close()
