"""uvicorn's side of a WebSocket: a connection that is over is gone seconds later, whatever its peer does.

uvicorn closes a connection by sending what is left in its buffer. A client that never reads takes none of it,
so the descriptor, and the buffer, would stay for as long as the client likes; and so would a server that is
to stop.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from twikit_pool.service.socket import LARGEST

FAREWELL: Final = 5.0
"""Seconds that a client has to take what is left when its connection is over."""


class PromptSocketProtocol(WebSocketsSansIOProtocol):
    """`websockets-sansio` that does not wait for a client to take what is left."""

    _farewell: asyncio.TimerHandle | None = None

    async def run_asgi(self) -> None:
        """Run the route; when it has ended, the connection ends."""
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._farewell = self.loop.call_later(FAREWELL, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._farewell is not None:
            self._farewell.cancel()
            self._farewell = None
        super().connection_lost(exc)


SERVED: Final[dict[str, Any]] = {
    "ws": PromptSocketProtocol,
    "ws_max_size": LARGEST,
    "ws_per_message_deflate": False,  # it would compress what was encoded once for each client anew
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 40.0,  # so that a client from which nothing comes is closed after 60 s
}
"""Settings of uvicorn that the route counts on: `uvicorn.Config(app, **SERVED)`."""
