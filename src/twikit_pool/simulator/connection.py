"""One client's connection: requests in, answers out, and all the ways in which that can fail."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

from twikit_pool.simulator.http import MalformedRequest, Request, RequestParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.simulator.application import Application, Delivery, Visit


class Connection(asyncio.Protocol):
    """Answers one after the other, in the order of the requests."""

    def __init__(self, application: Application, open_connections: set[Connection]) -> None:
        self._application = application
        self._open = open_connections
        self._parser = RequestParser()
        self._waiting: deque[Request] = deque()
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop hands over the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left. A request that waits for its turn is still worked on, as X would."""
        del exc
        if self._timer is None:
            self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        try:
            self._waiting.extend(self._parser.feed(data))
        except MalformedRequest:
            self._transport.write(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            self._transport.close()
            return
        if self._timer is None:
            self._work()

    def _work(self) -> None:
        while self._waiting and self._timer is None and not self._silent:
            visit = self._application.admit(self._waiting.popleft())
            if visit.delay:
                self._after(visit.delay, partial(self._serve, visit))
            else:
                self._serve(visit)
        self._flush()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        def go_on() -> None:
            self._timer = None
            then()
            if self._timer is None:
                self._work()
            if self._timer is None and self._transport.is_closing():
                self._open.discard(self)

        self._flush()
        self._timer = asyncio.get_running_loop().call_later(seconds, go_on)

    def _serve(self, visit: Visit) -> None:
        delivery = self._application.serve(visit)
        if delivery.delay:
            self._after(delivery.delay, partial(self._send, delivery))
        else:
            self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        if delivery.drip:
            self._drip(delivery, 0)
            return
        self._out.append(delivery.wire)
        self._end(delivery)

    def _drip(self, delivery: Delivery, sent: int) -> None:
        if sent == len(delivery.wire) or self._transport.is_closing():
            self._end(delivery)
            return
        self._out.append(delivery.wire[sent : sent + 1])
        self._after(delivery.drip, partial(self._drip, delivery, sent + 1))

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _end(self, delivery: Delivery) -> None:
        if delivery.end == "keep":
            return
        self._silent = True
        self._flush()
        if delivery.end == "reset":
            self.reset()
        elif delivery.end == "close":
            self._transport.close()

    def reset(self) -> None:
        """Break the connection off, so that the client sees a reset and not an end."""
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def abort(self) -> None:
        """Let go at once, when the server stops."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
