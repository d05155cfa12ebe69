"""The right to use a connection until it is given back."""

from __future__ import annotations

import traceback
from asyncio import current_task, get_running_loop
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from twikit_pool.errors import LeaseLost, PoolError, PostRefused
from twikit_pool.pool.guarding import through
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.media import Media

if TYPE_CHECKING:
    from twikit_pool.pool.connection import ConnectionInfo, PooledTwikitConnection
    from twikit_pool.pool.guarding import Passage
    from twikit_pool.pool.pool import TwikitConnectionPool
    from twikit_pool.pool.request import ConnectionRequest
    from twikit_pool.sessions.session import TwikitSession

T = TypeVar("T")

UNUSED: Final = -2
USED: Final = -1
"""Epochs of a lease that has no connection: not yet, and not any more."""


class Lease:
    """A connection for a while: await it or enter it with `async with`.

        async with pool.acquire(request) as connection:
            await connection.execute("like_tweet", tweet_id="20")

        connection = await pool.acquire(request)
        try: ...
        finally: connection.release()

    A lease is good for one acquisition. Releasing it twice does nothing; using it after it was released,
    or after the pool took the connection back, raises `LeaseLost`.
    """

    __slots__ = ("_connection", "_epoch", "_pool", "request")

    def __init__(self, pool: TwikitConnectionPool, request: ConnectionRequest) -> None:
        self._pool = pool
        self.request = request
        self._connection: PooledTwikitConnection | None = None
        self._epoch = UNUSED

    def __await__(self) -> Generator[Any, None, Self]:
        if self._epoch != UNUSED:
            raise LeaseLost("this lease was used already; call pool.acquire() again for another")
        self._epoch = USED
        pool, request = self._pool, self.request
        matching = pool.matching
        if get_running_loop() is not matching.loop and matching.loop is not None:
            raise PoolError(
                f"pool {pool.pool_id!r} belongs to another event loop: use it where it was opened, "
                "or make one for this loop"
            )
        connection, came = matching.take(request), None
        if connection is None:
            came = matching.now()
            connection = yield from self._wait(came)
        if pool.turnover.hooks.on_acquire is not None:
            came = connection.leased_at if came is None else came
            connection = yield from self._introduced(connection, came)
        self._connection = connection
        self._epoch = connection.epoch
        connection.borrower = current_task(matching.loop)
        if matching.debug:
            connection.stack = "".join(traceback.format_stack()[:-1])
        return self

    def _introduced(
        self, connection: PooledTwikitConnection, came: float
    ) -> Generator[Any, None, PooledTwikitConnection]:
        """This connection or, if the hook fails on its account, another; the request keeps its place."""
        pool, matching = self._pool, self._pool.matching
        while not (yield from pool.turnover.introduce(connection).__await__()):
            connection = matching.take(self.request) or (yield from self._wait(came))
        return connection

    def _wait(self, came: float) -> Generator[Any, None, PooledTwikitConnection]:
        waiter = self._pool.matching.join(self.request, came)
        resumed = False
        try:
            granted = yield from waiter
            resumed = True
        finally:
            if not resumed:
                self._pool.turnover.abandon(waiter)
        if granted.epoch != waiter.epoch:
            raise LeaseLost(f"{granted.id} was closed on its way to this request; ask again")
        return granted

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether the connection is still this lease's."""
        return self._connection is not None and self._connection.epoch == self._epoch

    @property
    def connection(self) -> PooledTwikitConnection:
        """The connection itself.

        Raises:
            LeaseLost: it is not held any more, or not yet.
        """
        if self._connection is None or not self.held:
            if self._connection is not None:
                raise LeaseLost(
                    f"{self._connection.id} is not held any more: it was released, or taken back by the pool "
                    "(lease_timeout, drain, shutdown); acquire again"
                )
            raise LeaseLost("the connection is not held yet: enter the lease with `async with`, or await it")
        return self._connection

    @property
    def account_id(self) -> str:
        """Whose connection it is. Raises `LeaseLost` as `connection` does."""
        return self.connection.account_id

    @property
    def info(self) -> ConnectionInfo:
        """What the connection tells of itself. Raises `LeaseLost` as `connection` does."""
        return self.connection.info

    @property
    def session(self) -> TwikitSession:
        """The connection's session. Raises `LeaseLost` as `connection` does."""
        session = self.connection.session
        if session is None:
            raise LeaseLost(f"{self.account_id} has no open session")
        return session

    @property
    def client(self) -> Any:
        """The account's real twikit client, for whatever the named actions lack. Not to be kept."""
        return self.session.client

    async def execute(self, action: str | Action, *, timeout: float | None = None, **parameters: Any) -> Any:
        """Do one thing on this connection, once, and return its record.

        Args:
            action: a name of the action table with its parameters, or an action made from them.
            timeout: the call's overall deadline in seconds; the pool's `call_timeout` when not given.
            parameters: the action's parameters.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            CallFailed: X did not do it; the verdict says why.
            PostRefused: the pool's guard does not let it go; nothing was sent.
            LeaseLost: the connection is not held any more.
            EmergencyStopped: the pool makes an emergency stop; the request that counts was not sent.
        """
        checked = action if isinstance(action, Action) else parse_action(action, parameters)
        return await self.carry_out(checked, await attachments(checked), timeout=timeout)

    async def carry_out(
        self,
        action: Action,
        files: Sequence[Media] = (),
        *,
        timeout: float | None = None,
        on_send: Callable[[], None] | None = None,
    ) -> Any:
        """As `execute`, with checked parameters, media at hand and a say at the last moment (`on_send`)."""
        passage = await self._admitted(action, files)
        session = self.session
        return await through(
            passage,
            lambda leaving: self._pool.calls.attempt(
                self.connection,
                action.name,
                action.spends,
                lambda deadline: session.execute(action, timeout=deadline, files=files, on_send=leaving),
                timeout,
            ),
            on_send,
        )

    async def _admitted(self, action: Action | None, files: Sequence[Media] = ()) -> Passage | None:
        """Past the pool's guard, where there is one and something is written."""
        pool, guard = self._pool, self._pool.guard
        if guard is None or action is None:
            return None
        account, owner = self.connection.account, self.request.reserved_for
        try:
            return await guard.admit(action, account, pool_id=pool.pool_id, owner=owner, files=files)
        except PostRefused as refused:
            pool.tell_refused(action, account.id, refused)
            raise

    async def call(
        self,
        name: str,
        use: Callable[[Any], Awaitable[T]],
        *,
        endpoint: str | None = None,
        timeout: float | None = None,
        writes: Action | None = None,
    ) -> T:
        """Use the real client under the pool's care: `use(client)`, with a deadline, watched and judged.

        `writes` is the action that this comes to, for the pool's guard, which cannot see what `use` sends.
        Raises as `execute` does.
        """
        passage = await self._admitted(writes)
        session = self.session
        return await through(
            passage,
            lambda leaving: self._pool.calls.attempt(
                self.connection,
                name,
                endpoint,
                lambda deadline: session.call(
                    name, lambda: use(session.client), endpoint=endpoint, timeout=deadline, on_send=leaving
                ),
                timeout,
            ),
            None,
        )

    def release(self) -> None:
        """Give the connection back, at once. Does nothing when it is not held (any more)."""
        connection = self._connection
        if connection is not None and connection.epoch == self._epoch:
            self._pool.turnover.give_back(connection)

    def __repr__(self) -> str:
        state = f"of {self._connection.account_id}" if self._connection else "not entered"
        return f"<Lease {state}{'' if self.held else ', not held'}>"
