"""Who gets which connection: the synchronous heart of the pool.

**The idea.** What a connection lacks now is one number, what a request needs is another, and they match
when they share no bit (see `needs`). Free connections lie on a shelf, in groups that lack the same. Waiters
with the same need stand in one line. All connections whose accounts have the same capabilities share the
heads of the lines that they can serve at all, so a connection that comes free finds its best waiter at the
top of one heap, whether ten wait or a hundred thousand. Who waits for one account stands in a line of that
account, and who uses an owner's reservations in a line of that owner.

**The rules.** All state moves in synchronous code, one step at a time; two rules make it fair and safe:

- No waiter could be served by any free connection. A connection that comes free is handed straight to the
  best waiter it can serve, so a newcomer who finds one free overtakes nobody. Whatever makes a connection
  able to do more (a window opens, a bar is lifted, a reservation ends) offers it again, in the same step.
- A hand-over is complete the moment the waiter's future has its connection. A waiter that is cancelled
  before is gone at once; one that is cancelled after gives the connection back before it goes.

**The costs.** Taking and giving back are O(1), waiting and serving O(log n) in the lines and the waiters of
one line. A window that closes or opens costs O(1) for each connection of the account. Looking for a free
connection costs a step for each different lack on the shelf, and is done only when nobody waits in that
line: by the first rule there is none otherwise.

**What was tried.** One sorted list of waiters is right for hundreds and hopeless for thousands. Lines by
what connections lack, in place of what requests need, make thousands of lines out of 68 endpoints that
open and close by themselves; a scan over them cost ten times the hand-over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from twikit_pool.clock import Clock
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    NoAccountAvailable,
    PoolClosed,
    PoolOverloadedError,
)
from twikit_pool.events import AcquireTimedOut, ConnectionLeased, ConnectionReleased, EventBus
from twikit_pool.pool.connection import IDLE, LEASED, RENEWING, RESERVED, SHELVED, PooledTwikitConnection
from twikit_pool.pool.deadlines import Deadlines
from twikit_pool.pool.explanation import Census, Explanation, explain
from twikit_pool.pool.lease_events import LeaseTeller
from twikit_pool.pool.member import Bar, Kind, Member, may_recover
from twikit_pool.pool.needs import USABLE, endpoint_bit, lacks_of
from twikit_pool.pool.request import ConnectionRequest
from twikit_pool.pool.reservations import Owner
from twikit_pool.pool.shelf import RankedGroup, Shelf
from twikit_pool.pool.waiting import PRIORITIES, Line, Place, Waiter, Waiting

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.pool.control import Outstanding
    from twikit_pool.pool.sharing import Sharing
    from twikit_pool.sessions.windows import RateWindows

NOBODY: Final = PRIORITIES + 1
"""The gate that no priority passes."""

FEW_LINES: Final = 8
"""Lines of one account, or owners, that may be kept though nobody waits there."""

Group = dict[PooledTwikitConnection, object]


class Growth(Protocol):
    """Who opens connections; see `Lifecycle`."""

    def wanted(self, waiter: Waiter) -> None:
        """Somebody has begun to wait."""
        ...

    def has_room(self, member: Member) -> None:
        """This account could now serve somebody, had it a connection."""
        ...

    def came_free(self) -> None:
        """A connection is free that nobody who waits can use."""
        ...

    def gives_way(self, connection: PooledTwikitConnection, place: Place) -> bool:
        """A connection is free for this place; whether it was closed for somebody who comes first."""
        ...


class Matching:
    """Connections on one side, waiters on the other.

    Args:
        pool_id: the pool's name, for messages.
        config: head starts, limits and which free connection is taken first.
        clock: runs with the event loop's time.
        events: the bus; leases are told to it as they begin and end.
        publish: `publish(kind, **fields)` tells it what else happens.
    """

    __slots__ = (
        "_arrivals",
        "_census",
        "_clock",
        "_fewest_too_many",
        "_head_starts",
        "_kinds",
        "_leased_event",
        "_lines",
        "_publish",
        "_released_event",
        "config",
        "connections",
        "deadlines",
        "debug",
        "gate",
        "growth",
        "hunger",
        "idle",
        "leases",
        "loop",
        "members",
        "notice",
        "now",
        "outstanding",
        "owners",
        "pool_id",
        "refusal",
        "returns",
        "sharing",
        "spare",
        "waiting",
    )  # in this many attributes, Python would look each up by its name

    def __init__(
        self,
        pool_id: str,
        config: ConnectionPoolConfig,
        clock: Clock,
        events: EventBus,
        publish: Callable[..., None],
    ) -> None:
        self.pool_id = pool_id
        self.config = config
        self.members: dict[str, Member] = {}
        self.connections: dict[str, PooledTwikitConnection] = {}
        self.waiting = Waiting(self._time_out)
        self.owners: dict[str, Owner] = {}
        self.growth: Growth
        self.hunger = False
        """Whether somebody waits whom another account could serve, were there room for its connection."""
        self.gate = NOBODY
        """Requests of a lower priority are not served."""
        self.refusal: Callable[[int], Exception | None] = self._not_open
        """Makes the error for those whom the gate stops, by priority; None for those who may wait."""
        self.notice = ""
        """What those are told besides who wait: that the pool is suspended, say."""
        self.outstanding: Outstanding | None = None
        """The leases that a drain waits for."""
        self.sharing: Sharing | None = None
        """The other pools that may have the same accounts."""
        self.idle: Shelf[PooledTwikitConnection] = Shelf(self._group)
        self.spare: Shelf[Member] = Shelf()
        """Accounts that have room for a connection."""
        self.deadlines: Deadlines
        self._clock = clock
        self.now = clock.monotonic
        """Seconds on the monotonic clock."""
        self._publish = publish
        self.leases = events.tap(ConnectionLeased)
        self.returns = events.tap(ConnectionReleased)
        teller = LeaseTeller(pool_id, clock)
        self._leased_event, self._released_event = teller.leased, teller.released
        self._kinds: dict[int, Kind] = {}
        self._lines: dict[int, Line] = {}
        self._arrivals = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where it runs; None until it is open."""
        self._heed(config)
        self._census: Census | None = None

    def start(self) -> None:
        """Begin; from here on there is a running event loop."""
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(self.loop)
        self.gate = 0

    def set_gate(self, to: int, refusal: Callable[[int], Exception | None]) -> int:
        """Serve requests of this priority and above.

        Args:
            to: the lowest priority that is served; `NOBODY` for none.
            refusal: makes the error for a request of a lower priority, or None for one that may wait.

        Returns:
            How many of those who waited were refused.
        """
        self.gate, self.refusal = to, refusal
        refused = 0
        for waiter in self.waiting.everyone(below=to):
            error = refusal(waiter.request.priority)
            if error is not None:
                waiter.refuse(error)
                refused += 1
        if to < NOBODY:
            self._serve_all()
        return refused

    def reconfigure(self, config: ConnectionPoolConfig) -> None:
        """Follow other settings from now on. Who waits already keeps his place and his timeout."""
        before, self.config = self.config, config
        self._heed(config)
        if config.selection != before.selection:
            free = [each for each in self.connections.values() if each.state in SHELVED]
            for connection in free:
                self.withdraw(connection)
            for connection in free:  # now that no group is left which orders as before
                self._shelf_of(connection).put(connection, connection.member.lacks)
        if config.max_connections_per_account != before.max_connections_per_account:
            for member in list(self.members.values()):
                self.reshelve(member)

    def _heed(self, config: ConnectionPoolConfig) -> None:
        """Keep at hand what every lease and every waiter asks for."""
        self.debug = config.debug
        starts = config.head_starts if config.enable_priority_queuing else (0.0,) * PRIORITIES
        self._head_starts = (max(starts), *starts)  # by priority, which begins with 1
        limits = [each for each in config.max_waiting_by_priority if each is not None]
        self._fewest_too_many = min(config.max_waiting, *limits) if limits else config.max_waiting

    def _not_open(self, _priority: int) -> Exception:
        return PoolClosed(f"pool {self.pool_id!r} is not open: use `async with pool:` or await pool.open()")

    def _group(self) -> Group:
        if self.config.selection == "least_used":
            return RankedGroup(lambda connection: connection.usage_count)
        if self.config.selection == "best_quality":
            return RankedGroup(lambda connection: -connection.quality)
        return {}

    # ------------------------------------------------------------ asking

    def take(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        """A connection that can serve the request now, leased; None when there is none.

        Raises whatever the gate refuses with.
        """
        if self.gate and request.priority < self.gate:
            error = self.refusal(request.priority)
            if error is not None:
                raise error
            return None
        if request.account_id is not None or request.reserved_for is not None:
            connection = self._of_owner_or_account(request)
        else:
            line = self._lines.get(request.need) if self.waiting.total else None
            if line is not None and line.waiting:
                return None  # by the first rule, nothing that is free can serve it
            connection = self.idle.take(request.need)
        if connection is not None:
            self._lease(connection, request, None)
        return connection

    def _of_owner_or_account(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        need, account_id = request.need, request.account_id
        connection: PooledTwikitConnection | None = None
        if request.reserved_for is not None and (owner := self.owners.get(request.reserved_for)):
            connection = self._of_account(account_id, need, owner) if account_id else owner.shelf.take(need)
        if connection is None:
            connection = self._of_account(account_id, need, None) if account_id else self.idle.take(need)
        return connection

    def _of_account(self, account_id: str, need: int, owner: Owner | None) -> PooledTwikitConnection | None:
        """A free connection of this account and of this owner, taken from its shelf."""
        member = self.members.get(account_id)
        if member is None or need & member.lacks:
            return None
        wanted = IDLE if owner is None else RESERVED
        for connection in member.connections:
            if connection.state is wanted and (owner is None or _owner_of(connection) is owner):
                self._shelf_of(connection).remove(connection, member.lacks)
                return connection
        return None

    def join(self, request: ConnectionRequest, came: float) -> Waiter:
        """Begin to wait; await what comes back, and call `Turnover.abandon` with it if that raises.

        Args:
            request: what is wanted.
            came: when it was first asked for, on the monotonic clock.

        Raises:
            AccountNotFound, AccountUnavailable, NoAccountAvailable: nobody will ever serve this.
            PoolOverloadedError: too many wait already.
            AcquireTimeoutError: the timeout is over at once.
        """
        line = self._line_for(request)
        if line is None or (not line.waiting and not line.hopeful):  # who waits has hope already
            raise self._why_hopeless(request)
        timeout = request.timeout
        if timeout is None:
            timeout = self.config.acquire_timeout
        elif timeout <= 0:
            raise self._late(request, 0.0, line, (inf, 0))
        if self.waiting.total >= self._fewest_too_many:
            self._make_room(request)
        waiter = Waiter(loop=self.loop)
        waiter.request, waiter.line, waiter.waiting = request, line, self.waiting
        waiter.came, waiter.timeout, waiter.slot = came, timeout, None
        owner = line.owner
        priority = request.priority if owner is None else max(request.priority, owner.priority)
        waiter.rank = came + self._head_starts[priority]
        waiter.arrival = self._arrivals = self._arrivals + 1
        if timeout is not None:
            waiter.slot = self.deadlines.put(came + timeout, waiter)
        self.waiting.joined(waiter)
        line.join(waiter)
        if self.spare.groups:
            self.growth.wanted(waiter)
        return waiter

    def head_start(self, priority: int) -> float:
        """Seconds that a request of this priority yields to more urgent ones."""
        return self._head_starts[priority]

    def _line_for(self, request: ConnectionRequest) -> Line | None:
        """Where to wait; None for an account that is not there."""
        need, account_id, name = request.need, request.account_id, request.reserved_for
        if account_id is None and name is None:
            return self._lines.get(need) or self._new_line(self._lines, need, None)
        owner = None if name is None else self.owner(name)
        if account_id is not None:
            line = self._line_of_account(account_id, need, owner)
        else:
            assert owner is not None  # noqa: S101 - for the type checker: one of the two is named
            line = owner.lines.get(need) or self._new_line(owner.lines, need, owner)
        if owner is not None and line is not None:
            owner.remember(line)
        return line

    def _line_of_account(self, account_id: str, need: int, owner: Owner | None) -> Line | None:
        member = self.members.get(account_id)
        if member is None:
            return None
        line = member.lines.get((need, owner))
        if line is None:
            if len(member.lines) >= FEW_LINES:
                member.lines = {key: each for key, each in member.lines.items() if each.waiting}
            line = member.lines[need, owner] = Line(need, account_id, owner)
            line.heads = [member.heads]
            line.servers = [] if need & member.kind.lacks else [member]
        return line

    def _new_line(self, lines: dict[int, Line], need: int, owner: Owner | None) -> Line:
        line = lines[need] = Line(need, None, owner)
        kinds = [kind for kind in self._kinds.values() if not need & kind.lacks]
        line.servers = list(kinds)
        line.heads = [kind.heads for kind in kinds]
        if owner is not None:
            line.heads.append(owner.heads)
        return line

    def owner(self, name: str) -> Owner:
        """The owner of this name; made when it is new."""
        owner = self.owners.get(name)
        if owner is None:
            if len(self.owners) >= FEW_LINES:
                self.owners = {name: each for name, each in self.owners.items() if each.needed}
            owner = self.owners[name] = Owner(name, Shelf(self._group))
        return owner

    def _make_room(self, request: ConnectionRequest) -> None:
        """Refuse the least urgent when too many wait, be it the newcomer."""
        most, total = self.config.max_waiting, self.waiting.total
        limit = self.config.max_waiting_by_priority[request.priority - 1]
        if limit is not None and (here := self.waiting.of_priority(request.priority)) >= limit:
            raise self._overloaded(f"{here} of this priority", "max_waiting_by_priority")
        if total >= most:
            last = self.waiting.last(below=request.priority)
            error = self._overloaded(f"{total} requests", "max_waiting")
            if last is None:
                raise error
            last.refuse(error)

    def _overloaded(self, many: str, setting: str) -> PoolOverloadedError:
        return PoolOverloadedError(
            f"{many} wait for pool {self.pool_id!r} already ({setting}); "
            "ask again later, or raise the priority or the limit"
        )

    # ------------------------------------------------------------ giving

    def offer(self, connection: PooledTwikitConnection) -> None:
        """Give a connection that nobody uses to the best waiter it can serve, or put it by."""
        if self.waiting.total and self.gate < NOBODY:
            member = connection.member
            if connection.reservation is None and not member.lines:
                best = member.kind.heads.best(member.lacks)
            else:
                best = self._best_for(connection)
            if best is not None:
                if self.hunger and connection.reservation is None and self.growth.gives_way(connection, best):
                    return
                waiter = best[2]
                waiter.line.take()
                self.waiting.left(waiter)
                self._lease(connection, waiter.request, waiter.came)
                waiter.epoch = connection.epoch
                waiter.set_result(connection)
                return
        reservation, lacks = connection.reservation, connection.member.lacks
        if reservation is None:
            connection.state = IDLE
            self.idle.put(connection, lacks)
            if self.hunger:
                self.growth.came_free()
        else:
            connection.state = RESERVED
            reservation.owner.shelf.put(connection, lacks)

    def _best_for(self, connection: PooledTwikitConnection) -> Place | None:
        member, reservation = connection.member, connection.reservation
        if reservation is None:
            return _better(member.kind.heads.best(member.lacks), member.heads.best(member.lacks))
        owner = reservation.owner
        return _better(owner.heads.best(member.lacks), member.heads.best(member.lacks, owner))

    def best_to_open_for(self, member: Member) -> Waiter | None:
        """The best waiter whom another connection of this account would help, and nobody helps yet."""
        best = _better(
            member.kind.heads.best(member.lacks, to_open=True), member.heads.best(member.lacks, to_open=True)
        )
        return None if best is None else best[2]

    def lines_served_by(self, member: Member) -> Iterator[Line]:
        """The lines in which somebody waits whom this account could serve now."""
        for line in (*member.kind.heads, *member.heads):
            if line.waiting and not line.need & member.lacks:
                yield line

    def _lease(
        self, connection: PooledTwikitConnection, request: ConnectionRequest, came: float | None
    ) -> None:
        connection.state = LEASED
        connection.epoch += 1
        connection.request = request
        connection.leased_at = now = self.now()
        if self.sharing is not None:
            self.sharing.taken(self, connection.member)
        if self.leases.subscriptions:
            waited = 0.0 if came is None else now - came
            self.leases.send((self._leased_event, connection, request, now, waited))

    def end_lease(self, connection: PooledTwikitConnection) -> None:
        """Nobody holds it any more; it must be offered, or closed, in the same step."""
        connection.state = RENEWING
        connection.epoch += 1
        connection.last_used = connection.idle_since = now = self.now()
        since = connection.leased_at
        connection.usage_time += now - since
        if self.returns.subscriptions:
            self.returns.send((self._released_event, connection, connection.request, since, now))
        if self.outstanding is not None:
            self.outstanding.returned(connection)
        if self.sharing is not None:
            self.sharing.returned(self, connection.member)

    def _serve_all(self) -> None:
        """Offer every free connection again, and see whom another could help."""
        for connection in list(self.connections.values()):
            if connection.state in SHELVED:
                self.withdraw(connection)
                self.offer(connection)
        for waiter in self.waiting.everyone():
            self.growth.wanted(waiter)

    def withdraw(self, connection: PooledTwikitConnection) -> None:
        """Take a free connection from where it lies; the caller says where it goes."""
        self._shelf_of(connection).remove(connection, connection.member.lacks)

    def _shelf_of(self, connection: PooledTwikitConnection) -> Shelf[PooledTwikitConnection]:
        owner = _owner_of(connection)
        return self.idle if owner is None or connection.state is IDLE else owner.shelf

    # ------------------------------------------------------------ what accounts can do now

    def add(self, account: Account, windows: RateWindows) -> None:
        """Take an account in."""
        lacks = lacks_of(account.capabilities)
        kind = self._kinds.get(lacks)
        if kind is None:
            kind = self._kinds[lacks] = Kind(lacks)
            for line in self._lines_for_any():
                if not line.need & lacks:
                    line.servers.append(kind)
                    line.heads.append(kind.heads)
                    if (head := line.head()) is not None:
                        kind.heads.lower(line, head)
        member = self.members[account.id] = Member(account, windows, kind)
        kind.hopeful += member.hopeful
        self.set_standing(member, account.standing)
        for endpoint in windows.known():
            self.window_changed(member, endpoint)
        if self.sharing is not None:
            self.sharing.added(self, member)
        self.reshelve(member)

    def remove(self, member: Member) -> None:
        """Let an account go; its connections are closed already, or will be when their leases end."""
        del self.members[member.id]
        member.kind.hopeful -= member.hopeful
        if member.spare_under is not None:
            self.spare.remove(member, member.spare_under)
            member.spare_under = None
        for deadline in (*member.thaws.values(), *member.lifted.values()):
            deadline.cancel()
        self._refuse_hopeless(member)

    def _lines_for_any(self) -> Iterator[Line]:
        yield from self._lines.values()
        for owner in self.owners.values():
            yield from owner.lines.values()

    def window_changed(self, member: Member, endpoint: str) -> None:
        """An endpoint was closed to an account or opened again, or may have been."""
        bit = endpoint_bit(endpoint)
        thaw = member.thaws.pop(bit, None)
        if thaw is not None:
            thaw.cancel()
        wait = member.windows.wait(endpoint)
        if wait > 0:
            if wait < inf:
                again = partial(self.window_changed, member, endpoint)
                member.thaws[bit] = self.deadlines.add(self.now() + wait, again)
            self._change(member, member.lacks | bit)
        else:
            self._change(member, member.lacks & ~bit)

    def set_standing(self, member: Member, standing: Standing) -> None:
        """An account is in another state."""
        member.kind.hopeful -= member.hopeful
        member.standing = standing
        member.kind.hopeful += member.hopeful
        if standing.usable(self._clock.now()):
            self.lift(member, Bar.STANDING)
            return
        self.bar(member, Bar.STANDING, f"{standing.state}: {standing.reason}")
        if standing.until is not None and may_recover(standing):
            rest = max((standing.until - self._clock.now()).total_seconds(), 0.0)
            again = partial(self.set_standing, member, standing)
            member.lifted[Bar.STANDING] = self.deadlines.add(self.now() + rest, again)
        self._refuse_hopeless(member)

    def bar(self, member: Member, cause: Bar, why: str, seconds: float = inf) -> None:
        """An account may not be used, for so long or until it is lifted."""
        self._forget_lifting(member, cause)
        member.bars[cause] = why
        if seconds < inf:
            member.lifted[cause] = self.deadlines.add(self.now() + seconds, partial(self.lift, member, cause))
        self._change(member, member.lacks | USABLE)

    def lift(self, member: Member, cause: Bar) -> None:
        """It may be used again, if nothing else bars it. Harmless when it was not barred."""
        self._forget_lifting(member, cause)
        if member.bars.pop(cause, None) is not None and not member.bars:
            self._change(member, member.lacks & ~USABLE)

    def _forget_lifting(self, member: Member, cause: Bar) -> None:
        lifted = member.lifted.pop(cause, None)
        if lifted is not None:
            lifted.cancel()

    def _change(self, member: Member, lacks: int) -> None:
        """An account lacks something else now: its free connections move, and serve whom they can."""
        before, member.lacks = member.lacks, lacks
        if lacks == before or self.members.get(member.id) is not member:
            return
        free = [each for each in member.connections if each.state in SHELVED]
        for connection in free:
            self._shelf_of(connection).remove(connection, before)
        for connection in free:
            self.offer(connection)
        self.reshelve(member)

    def reshelve(self, member: Member) -> None:
        """Put an account by if it has room for a connection, and see whether one would help anybody."""
        if member.spare_under is not None:
            self.spare.remove(member, member.spare_under)
            member.spare_under = None
        room = len(member.connections) < self.config.max_connections_per_account
        if room and member.rests is None and self.members.get(member.id) is member:
            member.spare_under = member.lacks
            self.spare.put(member, member.lacks)
            if member.usable:
                self.growth.has_room(member)

    def spare_for(self, line: Line) -> Member | None:
        """An account with room for a connection that could serve those in this line now."""
        if line.account_id is None:
            return self.spare.peek(line.need)
        member = self.members.get(line.account_id)
        fits = member is not None and member.spare_under is not None and not line.need & member.lacks
        return member if fits else None

    # ------------------------------------------------------------ waiters that are not served

    def _time_out(self, waiter: Waiter) -> None:
        request = waiter.request
        self._publish(
            AcquireTimedOut,
            account_id=request.account_id,
            action=request.action,
            priority=int(request.priority),
            waited=self.now() - waiter.came,
        )
        place = (waiter.rank, waiter.arrival)
        waiter.refuse(self._late(request, waiter.timeout or 0.0, waiter.line, place))

    def _late(
        self, request: ConnectionRequest, timeout: float, line: Line, place: tuple[float, int]
    ) -> AcquireTimeoutError:
        why = self._explained(request, line, place)
        return AcquireTimeoutError(f"no {str(request)[2:]} within {timeout:g} s: {why}")

    def _refuse_hopeless(self, member: Member) -> None:
        """Tell those who wait for what this account's loss has made impossible."""
        if member.kind.hopeful and member.hopeful and self.members.get(member.id) is member:
            return
        lines: list[Line] = list(member.lines.values())
        if self.members.get(member.id) is not member:
            for line in lines:
                line.servers.clear()
        if not member.kind.hopeful:
            lines += self._lines_for_any()
        for line in lines:
            while not line.hopeful and (head := line.head()) is not None:
                head[2].refuse(self._why_hopeless(head[2].request))

    def _why_hopeless(self, request: ConnectionRequest) -> Exception:
        """The error for a request that no account can ever serve."""
        if request.account_id is not None:
            member = self.members.get(request.account_id)
            if member is None:
                return AccountNotFound(
                    f"pool {self.pool_id!r} has no account {request.account_id!r}: is it in the source? "
                    "refresh() reads that again"
                )
            if not member.hopeful:
                return AccountUnavailable(f"{request.account_id} is {member.why_barred}")
        return NoAccountAvailable(
            f"no account can serve {request.action or 'this request'}: {self._explained(request)}"
        )

    def _explained(
        self,
        request: ConnectionRequest,
        line: Line | None = None,
        place: tuple[float, int] | None = None,
    ) -> Explanation:
        """As `explain`, from a census that may be older the more there is to count, up to a second."""
        now = self.now()
        if self._census is None or not now - self._census.taken < min(len(self.members) * 1e-4, 1.0):
            self._census = Census(self.members.values(), now)
        return explain(self._census, self.members, request, line, place, self._what_else())

    def _what_else(self) -> str:
        """What keeps requests waiting besides what the accounts do."""
        if not self.notice and len(self.connections) >= self.config.max_connections:
            return f"the pool has all the connections it may have ({self.config.max_connections})"
        return self.notice

    def explain(self, request: ConnectionRequest) -> Explanation:
        """What the accounts that could serve a request are doing, and how many wait before it."""
        now = self.now()
        owner = self.owners.get(request.reserved_for) if request.reserved_for is not None else None
        priority = max(request.priority, owner.priority) if owner is not None else request.priority
        lines = self._lines if owner is None else owner.lines
        line = lines.get(request.need)
        if request.account_id is not None:
            member = self.members.get(request.account_id)
            line = None if member is None else member.lines.get((request.need, owner))
        place = (now + self.head_start(priority), self._arrivals + 1)
        census = Census(self.members.values(), now)
        return explain(census, self.members, request, line, place, self._what_else())


def _better(one: Place | None, other: Place | None) -> Place | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _owner_of(connection: PooledTwikitConnection) -> Owner | None:
    return None if connection.reservation is None else connection.reservation.owner
