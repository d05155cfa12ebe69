"""What must be true of pools between any two steps of the event loop, and once everyone has gone home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from math import inf

from tests.simulation.simulated_x import SimulatedX
from twikit_pool.pool import ConnectionPriority, ConnectionState, Lease, TwikitConnectionPool
from twikit_pool.pool.connection import SHELVED, PooledTwikitConnection
from twikit_pool.pool.control import Mode
from twikit_pool.pool.deadlines import SLOT
from twikit_pool.pool.matching import NOBODY, Matching
from twikit_pool.pool.member import Bar
from twikit_pool.pool.needs import DEFERRABLE, endpoint_bit, low_bit
from twikit_pool.pool.reservations import Owner
from twikit_pool.pool.shelf import LAST
from twikit_pool.pool.waiting import Line, Waiter

CRITICAL = ConnectionPriority.CRITICAL
DUST = 1e-6
"""Seconds by which sums of the same delays may differ."""


class Ceiling:
    """A limit that may be lowered under what is there: the excess may then only shrink."""

    def __init__(self) -> None:
        self._most: float = inf

    def holds(self, number: int, limit: int) -> bool:
        """Whether this many are allowed now."""
        well = number <= max(limit, self._most)
        self._most = number
        return well


class Watch:
    """Looks at pools over the same accounts, and raises AssertionError at what cannot be right.

    Leases are shown to it as they are got; the rest it sees for itself, from the pools' public face and from
    `pool.matching`, which is there to be looked at.
    """

    def __init__(self, x: SimulatedX, pools: Sequence[TwikitConnectionPool]) -> None:
        self.looks = 0
        self._x = x
        self._pools = pools
        self._before: Hashable = None
        self._sent = 0
        self._holders: dict[PooledTwikitConnection, Lease] = {}
        self._kept: dict[PooledTwikitConnection, tuple[int, object]] = {}
        """Of connections that lay reserved: the epoch and the reservation."""
        self._ceilings: dict[Hashable, Ceiling] = {}
        self._waited: dict[Line, int] = {}

    def got(self, lease: Lease) -> None:
        """I1: somebody has got a lease. Nobody else holds its connection."""
        before = self._holders.get(lease.connection)
        assert before is None or not before.held, f"{lease} and {before} hold one connection"
        assert lease.connection.leased, f"{lease} holds a connection that is {lease.connection.state}"
        self._holders[lease.connection] = lease

    def look(self) -> None:
        """Called between any two steps: examine what has moved."""
        now = self._signature()
        if now != self._before:
            self._before = now
            self.looks += 1
            for pool in self._pools:
                self.examine(pool)
            self._one_pool_each()
            self._nothing_sent_in_an_emergency()

    def _signature(self) -> Hashable:
        whole: list[Hashable] = [len(self._x.sent)]
        for pool in self._pools:
            heart = pool.matching
            whole += (heart.waiting.total, heart.gate, heart.shut, len(heart.connections))
            whole += (heart.most, heart.deferral.most, heart.deferral.opening)
            whole += [
                (each.epoch, each.state, each.reservation, each.lowered, each.pause)
                for each in heart.connections.values()
            ]
            whole += [(each.lacks, each.rests) for each in heart.members.values()]
        return tuple(whole)

    # ------------------------------------------------------------ between steps

    def examine(self, pool: TwikitConnectionPool) -> None:
        """Everything that must hold of one pool by itself."""
        heart = pool.matching
        self._each_in_one_state(pool)
        self._within_limits(pool)
        self._everyone_counted(heart)
        self._nobody_could_be_served(heart)
        self._room_is_known(heart)
        self._windows_are_heeded(heart)
        self._reserved_go_to_their_owner(pool)
        self._low_work_is_held_back(pool)

    def _each_in_one_state(self, pool: TwikitConnectionPool) -> None:
        """I2: and what lies on the shelves is exactly what is free."""
        heart, counts, status = pool.matching, pool.counts(), pool.status()
        assert sum(counts.values()) == pool.size == status.total == len(heart.connections)
        assert counts[ConnectionState.CLOSED] == 0
        assert sum(status.by_state.values()) == status.total
        assert (status.available, status.active) == (
            counts[ConnectionState.IDLE],
            counts[ConnectionState.LEASED],
        )
        shelves = {None: heart.idle, **{owner: owner.shelf for owner in heart.owners.values()}}
        for owner, shelf in shelves.items():
            lying = {
                each for each in heart.connections.values() if each.state in SHELVED and _owner(each) is owner
            }
            assert lying == set(shelf), f"{lying} are free for {owner}, on the shelf are {set(shelf)}"
            for tier, groups in enumerate(shelf.tiers):
                for lacks, group in groups.items():
                    for each in group:
                        at = LAST if each.lowered else each.member.tier
                        assert (each.member.lacks, at) == (lacks, tier), "it lies elsewhere"
        for each in heart.connections.values():
            assert each in each.member.connections
            assert (each.state is ConnectionState.RESERVED) == (
                each in self._free(heart) and bool(each.reservation)
            )
            assert not (each.state in SHELVED and each.spent), f"{each} is spent ({each.spent}) and free"
            if each.state is ConnectionState.PAUSED:
                assert each.pause is not None, f"{each} pauses for ever"
                assert each.spent is None, f"{each} is spent ({each.spent}) and pauses"
            assert each.session is None or not each.session.closed or each.state is ConnectionState.OPENING
            if each.reservation is not None:
                assert each.reservation.connection is each
                assert each.reservation.ended is None

    def _free(self, heart: Matching) -> list[PooledTwikitConnection]:
        return [each for each in heart.connections.values() if each.state in SHELVED]

    def _within_limits(self, pool: TwikitConnectionPool) -> None:
        """I2, I13: sizes and queues are bounded, and no more connections are opened than are wanted."""
        heart, config = pool.matching, pool.config
        self._at_most(pool, "size", pool.size, heart.most)
        self._at_most(pool, "waiting", heart.waiting.total, config.max_waiting)
        for priority, limit in enumerate(config.max_waiting_by_priority, start=1):
            if limit is not None:
                self._at_most(pool, priority, heart.waiting.of_priority(priority), limit)
        for account_id, number in Counter(each.account_id for each in pool.connections()).items():
            self._at_most(pool, account_id, number, config.max_connections_per_account)
        for line in lines_of(heart):
            waited = max(line.waiting, self._waited.get(line, 0) + 1)  # one may come and go in one step
            self._waited[line] = line.waiting
            assert self._ceilings.setdefault(line, Ceiling()).holds(line.opening, waited), (
                f"{line.opening} are opened for {waited} who wait for {line.account_id or 'any account'}"
            )

    def _at_most(self, pool: TwikitConnectionPool, what: Hashable, number: int, limit: int) -> None:
        ceiling = self._ceilings.setdefault((pool, what), Ceiling())
        assert ceiling.holds(number, limit), f"{what}: {number}, with a limit of {limit}"

    def _everyone_counted(self, heart: Matching) -> None:
        """The living are counted, in all and in their lines, and nobody else is."""
        everyone = heart.waiting.everyone()
        assert len(everyone) == heart.waiting.total
        assert not any(each.done() for each in everyone), "somebody is counted who waits no more"
        by_line = Counter(each.line for each in everyone)
        for line in lines_of(heart):
            assert line.waiting == by_line.pop(line, 0), "a line counts others than those who wait in it"
        assert not by_line, "somebody waits in a line that nobody serves"

    def _nobody_could_be_served(self, heart: Matching) -> None:
        """The first rule: no waiter could be served by a free connection, nor by one that could be opened."""
        if heart.gate == NOBODY:
            return
        free = self._free(heart)
        for waiter in heart.waiting.everyone():
            for connection in free:
                shut = heart.shut & ~DEFERRABLE if connection.reservation else heart.shut
                assert waiter.request.need & shut or not could_serve(connection, waiter), (
                    f"{connection} lies idle for {waiter.request}"
                )
        for line in lines_of(heart):
            room = len(heart.connections) < heart.most or any(True for _ in heart.idle)
            if line.waiting > line.opening and room:
                spare = heart.spare_for(line)
                assert spare is None, f"{spare.id} has room, {line.waiting} wait, {line.opening} are opened"

    def _room_is_known(self, heart: Matching) -> None:
        """Those accounts are put by as having room that have."""
        most = heart.config.max_connections_per_account
        for member in heart.members.values():
            room = len(member.connections) < most and member.rests is None
            assert (member.spare_under is not None) == room
            assert not room or member.spare_under == (member.lacks, member.tier)
        assert set(heart.spare) == {each for each in heart.members.values() if each.spare_under is not None}

    def _windows_are_heeded(self, heart: Matching) -> None:
        """I7: an endpoint counts as open only if its window is, or only a call under way can tell."""
        now, config = self._x.loop.time(), heart.config
        reserve = config.low_priority_reserve if config.enable_priority_queuing else 0.0
        for member in heart.members.values():
            for endpoint in member.windows.known():
                opened = endpoint_bit(endpoint)
                for bit, keep in ((opened, 0.0), (low_bit(opened), reserve)):
                    wait = member.windows.wait(endpoint, keep=keep)
                    if member.lacks & bit:
                        assert wait > 0 or bit in member.thaws, (
                            f"{member.id} may call {endpoint} and does not know"
                        )
                    else:
                        assert wait in (0.0, inf), f"{member.id} may not call {endpoint} for {wait} s"
            for deadline in (*member.thaws.values(), *member.lifted.values()):
                assert deadline.when > now - SLOT - DUST, "a deadline has passed unmet"

    def _reserved_go_to_their_owner(self, pool: TwikitConnectionPool) -> None:
        """I6: and a reservation ends when its time is over."""
        now = self._x.loop.time()
        for each in pool.reservations():
            assert each.ended is None
            assert now <= each.expires + SLOT + DUST, f"{each} should have expired"
        for connection in list(self._kept):
            epoch, reservation = self._kept.pop(connection)
            if connection.leased and connection.epoch == epoch + 1 and connection.reservation is reservation:
                owner, request = _owner(connection), connection.request
                assert owner is not None
                assert request is not None
                assert request.reserved_for == owner.name, f"{connection} of {owner.name} went to {request}"
        for connection in pool.connections():
            if connection.state is ConnectionState.RESERVED:
                self._kept[connection] = (connection.epoch, connection.reservation)

    def _low_work_is_held_back(self, pool: TwikitConnectionPool) -> None:
        """LOW requests have no more than they may, and are held back only then."""
        heart, most = pool.matching, pool.matching.deferral.most
        leased, opening = heart.deferral._leased, heart.deferral.opening
        assert opening == sum(line.opening for line in lines_of(heart) if line.need & DEFERRABLE)
        for each in leased:
            assert each.leased, f"{each} counts as leased"
            assert each.request is not None
            assert each.request.need & DEFERRABLE
        if most is None:
            assert not leased
            assert not (heart.shut | heart.deferral.unopened) & DEFERRABLE
            self._ceilings.pop((pool, "low"), None)
            return
        unkept = {
            each
            for each in pool.connections()
            if each.leased and each.request and each.request.need & DEFERRABLE
            if not each.reservation and each.request.reserved_for is None
        }
        assert unkept <= leased, f"{unkept - leased} do not count"
        assert bool(heart.shut & DEFERRABLE) == (len(leased) >= most)
        assert bool(heart.deferral.unopened) == (len(leased) + opening >= most)
        self._at_most(pool, "low", len(leased), most)

    def _one_pool_each(self) -> None:
        """I1 across pools: one uses an account at a time, and the others know."""
        using = [{each.account_id for each in pool.connections() if each.leased} for pool in self._pools]
        for pool, mine in zip(self._pools, using, strict=True):
            elsewhere = {account_id for other in using if other is not mine for account_id in other}
            assert not mine & elsewhere, f"{mine & elsewhere} are in use by two pools"
            barred = {each.id for each in pool.accounts() if Bar.ELSEWHERE in each.bars}
            assert barred == elsewhere & pool.account_ids, f"{barred} are left alone, in use are {elsewhere}"

    def _nothing_sent_in_an_emergency(self) -> None:
        """I8: nothing has left that is not critical."""
        sent, self._sent = self._x.sent[self._sent :], len(self._x.sent)
        if sent and all(pool.mode is Mode.EMERGENCY for pool in self._pools):
            leases = [(each.account_id, each.request) for pool in self._pools for each in pool.connections()]
            critical = {who for who, request in leases if request and request.priority >= CRITICAL}
            assert critical.issuperset(sent), f"{set(sent) - critical} sent something in an emergency"

    # ------------------------------------------------------------ at rest

    def at_rest(self) -> None:
        """Everyone has gone home: nothing of them is left anywhere."""
        for pool in self._pools:
            self.examine(pool)
            heart = pool.matching
            assert heart.waiting.total == 0
            assert not any(each.leased for each in pool.connections())
            assert pool.size <= pool.config.max_connections
            assert all(line.opening == line.waiting == 0 for line in lines_of(heart)), "openings are leaked"
            assert not any(owner.needed for owner in heart.owners.values())
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (0, 0), "turns are leaked"
            pool._lifecycle.came_free()
            assert not heart.hunger, "somebody is taken to hunger, and nobody waits"
            assert deadlines_of(heart) <= _owned_deadlines(pool), "deadlines are leaked"
        assert not any(lease.held for lease in self._holders.values())

    def after_shutdown(self) -> None:
        """The pools are shut down: nothing is left at all."""
        assert all(link.closed for link in self._x.links), "clients are left open"
        assert self._x.over_known == 0, "X has refused a call that was known to be one too many"
        assert not self._x.misuses, self._x.misuses
        for pool in self._pools:
            assert pool.size == pool.waiting == 0
            assert not deadlines_of(pool.matching)
            for member in pool.accounts():
                assert not member.connections
                for endpoint in ("account/settings", *self._x.calls):
                    assert member.windows.in_flight(endpoint) == 0, f"a call to {endpoint} is never settled"


def could_serve(connection: PooledTwikitConnection, waiter: Waiter) -> bool:
    """Whether a free connection is right for somebody who waits."""
    request, owner = waiter.request, _owner(connection)
    return (
        not request.need & connection.member.lacks
        and request.account_id in (None, connection.account_id)
        and owner in (None, waiter.line.owner)
    )


def lines_of(heart: Matching) -> Iterator[Line]:
    """Every line that is kept."""
    yield from heart._lines_for_any()
    for member in heart.members.values():
        yield from member.lines.values()


def deadlines_of(heart: Matching) -> int:
    """How many deadlines are set."""
    return sum(map(len, heart.deadlines._slots.values()))


def _owned_deadlines(pool: TwikitConnectionPool) -> int:
    members = pool.matching.members.values()
    own = sum(
        len(each.thaws) + len(each.lifted) + len(each.spending) + (each.rests is not None) for each in members
    )
    own += len(pool.circuits())
    own += pool.size + len(pool.reservations()) + pool.healing.deadlines + pool.roster.deadlines
    return own + 1  # for the end of a pause


def _owner(connection: PooledTwikitConnection) -> Owner | None:
    return None if connection.reservation is None else connection.reservation.owner
