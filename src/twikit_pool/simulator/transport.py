"""The way to the simulator for any httpx client, twikit's among them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx

from twikit_pool.errors import ConfigError


class SimulatorTransport(httpx.AsyncBaseTransport):
    """Sends every request to a running simulator instead of the internet.

    The request keeps its Host header and its own URL, so that httpx files cookies as if X had set
    them; what is sent is a new request.

    Args:
        url: where the simulator listens, `http://127.0.0.1:PORT`.

    Raises:
        ConfigError: the URL is not of that form.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.port is None:
            raise ConfigError(
                f"{url!r} is no simulator's address: give http://127.0.0.1:PORT, as it prints it"
            )
        self._where: Final = {"scheme": "http", "host": parts.hostname, "port": parts.port}
        # verify=False: the connection is plain HTTP, and making a TLS context costs 20 ms each.
        self._inner = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to the simulator."""
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(**self._where),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
