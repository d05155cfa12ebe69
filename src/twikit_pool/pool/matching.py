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
  What nobody may have now (`shut`: X is down, an endpoint is broken) serves no one, and no connection is
  opened for it; when it opens up, whoever needs it is served in the same step, be it a single one on trial.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from twikit_pool.clock import Clock
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolClosed
from twikit_pool.events import AcquireTimedOut, ConnectionLeased, ConnectionReleased, EventBus
from twikit_pool.pool.allowances import Allowances
from twikit_pool.pool.connection import (
    IDLE,
    LEASED,
    RENEWING,
    RESERVED,
    SHELVED,
    PastUse,
    PooledTwikitConnection,
)
from twikit_pool.pool.deadlines import Deadlines
from twikit_pool.pool.deferral import Deferral
from twikit_pool.pool.lease_events import LeaseTeller
from twikit_pool.pool.member import Bar, Kind, Member, may_recover
from twikit_pool.pool.needs import DEFERRABLE, USABLE, lacks_of, need_of
from twikit_pool.pool.refusals import Refusals
from twikit_pool.pool.request import ConnectionRequest
from twikit_pool.pool.reservations import Owner
from twikit_pool.pool.shelf import LAST, RankedGroup, Shelf
from twikit_pool.pool.waiting import PRIORITIES, Line, Place, Waiter, Waiting

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.pool.control import Outstanding
    from twikit_pool.pool.sharing import Sharing
    from twikit_pool.sessions.windows import RateWindows

NOBODY: Final = PRIORITIES + 1
"""The gate that no priority passes."""

NOTHING_TRIED: Final[Mapping[str, int]] = {}

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
        """A connection is free for this place; whether it was closed, for somebody who comes first say."""
        ...


class LeaseWatcher(Protocol):
    """Who is told of leases."""

    def begun(self, connection: PooledTwikitConnection) -> None:
        """A connection has just been leased."""
        ...

    def returned(self, connection: PooledTwikitConnection) -> None:
        """A lease has just ended."""
        ...


class Trials(Protocol):
    """Who knows what may be tried by one at a time; see `Circuits`."""

    def refusal(self, need: int) -> Exception | None:
        """The error for a request that there is no use in waiting with."""
        ...

    def tried(self, need: int) -> Mapping[str, int] | None:
        """Tries that have failed, by account, when the next lease with this need is a try; else None."""
        ...

    def notice(self, need: int) -> str:
        """What holds back those with this need, in words; "" when nothing does."""
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
        "_allowances",
        "_arrivals",
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
        "deferral",
        "gate",
        "growth",
        "hunger",
        "idle",
        "leases",
        "limit",
        "limit_reason",
        "loop",
        "members",
        "notice",
        "now",
        "outstanding",
        "owners",
        "past",
        "pool_id",
        "refusal",
        "refusals",
        "returns",
        "sharing",
        "shut",
        "spare",
        "trials",
        "waiting",
        "watchers",
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
        self.past = PastUse()
        self.waiting = Waiting(self._time_out)
        self.owners: dict[str, Owner] = {}
        self.growth: Growth
        self.hunger = False
        """Whether somebody waits whom another account could serve, were there room for its connection; or
        there are more connections than there may be."""
        self.gate = NOBODY
        """Requests of a lower priority are not served."""
        self.refusal: Callable[[int], Exception | None] = self._not_open
        """Makes the error for those whom the gate stops, by priority; None for those who may wait."""
        self.refusals = Refusals(self)
        self.notice = ""
        """What those are told besides who wait: that the pool is suspended, say."""
        self.outstanding: Outstanding | None = None
        """The leases that a drain waits for."""
        self.shut = 0
        """The bits that nobody may have now."""
        self.trials: Trials | None = None
        """Who is asked while something is broken."""
        self.watchers: tuple[LeaseWatcher, ...] = ()
        """Who is told of leases, while there is a reason to."""
        self.deferral = Deferral(self)
        """How much LOW work there may be at once."""
        self.limit: int | None = None
        """How many connections there may be besides what the settings say, when somebody has said so."""
        self.limit_reason = ""
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
        self._allowances = Allowances(self)

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
                member = connection.member
                self._shelf_of(connection).put(connection, member.lacks, connection.tier)
        if config.max_connections_per_account != before.max_connections_per_account:
            for member in list(self.members.values()):
                self.reshelve(member)
        self._allowances.heed_settings()

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
            return RankedGroup(lambda connection: -connection.health.quality)
        return {}

    @property
    def most(self) -> int:
        """How many connections there may be now."""
        most = self.config.max_connections
        return most if self.limit is None else min(most, self.limit)

    def watch(self, who: LeaseWatcher) -> None:
        """Tell it of leases from now on. Harmless when it is told already."""
        if who not in self.watchers:
            self.watchers = (*self.watchers, who)

    def unwatch(self, who: LeaseWatcher) -> None:
        """Tell it no more."""
        self.watchers = tuple(each for each in self.watchers if each is not who)

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
        if self.shut and (shut := request.need & self.shut):
            connection = self._kept_for(request) if shut == DEFERRABLE else None
        elif request.particular:
            connection = self._of_owner_or_account(request)
        else:
            line = self._lines.get(request.need) if self.waiting.total else None
            if line is not None and line.waiting:
                return None  # by the first rule, nothing that is free can serve it
            connection = self.idle.take(request.need) if self.trials is None else self._idle_for(request.need)
        if connection is not None:
            self._lease(connection, request, None)
        return connection

    def _of_owner_or_account(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        need, account_id = request.need, request.account_id
        connection = self._kept_for(request)
        if connection is None:
            connection = self._of_account(account_id, need, None) if account_id else self._idle_for(need)
            if connection is not None and not account_id and connection.member.id == request.avoid:
                connection = self._rather_another(connection, need)
        return connection

    def _kept_for(self, request: ConnectionRequest) -> PooledTwikitConnection | None:
        """A free connection that is kept for the owner in whose name the request comes."""
        owner = None if request.reserved_for is None else self.owners.get(request.reserved_for)
        if owner is None:
            return None
        need, account_id = request.need, request.account_id
        return self._of_account(account_id, need, owner) if account_id else owner.shelf.take(need)

    def _idle_for(self, need: int) -> PooledTwikitConnection | None:
        """An idle connection that serves the need, taken from its shelf."""
        tried = None if self.trials is None else self.trials.tried(need)
        if tried is None:
            return self.idle.take(need)
        connection = self._next_to_try(need, tried)
        if connection is not None:
            self.withdraw(connection)
        return connection

    def _next_to_try(self, need: int, tried: Mapping[str, int]) -> PooledTwikitConnection | None:
        """An idle connection that serves the need: of those whose account has failed least, the longest idle.

        Were it the one that is taken otherwise, an account that fails by itself would have try after try.
        """
        able = (each for each in self.idle.oldest() if not need & each.member.lacks)
        return min(able, key=lambda each: (tried.get(each.member.id, 0), each.idle_since), default=None)

    def _rather_another(self, connection: PooledTwikitConnection, need: int) -> PooledTwikitConnection:
        """Another free connection that serves the need, in place of this one; this one if there is none."""
        other = self.idle.take(need) if connection.state is IDLE else None
        if other is None:
            return connection
        self.idle.put(connection, connection.member.lacks, connection.tier)
        return other

    def _of_account(self, account_id: str, need: int, owner: Owner | None) -> PooledTwikitConnection | None:
        """A free connection of this account and of this owner, taken from its shelf."""
        member = self.members.get(account_id)
        if member is None or need & member.lacks:
            return None
        wanted = IDLE if owner is None else RESERVED
        for connection in member.connections:
            if connection.state is wanted and (owner is None or _owner_of(connection) is owner):
                self._shelf_of(connection).remove(connection, member.lacks, connection.tier)
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
        if line is None or (not line.waiting and not self._hopeful(line, request)):
            raise self.refusals.hopeless(request)  # who waits has hope already
        if request.need & self.shut and self.trials is not None:
            error = self.trials.refusal(request.need)
            if error is not None:
                raise error
        self.waiting.unmet[request.endpoint] += 1
        timeout = request.timeout
        if timeout is None:
            timeout = self.config.acquire_timeout
        elif timeout <= 0:
            raise self.refusals.late(request, 0.0, (inf, 0))
        elif timeout == inf:
            timeout = None
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
        if self.spare:
            self.growth.wanted(waiter)
        return waiter

    def head_start(self, priority: int) -> float:
        """Seconds that a request of this priority yields to more urgent ones."""
        return self._head_starts[priority]

    def place_of(self, request: ConnectionRequest) -> tuple[float, int]:
        """The place that a request would have if it began to wait now."""
        owner = None if request.reserved_for is None else self.owners.get(request.reserved_for)
        priority = max(request.priority, owner.priority) if owner is not None else request.priority
        return self.now() + self.head_start(priority), self._arrivals + 1

    def lines_of(self, request: ConnectionRequest) -> list[Line]:
        """Where those wait who want the same: LOW requests, and all others."""
        owner = None if request.reserved_for is None else self.owners.get(request.reserved_for)
        needs = [need_of(request.endpoint, request.capabilities, low=low) for low in (False, True)]
        if request.account_id is not None:
            member = self.members.get(request.account_id)
            lines = [] if member is None else [member.lines.get((need, owner)) for need in needs]
        else:
            lines = [(self._lines if owner is None else owner.lines).get(need) for need in needs]
        return [line for line in lines if line is not None]

    def _hopeful(self, line: Line, request: ConnectionRequest) -> bool:
        """Whether an account may ever serve this request, the first one in its line."""
        member = self.members.get(request.account_id or "")
        forbidden = (
            member is not None and request.endpoint is not None and member.windows.forbids(request.endpoint)
        )
        return line.hopeful and not forbidden

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
            raise self.refusals.overloaded(f"{here} of this priority", "max_waiting_by_priority")
        if total >= most:
            last = self.waiting.last(below=request.priority)
            error = self.refusals.overloaded(f"{total} requests", "max_waiting")
            if last is None:
                raise error
            last.refuse(error)

    # ------------------------------------------------------------ giving

    def offer(self, connection: PooledTwikitConnection) -> None:
        """Give a connection that nobody uses to the best waiter it can serve, or put it by."""
        if self.waiting.total and self.gate < NOBODY:
            member = connection.member
            if connection.reservation is None and not member.lines:
                best = member.kind.heads.best(member.lacks | self.shut)
            else:
                best = self._best_for(connection)
            if best is not None:
                if self.hunger and connection.reservation is None and self.growth.gives_way(connection, best):
                    return
                self._hand_over(connection, best[2])
                return
        reservation, member = connection.reservation, connection.member
        if reservation is None:
            connection.state = IDLE
            self.idle.put(connection, member.lacks, LAST if connection.lowered else member.tier)
            if self.hunger:
                self.growth.came_free()
        else:
            connection.state = RESERVED
            reservation.owner.shelf.put(connection, member.lacks, connection.tier)

    def _hand_over(self, connection: PooledTwikitConnection, waiter: Waiter) -> None:
        """Give a connection that lies nowhere to the best of a line."""
        waiter.line.take()
        self.waiting.left(waiter)
        self.waiting.unmet[waiter.request.endpoint] -= 1
        self._lease(connection, waiter.request, waiter.came)
        waiter.epoch = connection.epoch
        waiter.set_result(connection)

    def _best_for(self, connection: PooledTwikitConnection) -> Place | None:
        member, reservation = connection.member, connection.reservation
        lacks = member.lacks | self.shut
        if reservation is None:
            return _better(member.kind.heads.best(lacks), member.heads.best(lacks))
        owner, lacks = reservation.owner, lacks & ~DEFERRABLE  # what is kept is not held back
        return _better(owner.heads.best(lacks), member.heads.best(lacks, owner))

    def best_to_open_for(self, member: Member) -> Waiter | None:
        """The best waiter whom another connection of this account would help, and nobody helps yet."""
        lacks = member.lacks | self.shut | self.deferral.unopened
        best = _better(member.kind.heads.best(lacks, to_open=True), member.heads.best(lacks, to_open=True))
        return None if best is None else best[2]

    def lines_served_by(self, member: Member) -> Iterator[Line]:
        """The lines in which somebody waits whom this account could serve now."""
        for line in (*member.kind.heads, *member.heads):
            if line.waiting and not line.need & (member.lacks | self.shut):
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
        if self.watchers:
            for each in self.watchers:
                each.begun(connection)
        if came is not None and self.waiting.listeners:
            self.waiting.served(request.priority, now - came)
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
        if self.watchers:
            for each in self.watchers:
                each.returned(connection)

    def _serve_all(self) -> None:
        """Offer every free connection again, and see whom another could help."""
        for connection in list(self.connections.values()):
            if connection.state in SHELVED:
                self.withdraw(connection)
                self.offer(connection)
        for waiter in self.waiting.everyone():
            self.growth.wanted(waiter)

    def open_up(self, bit: int, tried: Mapping[str, int] | None = None) -> None:
        """A bit may be had again: serve those who need it, the best first, and see whom another could help.

        Those that were free longest serve. While it is only to be tried, those go before for whom an account
        tries that has failed less: `tried` counts the tries that have failed, by account. Next, reads go
        before all else, for nobody knows of a write that fails whether X took it.
        """
        if not self.shut & bit:
            return
        self.shut &= ~bit
        if not self.waiting.total or self.gate == NOBODY:
            return
        lines = self._lines_that_need(bit)
        failed, trying = tried or NOTHING_TRIED, tried is not None
        places = [
            (self._failed(line, failed), trying and not head[2].request.reads, *head[:2], line)
            for line in lines
            if (head := line.head())
        ]
        heapify(places)
        unserved: list[Line] = []
        while places and not self.shut & bit:  # else the one that may try does, or LOW has all it may
            failures, risky, _, _, line = heappop(places)
            connection = self._free_for(line, failed)
            head = line.head()
            if connection is None or head is None:
                unserved.append(line)
                continue
            self.withdraw(connection)
            if trying:
                self._hand_over(connection, head[2])
            else:
                self.offer(connection)
            if (head := line.head()) is not None:
                heappush(places, (failures, risky, *head[:2], line))
        self._open_for(unserved)

    def open_for(self, bit: int) -> None:
        """See whom of those who need a bit another connection would help, the best first."""
        lines = [(head[:2], line) for line in self._lines_that_need(bit) if (head := line.head())]
        self._open_for(line for _, line in sorted(lines, key=lambda each: each[0]))

    def _open_for(self, lines: Iterable[Line]) -> None:
        for line in lines:
            while (head := line.head()) is not None and line.opening < line.waiting:
                before = line.opening
                self.growth.wanted(head[2])
                if line.opening == before:
                    break

    def _free_for(self, line: Line, tried: Mapping[str, int]) -> PooledTwikitConnection | None:
        """A free connection that could serve those in this line."""
        owner, member = line.owner, None if line.account_id is None else self.members.get(line.account_id)
        shut = line.need & self.shut
        if shut and (shut != DEFERRABLE or owner is None):
            return None
        whose = (owner,) if shut else (None, owner)
        if member is not None:
            able = not line.need & member.lacks
            free = (each for each in member.connections if each.state in SHELVED)
            return next((each for each in free if able and _owner_of(each) in whose), None)
        kept = None if owner is None else owner.shelf.peek(line.need)
        other = None if shut else self._next_to_try(line.need, tried)
        if kept is None or other is None:
            return kept or other
        return min(kept, other, key=lambda each: tried.get(each.member.id, 0))

    def _failed(self, line: Line, tried: Mapping[str, int]) -> int:
        """How many tries have failed of the account that would try for this line."""
        connection = self._free_for(line, tried) if tried else None
        return 0 if connection is None else tried.get(connection.member.id, 0)

    def _lines_that_need(self, bit: int) -> list[Line]:
        of_accounts = (line for member in self.members.values() for line in member.lines.values())
        return [line for line in (*self._lines_for_any(), *of_accounts) if line.waiting and line.need & bit]

    def refuse_those_who_need(self, bit: int, error: Callable[[], Exception]) -> None:
        """Tell all who wait for it that there is no use in waiting."""
        for line in self._lines_that_need(bit):
            while (head := line.head()) is not None:
                head[2].refuse(error())

    def withdraw(self, connection: PooledTwikitConnection) -> None:
        """Take a free connection from where it lies; the caller says where it goes."""
        member = connection.member
        self._shelf_of(connection).remove(connection, member.lacks, connection.tier)

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
        for endpoint in windows.endpoints():
            self.window_changed(member, endpoint)
        if self.sharing is not None:
            self.sharing.added(self, member)
        self.reshelve(member)

    def remove(self, member: Member) -> None:
        """Let an account go; its connections are closed already, or will be when their leases end."""
        del self.members[member.id]
        member.kind.hopeful -= member.hopeful
        if member.spare_under is not None:
            self.spare.remove(member, *member.spare_under)
            member.spare_under = None
        spending = (each.over for each in member.spending.values())
        for deadline in (*member.thaws.values(), *member.lifted.values(), *spending):
            deadline.cancel()
        self._refuse_hopeless(member)

    def _lines_for_any(self) -> Iterator[Line]:
        yield from self._lines.values()
        for owner in self.owners.values():
            yield from owner.lines.values()

    def window_changed(self, member: Member, endpoint: str) -> None:
        """More or less may be sent to an endpoint by an account, or may be."""
        self._change(member, *self._allowances.heed(member, endpoint))

    def set_standing(self, member: Member, standing: Standing) -> None:
        """An account is in another state."""
        member.kind.hopeful -= member.hopeful
        member.standing = standing
        member.kind.hopeful += member.hopeful
        if standing.usable(self._clock.now()):
            self.lift(member, Bar.STANDING)
            return
        self.bar(member, Bar.STANDING, str(standing))
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

    def _change(self, member: Member, lacks: int, tier: int | None = None) -> None:
        """An account lacks something else now, or has spent more or less: its free connections move.

        They serve whom they can.
        """
        before = lacked, tier_then = member.lacks, member.tier
        member.lacks, member.tier = now = lacks, member.tier if tier is None else tier
        if now == before or self.members.get(member.id) is not member:
            return
        free = [each for each in member.connections if each.state in SHELVED]
        for connection in free:
            self._shelf_of(connection).remove(connection, lacked, LAST if connection.lowered else tier_then)
            connection.state = RENEWING  # a trial that the first of them begins changes the account again
        for connection in free:
            self.offer(connection)
        self.reshelve(member)

    def reshelve(self, member: Member) -> None:
        """Put an account by if it has room for a connection, and see whether one would help anybody."""
        if member.spare_under is not None:
            self.spare.remove(member, *member.spare_under)
            member.spare_under = None
        room = len(member.connections) < self.config.max_connections_per_account
        if room and member.rests is None and self.members.get(member.id) is member:
            member.spare_under = member.lacks, member.tier
            self.spare.put(member, *member.spare_under)
            if member.usable:
                self.growth.has_room(member)

    def spare_for(self, line: Line) -> Member | None:
        """An account with room for a connection that could serve those in this line now."""
        if line.need & (self.shut | self.deferral.unopened):
            return None  # it would lie idle; the next would be opened, and make room for yet another
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
        waiter.refuse(self.refusals.late(request, waiter.timeout or 0.0, place))

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
                head[2].refuse(self.refusals.hopeless(head[2].request))


def _better(one: Place | None, other: Place | None) -> Place | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _owner_of(connection: PooledTwikitConnection) -> Owner | None:
    return None if connection.reservation is None else connection.reservation.owner
