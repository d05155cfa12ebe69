"""Who gets which connection: the synchronous heart of the pool.

All state moves in synchronous code, one step at a time. Two rules make it fair and safe:

- No waiter could be served by any idle connection. A connection that comes free is handed straight to
  the best waiter it can serve, so a newcomer never overtakes anyone.
- A hand-over is complete the moment the waiter's future has its connection. A waiter that is cancelled in
  that very tick gives it back before it goes.

Idle connections lie in the order they came back, the hottest last; the search is linear in them and in
the waiters, which is right for hundreds of accounts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

from twikit_pool.accounts.model import AccountState
from twikit_pool.clock import Clock
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeout,
    NoAccountAvailable,
    PoolClosed,
    PoolOverloaded,
)
from twikit_pool.events import AcquireTimedOut
from twikit_pool.pool.connection import ConnectionState, PooledTwikitConnection
from twikit_pool.pool.deadlines import Deadline, Deadlines
from twikit_pool.pool.request import ConnectionRequest
from twikit_pool.pool.waiting import Line, Waiter


class Matching:
    """Connections on one side, waiters on the other.

    Args:
        pool_id: the pool's name, for messages.
        config: head starts, timeouts and limits.
        clock: runs with the event loop's time.
        publish: `publish(kind, **fields)` tells the pool's bus.
    """

    def __init__(
        self, pool_id: str, config: ConnectionPoolConfig, clock: Clock, publish: Callable[..., None]
    ) -> None:
        self.connections: dict[str, PooledTwikitConnection] = {}
        self.line = Line()
        self._pool_id = pool_id
        self._config = config
        self._clock = clock
        self._publish = publish
        self._idle: dict[str, PooledTwikitConnection] = {}
        self._arrivals = count()
        self._deadlines: Deadlines | None = None
        self._thaw: Deadline | None = None
        self._thaw_at = float("inf")
        self._stopped = False
        self.all_returned = asyncio.Event()
        """Set once nobody holds a connection any more, after `stop`."""

    def start(self) -> None:
        """Begin; from here on there is a running event loop."""
        self._deadlines = Deadlines(asyncio.get_running_loop())

    def stop(self) -> None:
        """Refuse everyone who waits or comes. Harmless when called again."""
        self._stopped = True
        for waiter in self.line:
            self._refuse(waiter, PoolClosed(f"pool {self._pool_id!r} is shutting down"))
        if self._deadlines is not None:
            self._deadlines.close()

    def any_leased(self) -> bool:
        """Whether anyone holds a connection."""
        return any(each.state is ConnectionState.LEASED for each in self.connections.values())

    # ------------------------------------------------------------ asking

    def take(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        """A connection that can serve the request now, leased; None when there is none.

        Raises:
            PoolClosed: the pool is not open.
        """
        self._running()
        if self._thaw is not None and self._clock.monotonic() >= self._thaw_at:
            self._match_waiters()  # a window has just opened: those who waited for it go first
        connection = self._best_idle(request)
        if connection is not None:
            self._lease(connection)
        return connection

    async def wait(self, request: ConnectionRequest) -> PooledTwikitConnection:
        """A connection for the request, leased, as soon as one can serve it.

        Raises:
            AcquireTimeout, AccountNotFound, AccountUnavailable, NoAccountAvailable, PoolOverloaded,
            PoolClosed: as `TwikitConnectionPool.acquire` says.
        """
        if self._call_back_recovered():
            connection = self.take(request)
            if connection is not None:
                return connection
        hopeless = self._why_hopeless(request)
        if hopeless is not None:
            raise hopeless
        waiter = self._join(request)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.cancelled():
                self.line.leave(waiter)
            elif waiter.granted.exception() is None:
                # Handed over and cancelled in the same tick: pass it on, or it would be lost.
                self.offer(waiter.granted.result())
            raise

    def _join(self, request: ConnectionRequest) -> Waiter:
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiter = Waiter(
            rank=now + self._config.head_starts[request.priority - 1],
            arrival=next(self._arrivals),
            request=request,
            granted=loop.create_future(),
        )
        self._make_room_for(waiter)
        self.line.join(waiter)
        timeout = request.timeout if request.timeout is not None else self._config.acquire_timeout
        if timeout is not None:
            waiter.timeout = self._running().add(now + timeout, lambda: self._time_out(waiter, timeout))
        self._watch_windows_for(request)
        return waiter

    def _running(self) -> Deadlines:
        if self._stopped:
            raise PoolClosed(f"pool {self._pool_id!r} is shut down")
        if self._deadlines is None:
            raise PoolClosed(
                f"pool {self._pool_id!r} is not open: use `async with pool:` or await pool.open()"
            )
        return self._deadlines

    # ------------------------------------------------------------ matching

    def offer(self, connection: PooledTwikitConnection) -> None:
        """Give a connection that has nothing to do to the best waiter, or put it by."""
        if self._stopped:
            connection.state = ConnectionState.IDLE  # to be closed by whoever stopped us
            if not self.any_leased():
                self.all_returned.set()
            return
        if not self._usable(connection):
            self._bench(connection)
            return
        if not self.line.empty:
            waiter = self.line.first(lambda request: self._fits(connection, request))
            if waiter is not None:
                self._hand_over(connection, waiter)
                return
            for waiting in self.line:
                self._watch(connection, waiting.request)
        connection.state = ConnectionState.IDLE
        self._idle[connection.account_id] = connection

    def withdraw(self, connection: PooledTwikitConnection, state: ConnectionState) -> None:
        """Take a connection out of what can be handed out, into this state."""
        self._idle.pop(connection.account_id, None)
        connection.state = state

    def _lease(self, connection: PooledTwikitConnection) -> None:
        self.withdraw(connection, ConnectionState.LEASED)
        connection.epoch += 1
        connection.leased_at = self._clock.monotonic()

    def _hand_over(self, connection: PooledTwikitConnection, waiter: Waiter) -> None:
        self.line.leave(waiter)
        self._lease(connection)
        waiter.granted.set_result(connection)

    def _best_idle(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        """The idle connection used last, of those that can serve the request now: hot stays hot."""
        if request.account_id is not None:
            connection = self._idle.get(request.account_id)
            fits = connection is not None and self._fits(connection, request)
            return connection if fits else None
        for connection in reversed(self._idle.values()):
            if self._fits(connection, request):
                return connection
        return None

    def _fits(self, connection: PooledTwikitConnection, request: ConnectionRequest) -> bool:
        return (
            connection.could_serve(request) and connection.wait_for(request) <= 0 and self._usable(connection)
        )

    def _usable(self, connection: PooledTwikitConnection) -> bool:
        standing = connection.account.standing
        return standing.state is AccountState.ACTIVE or standing.usable(self._clock.now())

    def _match_waiters(self) -> None:
        """Serve every waiter that an idle connection can serve by now, the best first."""
        self._stop_watching()
        in_vain: set[tuple[str | None, str | None, frozenset[str]]] = set()
        for waiter in self.line:
            request = waiter.request
            need = (request.account_id, request.endpoint, request.capabilities)
            if need in in_vain:
                continue
            connection = self._best_idle(request)
            if connection is None:
                in_vain.add(need)
                self._watch_windows_for(request)
            else:
                self._hand_over(connection, waiter)

    def _watch_windows_for(self, request: ConnectionRequest) -> None:
        """Match again when the first window opens that keeps an idle connection from this request."""
        for connection in self._idle.values():
            self._watch(connection, request)

    def _watch(self, connection: PooledTwikitConnection, request: ConnectionRequest) -> None:
        if not connection.could_serve(request):
            return
        opens = self._clock.monotonic() + connection.wait_for(request)
        if opens < self._thaw_at:
            self._stop_watching()
            self._thaw_at = opens
            self._thaw = self._running().add(opens, self._match_waiters)

    def _stop_watching(self) -> None:
        if self._thaw is not None:
            self._thaw.cancel()
        self._thaw, self._thaw_at = None, float("inf")

    # ------------------------------------------------------------ accounts that rest

    def _bench(self, connection: PooledTwikitConnection) -> None:
        self.withdraw(connection, ConnectionState.BENCHED)
        standing = connection.account.standing
        if standing.state is AccountState.QUARANTINED and standing.until is not None:
            rest = max((standing.until - self._clock.now()).total_seconds(), 0.0)
            self._running().add(self._clock.monotonic() + rest, lambda: self._unbench(connection))
        for waiter in self.line:
            hopeless = self._why_hopeless(waiter.request)
            if hopeless is not None:
                self._refuse(waiter, hopeless)

    def _call_back_recovered(self) -> bool:
        """Offer the benched connections whose accounts were found well meanwhile; whether there were any."""
        recovered = [
            each
            for each in self.connections.values()
            if each.state is ConnectionState.BENCHED and self._usable(each)
        ]
        for connection in recovered:
            self.offer(connection)
        return bool(recovered)

    def _unbench(self, connection: PooledTwikitConnection) -> None:
        if connection.state is ConnectionState.BENCHED:
            self.offer(connection)

    # ------------------------------------------------------------ waiters that are not served

    def _refuse(self, waiter: Waiter, error: Exception) -> None:
        if not waiter.granted.done():
            self.line.leave(waiter)
            waiter.granted.set_exception(error)

    def _time_out(self, waiter: Waiter, timeout: float) -> None:
        request = waiter.request
        if waiter.granted.done():
            return
        fields: dict[str, Any] = {"account_id": request.account_id, "action": request.action}
        self._publish(AcquireTimedOut, priority=request.priority, waited=timeout, **fields)
        whose = f" of {request.account_id}" if request.account_id else ""
        purpose = f" for {request.action or request.endpoint}" if request.action or request.endpoint else ""
        message = f"no connection{whose}{purpose} within {timeout:g} s: {self.explain(request)}"
        self._refuse(waiter, AcquireTimeout(message))

    def _make_room_for(self, waiter: Waiter) -> None:
        """Refuse the least urgent when the line is full, be it the newcomer."""
        if len(self.line) < self._config.max_waiting:
            return
        error = PoolOverloaded(
            f"{len(self.line)} requests wait for pool {self._pool_id!r} already (max_waiting); "
            "ask again later, or raise the priority or the limit"
        )
        last = self.line.last()
        if last is None or last < waiter:
            raise error
        self._refuse(last, error)

    def _why_hopeless(self, request: ConnectionRequest) -> Exception | None:
        """The error to raise when no account can ever serve the request; None while there is hope."""
        now = self._clock.now()
        if request.account_id is not None:
            connection = self.connections.get(request.account_id)
            if connection is None:
                return AccountNotFound(f"pool {self._pool_id!r} has no account {request.account_id!r}")
            if not connection.may_recover(now):
                standing = connection.account.standing
                return AccountUnavailable(f"{request.account_id} is {standing.state}: {standing.reason}")
        if any(each.could_serve(request) and each.may_recover(now) for each in self.connections.values()):
            return None
        return NoAccountAvailable(
            f"no account can serve {request.action or 'this request'}: {self.explain(request)}"
        )

    def explain(self, request: ConnectionRequest) -> str:
        """What the accounts that could serve a request are doing, in a sentence without secrets."""
        fitting = [each for each in self.connections.values() if each.could_serve(request)]
        if not fitting:
            wanted = ", ".join(sorted(request.capabilities)) or "nothing special"
            return f"none of {len(self.connections)} accounts fits (it must be able to: {wanted})"
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
