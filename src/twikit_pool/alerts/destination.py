"""Where messages about alerts are sent: anything that meets this protocol."""

from __future__ import annotations

from typing import Protocol

from twikit_pool.alerts.notice import Notice


class Destination(Protocol):
    """Takes messages.

    Attributes:
        name: as it is spoken of, without anything secret.
    """

    @property
    def name(self) -> str:
        """As it is spoken of, without anything secret."""
        ...

    async def send(self, notice: Notice) -> None:
        """Send a message. When it returns, the other side has taken it; what takes too long is cut short.

        Raises:
            DeliveryFailed: it has not; the words have nothing secret.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...
