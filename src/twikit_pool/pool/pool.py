"""The pool: warm sessions of many accounts, and the calls that are made on them.

Who gets which connection is decided in `matching`, synchronously. What must be awaited (replacing or
closing a client, saving an account's state) follows here, in tasks that the pool owns.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from twikit_pool.accounts import CookieFolder
from twikit_pool.accounts.model import Account
from twikit_pool.accounts.source import AccountSource
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import PoolClosed
from twikit_pool.events import (
    AccountStateChanged,
    CallFinished,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionLeased,
    ConnectionReleased,
    EndpointCooling,
    Event,
    EventBus,
    PoolOpened,
    PoolShutDown,
)
from twikit_pool.pool.connection import ConnectionState, PooledTwikitConnection
from twikit_pool.pool.execution import Execution, RetryBudget, execute, pages
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.matching import Matching
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.backend import SessionBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import WELL, CallFailed, Outcome, Verdict
from twikit_pool.sessions.session import TwikitSession

T = TypeVar("T")

SHUTDOWN_GRACE: Final = 10.0
"""Seconds that running leases have to end when the pool shuts down."""

CLOSING_PATIENCE: Final = 5.0
"""Seconds that closing the sessions may take before it is cut short."""

logger = logging.getLogger(__name__)


class TwikitConnectionPool:
    """Warm sessions of many accounts, handed out by priority, inside every rate limit.

        async with TwikitConnectionPool(session_manager) as pool:
            async with pool.acquire(ConnectionRequest(action="post_tweet", timeout=10)) as connection:
                tweet = await connection.execute("post_tweet", content="Hello")

    Args:
        sessions: opens and keeps the accounts' sessions.
        config: sizes, timeouts and head starts.
        pool_id: what it is called in events and messages.
        accept: which of the source's accounts it uses; all by default.
        events: the bus its events go to; its own when not given.
        clock, rng: time and chance. The clock must run with the event loop's.
    """

    def __init__(
        self,
        sessions: TwikitSessionManager,
        config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG,
        *,
        pool_id: str = "default",
        accept: Callable[[Account], bool] = lambda _account: True,
        events: EventBus | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self.sessions = sessions
        self.config = config
        self.pool_id = pool_id
        self._accept = accept
        self.events = events or EventBus()
        self.clock = clock
        self.rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.retries = RetryBudget()
        self._matching = Matching(pool_id, config, clock, self._publish)
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._opened = False
        self._closing = False
        self._shut_down = False
        self._owned: AccountSource | None = None

    @classmethod
    def from_cookies(
        cls,
        files: str | Path,
        config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG,
        *,
        backend: SessionBackend | None = None,
    ) -> Self:
        """A pool over a folder of cookie files, or a pattern such as `cookies/*.json`.

        The file's name without its ending is the account's id. Use it with `async with`. The `backend` is
        the client library; twikit when not given.

        Raises:
            AccountError: no file there holds the cookies of a logged-in account.
        """
        source = CookieFolder(files)
        pool = cls(TwikitSessionManager(source, backend=backend), config)
        pool._owned = source
        return pool

    # ------------------------------------------------------------ opening and shutting down

    async def open(self) -> None:
        """Make a place for every account of the source, up to `max_connections`. Sends nothing.

        Raises:
            PoolClosed: the pool was shut down; make another.
        """
        async with self._opening:
            self._refuse_when_closing()
            if self._opened:
                return
            accounts = await self.sessions.accounts()
            self._refuse_when_closing()
            self._opened = True
            self._matching.start()
            now = self.clock.now()
            accepted = [account for account in accounts if self._accept(account)]
            accepted.sort(key=lambda account: not account.standing.usable(now))
            for account in accepted[: self.config.max_connections]:
                connection = PooledTwikitConnection(account, self.sessions.windows(account.id))
                self._matching.connections[account.id] = connection
                self._publish(ConnectionCreated, account_id=account.id)
                self._matching.offer(connection)
            self._publish(PoolOpened, accounts=self.size)

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise PoolClosed(f"pool {self.pool_id!r} was shut down; make another")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def shutdown(self, grace: float = SHUTDOWN_GRACE) -> None:
        """Refuse waiters at once, let running leases end, then close every session.

        Cancelled on the way it still closes everything; calling it again waits for the rest.

        Args:
            grace: seconds that leases have to end. After that their connections are closed under
                them: their calls fail and their release does nothing.
        """
        self._closing = True
        self._matching.stop()
        try:
            await self._leases_to_end(grace)
        finally:
            for connection in self.connections():
                self._close(connection, "the pool shut down")
            await self._tasks_to_end()
            if self._owned is not None:
                await self.sessions.aclose()
                await self._owned.aclose()
            if not self._shut_down:
                self._shut_down = True
                self._publish(PoolShutDown)

    async def _leases_to_end(self, grace: float) -> None:
        if not self._matching.any_leased():
            return
        try:
            async with asyncio.timeout(grace):
                await self._matching.all_returned.wait()
        except TimeoutError:
            held = [c.account_id for c in self.connections() if c.state is ConnectionState.LEASED]
            logger.warning("closing %d connections still in use after %g s: %s", len(held), grace, held)

    async def _tasks_to_end(self) -> None:
        """Wait for what the pool still has under way; what hangs is cancelled."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_PATIENCE)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ------------------------------------------------------------ the public face

    def acquire(self, request: ConnectionRequest | None = None) -> Lease:
        """Ask for a connection. Await what comes back, or enter it with `async with`.

        Raises, once awaited or entered:
            AcquireTimeout: none came free in time; the message says what they were doing.
            AccountNotFound, AccountUnavailable, NoAccountAvailable: none ever will.
            PoolOverloaded: too many wait already.
            PoolClosed: the pool is not open.
        """
        return Lease(self, request or ConnectionRequest())

    def release(self, lease: Lease) -> None:
        """Give a connection back; the same as `lease.release()`."""
        lease.release()

    async def execute(
        self,
        action: str | Action,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        timeout: float | None = None,
        **parameters: Any,
    ) -> Any:
        """Do one thing and return its record, waiting for a connection and for rate limits as needed.

        Reads that fail for a passing reason are tried again, on another account where none is named;
        writes only where X certainly did not take them.

        Args:
            action: a name of the action table with its parameters, or an action made from them.
            account: who does it; None for any account that can.
            priority: how urgent it is.
            timeout: seconds for each wait for a connection; the pool's `acquire_timeout` when not given.
            parameters: the action's parameters.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            CallFailed: X did not do it; the verdict says why.
            PoolError: no connection; see `acquire`.
        """
        checked = action if isinstance(action, Action) else parse_action(action, parameters)
        return (await self.perform(checked, account=account, priority=priority, timeout=timeout)).result

    async def perform(
        self,
        action: Action,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        timeout: float | None = None,
        on_send: Callable[[str], None] | None = None,
        on_refused: Callable[[], None] | None = None,
    ) -> Execution:
        """As `execute`, and say who did it, in how many attempts and how long it took.

        `on_send` is called with the account's id just before a request that counts leaves (see
        `TwikitSession.execute`), and `on_refused` when an attempt ended and X certainly took nothing of it:
        a journal of writes that may have happened enters one there and strikes it out here.
        """
        request = ConnectionRequest.to(action, account_id=account, priority=priority, timeout=timeout)
        return await execute(self, action, request, on_send=on_send, on_refused=on_refused)

    def iterate(
        self,
        action: str,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        limit: int | None = None,
        **parameters: Any,
    ) -> AsyncIterator[Any]:
        """The items of a paged read, page after page; no connection is held between pages.

        Args:
            action: a paged action by name, and its parameters.
            account: who reads. When none is named and the pages belong to whoever asks (a home
                timeline, say), all come from the account that read the first.
            priority: how urgent each page is.
            limit: the most items to yield; None for all there are.
            parameters: the action's parameters.

        Raises:
            ActionError: the action has no pages, or a parameter is wrong; at the first item.
            CallFailed, PoolError: as `execute`.
        """
        checked = parse_action(action, parameters)
        return pages(self, checked, account=account, priority=priority, limit=limit)

    def counts(self) -> dict[ConnectionState, int]:
        """How many connections are in each state; together they are all of them."""
        tally = Counter(connection.state for connection in self.connections())
        return {state: tally[state] for state in ConnectionState}

    @property
    def size(self) -> int:
        """How many connections there are, in any state."""
        return len(self._matching.connections)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._matching.line)

    def connections(self) -> Iterable[PooledTwikitConnection]:
        """Every connection, to look at."""
        return self._matching.connections.values()

    async def obtain(self, request: ConnectionRequest) -> PooledTwikitConnection:
        """A leased connection for this request; what `Lease` awaits. Raises as `acquire` says."""
        connection = self._matching.take(request)
        waited = 0.0
        if connection is None:
            began = self.clock.monotonic()
            connection = await self._matching.wait(request)
            waited = self.clock.monotonic() - began
        if self.events.heard:
            self._publish(
                ConnectionLeased,
                account_id=connection.account_id,
                priority=request.priority,
                action=request.action,
                waited=waited,
            )
        return connection

    def explain(self, request: ConnectionRequest) -> str:
        """What the accounts that could serve a request are doing, in a sentence without secrets."""
        return self._matching.explain(request)

    # ------------------------------------------------------------ leases

    def holds(self, connection: PooledTwikitConnection, epoch: int) -> bool:
        """Whether the lease of this epoch still holds the connection."""
        return connection.state is ConnectionState.LEASED and connection.epoch == epoch

    def give_back(self, connection: PooledTwikitConnection, epoch: int) -> None:
        """End a lease. Synchronous: the next waiter has the connection before this returns."""
        if not self.holds(connection, epoch):
            return
        if self.events.heard:
            held = self.clock.monotonic() - connection.leased_at
            self._publish(ConnectionReleased, account_id=connection.account_id, held=held)
        session = connection.session
        if session is not None and session.unsettled and not self._closing:
            self._matching.withdraw(connection, ConnectionState.RENEWING)
            self._own(self._renew(connection, session))
        else:
            self._matching.offer(connection)

    async def _renew(self, connection: PooledTwikitConnection, session: TwikitSession) -> None:
        """Replace a client whose last call did not end; only then may the next caller have it."""
        try:
            await session.renew()
        except (OSError, httpx.HTTPError, RuntimeError) as error:
            logger.warning("the old client of %s did not close cleanly: %s", connection.account_id, error)
        finally:
            if connection.state is ConnectionState.RENEWING:
                self._matching.offer(connection)

    def session_of(self, connection: PooledTwikitConnection) -> TwikitSession:
        """The connection's session, opened with its first use."""
        if connection.session is None:
            connection.session = self.sessions.open_account(connection.account)
        return connection.session

    async def attempt(
        self,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        call: Callable[[float], Awaitable[T]],
        timeout: float | None,
    ) -> T:
        """Make one call on a leased connection, and carry out what its outcome means for the account."""
        connection.calls += 1
        began = self.clock.monotonic()
        try:
            result = await call(timeout if timeout is not None else self.config.call_timeout)
        except CallFailed as failure:
            verdict = failure.verdict
            self._finished(connection, name, began, verdict)
            await self._settle(connection, verdict, endpoint)
            raise
        self._finished(connection, name, began, WELL)
        if endpoint is not None:
            self.sessions.went_well(endpoint)
        return result

    def _finished(
        self, connection: PooledTwikitConnection, name: str, began: float, verdict: Verdict
    ) -> None:
        if self.events.heard:
            self._publish(
                CallFinished,
                account_id=connection.account_id,
                action=name,
                outcome=verdict.outcome.value,
                latency=self.clock.monotonic() - began,
                status=verdict.status,
                code=verdict.code,
            )

    async def _settle(
        self, connection: PooledTwikitConnection, verdict: Verdict, endpoint: str | None
    ) -> None:
        standing = await self.sessions.settle(connection.account_id, verdict)
        if standing is not None:
            self._publish(
                AccountStateChanged,
                account_id=connection.account_id,
                state=standing.state.value,
                reason=standing.reason,
            )
        elif verdict.outcome is Outcome.RATE_LIMITED and verdict.endpoint is not None:
            seconds = connection.windows.wait(verdict.endpoint)
            if endpoint is not None and endpoint != verdict.endpoint:
                # A call may need several operations; with one of them used up, the whole call must rest.
                connection.windows.rest(endpoint, seconds)
            self._publish(
                EndpointCooling,
                account_id=connection.account_id,
                endpoint=verdict.endpoint,
                seconds=seconds,
                reason=verdict.reason,
            )

    def _close(self, connection: PooledTwikitConnection, reason: str) -> None:
        if connection.state is ConnectionState.CLOSED:
            return
        self._matching.withdraw(connection, ConnectionState.CLOSED)
        if connection.session is not None:
            self._own(self.sessions.close(connection.account_id))
        self._publish(ConnectionClosed, account_id=connection.account_id, reason=reason)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        # On a call's way the caller asks `heard` first, so that nothing is built for nobody.
        if self.events.heard:
            self.events.publish(kind(pool_id=self.pool_id, at=self.clock.now(), **fields))
