"""The HTTP wire with bounds: how long a request may take to arrive, and how many may be connected.

By itself a server keeps a half-sent header open for ever, so a handful of idle sockets takes all of its
descriptors.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
)

BODY_IN_SIGHT: Final = 262_144
"""Bytes that one read of a socket may bring: the body that comes right behind the headers is not theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What a connection may do.

    Attributes:
        header_bytes: of a request's line and headers.
        header_seconds: from the first of its bytes, or from when the connection was made.
        body_seconds: from the end of the headers to the end of the body.
        sockets: connected at once.
    """

    header_bytes: int = 32_768
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    sockets: int = 2_000


class BoundedProtocol(HttpToolsProtocol):
    """A connection of uvicorn's, within limits; `bounded` makes the class that has them."""

    limits: ClassVar[WireLimits]

    _timer: asyncio.TimerHandle | None = None
    _in_headers = True
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        self.access_log = False  # whatever uvicorn's logger is told elsewhere: a lease's path is its secret
        super().connection_made(transport)
        if len(self.connections) > self.limits.sockets:
            self._refuse(TOO_MANY)
        else:
            self._within(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.header_bytes + BODY_IN_SIGHT:
                self._refuse(TOO_LARGE)
                return
            if self._timer is None:
                self._within(self.limits.header_seconds)
        super().data_received(data)

    def handle_websocket_upgrade(self) -> None:
        """It is a WebSocket from here on, with limits of its own."""
        self._in_time()
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """The headers are there; the body may follow."""
        self._in_headers = False
        if self._length_of_headers() > self.limits.header_bytes:
            self._refuse(TOO_LARGE)
            return
        self._within(self.limits.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there."""
        self._in_time()
        self._in_headers, self._header_bytes = True, 0
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        if not self.transport.is_closing():  # else the headers were refused
            super().on_body(body)

    def _length_of_headers(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _within(self, seconds: float) -> None:
        self._in_time()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._refuse, TOO_LATE)

    def _in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, answer: bytes) -> None:
        self._in_time()
        answered: Any = self.cycle
        if answered is None or answered.response_complete:
            self.transport.write(answer)
        self.transport.close()


def bounded(limits: WireLimits) -> type[BoundedProtocol]:
    """The protocol with these limits."""
    return type("Bounded", (BoundedProtocol,), {"limits": limits})
