"""Whether whoever asked is still there to hear the answer.

A request that waits is given up when its client leaves, so that nobody keeps a place in line for somebody who
has gone; and what an answer gives away is taken back when the answer could not be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import HTTPException

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

UNDO: Final = "undo"
"""Under which name in a request's state its route leaves what takes back what the answer gives."""


class ClientGone(HTTPException):
    """Nobody is there to be answered. The status is the one that nginx has for it; nobody sees it."""

    status_code = 499

    def __init__(self) -> None:
        super().__init__(detail="the client has left before it was answered")


@asynccontextmanager
async def while_there(receive: Receive) -> AsyncGenerator[None]:
    """Do something for a client; when it leaves, what is awaited here is cancelled.

    Only for requests whose body has been read: what comes after it is that the client leaves.

    Raises:
        ClientGone: it has left.
    """
    scope = asyncio.timeout(None)
    try:
        async with scope:
            watcher = asyncio.get_running_loop().create_task(_watch(receive, scope), name="presence")
            try:
                yield
            finally:
                await _end(watcher)
    except TimeoutError:
        if scope.expired():
            raise ClientGone from None
        raise


async def _watch(receive: Receive, scope: asyncio.Timeout) -> None:
    await _until_gone(receive)
    scope.reschedule(asyncio.get_running_loop().time())


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(watcher: asyncio.Task[None]) -> None:
    watcher.cancel()
    await asyncio.wait([watcher])


def undone_unless_answered(app: ASGIApp) -> ASGIApp:
    """An ASGI middleware for routes whose answer gives something away.

    Such a route leaves in `request.state.undo` what takes it back. That is called when the client has gone
    before the answer is sent, and when none is sent for any other reason. Once the machine's network has the
    answer nobody knows whether it arrives.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        state: dict[str, Any] = scope["state"]
        watcher: asyncio.Task[None] | None = None

        async def watched(message: Message) -> None:
            nonlocal watcher
            if message["type"] == "http.response.start" and UNDO in state:
                watcher = asyncio.get_running_loop().create_task(_until_gone(receive), name="presence")
                await asyncio.sleep(0)  # its first step is enough for it to see that the client has gone
            await send(message)

        answered = False
        try:
            await app(scope, receive, watched)
            # No step was taken since the answer was sent: so this is about what was before.
            answered = watcher is not None and not watcher.done()
        finally:
            undo: Callable[[], None] | None = state.pop(UNDO, None)
            if undo is not None and not answered:
                undo()
            if watcher is not None:
                await _end(watcher)

    return middleware
