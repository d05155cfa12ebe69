"""Reservations: connections that are kept for one owner for a while."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from twikit_pool.pool import ConnectionPriority
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page, Text, part
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from twikit_pool.pool import Reservation, TwikitConnectionPool

Owner = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Duration = Annotated[float, msgspec.Meta(ge=0.001, le=1e9)]


class NewReservation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection to keep.

    Attributes:
        reserved_for: the owner: a name, no secret.
        account_id: whose connection; any account's when not given.
        priority: which the owner's requests have at least, 1 (LOW) to 5 (EMERGENCY).
        duration: seconds until it expires.
    """

    reserved_for: Owner
    account_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    duration: Duration = 300.0


class Extension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds that a reservation is to last from now on."""

    seconds: Duration


class ReservationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation that holds.

    Attributes:
        id: names it.
        account_id: whose connection is kept.
        reserved_for: the owner.
        priority: which the owner's requests have at least.
        expires_at: when it expires, in UTC.
        connection_id: the connection that is kept; null while there is none.
    """

    id: str
    account_id: str
    reserved_for: str
    priority: ConnectionPriority
    expires_at: datetime
    connection_id: str | None


class Reservations(Controller):
    """Connections that are kept for one owner; see docs/reservations.md."""

    path = "/v1/pools/{pool:str}/reservations"
    tags = ("reservations",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_reservations(
        self,
        service: Serving,
        pool: FromPath[str],
        owner: Text = None,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> Page[ReservationInfo]:
        """Those that hold, of one owner or of all, the next to expire first."""
        found = sorted(service.pool(pool).reservations(owner), key=lambda each: (each.expires, each.id))
        shown = [_told(each) for each in part(found, offset, limit)]
        return Page(total=len(found), offset=offset, items=shown)

    @post(opt={"scope": Scope.EXECUTE}, sync_to_thread=False)
    def reserve(
        self, service: Serving, pool: FromPath[str], data: JSONBody[NewReservation]
    ) -> ReservationInfo:
        """Keep a connection for one owner, whose requests (`reserved_for`) get it before all others."""
        return _told(
            service.pool(pool).reserve(data.account_id, data.reserved_for, data.priority, data.duration)
        )

    @get("/{reservation:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_reservation(
        self, service: Serving, pool: FromPath[str], reservation: FromPath[str]
    ) -> ReservationInfo:
        """One reservation that holds."""
        return _told(_found(service.pool(pool), reservation))

    @post("/{reservation:str}/extend", opt={"scope": Scope.EXECUTE}, status_code=200, sync_to_thread=False)
    def extend_reservation(
        self, service: Serving, pool: FromPath[str], reservation: FromPath[str], data: JSONBody[Extension]
    ) -> ReservationInfo:
        """Let it last so many seconds from now on, be that longer or shorter."""
        found = _found(service.pool(pool), reservation)
        found.extend(data.seconds)
        return _told(found)

    @delete("/{reservation:str}", opt={"scope": Scope.EXECUTE}, sync_to_thread=False)
    def release_reservation(self, service: Serving, pool: FromPath[str], reservation: FromPath[str]) -> None:
        """End it: its connection goes to whoever waits for it. A lease that runs is not touched."""
        _found(service.pool(pool), reservation).release()


def _found(pool: TwikitConnectionPool, reservation_id: str) -> Reservation:
    for each in pool.reservations():
        if each.id == reservation_id:
            return each
    raise NotFoundException(
        f"pool {pool.pool_id!r} has no reservation {reservation_id!r}: it is over, or never was"
    )


def _told(reservation: Reservation) -> ReservationInfo:
    connection = reservation.connection
    return ReservationInfo(
        id=reservation.id,
        account_id=reservation.account_id,
        reserved_for=reservation.reserved_for,
        priority=reservation.priority,
        expires_at=reservation.expires_at,
        connection_id=None if connection is None else connection.id,
    )
