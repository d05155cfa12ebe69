"""A session as the pool holds it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.clock import wall_time
from twikit_pool.pool.health import Health, Pace
from twikit_pool.pool.reason import reason_of
from twikit_pool.pool.shelf import LAST
from twikit_pool.sessions.outcomes import FINE

if TYPE_CHECKING:
    import asyncio

    from twikit_pool.accounts.model import Account
    from twikit_pool.clock import Clock
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.member import Member
    from twikit_pool.pool.request import ConnectionRequest
    from twikit_pool.pool.reservations import Reservation
    from twikit_pool.pool.waiting import Line
    from twikit_pool.sessions.session import TwikitSession


class ConnectionState(StrEnum):
    """Where a connection is. Every connection of a pool is in exactly one of these."""

    OPENING = "opening"
    IDLE = "idle"
    LEASED = "leased"
    RESERVED = "reserved"
    """Free, but for one owner alone."""
    RENEWING = "renewing"
    """Between two leases: its HTTP client is being replaced after a call that did not end, or a hook runs."""
    CHECKING = "checking"
    """Its health is being checked."""
    PAUSED = "paused"
    """Nobody gets it for a while; see `tuning`."""
    CLOSED = "closed"


# Looking a member up in its class costs more than all else that a lease does to it.
IDLE: Final = ConnectionState.IDLE
LEASED: Final = ConnectionState.LEASED
RESERVED: Final = ConnectionState.RESERVED
RENEWING: Final = ConnectionState.RENEWING
CLOSED: Final = ConnectionState.CLOSED

SHELVED: Final = frozenset({IDLE, RESERVED})
"""The states of a connection that nobody uses."""


class ConnectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection tells of itself. Durations are seconds, times UTC, rates 0 to 1.

    `network` are the bytes of its requests and answers; `memory` (bytes, an estimate) and `cpu` (seconds) are
    None where no `ResourceMonitor` measures.
    """

    connection_id: str
    account_id: str
    state: ConnectionState
    active: bool
    reserved: bool
    healthy: bool
    created_at: datetime
    last_used_at: datetime | None
    idle_time: float
    usage_count: int
    total_usage_time: float
    health: float
    """How well it serves, 0 to 1; see `twikit_pool.pool.health`."""
    average_response_time: float | None
    p50_response_time: float | None
    p95_response_time: float | None
    success_rate: float
    error_count: int
    priority: int | None
    """The priority of the request that holds it, or of its reservation."""
    reserved_for: str | None
    reservation_expires_at: datetime | None
    session_generation: int
    """How often its client was made anew, from 1."""
    borrower: str | None
    memory: int | None = None
    cpu: float | None = None
    network: int | None = None
    reason: str = ""
    """What speaks against using it now, or holds it up: a quarantine, a closing, a pause, a spent window."""
    response_times: tuple[float | None, ...] = ()
    """Seconds of its latest calls, the oldest first; None for one that failed."""


class PastUse:
    """What connections that are closed were used for."""

    __slots__ = ("leases", "seconds", "traffic")

    def __init__(self) -> None:
        self.leases = 0
        self.seconds = 0.0
        self.traffic = 0

    def add(self, connection: PooledTwikitConnection) -> None:
        """One was closed."""
        self.leases += connection.usage_count
        self.seconds += connection.usage_time
        self.traffic += connection.traffic


class PooledTwikitConnection:
    """One connection of an account.

    Attributes:
        id: the account's id and a number, `brand_uk#1`.
        state: where it is.
        epoch: goes up with every lease and its end: a lease of an earlier epoch does nothing any more.
        request: what it is leased for, or was last.
        borrower: the task that has leased it, or had it last.
        health: how well it serves.
        spent: why it is closed when its lease ends, if it is to be.
        cpu, memory: seconds and bytes, while somebody measures them.
        lowered: whether it is taken only where no other will do.
        pause: when it is to be had again, if it is kept back; None if it is not.
    """

    __slots__ = (
        "_clock",
        "borrower",
        "check_pause",
        "checked_at",
        "cpu",
        "created",
        "ends",
        "epoch",
        "generation",
        "health",
        "id",
        "idle_since",
        "last_used",
        "leased_at",
        "lowered",
        "member",
        "memory",
        "opened_for",
        "pause",
        "request",
        "reservation",
        "session",
        "spent",
        "stack",
        "state",
        "upkeep",
        "usage_time",
        "warned",
    )

    def __init__(self, member: Member, clock: Clock, pace: Pace) -> None:
        member.opened += 1
        now = clock.monotonic()
        self._clock = clock
        self.member: Final = member
        self.id: Final = f"{member.id}#{member.opened}"
        self.state = ConnectionState.OPENING
        self.session: TwikitSession | None = None
        self.reservation: Reservation | None = None
        self.request: ConnectionRequest | None = None
        self.opened_for: Line | None = None
        """Those for whom it is being opened."""
        self.borrower: asyncio.Task[object] | None = None
        self.stack: str | None = None
        """Where it was borrowed, in debug mode."""
        self.spent: str | None = None
        self.epoch = 0
        self.generation = 0
        self.created = self.idle_since = self.checked_at = self.leased_at = now
        self.last_used: float | None = None
        self.ends: float = float("inf")
        """When its lifetime ends."""
        self.upkeep: Deadline | None = None
        self.warned = -1
        """The epoch whose borrower was told of having kept it too long."""
        self.usage_time = 0.0
        self.check_pause = float("inf")
        """Seconds without use or check after which it is to be checked."""
        self.health: Final = Health(pace)
        self.cpu: float | None = None
        self.memory: int | None = None
        self.lowered = False
        self.pause: Deadline | None = None

    @property
    def account_id(self) -> str:
        """Whose connection it is."""
        return self.member.account.id

    @property
    def account(self) -> Account:
        """The account, with the cookies and standing its session knows."""
        return self.session.account if self.session is not None else self.member.account

    @property
    def usage_count(self) -> int:
        """How often it was leased: each lease is two epochs, its own and what comes after."""
        return (self.epoch + 1) // 2

    @property
    def traffic(self) -> int:
        """Bytes of its requests and answers since it was opened."""
        return 0 if self.session is None else self.session.traffic.sent + self.session.traffic.received

    @property
    def tier(self) -> int:
        """The tier of the shelf in which it lies when it is free."""
        return LAST if self.lowered else self.member.tier

    @property
    def leased(self) -> bool:
        """Whether somebody holds it."""
        return self.state is ConnectionState.LEASED

    @property
    def healthy(self) -> bool:
        """Whether nothing speaks against using it."""
        return (
            self.state is not CLOSED
            and self.spent is None
            and not self.health.failed_checks
            and self.member.usable
        )

    @property
    def info(self) -> ConnectionInfo:
        """What it tells of itself."""
        now, at = self._clock.monotonic(), partial(wall_time, self._clock)
        reservation, request = self.reservation, self.request
        half, most = self.health.percentiles(50, 95)
        holds = request if self.leased else reservation
        return ConnectionInfo(
            connection_id=self.id,
            account_id=self.account_id,
            state=self.state,
            active=self.leased,
            reserved=reservation is not None,
            healthy=self.healthy,
            created_at=at(self.created),
            last_used_at=None if self.last_used is None else at(self.last_used),
            idle_time=now - self.idle_since if self.state in SHELVED else 0.0,
            usage_count=self.usage_count,
            total_usage_time=self.usage_time + (now - self.leased_at if self.leased else 0.0),
            health=self.health.score,
            average_response_time=self.health.average,
            p50_response_time=half,
            p95_response_time=most,
            success_rate=self.health.success_rate,
            error_count=self.health.errors,
            priority=None if holds is None else int(holds.priority),
            reserved_for=None if reservation is None else reservation.reserved_for,
            reservation_expires_at=None if reservation is None else at(reservation.expires),
            session_generation=self.generation,
            borrower=self.borrower.get_name() if self.leased and self.borrower is not None else None,
            memory=self.memory,
            cpu=self.cpu,
            network=None if self.session is None else self.traffic,
            reason=reason_of(self, now),
            response_times=tuple(
                round(each.seconds, 4) if each.outcome in FINE else None for each in self.health.latest
            ),
        )

    def __repr__(self) -> str:
        return f"<PooledTwikitConnection {self.id} {self.state}>"
