"""Serves an application until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import TYPE_CHECKING, Final, Self

import uvicorn

from twikit_pool.errors import ConfigError
from twikit_pool.service.settings import is_loopback
from twikit_pool.service.socket_protocol import SERVED
from twikit_pool.service.wire import WireLimits, bounded

if TYPE_CHECKING:
    from litestar import Litestar

KEEP_ALIVE: Final = 30
"""Seconds for which an idle connection is kept open."""


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: whoever serves decides what a signal means."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.began.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


def listen(host: str, port: int, *, allow_remote: bool = False) -> socket.socket:
    """A socket that listens there; port 0 is any that is free.

    Raises:
        ConfigError: it cannot be listened there, or others could reach it and nobody has allowed that.
    """
    if not allow_remote and not is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines: set service.allow_remote, and put TLS in front of it"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(f"nothing can listen on {host}:{port}: {error.strerror or error}") from None
    # Its connections inherit this. asyncio sets it only on sockets that were made with a protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class HttpServer:
    """An application that is served on a socket while this is entered.

    Args:
        app: the application.
        listener: where; closed at the end.
        limits: what connections may do.
        requests: requests at once; beyond them 503 is answered.
        patience: seconds that requests under way have to end, when it is left.
    """

    def __init__(
        self,
        app: Litestar,
        listener: socket.socket,
        limits: WireLimits,
        *,
        requests: int = 1_000,
        patience: float = 10.0,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=bounded(limits),
            **SERVED,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(patience)),
            limit_concurrency=requests,
        )
        self._server = Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        host, port, *_ = self._listener.getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[self._listener]), name="http server"
        )
        began = asyncio.ensure_future(self._server.began.wait())
        try:
            await asyncio.wait([began, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            began.cancel()
        if self._task.done():
            self._listener.close()
            self._task.result()
            raise ConfigError("the server did not start: the log says why")
        return self

    def stop_accepting(self) -> None:
        """Take no new connections; what is under way goes on until it ends, or patience does."""
        self._server.should_exit = True

    async def __aexit__(self, *_: object) -> None:
        self.stop_accepting()
        task, self._task = self._task, None
        try:
            if task is not None:
                await asyncio.wait([task])
                task.result()
        finally:
            self._listener.close()
