"""What happens in a service's pools, as it happens, over a WebSocket."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from twikit_pool.client.errors import AccessRefused, ServiceUnreachable
from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Secret

PATH: Final = "/v1/events"

LARGEST: Final = 64_000_000
"""Bytes of a message: a snapshot of large pools is the largest there is."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
"""Seconds before it is tried again: twice as long with every failure, of which half is chance."""

_SILENT: Final = logging.getLogger("twikit_pool.client.events")
_SILENT.setLevel(logging.CRITICAL)
"""At its lowest level `websockets` logs the headers that it sends, the token among them."""


async def listen(
    url: str,
    token: Secret,
    topics: Sequence[str],
    pools: Sequence[str] | None,
    since: int | None = None,
    *,
    trust_env: bool,
) -> AsyncGenerator[dict[str, Any]]:
    """The messages of these topics, until the service ends or the connection breaks.

    Args:
        url: of the service.
        token: one that may read.
        topics: at least one.
        pools: about these pools alone; None is about all.
        since: only what was told after this number, without a snapshot.
        trust_env: whether proxies are taken from the environment.

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
    wish = {"op": "subscribe", "topics": list(topics), "pools": pools, "since": since}
    asked = msgspec.json.encode(wish).decode()
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


async def follow(
    url: str,
    token: Secret,
    topics: Sequence[str],
    pools: Sequence[str] | None,
    since: int | None = None,
    *,
    trust_env: bool,
) -> AsyncGenerator[dict[str, Any]]:
    """As `listen`, and again after what was heard last whenever the connection breaks.

    Each time it does, there is `{"type": "disconnected", "reason": …, "again_in": …}`, in seconds; and
    `{"type": "subscribed", …}` once there is another.

    Raises:
        ConfigError: the package `websockets` is not installed.
        AccessRefused: the token does not hold, or no more.
    """
    chance = random.Random()  # noqa: S311 - spreads those who come again, guards nothing
    failures = 0
    while True:
        try:
            async with aclosing(listen(url, token, topics, pools, since, trust_env=trust_env)) as heard:
                async for message in heard:
                    if message["type"] == "subscribed":
                        failures = 0
                    elif "seq" in message and ("topic" in message or since is None):
                        since = message["seq"]
                    yield message
            reason = "the service has ended"
        except ServiceUnreachable as error:
            reason = str(error)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**failures) * chance.uniform(0.5, 1.0)
        failures = min(failures + 1, 10)
        yield {"type": "disconnected", "reason": reason, "again_in": pause}
        await asyncio.sleep(pause)
