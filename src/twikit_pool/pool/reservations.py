"""Connections that are kept for one owner for a while."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.clock import wall_time
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    NoAccountAvailable,
    ReservationConflict,
)
from twikit_pool.events import (
    ReservationEnded,
    ReservationExtended,
    ReservationMade,
    ReservationPriorityChanged,
)
from twikit_pool.pool.connection import SHELVED, ConnectionState, PooledTwikitConnection
from twikit_pool.pool.needs import USABLE
from twikit_pool.pool.request import ConnectionPriority, check_seconds, priority_of
from twikit_pool.pool.waiting import Heads, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.clock import Clock
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.member import Member
    from twikit_pool.pool.shelf import Shelf

MANY: Final = 8
"""Lines of an owner that may be remembered though nobody waits there."""


class Owner:
    """Somebody for whom connections are kept, and those who wait in that name."""

    __slots__ = ("_all_lines", "heads", "lines", "name", "reservations", "shelf")

    def __init__(self, name: str, shelf: Shelf[PooledTwikitConnection]) -> None:
        self.name: Final = name
        self.shelf: Final = shelf
        """The owner's connections that nobody uses."""
        self.lines: dict[int, Line] = {}
        """Those who wait in the owner's name for any account."""
        self.heads = Heads()
        self.reservations: dict[str, Reservation] = {}
        self._all_lines: dict[Line, None] = {}

    @property
    def priority(self) -> int:
        """The highest of its reservations' priorities, which its requests have at least; 0 without any."""
        return max((each.priority for each in self.reservations.values()), default=0)

    @property
    def needed(self) -> bool:
        """Whether anything is reserved for it, or anyone waits in its name."""
        return bool(self.reservations) or any(line.waiting for line in self._all_lines)

    def remember(self, line: Line) -> None:
        """Somebody is about to wait in this line, in the owner's name."""
        if len(self._all_lines) >= MANY:
            self._all_lines = {each: None for each in self._all_lines if each.waiting}
        self._all_lines[line] = None

    def rank_anew(self, head_starts: Callable[[int], float], before: int) -> None:
        """The owner's priority has changed: whoever waits in its name moves to where that puts him."""
        after = self.priority
        for line in self._all_lines:
            line.rank_anew(
                lambda priority: head_starts(max(priority, before)) - head_starts(max(priority, after))
            )


class Reservation:
    """A connection of one account, kept for one owner until it expires or is released.

    Attributes:
        id: names it.
        priority: which the owner's requests have at least.
        connection: the one that is kept; None while there is none (it is being opened, or its account may
            not be used now).
        ended: why it is over; None while it holds.
    """

    __slots__ = (
        "_book",
        "_deadline",
        "connection",
        "ended",
        "expires",
        "id",
        "member",
        "owner",
        "priority",
    )

    def __init__(
        self, book: Reservations, owner: Owner, member: Member, priority: ConnectionPriority
    ) -> None:
        self._book = book
        self._deadline: Deadline | None = None
        self.id: Final = secrets.token_hex(8)
        self.owner: Final = owner
        self.member: Final = member
        self.priority = priority
        self.expires = 0.0
        self.connection: PooledTwikitConnection | None = None
        self.ended: str | None = None

    @property
    def account_id(self) -> str:
        """Whose connection is kept."""
        return self.member.id

    @property
    def reserved_for(self) -> str:
        """The owner's name."""
        return self.owner.name

    @property
    def expires_at(self) -> datetime:
        """When it expires, in UTC."""
        return self._book.wall_time(self.expires)

    def extend(self, seconds: float) -> None:
        """Let it last so many seconds from now on, be that longer or shorter.

        Raises:
            ReservationConflict: it is over already.
            ConfigError: the duration is no positive number.
        """
        self._book.extend(self, seconds)

    def release(self) -> None:
        """End it. The connection goes to whoever waits for it. Harmless when it is over."""
        self._book.end(self, "released")

    def set_deadline(self, expires: float, deadline: Deadline) -> None:
        """Expire then, and not before."""
        self.cancel_deadline()
        self.expires, self._deadline = expires, deadline

    def cancel_deadline(self) -> None:
        """Do not expire."""
        if self._deadline is not None:
            self._deadline.cancel()

    def __repr__(self) -> str:
        return f"<Reservation of {self.account_id} for {self.reserved_for}, {self.ended or 'held'}>"


class Reservations:
    """All reservations of a pool."""

    def __init__(
        self, matching: Matching, lifecycle: Lifecycle, clock: Clock, publish: Callable[..., None]
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._publish = publish

    def wall_time(self, moment: float) -> datetime:
        """A moment of the monotonic clock as UTC."""
        return wall_time(self._clock, moment)

    def all(self) -> list[Reservation]:
        """Those that hold."""
        return [each for owner in self._matching.owners.values() for each in owner.reservations.values()]

    def of(self, reserved_for: str) -> list[Reservation]:
        """Those of one owner."""
        owner = self._matching.owners.get(reserved_for)
        return [] if owner is None else list(owner.reservations.values())

    def reserve(
        self, account_id: str | None, reserved_for: str, priority: ConnectionPriority, duration: float
    ) -> Reservation:
        """Arguments and errors as `TwikitConnectionPool.reserve` says."""
        check_seconds("a reservation's duration", duration)
        priority = priority_of(priority)
        member = self._some_member() if account_id is None else self._member(account_id)
        connection = self._free_to_reserve(member)
        owner = self._matching.owner(reserved_for)
        before = owner.priority
        reservation = Reservation(self, owner, member, priority)
        owner.reservations[reservation.id] = reservation
        self._set_expiry(reservation, duration)
        member.reservations.append(reservation)
        self._reranked(owner, before)
        self._tell(ReservationMade, reservation, seconds=duration, priority=int(priority))
        if connection is None:
            self._lifecycle.open_reserved(member)
        else:
            self.bind(reservation, connection)
        return reservation

    def bind(self, reservation: Reservation, connection: PooledTwikitConnection) -> None:
        """This is the connection that is kept, and pauses no more; a holder may use it to his lease's end."""
        if connection.pause is not None:
            connection.pause.cancel()
            connection.pause = None
        shelved, paused = connection.state in SHELVED, connection.state is ConnectionState.PAUSED
        if shelved:
            self._matching.withdraw(connection)
        elif paused:
            connection.state = ConnectionState.RENEWING
        reservation.connection, connection.reservation = connection, reservation
        if shelved or paused:
            self._matching.offer(connection)

    def extend(self, reservation: Reservation, seconds: float) -> None:
        """See `Reservation.extend`."""
        check_seconds("a reservation's duration", seconds)
        if reservation.ended is not None:
            raise ReservationConflict(f"this reservation of {reservation.account_id} is over: make another")
        self._set_expiry(reservation, seconds)
        self._tell(ReservationExtended, reservation, seconds=seconds)

    def set_priority(self, reserved_for: str, priority: ConnectionPriority) -> int:
        """Give all of an owner's reservations this priority; returns how many there are."""
        priority, reservations = priority_of(priority), self.of(reserved_for)
        if reservations:
            owner = reservations[0].owner
            before = owner.priority
            for each in reservations:
                each.priority = priority
                self._tell(ReservationPriorityChanged, each, priority=int(priority))
            self._reranked(owner, before)
        return len(reservations)

    def end(self, reservation: Reservation, reason: str) -> None:
        """It is over: its connection goes to whoever waits for it."""
        if reservation.ended is not None:
            return
        reservation.ended = reason
        reservation.cancel_deadline()
        owner, connection = reservation.owner, reservation.connection
        before = owner.priority
        del owner.reservations[reservation.id]
        self._reranked(owner, before)
        reservation.member.reservations.remove(reservation)
        self._tell(ReservationEnded, reservation, reason=reason)
        reservation.connection = None
        if connection is not None:
            free = connection.state in SHELVED
            if free:
                self._matching.withdraw(connection)
            connection.reservation = None
            if free:
                self._matching.offer(connection)

    def _set_expiry(self, reservation: Reservation, seconds: float) -> None:
        expires = self._clock.monotonic() + seconds
        deadline = self._matching.deadlines.add(expires, partial(self.end, reservation, "expired"))
        reservation.set_deadline(expires, deadline)

    def _reranked(self, owner: Owner, before: int) -> None:
        if owner.priority != before:
            owner.rank_anew(self._matching.head_start, before)

    def _member(self, account_id: str) -> Member:
        member = self._matching.members.get(account_id)
        if member is None:
            raise AccountNotFound(f"pool {self._matching.pool_id!r} has no account {account_id!r}")
        if not member.hopeful:
            raise AccountUnavailable(f"{account_id} is {member.why_barred}")
        return member

    def _some_member(self) -> Member:
        idle = self._matching.idle.peek(USABLE)
        if idle is not None:
            return idle.member
        spare = self._matching.spare.peek(USABLE)
        if spare is not None:
            return spare
        for connection in self._matching.connections.values():
            if connection.reservation is None and connection.member.usable:
                return connection.member
        raise NoAccountAvailable(
            f"no account of pool {self._matching.pool_id!r} is left to reserve: all are reserved or unusable"
        )

    def _free_to_reserve(self, member: Member) -> PooledTwikitConnection | None:
        """The connection to keep; None when another is to be opened."""
        lasting = [each for each in member.connections if each.spent is None]
        unreserved = [each for each in lasting if each.reservation is None]
        unreserved.sort(key=lambda each: each.pause is not None)  # one that pauses only where no other is
        promised = sum(each.connection is None for each in member.reservations)
        room = self._matching.config.max_connections_per_account - len(lasting) - promised
        for connection in unreserved:
            if connection.state is not ConnectionState.LEASED:
                return connection
        if room > 0:
            return None
        if unreserved:
            return unreserved[0]
        until = "; ".join(
            f"for {each.reserved_for!r} until {each.expires_at:%H:%M:%S} UTC" for each in member.reservations
        )
        raise ReservationConflict(
            f"{member.id} is reserved already ({until}): wait, release that, or reserve another account"
        )

    def _tell(self, kind: Any, reservation: Reservation, **fields: Any) -> None:
        self._publish(
            kind,
            account_id=reservation.account_id,
            reservation_id=reservation.id,
            reserved_for=reservation.reserved_for,
            **fields,
        )
