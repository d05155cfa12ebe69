"""What is done for clients, in tasks that go on without them once something was sent.

A client that leaves before that frees its place in line. What has left for X goes on to its end: a write that
was cut short may have happened, and nobody would know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from twikit_pool.errors import ActionError, PoolClosed
from twikit_pool.service.presence import while_there
from twikit_pool.service.problems import on_error
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken

if TYPE_CHECKING:
    from litestar import Request
    from litestar.types import Receive

CLOSING_PATIENCE: Final = 35.0
"""Seconds that what was sent has to end when the service does: a call's 30, and some to settle it."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told, ready to be sent.

    Attributes:
        status, body, media_type, headers: of the answer.
        final: whether the same request would come to nothing else, or might be done twice: it is not to be
            carried out again.
    """

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: dict[str, str] = {}
    final: bool = True


class Act:
    """One thing that is done.

    Attributes:
        sent: whether something has left for X that it has not refused since.
        waiting: clients that wait for it.
        abandoned: whether it was given up before anything was sent.
        task: in which it is done.
    """

    __slots__ = ("abandoned", "sent", "task", "waiting")

    task: asyncio.Task[Answer]

    def __init__(self) -> None:
        self.sent = False
        self.waiting = 0
        self.abandoned = False

    def on_send(self, _account_id: str = "") -> None:
        """Something is about to leave."""
        self.sent = True

    def on_refused(self) -> None:
        """X has certainly taken nothing of what had left."""
        self.sent = False


Work: TypeAlias = Callable[[Act], Coroutine[Any, Any, Any]]
"""Does something and returns what the client is told, as something that JSON can hold."""


class Acts:
    """Owns the tasks of acts."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Answer], Act] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Act]:
        return iter(self._tasks.values())

    def begin(self, request: Request[Any, Any, Any], work: Work) -> Act:
        """Do something; errors become the answer that tells them.

        Raises:
            PoolClosed: the service ends.
        """
        if self._closed:
            raise PoolClosed("the service ends: ask it again when it is back")
        act = Act()
        act.task = asyncio.get_running_loop().create_task(_answer(request, act, work), name="act")
        self._tasks[act.task] = act
        act.task.add_done_callback(self._tasks.pop)
        return act

    async def outcome(self, act: Act, receive: Receive) -> Answer:
        """Wait for an act's answer while the client is there.

        Raises:
            ClientGone: it has left. If nobody else waits, and nothing was sent, the act is given up.
            PoolClosed: the service has ended under it.
        """
        act.waiting += 1
        try:
            async with while_there(receive):
                await asyncio.wait([act.task])
        finally:
            act.waiting -= 1
            if not (act.waiting or act.sent or act.task.done()):
                act.abandoned = True
                act.task.cancel()
        if act.task.cancelled():
            raise PoolClosed("the service has ended before this was sent: ask it again when it is back")
        return act.task.result()

    async def aclose(self, patience: float = CLOSING_PATIENCE) -> None:
        """Give up what was not sent, and let the rest end; what takes too long is cut short."""
        self._closed = True
        for task, act in self._tasks.items():
            if not act.sent:
                act.abandoned = True
                task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=patience)
        finally:
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _answer(request: Request[Any, Any, Any], act: Act, work: Work) -> Answer:
    try:
        return Answer(status=200, body=msgspec.json.encode(await work(act)))
    except Exception as error:  # noqa: BLE001 - a boundary: whatever it is, who waits is told, now and later
        told = on_error(request, error)
        return Answer(
            status=told.status_code or 500,
            body=msgspec.json.encode(told.content),
            media_type=str(told.media_type),
            headers={name: value for name, value in told.headers.items() if name == "Retry-After"},
            final=_final(error, act),
        )


def _final(error: Exception, act: Act) -> bool:
    """Whether a failure is the last word: X has judged the request itself, or may have taken something."""
    if isinstance(error, CallFailed):
        taken_nothing = error.verdict.taken is Taken.NO
        return not taken_nothing or error.verdict.outcome is Outcome.CALLER_FAULT
    return act.sent and not isinstance(error, ActionError)
