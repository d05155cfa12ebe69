"""How many connections there are: opening them when somebody waits, closing them when nobody needs them.

What is decided here is synchronous, like the matching; opening and closing themselves follow in tasks.
Connections are opened for four reasons: somebody waits whom another connection could serve now, an owner's
reservation lacks its connection, there are fewer than the floor, or one was closed that was still wanted.
Never are more being opened for a line than wait in it, and never is one opened beyond the maximum: at the
maximum the connection that has been idle longest makes room. When the maximum is lowered under what there
is, idle ones go at once, and whichever comes free next, whoever waits for it: else a pool that is never idle
would never shrink.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from twikit_pool.clock import Clock
from twikit_pool.errors import ConfigError, TwikitPoolError
from twikit_pool.events import AccountQuarantined, ConnectionClosed, ConnectionCreated, ConnectionOpenFailed
from twikit_pool.pool.connection import IDLE, SHELVED, ConnectionState, PooledTwikitConnection
from twikit_pool.pool.health import Pace
from twikit_pool.pool.hooks import HookFailed, PoolHooks, run_hook
from twikit_pool.pool.matching import NOBODY, Matching
from twikit_pool.pool.member import Bar
from twikit_pool.pool.needs import DEFERRABLE, USABLE
from twikit_pool.pool.waiting import Heads
from twikit_pool.redaction import without_frames

if TYPE_CHECKING:
    import random

    from twikit_pool.pool.member import Member
    from twikit_pool.pool.waiting import Line, Place, Waiter
    from twikit_pool.sessions.manager import TwikitSessionManager
    from twikit_pool.sessions.session import TwikitSession

MOST_DOUBLINGS: Final = 64
"""Times that the pause after failed openings doubles: beyond any setting, and far from a float's end."""

LATEST: Final = 0.1
"""Weight of the latest opening in the mean of how long they take."""

logger = logging.getLogger(__name__)


class Claim(NamedTuple):
    """Room that is wanted for an account's connection: by those in a line, or by a reservation."""

    rank: float
    arrival: int
    member: Member
    line: Line | None


class Lifecycle:
    """Opens and closes the connections of a pool.

    Args:
        matching: where connections are offered.
        sessions: opens and closes the accounts' sessions.
        hooks: the operator's own steps.
        clock, rng: time and chance.
        publish: tells the pool's bus.
        own: `own(coroutine)` runs it as a task of the pool.
    """

    def __init__(
        self,
        matching: Matching,
        sessions: TwikitSessionManager,
        hooks: PoolHooks,
        *,
        clock: Clock,
        rng: random.Random,
        publish: Callable[..., None],
        own: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.target: int | None = None
        """How many are to be kept, when somebody has said so (`resize`)."""
        self.opening: float | None = None
        """Mean seconds that opening took lately; None before anything was opened."""
        self.opened: Callable[[PooledTwikitConnection], None]
        """Called with every connection that has been opened, before anyone can have it."""
        self.may_send: Callable[[PooledTwikitConnection], None]
        """Called before every request that leaves a connection; what it raises stops the request."""
        self.lease_lost: Callable[[PooledTwikitConnection], None]
        """Called when a connection is closed under its borrower."""
        self._matching = matching
        self._sessions = sessions
        self._hooks = hooks
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._own = own
        self._pace = Pace()
        self._making_room = False
        self._hungry = Heads()
        """Lines whose waiters another account could serve, were there room for its connection."""
        self._promised: dict[Member, float] = {}
        """Accounts whose reservation lacks a connection until there is room for it, and its rank."""

    @property
    def size(self) -> int:
        """Connections that are not closed, those being opened included."""
        return len(self._matching.connections)

    @property
    def floor(self) -> int:
        """Connections below which none is closed for being idle, and to which they are filled up."""
        return min(max(self.target or 0, self._matching.config.min_connections), self._matching.most)

    # ------------------------------------------------------------ when to open

    def wanted(self, waiter: Waiter) -> None:
        """Somebody waits: open a connection for him if an account could serve him now."""
        line = waiter.line
        if self._matching.gate == NOBODY or line.opening >= line.waiting:
            return
        member = self._matching.spare_for(line)
        if member is None:
            return
        if self._make_room():
            self._open(member, line)
        else:
            self._hungry.enlist(line)
            self._matching.hunger = True

    def has_room(self, member: Member) -> None:
        """An account could have another connection: open it if that helps anybody."""
        if self._matching.gate == NOBODY:
            return
        if member.unkept is not None:
            self.open_reserved(member)
        elif (waiter := self._matching.best_to_open_for(member)) is not None:
            if self._make_room():
                self._open(member, waiter.line)
                return
            for line in self._matching.lines_served_by(member):
                self._hungry.enlist(line)
            self._matching.hunger = True
        elif self.size < self.floor and not self._making_room:
            self._open(member, None)

    def open_reserved(self, member: Member) -> None:
        """Open a connection for a reservation that lacks one, as soon as there is room."""
        if not member.able or member.unkept is None:
            return
        if self._matching.gate < NOBODY and self._make_room():
            self._open(member, None)
        else:
            rank = self._clock.monotonic() + self._matching.head_start(member.unkept.priority)
            self._promised.setdefault(member, rank)
            self._matching.hunger = True

    def came_free(self) -> None:
        """There may be room now for those who hunger for it; or there are more than there may be."""
        matching = self._matching
        self.shrink(matching.most, self._too_many)
        while matching.gate < NOBODY and (claim := self._best_claim()) is not None:
            if not self._make_room():
                return
            self._open(claim.member, claim.line)
        matching.hunger = self.size > matching.most

    @property
    def _too_many(self) -> str:
        """Why one is closed when there are more than there may be."""
        limited = self._matching.most < self._matching.config.max_connections
        why = self._matching.limit_reason if limited else "max_connections"
        return f"there may be fewer connections now ({why})"

    def gives_way(self, connection: PooledTwikitConnection, place: Place) -> bool:
        """Whether this connection, which has come free, was closed for a claim that comes before this place.

        Without that, a connection that is never idle would never make room for an account without one. One
        that is too many is closed whoever waits for it.
        """
        if self.size > self._matching.most:
            connection.state = ConnectionState.RENEWING  # it lies on no shelf just now
            self._discard(connection, self._too_many)
            return True
        claim = self._best_claim()
        if claim is None or (claim.rank, claim.arrival) >= place[:2]:
            return False
        connection.state = ConnectionState.RENEWING  # it lies on no shelf just now
        self._discard_for_another(connection)
        if self.size < self._matching.most:
            self._open(claim.member, claim.line)
        return True

    def _best_claim(self) -> Claim | None:
        """Who is to have the next room."""
        for member in [each for each in self._promised if each.unkept is None or not each.able]:
            del self._promised[member]  # it is heard of again when that changes
            if member.able:
                self.has_room(member)
        claims = [Claim(rank, 0, member, None) for member, rank in self._promised.items()]
        while (best := self._hungry.best(0)) is not None:
            line = best[2].line
            member = self._matching.spare_for(line)
            if member is not None and line.opening < line.waiting:
                claims.append(Claim(best[0], best[1], member, line))
                break
            self._hungry.drop(line)  # likewise
        return min(claims, key=lambda each: (each.rank, each.arrival), default=None)

    def shrink(self, to: int, reason: str) -> None:
        """Close those that are idle longest, while there are more than this."""
        while self.size > to and (coldest := self.coldest()) is not None:
            self._discard(coldest, reason)

    def fill(self, to: int | None = None) -> None:
        """Open connections up to the floor, or this number, while there are accounts for them."""
        to = self.floor if to is None else min(to, self._matching.most)
        while self.size < to and self._matching.gate < NOBODY:
            member = self._matching.spare.peek(USABLE)
            if member is None:
                return
            self._open(member, None)

    def _make_room(self) -> bool:
        """Whether one more may be opened; at the maximum the one that is idle longest makes room."""
        if self._making_room:
            return False  # the room is for somebody else
        most = self._matching.most
        if self.size >= most and (coldest := self.coldest()) is not None:
            self._discard_for_another(coldest)
        return self.size < most

    def _discard_for_another(self, connection: PooledTwikitConnection) -> None:
        self._making_room = True
        self._discard(connection, "made room for another account")
        self._making_room = False

    def coldest(self) -> PooledTwikitConnection | None:
        """The connection that has been idle longest."""
        return min(self._matching.idle.oldest(), key=lambda each: each.idle_since, default=None)

    # ------------------------------------------------------------ opening

    def _open(self, member: Member, line: Line | None) -> None:
        connection = PooledTwikitConnection(member, self._clock, self._pace)
        self._matching.connections[connection.id] = connection
        member.connections.append(connection)
        if line is not None:
            line.opening += 1
            connection.opened_for = line
            if line.need & DEFERRABLE:
                self._matching.deferral.opening += 1
                self._matching.deferral.settle()
        self._bind_reservation(connection)
        self._matching.reshelve(member)
        self._own(self._open_session(connection))

    def _bind_reservation(self, connection: PooledTwikitConnection) -> None:
        reservation = connection.member.unkept
        if reservation is not None:
            reservation.connection, connection.reservation = connection, reservation

    async def _open_session(self, connection: PooledTwikitConnection) -> None:
        line = connection.opened_for
        member, patience = connection.member, self._matching.config.connection_timeout
        failure: Exception | None = None
        try:
            await run_hook("before_open", self._hooks.before_open, member.account, patience)
            session = connection.session = self._sessions.open_account(member.account)
            session.gate = partial(self.may_send, connection)
            await run_hook("after_open", self._hooks.after_open, connection, patience)
        except asyncio.CancelledError:  # the pool shuts down
            await self._close_session(connection)
            raise
        except Exception as error:  # noqa: BLE001 - a boundary: the client library and the operator's hooks
            failure = without_frames(error)
        if connection.state is ConnectionState.CLOSED:  # it was not wanted any more
            await self._close_session(connection)
            return
        self._no_more_opening(connection)
        connection.idle_since = self._clock.monotonic()
        if failure is not None:
            self._failed(connection, failure)
        else:
            member.failures = 0
            took = connection.idle_since - connection.created
            self.opening = took if self.opening is None else self.opening + LATEST * (took - self.opening)
            connection.generation = 1
            self._publish(ConnectionCreated, account_id=member.id, connection_id=connection.id)
            self.opened(connection)
            self.finished(connection)
        if line is not None and (head := line.head()) is not None:
            self.wanted(head[2])  # it may have gone to somebody more urgent
        self._matching.deferral.settle()

    def _no_more_opening(self, connection: PooledTwikitConnection) -> None:
        connection.state = ConnectionState.RENEWING
        if connection.opened_for is not None:
            connection.opened_for.opening -= 1
            if connection.opened_for.need & DEFERRABLE:
                self._matching.deferral.opening -= 1
            connection.opened_for = None

    def _failed(self, connection: PooledTwikitConnection, failure: Exception) -> None:
        """Leave the account alone for a while, each time longer; another may do."""
        member, config = connection.member, self._matching.config
        most = min(config.open_backoff_max, config.open_backoff * 2.0 ** min(member.failures, MOST_DOUBLINGS))
        seconds = most * self._rng.uniform(0.5, 1.0)
        member.failures += 1
        reason = _in_words(failure)
        logger.warning("opening a connection of %s failed: %s; again in %.0f s", member.id, reason, seconds)
        self._publish(
            ConnectionOpenFailed,
            account_id=member.id,
            connection_id=connection.id,
            reason=reason,
            retry_in=seconds,
        )
        if isinstance(failure, HookFailed):
            self.quarantine(member, reason, seconds)
        if self._matching.members.get(member.id) is member:
            self._let_rest(member, seconds)
        self.close(connection, f"it could not be opened: {reason}")

    def _let_rest(self, member: Member, seconds: float) -> None:
        """Open nothing for an account for so long."""
        if member.rests is not None:
            member.rests.cancel()
        rested = partial(self._rested, member)
        member.rests = self._matching.deadlines.add(self._clock.monotonic() + seconds, rested)

    def _rested(self, member: Member) -> None:
        member.rests = None
        self._matching.reshelve(member)

    def finished(self, connection: PooledTwikitConnection) -> None:
        """What was done to a connection between two leases is done.

        It is offered, but closed if it is spent, and kept back while it pauses.
        """
        if connection.state is ConnectionState.CLOSED:
            return
        if connection.spent is not None:
            self.close(connection, connection.spent)
        elif connection.pause is not None:
            connection.state = ConnectionState.PAUSED
        else:
            self._matching.offer(connection)

    # ------------------------------------------------------------ closing

    def retire(self, connection: PooledTwikitConnection, reason: str) -> None:
        """Close a connection as soon as nobody uses it."""
        if connection.state in SHELVED or connection.state is ConnectionState.PAUSED:
            self.close(connection, reason)
        else:
            connection.spent = connection.spent or reason

    def replace(self, connection: PooledTwikitConnection, reason: str) -> None:
        """The same for one that serves badly: its handshake is not kept, so that the next begins anew."""
        if connection.session is not None:
            connection.session.trusted = False
        self.retire(connection, reason)

    def leave_to_others(self, connection: PooledTwikitConnection, reason: str, seconds: float) -> None:
        """The same; and none is opened for its account for so long, so that another has the place."""
        member = connection.member
        if member.rests is None:
            self._let_rest(member, seconds)
            self._matching.reshelve(member)
        self.replace(connection, reason)

    def close(self, connection: PooledTwikitConnection, reason: str) -> None:
        """Close a connection now, whoever uses it, and open others where they are wanted."""
        self._discard(connection, reason)
        self.came_free()
        self.fill()
        self._matching.deferral.settle()

    def _discard(self, connection: PooledTwikitConnection, reason: str) -> None:
        matching, member = self._matching, connection.member
        opening = connection.state is ConnectionState.OPENING
        if opening:
            self._no_more_opening(connection)
        elif connection.state in SHELVED:
            matching.withdraw(connection)
        elif connection.state is ConnectionState.LEASED:
            matching.end_lease(connection)  # its lease does nothing any more
            self.lease_lost(connection)
        connection.state = ConnectionState.CLOSED
        del matching.connections[connection.id]
        for past in (matching.past, member.past):
            past.add(connection)
        member.connections.remove(connection)
        for timer in (connection.upkeep, connection.pause):
            if timer is not None:
                timer.cancel()
        if connection.reservation is not None:
            connection.reservation.connection = connection.reservation = None
        if connection.session is not None and not opening:  # else whoever opens it closes it
            self._sessions.forget(connection.session)
            self._own(self._close_session(connection))
        self._publish(ConnectionClosed, account_id=member.id, connection_id=connection.id, reason=reason)
        matching.reshelve(member)

    async def _close_session(self, connection: PooledTwikitConnection) -> None:
        session = connection.session
        if session is None:
            return
        try:
            patience = self._matching.config.connection_timeout
            await run_hook("on_close", self._hooks.on_close, connection, patience)
        except HookFailed as error:
            logger.warning("%s: %s", connection.id, error)
        finally:  # also when the shutdown has lost its patience with the hook
            await self.end_session(connection.id, session)

    async def end_session(self, whose: str, session: TwikitSession) -> None:
        """Close a session that nobody uses any more; what its client makes of it is merely logged."""
        try:
            await self._sessions.close_session(session)
        except (OSError, httpx.HTTPError, RuntimeError) as error:
            logger.warning("the client of %s did not close cleanly: %s", whose, error)

    # ------------------------------------------------------------ other limits and settings

    def limit(self, most: int | None, reason: str) -> None:
        """Arguments and errors as `TwikitConnectionPool.limit_size` says."""
        if most is not None and most < 0:
            raise ConfigError(f"a pool may have 0 connections or more, not {most}; None is no limit")
        self._matching.limit, self._matching.limit_reason = most, reason or "limit_size"
        self.came_free()
        self.fill()

    # ------------------------------------------------------------ accounts that may not be used

    def quarantine(self, member: Member, why: str, seconds: float) -> None:
        """Leave an account alone for so long."""
        self._publish(AccountQuarantined, account_id=member.id, seconds=seconds, reason=why)
        self._matching.bar(member, Bar.QUARANTINE, f"quarantined: {why}", seconds)
        self.close_barred(member)

    def heed_settings(self) -> None:
        """Follow other settings: close what is too much now, and open what may be opened now."""
        matching = self._matching
        for member in matching.members.values():
            lasting = [each for each in member.connections if each.spent is None]
            lasting.sort(key=lambda each: (each.state is not IDLE, each.reservation is not None))
            for connection in lasting[: max(len(lasting) - matching.config.max_connections_per_account, 0)]:
                self.retire(connection, "its account may have fewer now (max_connections_per_account)")
        self.came_free()
        self.fill()

    def close_barred(self, member: Member) -> None:
        """Close what an account has open that may not be used, as soon as nobody uses it."""
        if member.bars.keys() - {Bar.ELSEWHERE}:
            for connection in list(member.connections):
                self.replace(connection, f"{member.id} is {member.why_barred}")


def _in_words(failure: Exception) -> str:
    if isinstance(failure, HookFailed | TwikitPoolError):
        return str(failure)
    return type(failure).__name__  # its text may hold a proxy's password
