"""What happens in a service's pools, as it happens, over a WebSocket."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec

from twikit_pool.client.errors import AccessRefused, ServiceUnreachable
from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Secret

PATH: Final = "/v1/events"

LARGEST: Final = 64_000_000
"""Bytes of a message: a snapshot of large pools is the largest there is."""

_SILENT: Final = logging.getLogger("twikit_pool.client.events")
_SILENT.setLevel(logging.CRITICAL)
"""At its lowest level `websockets` logs the headers that it sends, the token among them."""


async def listen(
    url: str, token: Secret, topics: Sequence[str], pool_id: str, *, trust_env: bool
) -> AsyncGenerator[dict[str, Any]]:
    """The messages of these topics about one pool, until the service ends or the connection breaks.

    Raises:
        ConfigError: the package `websockets` is not installed.
        AccessRefused: the token does not hold.
        ServiceUnreachable: there is no connection, or no more.
    """
    try:  # an optional extra
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
    except ImportError:
        raise ConfigError("events need the package websockets: pip install 'twikit-pool[server]'") from None
    asked = msgspec.json.encode({"op": "subscribe", "topics": list(topics), "pools": [pool_id]}).decode()
    try:
        async with connect(
            url.replace("http", "ws", 1).rstrip("/") + PATH,
            additional_headers={"Authorization": f"Bearer {token.reveal()}"},
            proxy=True if trust_env else None,
            max_size=LARGEST,
            logger=_SILENT,
        ) as socket:
            await socket.send(asked)
            async for text in socket:
                yield msgspec.json.decode(text)
    except InvalidStatus as refused:
        status = refused.response.status_code
        if status in (401, 403):
            raise AccessRefused(f"the service does not tell this token what happens ({status})") from None
        raise ServiceUnreachable(f"the service does not tell what happens ({status})") from None
    except (ConnectionClosed, InvalidHandshake, OSError) as error:
        # Without the cause: its frames hold the token.
        raise ServiceUnreachable(f"no connection to hear of events ({type(error).__name__})") from None
