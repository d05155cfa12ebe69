"""The pool: who gets which connection, and when.

All state moves in synchronous code, one step at a time; what must be awaited (closing a client, saving
an account's state) follows in tasks that the pool owns. Two rules make it fair and safe:

- No waiter could be served by any idle connection. A connection that comes free is handed straight to
  the best waiter it can serve, so a newcomer never overtakes anyone.
- A hand-over is complete the moment the waiter's future has its connection. A waiter that is cancelled in
  that very tick gives it back before it goes.

An exclusive connection belongs to one account: leased, idle, being renewed, or benched with its account.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from twikit_pool.accounts import CookieFolder
from twikit_pool.accounts.model import Account, AccountState
from twikit_pool.accounts.source import AccountSource
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import (
    AccountError,
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeout,
    NoAccountAvailable,
    PoolClosed,
    PoolOverloaded,
    StoreError,
)
from twikit_pool.events import (
    AccountStateChanged,
    AcquireTimedOut,
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
from twikit_pool.pool.deadlines import Deadline, Deadlines
from twikit_pool.pool.execution import Execution, RetryBudget, execute, pages
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.pool.waiting import Line, Waiter
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import WELL, CallFailed, Outcome, Verdict
from twikit_pool.sessions.session import TwikitSession

T = TypeVar("T")

SHUTDOWN_GRACE: Final = 10.0
"""Seconds that running leases have to end when the pool shuts down."""

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
        self._connections: dict[str, PooledTwikitConnection] = {}
        self._idle: dict[str, PooledTwikitConnection] = {}  # in the order they came back, hottest last
        self._line = Line()
        self._arrivals = count()
        self._deadlines: Deadlines | None = None
        self._thaw: Deadline | None = None
        self._thaw_at = float("inf")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._shut_down = False
        self._all_returned = asyncio.Event()
        self._owned: AccountSource | None = None

    @classmethod
    def from_cookies(
        cls, files: str | Path, config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG
    ) -> Self:
        """A pool over a folder of cookie files, or a pattern such as `cookies/*.json`.

        The file's name without its ending is the account's id. Use it with `async with`.

        Raises:
            AccountError: no file there holds the cookies of a logged-in account.
        """
        source = CookieFolder(files)
        pool = cls(TwikitSessionManager(source), config)
        pool._owned = source
        return pool

    # ------------------------------------------------------------ opening and shutting down

    async def open(self) -> None:
        """Make a place for every account of the source, up to `max_connections`. Sends nothing.

        Raises:
            PoolClosed: the pool was shut down; make another.
        """
        if self._closing:
            raise PoolClosed(f"pool {self.pool_id!r} was shut down; make another")
        if self._deadlines is not None:
            return
        accounts = [account for account in await self.sessions.accounts() if self._accept(account)]
        self._deadlines = Deadlines(asyncio.get_running_loop())
        now = self.clock.now()
        accounts = sorted(accounts, key=lambda account: not account.standing.usable(now))
        for account in accounts[: self.config.max_connections]:
            connection = PooledTwikitConnection(account, self.sessions.windows(account.id))
            self._connections[account.id] = connection
            self._publish(ConnectionCreated, account_id=account.id)
            self._offer(connection)
        self._publish(PoolOpened, accounts=len(self._connections))

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
        if self._deadlines is None:
            return
        for waiter in self._line:
            self._refuse(waiter, PoolClosed(f"pool {self.pool_id!r} is shutting down"))
        try:
            await self._leases_to_end(grace)
        finally:
            self._deadlines.close()
            for connection in self._connections.values():
                self._close(connection, "the pool shut down")
            while self._tasks:
                await asyncio.wait(self._tasks)
            if self._owned is not None:
                await self._owned.aclose()
            if not self._shut_down:
                self._shut_down = True
                self._publish(PoolShutDown)

    async def _leases_to_end(self, grace: float) -> None:
        if not self._any_leased():
            return
        try:
            async with asyncio.timeout(grace):
                await self._all_returned.wait()
        except TimeoutError:
            held = [c.account_id for c in self._connections.values() if c.state is ConnectionState.LEASED]
            logger.warning("closing %d connections still in use after %g s: %s", len(held), grace, held)

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
        on_send: Callable[[], None] | None = None,
    ) -> Execution:
        """As `execute`, and say who did it, in how many attempts and how long it took.

        `on_send` is called just before a request that counts leaves; see `TwikitSession.execute`.
        """
        request = ConnectionRequest.to(action, account_id=account, priority=priority, timeout=timeout)
        return await execute(self, action, request, on_send)

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
        tally = Counter(connection.state for connection in self._connections.values())
        return {state: tally[state] for state in ConnectionState}

    @property
    def size(self) -> int:
        """How many connections there are, in any state."""
        return len(self._connections)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._line)

    def connections(self) -> Iterable[PooledTwikitConnection]:
        """Every connection, to look at."""
        return self._connections.values()

    # ------------------------------------------------------------ matching

    async def obtain(self, request: ConnectionRequest) -> PooledTwikitConnection:
        """A leased connection for this request; what `Lease` awaits. Raises as `acquire` says."""
        deadlines = self._open_deadlines()
        if self.clock.monotonic() >= self._thaw_at:
            self._match_waiters()  # a window has just ended: those who waited for it go first
        began = self.clock.monotonic()
        connection = self._best_idle(request)
        if connection is not None:
            self._lease(connection)
        else:
            connection = await self._wait_in_line(request, deadlines)
        self._publish(
            ConnectionLeased,
            account_id=connection.account_id,
            priority=request.priority,
            action=request.action,
            waited=self.clock.monotonic() - began,
        )
        return connection

    async def _wait_in_line(self, request: ConnectionRequest, deadlines: Deadlines) -> PooledTwikitConnection:
        hopeless = self._why_hopeless(request)
        if hopeless is not None:
            raise hopeless
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiter = Waiter(
            rank=now + self.config.head_starts[request.priority - 1],
            arrival=next(self._arrivals),
            request=request,
            granted=loop.create_future(),
        )
        self._make_room_for(waiter)
        self._line.join(waiter)
        timeout = request.timeout if request.timeout is not None else self.config.acquire_timeout
        if timeout is not None:
            waiter.timeout = deadlines.add(now + timeout, lambda: self._time_out(waiter, timeout))
        self._watch_windows_for(request)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.cancelled():
                self._line.leave(waiter)
            elif waiter.granted.exception() is None:
                # Handed over and cancelled in the same tick: pass it on, or it would be lost.
                connection = waiter.granted.result()
                self.give_back(connection, connection.epoch)
            raise

    def _best_idle(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        """The idle connection used last, of those that can serve the request now: hot stays hot."""
        if request.account_id is not None:
            connection = self._idle.get(request.account_id)
            fits = connection is not None and self._fits(connection, request)
            return connection if fits else None
        return next((each for each in reversed(self._idle.values()) if self._fits(each, request)), None)

    @staticmethod
    def _fits(connection: PooledTwikitConnection, request: ConnectionRequest) -> bool:
        return connection.could_serve(request) and connection.wait_for(request) <= 0

    def _offer(self, connection: PooledTwikitConnection) -> None:
        """Give a connection that has nothing to do to the best waiter, or put it by."""
        if self._closing:
            self._close(connection, "the pool is shutting down")
            return
        standing = connection.account.standing
        if not standing.usable(self.clock.now()):
            self._bench(connection)
            return
        waiter = self._line.first(lambda request: self._fits(connection, request))
        if waiter is not None:
            self._line.leave(waiter)
            self._lease(connection)
            waiter.granted.set_result(connection)
            return
        connection.state = ConnectionState.IDLE
        self._idle[connection.account_id] = connection
        for waiting in self._line:
            self._watch(connection, waiting.request)

    def _lease(self, connection: PooledTwikitConnection) -> None:
        self._idle.pop(connection.account_id, None)
        connection.state = ConnectionState.LEASED
        connection.epoch += 1
        connection.leased_at = self.clock.monotonic()

    def _match_waiters(self) -> None:
        """Serve every waiter that an idle connection can serve by now, the best first."""
        self._stop_watching()
        in_vain: set[tuple[str | None, str | None, frozenset[str]]] = set()
        for waiter in self._line:
            request = waiter.request
            need = (request.account_id, request.endpoint, request.capabilities)
            if need in in_vain:
                continue
            connection = self._best_idle(request)
            if connection is None:
                in_vain.add(need)
                self._watch_windows_for(request)
            else:
                self._line.leave(waiter)
                self._lease(connection)
                waiter.granted.set_result(connection)

    def _watch_windows_for(self, request: ConnectionRequest) -> None:
        """Match again when the first window opens that keeps an idle connection from this request."""
        for connection in self._idle.values():
            self._watch(connection, request)

    def _watch(self, connection: PooledTwikitConnection, request: ConnectionRequest) -> None:
        if not connection.could_serve(request):
            return
        opens = self.clock.monotonic() + connection.wait_for(request)
        if opens < self._thaw_at:
            self._stop_watching()
            self._thaw_at = opens
            self._thaw = self._open_deadlines().add(opens, self._match_waiters)

    def _stop_watching(self) -> None:
        if self._thaw is not None:
            self._thaw.cancel()
        self._thaw, self._thaw_at = None, float("inf")

    # ------------------------------------------------------------ waiters that are not served

    def _refuse(self, waiter: Waiter, error: Exception) -> None:
        if not waiter.granted.done():
            self._line.leave(waiter)
            waiter.granted.set_exception(error)

    def _time_out(self, waiter: Waiter, timeout: float) -> None:
        request = waiter.request
        self._publish(
            AcquireTimedOut,
            account_id=request.account_id,
            action=request.action,
            priority=request.priority,
            waited=timeout,
        )
        wish = f"a connection of {request.account_id}" if request.account_id else "a connection"
        purpose = f" for {request.action or request.endpoint}" if request.action or request.endpoint else ""
        message = f"no {wish[2:]}{purpose} within {timeout:g} s: {self.explain(request)}"
        self._refuse(waiter, AcquireTimeout(message))

    def _make_room_for(self, waiter: Waiter) -> None:
        """Refuse the least urgent when the line is full, be it the newcomer."""
        if len(self._line) < self.config.max_waiting:
            return
        error = PoolOverloaded(
            f"{len(self._line)} requests wait for pool {self.pool_id!r} already (max_waiting); "
            "ask again later, or raise the priority or the limit"
        )
        last = self._line.last()
        if last is None or last < waiter:
            raise error
        self._refuse(last, error)

    def _why_hopeless(self, request: ConnectionRequest) -> Exception | None:
        """The error to raise when no account can ever serve the request; None while there is hope."""
        now = self.clock.now()
        if request.account_id is not None:
            connection = self._connections.get(request.account_id)
            if connection is None:
                return AccountNotFound(f"pool {self.pool_id!r} has no account {request.account_id!r}")
            standing = connection.account.standing
            if not connection.may_recover(now):
                return AccountUnavailable(f"{request.account_id} is {standing.state}: {standing.reason}")
        fitting = [each for each in self._connections.values() if each.could_serve(request)]
        if any(each.may_recover(now) for each in fitting):
            return None
        return NoAccountAvailable(
            f"no account can serve {request.action or 'this request'}: {self.explain(request)}"
        )

    def explain(self, request: ConnectionRequest) -> str:
        """What the accounts that could serve a request are doing, in a sentence without secrets."""
        fitting = [each for each in self._connections.values() if each.could_serve(request)]
        if not fitting:
            wanted = ", ".join(sorted(request.capabilities)) or "nothing special"
            return f"none of {len(self._connections)} accounts fits (it must be able to: {wanted})"
        tally: Counter[str] = Counter()
        opens: list[float] = []
        for each in fitting:
            wait = each.wait_for(request)
            if each.state is ConnectionState.BENCHED:
                tally[str(each.account.standing.state)] += 1
            elif wait > 0:
                tally[f"out of {request.endpoint} calls"] += 1
                opens.append(wait)
            else:
                tally[str(each.state)] += 1
        shown = ", ".join(f"{number} {what}" for what, number in tally.most_common())
        soonest = f"; the next window opens in {min(opens):.0f} s" if opens else ""
        return f"of {len(fitting)} accounts {shown}{soonest}"

    # ------------------------------------------------------------ leases

    def holds(self, connection: PooledTwikitConnection, epoch: int) -> bool:
        """Whether the lease of this epoch still holds the connection."""
        return connection.state is ConnectionState.LEASED and connection.epoch == epoch

    def give_back(self, connection: PooledTwikitConnection, epoch: int) -> None:
        """End a lease. Synchronous: the next waiter has the connection before this returns."""
        if not self.holds(connection, epoch):
            return
        self._publish(
            ConnectionReleased,
            account_id=connection.account_id,
            held=self.clock.monotonic() - connection.leased_at,
        )
        session = connection.session
        if session is not None and session.unsettled and not self._closing:
            connection.state = ConnectionState.RENEWING
            self._own(self._renew(connection, session))
        else:
            self._offer(connection)
        if self._closing and not self._any_leased():
            self._all_returned.set()

    def _any_leased(self) -> bool:
        return any(each.state is ConnectionState.LEASED for each in self._connections.values())

    async def _renew(self, connection: PooledTwikitConnection, session: TwikitSession) -> None:
        """Replace a client whose last call did not end; only then may the next caller have it."""
        try:
            await session.renew()
        except (OSError, httpx.HTTPError, RuntimeError) as error:
            logger.warning("the old client of %s did not close cleanly: %s", connection.account_id, error)
        finally:
            if connection.state is ConnectionState.RENEWING:
                self._offer(connection)

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
        try:
            standing = await self.sessions.settle(connection.account_id, verdict)
        except (StoreError, AccountError, OSError) as error:
            # Losing the store never stops the pool: the session knows the new state already.
            logger.warning("the state of %s is not saved: %s", connection.account_id, error)
            standing = connection.account.standing
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

    # ------------------------------------------------------------ accounts that rest, and the end

    def _bench(self, connection: PooledTwikitConnection) -> None:
        connection.state = ConnectionState.BENCHED
        standing = connection.account.standing
        if standing.state is AccountState.QUARANTINED and standing.until is not None:
            rest = (standing.until - self.clock.now()).total_seconds()
            self._open_deadlines().add(
                self.clock.monotonic() + max(rest, 0.0), lambda: self._unbench(connection)
            )
        for waiter in self._line:
            error = self._why_hopeless(waiter.request)
            if error is not None:
                self._refuse(waiter, error)

    def _unbench(self, connection: PooledTwikitConnection) -> None:
        if connection.state is ConnectionState.BENCHED:
            self._offer(connection)

    def _close(self, connection: PooledTwikitConnection, reason: str) -> None:
        if connection.state is ConnectionState.CLOSED:
            return
        self._idle.pop(connection.account_id, None)
        connection.state = ConnectionState.CLOSED
        if connection.session is not None:
            self._own(self.sessions.close(connection.account_id))
        self._publish(ConnectionClosed, account_id=connection.account_id, reason=reason)

    def _open_deadlines(self) -> Deadlines:
        if self._closing:
            raise PoolClosed(f"pool {self.pool_id!r} is shut down")
        if self._deadlines is None:
            raise PoolClosed(
                f"pool {self.pool_id!r} is not open: use `async with pool:` or await pool.open()"
            )
        return self._deadlines

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        if self.events.heard:
            self.events.publish(kind(pool_id=self.pool_id, at=self.clock.now(), **fields))
