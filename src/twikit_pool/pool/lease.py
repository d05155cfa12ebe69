"""The right to use a connection until it is given back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twikit_pool.errors import LeaseLost
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.media import Media

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.pool import TwikitConnectionPool
    from twikit_pool.pool.request import ConnectionRequest

T = TypeVar("T")


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

    __slots__ = ("_connection", "_epoch", "_pool", "_used", "request")

    def __init__(self, pool: TwikitConnectionPool, request: ConnectionRequest) -> None:
        self._pool = pool
        self.request = request
        self._connection: PooledTwikitConnection | None = None
        self._epoch = -1
        self._used = False

    def __await__(self) -> Generator[Any, None, Self]:
        return self._obtain().__await__()

    async def _obtain(self) -> Self:
        if self._used:
            raise LeaseLost("this lease was used already; call pool.acquire() again for another")
        self._used = True
        connection = await self._pool.obtain(self.request)
        self._connection, self._epoch = connection, connection.epoch
        return self

    async def __aenter__(self) -> Self:
        return await self._obtain()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether the connection is still this lease's."""
        connection = self._connection
        return connection is not None and self._pool.holds(connection, self._epoch)

    @property
    def connection(self) -> PooledTwikitConnection:
        """The connection itself.

        Raises:
            LeaseLost: it is not held any more, or not yet.
        """
        if self._connection is None or not self.held:
            raise LeaseLost(
                "the connection is not held: enter the lease with `async with`, or await it, and use it "
                "before it is released"
            )
        return self._connection

    @property
    def account_id(self) -> str:
        """Whose connection it is. Raises `LeaseLost` as `connection` does."""
        return self.connection.account_id

    @property
    def client(self) -> Any:
        """The account's real twikit client, for whatever the named actions lack. Not to be kept."""
        return self._pool.session_of(self.connection).client

    async def execute(self, action: str | Action, *, timeout: float | None = None, **parameters: Any) -> Any:
        """Do one thing on this connection, once, and return its record.

        Args:
            action: a name of the action table with its parameters, or an action made from them.
            timeout: the call's overall deadline in seconds; the pool's `call_timeout` when not given.
            parameters: the action's parameters.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            CallFailed: X did not do it; the verdict says why.
            LeaseLost: the connection is not held any more.
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
        session = self._pool.session_of(self.connection)
        return await self._pool.attempt(
            self.connection,
            action.name,
            action.spends,
            lambda deadline: session.execute(action, timeout=deadline, files=files, on_send=on_send),
            timeout,
        )

    async def call(
        self,
        name: str,
        use: Callable[[Any], Awaitable[T]],
        *,
        endpoint: str | None = None,
        timeout: float | None = None,
    ) -> T:
        """Use the real client under the pool's care: `use(client)`, with a deadline, watched and judged.

        Raises as `execute` does.
        """
        session = self._pool.session_of(self.connection)
        return await self._pool.attempt(
            self.connection,
            name,
            endpoint,
            lambda deadline: session.call(
                name, lambda: use(session.client), endpoint=endpoint, timeout=deadline
            ),
            timeout,
        )

    def release(self) -> None:
        """Give the connection back, at once. Does nothing when it is not held (any more)."""
        if self._connection is not None:
            self._pool.give_back(self._connection, self._epoch)

    def __repr__(self) -> str:
        state = f"of {self._connection.account_id}" if self._connection else "not entered"
        return f"<Lease {state}{'' if self.held else ', not held'}>"
