"""The WebSocket route `/v1/events`: a client subscribes, and is sent what the hub tells.

Sending and receiving go on beside each other; whichever ends first ends the other, and with it the
connection. Litestar's Channels are not used: they forget to unsubscribe a client that breaks off
(Litestar#4871, #4894).

A client that is silent for long is found by the server's pings, which a route cannot see: serve it with
`SERVED` of `socket_protocol`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from twikit_pool.service.hub import Hub
from twikit_pool.service.reader import Reader, Topic, as_text

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a client is told that nothing has happened."""

PATIENCE: Final = 20.0
"""Seconds that a client may take nothing of what it is sent."""

LARGEST: Final = 16 * 1024
"""Bytes of a client's message."""

MOST_OF_A_PROBLEM: Final = 200

UNAUTHENTICATED: Final = 4401
FORBIDDEN: Final = 4403
GOING_AWAY: Final = 1001
TOO_BIG: Final = 1009
"""Why a connection is closed: the last two are RFC 6455's, the others HTTP's plus 4000."""

Socket: TypeAlias = WebSocket[Any, Any, Any]
Authorize: TypeAlias = Callable[[Socket], Awaitable[bool]]


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="subscribe"):
    """Send these topics too, from now on or from what came after `since`."""

    topics: list[Topic]
    pools: list[str] | None = None
    since: int | None = None


class Unsubscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="unsubscribe"):
    """Send these topics no more."""

    topics: list[Topic]


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="ping"):
    """Say something."""


_decode: Final = msgspec.json.Decoder(Subscribe | Unsubscribe | Ping).decode

PONG: Final = as_text({"type": "pong"})


def events_socket(
    hub: Hub,
    authorize: Authorize,
    *,
    path: str = "/v1/events",
    heartbeat: float = HEARTBEAT,
    patience: float = PATIENCE,
) -> WebsocketRouteHandler:
    """The route.

    Args:
        hub: who tells; entered while the route serves.
        authorize: whether a client may listen. Asked before the connection is accepted, and all that there
            is to keep foreign pages out: a browser lets any page connect, so it must look at `Origin`. Whom
            it does not let in is refused with 4403, or 4401 where it raises NotAuthorizedException; as
            nothing is accepted yet, uvicorn makes HTTP 403 of either.
        path: where it is.
        heartbeat: seconds of silence between two heartbeats.
        patience: seconds that one message may take to be sent.
    """

    @websocket(path, opt={"scope": None})  # whom it lets in, `authorize` says
    async def events(socket: Socket) -> None:
        refused = await _refused(socket, authorize)
        if refused is not None:
            await socket.close(refused)
            return
        await socket.accept()
        with hub.subscribe() as reader:
            await Conversation(socket, hub, reader, heartbeat, patience).hold()

    return events


async def _refused(socket: Socket, authorize: Authorize) -> int | None:
    """The code to refuse a client with, if it is."""
    try:
        return None if await authorize(socket) else FORBIDDEN
    except NotAuthorizedException:
        return UNAUTHENTICATED
    except PermissionDeniedException:
        return FORBIDDEN


class Over(Exception):
    """The conversation has ended; with a code where the client is still to be told so."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class Conversation:
    """One client's connection, once it is accepted."""

    def __init__(self, socket: Socket, hub: Hub, reader: Reader, heartbeat: float, patience: float) -> None:
        self._socket = socket
        self._hub = hub
        self._reader = reader
        self._heartbeat = heartbeat
        self._patience = patience

    async def hold(self) -> None:
        """Hold it until either side ends it."""
        code: int | None = None
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._tell(), name="event socket: telling")
                both.create_task(self._listen(), name="event socket: listening")
        except* Over as over:
            code = _code_of(over)
        if code is not None:
            await self._say_goodbye(code)

    async def _tell(self) -> None:
        reader = self._reader
        while True:
            text = reader.take_now()
            if text is None:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        text = await reader.take()
                except TimeoutError:
                    text = self._hub.heartbeat()
            if text is None:  # the hub has ended
                raise Over(GOING_AWAY)
            await self._send(text)

    async def _listen(self) -> None:
        while True:
            said = await self._receive()
            if len(said) > LARGEST:
                raise Over(TOO_BIG)
            try:
                asked: Subscribe | Unsubscribe | Ping = _decode(said)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                await self._send(as_text({"type": "problem", "title": _problem(error)}))
                continue
            # Answered here and not through the reader: who asks faster than it reads has to wait.
            match asked:
                case Subscribe():
                    topics = self._reader.topics | set(asked.topics)
                    await self._send_subscribed(topics, asked.pools)
                    self._reader.want(topics, asked.pools, asked.since)
                case Unsubscribe():
                    self._reader.leave(asked.topics)
                    await self._send_subscribed(self._reader.topics, self._reader.pools)
                case Ping():
                    await self._send(PONG)

    async def _send_subscribed(
        self, topics: frozenset[str], pools: list[str] | frozenset[str] | None
    ) -> None:
        of = None if pools is None else sorted(set(pools))
        now = {"type": "subscribed", "topics": sorted(topics), "pools": of, "seq": self._hub.seq}
        await self._send(as_text(now))

    async def _receive(self) -> str | bytes:
        """What the client says next."""
        try:
            event = cast("dict[str, Any]", await self._socket.receive())
        except WebSocketDisconnect:
            raise Over from None
        if event["type"] != "websocket.receive":
            raise Over
        return event.get("text") or event.get("bytes") or ""

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._socket.send_text(text)
        except (WebSocketDisconnect, OSError, RuntimeError):
            # It takes nothing (TimeoutError is an OSError), or is gone: uvicorn says so with an OSError, and
            # with a RuntimeError where it has closed the connection by itself.
            raise Over from None

    async def _say_goodbye(self, code: int) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._socket.close(code)
        except (WebSocketDisconnect, OSError, RuntimeError):
            return  # it is gone


def _code_of(over: ExceptionGroup[Over]) -> int | None:
    """The code of the first that ended it; the other may have ended in the same moment."""
    codes = [each.code for each in over.exceptions if isinstance(each, Over)]
    return codes[0] if None not in codes else None


def _problem(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"not understood: {str(error)[:MOST_OF_A_PROBLEM]}"  # it may quote what was sent
    return "not understood: a message is a JSON object with `op`: subscribe, unsubscribe or ping"
