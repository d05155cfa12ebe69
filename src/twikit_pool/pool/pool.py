"""The pool: warm sessions of many accounts, and the calls that are made on them.

Who gets which connection is decided in `matching`, how many there are in `lifecycle`, both synchronously.
What must be awaited (opening, replacing or closing a client, saving an account's state) follows in tasks
that the pool owns.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from twikit_pool.accounts import CookieFolder
from twikit_pool.accounts.model import Account
from twikit_pool.accounts.source import AccountSource
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import (
    AccountNotFound,
    ConfigError,
    ConnectionNotFound,
    PoolClosed,
    PoolError,
    PostRefused,
)
from twikit_pool.events import (
    Event,
    EventBus,
    PoolOpened,
    PoolReconfigured,
    PoolResized,
    PoolShutDown,
    PostStopped,
)
from twikit_pool.pool.brake import BrakeInfo
from twikit_pool.pool.budget import FleetBudget, budgets_of, fleet_budget, named
from twikit_pool.pool.calls import Calls
from twikit_pool.pool.circuit import CircuitInfo
from twikit_pool.pool.circuits import Circuits
from twikit_pool.pool.connection import ConnectionState, PooledTwikitConnection
from twikit_pool.pool.control import Control, Mode
from twikit_pool.pool.execution import Execution, RetryBudget, execute, pages
from twikit_pool.pool.explanation import Explanation
from twikit_pool.pool.guarding import Guard
from twikit_pool.pool.healing import Healing
from twikit_pool.pool.hooks import PoolHooks
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.lifecycle import Lifecycle
from twikit_pool.pool.matching import Matching
from twikit_pool.pool.member import Bar, Member
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest, check_seconds
from twikit_pool.pool.reservations import Reservation, Reservations
from twikit_pool.pool.roster import Roster
from twikit_pool.pool.status import PoolStatus, status_of
from twikit_pool.pool.tuning import Tuning
from twikit_pool.pool.turnover import Turnover
from twikit_pool.pool.upkeep import Upkeep
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.backend import SessionBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.windows import HANDSHAKE

T = TypeVar("T")

ANYTHING: Final = ConnectionRequest()

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
        hooks: the operator's own steps in a connection's life.
        guard: stands before every write; see `pool.guarding`.
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
        hooks: PoolHooks | None = None,
        guard: Guard | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self.sessions = sessions
        self.pool_id = pool_id
        self.events = events or EventBus()
        self.hooks = hooks or PoolHooks()
        self.guard = guard
        self.clock = clock
        self.rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.retries = RetryBudget()
        self.matching = Matching(pool_id, config, clock, self.events, self._publish)
        """The heart, to look at: what it holds is moved by nobody else."""
        self._lifecycle = Lifecycle(
            self.matching,
            sessions,
            self.hooks,
            clock=clock,
            rng=self.rng,
            publish=self._publish,
            own=self._own,
        )
        self.matching.growth = self._lifecycle
        self._circuits = Circuits(
            self.matching, self._lifecycle, clock=clock, rng=self.rng, publish=self._publish
        )
        self.calls = Calls(
            self.matching, sessions, self._circuits, clock=clock, events=self.events, publish=self._publish
        )
        """Through which leases call X."""
        self._upkeep = Upkeep(
            self.matching,
            self._lifecycle,
            clock=clock,
            rng=self.rng,
            publish=self._publish,
            own=self._own,
            check=self.calls.check,
        )
        self._control = Control(self.matching, self._lifecycle, clock, self._publish)
        self._lifecycle.may_send = self.calls.brake.may_send = self._control.may_send
        self._lifecycle.lease_lost = self.calls.brake.lost
        self.turnover = Turnover(self.matching, self._lifecycle, self.hooks, self._own)
        """Through which leases come and go."""
        self.tuning = Tuning(self.matching, self._lifecycle)
        """Through which connections that cost much are taken last, pause, or go."""
        self._reservations = Reservations(self.matching, self._lifecycle, clock, self._publish)
        self.healing = Healing(
            self.matching,
            sessions,
            self.hooks,
            clock=clock,
            rng=self.rng,
            own=self._own,
            serving=lambda: self.mode is Mode.OPEN,
            end_session=self._lifecycle.end_session,
        )
        """Accounts that get well again."""
        self.roster = Roster(
            self.matching,
            self._lifecycle,
            self._circuits,
            self.healing,
            sessions,
            clock=clock,
            publish=self._publish,
            accept=accept,
            own=self._own,
            refuse_unless_open=self._refuse_unless_open,
        )
        """Which accounts it has."""
        self.sized_by: object | None = None
        """Who decides how many connections there are, so that no two do."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
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

    @property
    def config(self) -> ConnectionPoolConfig:
        """The settings in force."""
        return self.matching.config

    @property
    def mode(self) -> Mode:
        """Whom it serves now."""
        return self._control.mode

    async def open(self) -> None:
        """Take in the accounts of the source and begin to serve. The first connections open meanwhile.

        Raises:
            PoolClosed: the pool was shut down; make another.
        """
        async with self._opening:
            self._refuse_when_closed()
            if self.mode is not Mode.NEW:
                return
            accounts = await self.roster.read()
            self._refuse_when_closed()
            self._control.open()
            self.roster.begin(accounts)
            self.healing.heed_settings()
            self._lifecycle.fill(self.config.initial_connections)
            self._publish(PoolOpened, accounts=len(self.matching.members))

    async def refresh(self) -> None:
        """Read the source again: take in new accounts, and let go of those that are gone.

        Raises:
            PoolClosed: the pool is not open.
        """
        await self.roster.refresh()

    def _refuse_unless_open(self) -> None:
        if self.mode in (Mode.NEW, Mode.CLOSED):
            raise PoolClosed(f"pool {self.pool_id!r} is not open")

    def _refuse_when_closed(self) -> None:
        if self.mode is Mode.CLOSED:
            raise PoolClosed(f"pool {self.pool_id!r} was shut down; make another")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def shutdown(self, grace: float | None = None) -> None:
        """Refuse waiters at once, let running leases end, then close every session.

        Cancelled on the way it still closes everything; calling it again waits for the rest.

        Args:
            grace: seconds that leases have to end; the setting `shutdown_grace` when not given. After that
                their connections are closed under them: their calls fail and their release does nothing.
        """
        first = self.mode is not Mode.CLOSED
        self.roster.close()
        self.healing.close()
        if self.mode is Mode.NEW:
            self._control.open()
        try:
            await self._control.drain(self.config.shutdown_grace if grace is None else grace, Mode.CLOSED)
        finally:
            await self._tasks_to_end()
            self.sessions.unwatch(self.roster)
            self._control.closed()
            self.matching.deadlines.close()
            if self._owned is not None:
                await self.sessions.aclose()
                await self._owned.aclose()
            if first:
                self._publish(PoolShutDown)

    async def _tasks_to_end(self) -> None:
        """Wait for what the pool still has under way; what hangs is cancelled."""
        patience = self.clock.monotonic() + CLOSING_PATIENCE
        while self._tasks and (left := patience - self.clock.monotonic()) > 0:  # one may leave another
            await asyncio.wait(self._tasks, timeout=left)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ------------------------------------------------------------ in operation

    def suspend(self, seconds: float | None = None) -> None:
        """Serve nobody, for so long or until `resume`: who comes waits. Running leases go on.

        Raises:
            PoolClosed: the pool is not open.
        """
        self._control.suspend(seconds)

    def resume(self) -> None:
        """Serve everyone again, after `suspend`, `drain` or an emergency stop.

        Raises:
            PoolClosed: the pool is not open.
        """
        self._control.resume()

    async def drain(self, grace: float | None = None) -> None:
        """Refuse everyone, let running leases end, and close every connection; `resume` begins anew.

        Args:
            grace: seconds that leases have to end; the setting `shutdown_grace` when not given. After that
                their connections are closed under them.

        Raises:
            PoolClosed: the pool is not open.
        """
        self._refuse_unless_open()
        await self._control.drain(self.config.shutdown_grace if grace is None else grace)

    def emergency_stop(self, reason: str, *, pause: float | None = None) -> None:
        """Let nothing but CRITICAL and EMERGENCY requests go on; recover by itself after a while.

        When this returns, whoever else waited is refused, whoever else comes is refused, and no lease of a
        lower priority can send anything more.

        Args:
            reason: for the event and for everyone who is refused.
            pause: seconds; the setting `emergency_pause` when not given.

        Raises:
            PoolClosed: the pool is not open.
        """
        self._control.stop_all_but_critical(reason, self.config.emergency_pause if pause is None else pause)
        self.calls.brake.stop()

    def resize(self, size: int) -> None:
        """Keep so many connections: open what is missing, close the longest idle that are too many.

        More are still opened when requests wait that they would help, up to `max_connections` (`limit_size`
        bounds both); being idle closes none below this size. A leased connection is never touched.

        Raises:
            ConfigError: it is outside `min_connections` … `max_connections`.
            PoolClosed: the pool was shut down.
        """
        self._refuse_when_closed()
        least, most = self.config.min_connections, self.config.max_connections
        if not least <= size <= most:
            raise ConfigError(
                f"a pool of {least} to {most} connections cannot be resized to {size}: change "
                "min_connections or max_connections first (reconfigure)"
            )
        before, kept = self.size, self._lifecycle.target
        self._lifecycle.target = size
        self._lifecycle.shrink(size, f"the pool was resized to {size}")
        self._lifecycle.fill()
        if size != before and (size != kept or self.size != before):  # else nothing comes of it
            self._publish(PoolResized, size=size, before=before)

    def limit_size(self, most: int | None, reason: str = "") -> None:
        """Have so many connections at most, besides what `max_connections` says: whatever asks for more.

        Neither `resize`, `min_connections`, a reservation nor a request that waits opens one beyond it. Where
        there are more, idle ones are closed at once, and leased ones as their leases end, even while others
        wait for them. A connection that is kept for an owner stays until its reservation ends.

        Args:
            most: connections; 0 lets none be opened, None lifts the limit.
            reason: for whoever waits because of it (`explain`, `AcquireTimeoutError`).

        Raises:
            ConfigError: it is less than 0.
        """
        self._lifecycle.limit(most, reason)

    def limit_low(self, most: int | None, reason: str = "") -> None:
        """Let LOW requests lease so many connections at once: work that can wait, waits; no other does.

        Running leases are never touched. A LOW request that gets a connection which is kept for its owner
        (`reserve`) is neither held back nor counted.

        Args:
            most: connections; 0 lets no LOW request begin, None lifts the limit.
            reason: for whoever waits because of it (`explain`, `AcquireTimeoutError`).

        Raises:
            ConfigError: it is less than 0.
        """
        self.matching.deferral.limit(most, reason)

    def reconfigure(self, **changes: Any) -> None:
        """Change settings of the running pool. All are checked together first; then all are in force.

        Raises:
            ConfigError: a setting is unknown or wrong; nothing was changed.
            PoolClosed: the pool was shut down.
        """
        self._refuse_when_closed()
        config = self.config.changed(**changes)
        self.matching.reconfigure(config)
        self.turnover.heed_settings()
        self._circuits.heed_settings()
        self.calls.brake.heed_settings()
        if self.mode is not Mode.NEW:
            self._lifecycle.heed_settings()
            self._upkeep.reschedule()
            self.roster.heed_settings()
            self.healing.heed_settings()
        self._publish(PoolReconfigured, changed=tuple(changes))

    def close_connection(self, connection_id: str, reason: str) -> PooledTwikitConnection:
        """Close a connection as soon as nobody uses it; another is opened where it is wanted.

        Raises:
            ConnectionNotFound: the pool has no such connection.
        """
        connection = self.connection(connection_id)
        self._lifecycle.retire(connection, reason)
        return connection

    def take_back(self, connection_id: str, reason: str) -> PooledTwikitConnection:
        """End a lease now, as after `lease_timeout`: the client is closed under whoever holds it.

        Raises:
            ConnectionNotFound: the pool has no such connection.
            PoolError: nobody holds it.
        """
        connection = self.connection(connection_id)
        if not connection.leased:
            raise PoolError(f"nobody holds {connection.id}: it is {connection.state}, and may be closed")
        self._upkeep.take_back(connection, reason)
        return connection

    def connection(self, connection_id: str) -> PooledTwikitConnection:
        """The connection of this id, to look at.

        Raises:
            ConnectionNotFound: the pool has no such connection.
        """
        connection = self.matching.connections.get(connection_id)
        if connection is None:
            raise ConnectionNotFound(
                f"pool {self.pool_id!r} has no connection {connection_id!r}: it may be closed"
            )
        return connection

    def quarantine(self, account_id: str, reason: str, seconds: float) -> None:
        """Leave an account alone for so long; its connections are closed as their leases end.

        Raises:
            AccountNotFound: the pool has no such account.
            ConfigError: the duration is no positive number.
        """
        check_seconds("the seconds of a quarantine", seconds, least=0.0)
        self._lifecycle.quarantine(self._member(account_id), reason, seconds)

    def end_quarantine(self, account_id: str) -> None:
        """Use the account again, if nothing else speaks against it.

        Raises:
            AccountNotFound: the pool has no such account.
        """
        self.matching.lift(self._member(account_id), Bar.QUARANTINE)

    def _member(self, account_id: str) -> Member:
        member = self.matching.members.get(account_id)
        if member is None:
            raise AccountNotFound(f"pool {self.pool_id!r} has no account {account_id!r}")
        return member

    # ------------------------------------------------------------ reservations

    def reserve(
        self,
        account_id: str | None,
        reserved_for: str,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        duration: float = 300.0,
    ) -> Reservation:
        """Keep a connection for one owner, whose requests (`reserved_for=…`) get it before all others.

        A free connection is kept from now on; one that is leased, from the end of its lease; where none is
        open, one is opened.

        Args:
            account_id: whose connection; None for any account's.
            reserved_for: the owner's name.
            priority: which the owner's requests have at least, while they wait.
            duration: seconds until it expires.

        Raises:
            AccountNotFound, AccountUnavailable, NoAccountAvailable: there is nothing to reserve.
            ReservationConflict: all connections that the account may have are reserved.
            ConfigError: the duration is no positive number.
            PoolClosed: the pool is not open.
        """
        self._refuse_unless_open()
        return self._reservations.reserve(account_id, reserved_for, priority, duration)

    def reservations(self, reserved_for: str | None = None) -> list[Reservation]:
        """The reservations that hold: all, or one owner's."""
        return self._reservations.all() if reserved_for is None else self._reservations.of(reserved_for)

    def set_priority(self, reserved_for: str, priority: ConnectionPriority) -> int:
        """Give all of an owner's reservations this priority; whoever waits in its name moves accordingly.

        Returns:
            How many reservations there are.
        """
        return self._reservations.set_priority(reserved_for, priority)

    # ------------------------------------------------------------ the public face

    def acquire(self, request: ConnectionRequest | None = None) -> Lease:
        """Ask for a connection. Await what comes back, or enter it with `async with`.

        Raises, once awaited or entered:
            AcquireTimeoutError: none came free in time; the message says what they were doing.
            AccountNotFound, AccountUnavailable, NoAccountAvailable: none ever will.
            PoolOverloadedError: too many wait already.
            PoolClosed: the pool is not open.
        """
        return Lease(self, ANYTHING if request is None else request)

    def release(self, lease: Lease) -> None:
        """Give a connection back; the same as `lease.release()`."""
        lease.release()

    async def execute(
        self,
        action: str | Action,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        reserved_for: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        **parameters: Any,
    ) -> Any:
        """Do one thing and return its record, waiting for a connection and for rate limits as needed.

        Reads that fail for a passing reason are tried again, on another account where none is named;
        writes only where X certainly did not take them.

        Args:
            action: a name of the action table with its parameters, or an action made from them.
            account: who does it; None for any account that can.
            priority: how urgent it is.
            reserved_for: the owner whose reserved connections it may use.
            timeout: seconds for each wait for a connection; the pool's `acquire_timeout` when not given.
            deadline: seconds for everything: waits, attempts and pauses. What is under way then is cut short
                and the last failure raised. None for as long as it takes.
            parameters: the action's parameters.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            CallFailed: X did not do it; the verdict says why.
            PostRefused: the pool's guard does not let it go; nothing was sent.
            PoolError: no connection; see `acquire`.
        """
        checked = action if isinstance(action, Action) else parse_action(action, parameters)
        done = await self.perform(
            checked,
            account=account,
            priority=priority,
            reserved_for=reserved_for,
            timeout=timeout,
            deadline=deadline,
        )
        return done.result

    async def perform(
        self,
        action: Action,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        reserved_for: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        on_send: Callable[[str], None] | None = None,
        on_refused: Callable[[], None] | None = None,
    ) -> Execution:
        """As `execute`, and say who did it, in how many attempts and how long it took.

        `on_send` is called with the account's id just before a request that counts leaves (see
        `TwikitSession.execute`), and `on_refused` when an attempt ended and X certainly took nothing of it:
        a journal of writes that may have happened enters one there and strikes it out here.
        """
        if deadline is not None:
            check_seconds("deadline", deadline)
        request = ConnectionRequest.to(
            action, account_id=account, priority=priority, reserved_for=reserved_for, timeout=timeout
        )
        return await execute(self, action, request, deadline=deadline, on_send=on_send, on_refused=on_refused)

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

    # ------------------------------------------------------------ to look at

    def status(self) -> PoolStatus:
        """What it is doing, in numbers."""
        return status_of(self.matching, mode=str(self.mode), at=self.clock.now(), now=self.clock.monotonic())

    def counts(self) -> dict[ConnectionState, int]:
        """How many connections are in each state; together they are all of them."""
        tally = Counter(connection.state for connection in self.connections())
        return {state: tally[state] for state in ConnectionState}

    @property
    def size(self) -> int:
        """How many connections there are, in any state."""
        return len(self.matching.connections)

    @property
    def floor(self) -> int:
        """Connections below which none is closed for being idle."""
        return self._lifecycle.floor

    @property
    def opening(self) -> float | None:
        """Mean seconds that opening a connection took lately; None before one was opened."""
        return self._lifecycle.opening

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self.matching.waiting.total

    @property
    def capacity(self) -> int:
        """How many connections there can be at most, with the accounts there are."""
        config = self.config
        return min(config.max_connections, len(self.account_ids) * config.max_connections_per_account)

    @property
    def account_ids(self) -> AbstractSet[str]:
        """The accounts it may use, with or without a connection."""
        return self.matching.members.keys()

    def accounts(self) -> Iterable[Member]:
        """Every account it may use, to look at."""
        return self.matching.members.values()

    def ill_accounts(self) -> dict[str, str]:
        """The accounts that may not be used now, by id, and why."""
        return {each.id: each.why_barred for each in self.accounts() if each.bars}

    def connections(self) -> Iterable[PooledTwikitConnection]:
        """Every connection, to look at."""
        return self.matching.connections.values()

    def circuits(self) -> tuple[CircuitInfo, ...]:
        """What is broken now, if anything: X, endpoints, accounts, or the client library for an endpoint."""
        return self._circuits.info

    def brake(self) -> BrakeInfo:
        """How many calls may be in flight at once now, in all and through each proxy, and how many wait."""
        return self.calls.brake.info()

    def explain(self, request: ConnectionRequest) -> Explanation:
        """Why this request would wait: what the accounts that could serve it do, and who is before it."""
        return self.matching.refusals.explain(request)

    def budget(self, what: str | Action) -> FleetBudget:
        """What all accounts together can still do: calls left, when more come, who is out. O(accounts).

        Args:
            what: an action (which may ask for capabilities), an action's name, or an endpoint.

        Raises:
            UnknownAction: there is neither an action nor an endpoint of this name.
        """
        endpoint, needs = named(what, self._known_endpoints())
        budgets = budgets_of(self.accounts(), endpoint, needs, self.matching.now())
        return fleet_budget(endpoint, budgets)

    def budgets(self) -> dict[str, FleetBudget]:
        """The same for every endpoint that some account has called, or knows of from before."""
        return {endpoint: self.budget(endpoint) for endpoint in sorted(self._known_endpoints())}

    def _known_endpoints(self) -> set[str]:
        return {endpoint for member in self.accounts() for endpoint in member.windows.endpoints()} - HANDSHAKE

    # ------------------------------------------------------------ tasks and events

    def tell_refused(self, action: Action, account_id: str | None, refused: PostRefused) -> None:
        """Publish that the guard has not let something go."""
        self._publish(
            PostStopped,
            account_id=account_id,
            action=action.name,
            reason=str(refused),
            review_id=refused.review_id,
        )

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _publish(self, kind: type[Event], /, **fields: Any) -> None:
        if self.events.heard:
            self.events.publish(kind(pool_id=self.pool_id, at=self.clock.now(), **fields))
