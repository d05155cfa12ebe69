"""Connections: seen, closed, and taken back from those who hold them."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import structs

from twikit_pool.clock import wall_time
from twikit_pool.pool import ConnectionState
from twikit_pool.pool.connection import SHELVED, ConnectionInfo
from twikit_pool.service.routes.endpoint_budgets import EndpointBudget, budgets_of, tightest_of
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page, Text, part
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope
from twikit_pool.sessions.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.clock import Clock
    from twikit_pool.pool import PooledTwikitConnection

Key = Literal[
    "connection_id",
    "account_id",
    "state",
    "health",
    "idle_time",
    "created_at",
    "usage_count",
    "error_count",
    "average_response_time",
]
"""What connections can be sorted by."""

InState = Annotated[ConnectionState | None, QueryParameter(name="state")]
"""`state` itself is a word of Litestar's."""

REASON: Final = "somebody asked for it through the API"
"""Why a connection is closed, for its event."""


class ListedConnection(ConnectionInfo, frozen=True, kw_only=True):
    """A connection in a list.

    Attributes:
        budget: what its account may still send to the endpoint of which it has spent most; null when nothing
            is spent.
    """

    budget: EndpointBudget | None


class RecentCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call or check of a connection that was sent and has ended.

    Attributes:
        at: when it ended.
        action: what it was; `check` for a health check.
        outcome: what it came to, as in the event `call_finished`.
        seconds: how long it took.
    """

    at: datetime
    action: str
    outcome: Outcome
    seconds: float


class ConnectionDetail(ConnectionInfo, frozen=True, kw_only=True):
    """One connection in full.

    Attributes:
        calls: its latest ones, the latest first.
        budgets: what its account may still send, by endpoint, the most spent first.
    """

    calls: tuple[RecentCall, ...]
    budgets: tuple[EndpointBudget, ...]


class Connections(Controller):
    """The connections of a pool. An id has a `#` in it, which is written `%23` in a path."""

    path = "/v1/pools/{pool:str}/connections"
    tags = ("connections",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_connections(
        self,
        service: Serving,
        pool: FromPath[str],
        in_state: InState = None,
        account: Text = None,
        healthy: FromQuery[bool | None] = None,
        sort: FromQuery[Key] = "connection_id",
        descending: FromQuery[bool] = False,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> Page[ListedConnection]:
        """The pool's connections: those in a state, of accounts with this in their id, or the healthy."""
        found = [
            each
            for each in service.pool(pool).connections()
            if (in_state is None or each.state is in_state)
            and (account is None or account.casefold() in each.account_id.casefold())
            and (healthy is None or each.healthy is healthy)
        ]
        found.sort(key=_by_number)  # so that equals are always in one order
        found.sort(key=KEYS[sort], reverse=descending)
        # What each tells of itself is worked out for those alone that are shown.
        shown = [_listed(each) for each in part(found, offset, limit)]
        return Page(total=len(found), offset=offset, items=shown)

    @get("/{connection:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_connection(
        self, service: Serving, pool: FromPath[str], connection: FromPath[str]
    ) -> ConnectionDetail:
        """What a connection tells of itself, its latest calls, and what its account may still send."""
        found = service.pool(pool)
        return _detail(found.connection(connection), found.clock)

    @post("/{connection:str}/close", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def close_connection(
        self, service: Serving, pool: FromPath[str], connection: FromPath[str]
    ) -> ConnectionInfo:
        """Close a connection as soon as nobody uses it.

        One that is leased goes when it comes back. Another is opened where it is wanted.
        """
        return service.pool(pool).close_connection(connection, REASON).info

    @post("/{connection:str}/release", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def release_connection(
        self, service: Serving, pool: FromPath[str], connection: FromPath[str]
    ) -> ConnectionInfo:
        """Take a connection back from whoever holds it, now.

        As after `lease_timeout`: its client is closed, since the borrower may still have it; a call under way
        fails, and whatever else is done with the lease finds it lost. Another connection is opened where it
        is wanted.
        """
        return service.pool(pool).take_back(connection, "its lease was taken back through the API").info


def _listed(connection: PooledTwikitConnection) -> ListedConnection:
    return ListedConnection(**structs.asdict(connection.info), budget=tightest_of(connection.member.windows))


def _detail(connection: PooledTwikitConnection, clock: Clock) -> ConnectionDetail:
    calls = tuple(
        RecentCall(
            at=wall_time(clock, each.ended), action=each.action, outcome=each.outcome, seconds=each.seconds
        )
        for each in reversed(connection.health.latest)
    )
    return ConnectionDetail(
        **structs.asdict(connection.info), calls=calls, budgets=tuple(budgets_of(connection.member.windows))
    )


def _by_number(connection: PooledTwikitConnection) -> tuple[str, int]:
    """Its account, and its number among that account's: 2 comes before 10."""
    account, _, number = connection.id.rpartition("#")
    return account, int(number)


KEYS: Final[dict[Key, Callable[[PooledTwikitConnection], Any]]] = {
    "connection_id": _by_number,
    "account_id": lambda each: each.account_id,
    "state": lambda each: each.state,
    "health": lambda each: each.health.score,
    "idle_time": lambda each: -each.idle_since if each.state in SHELVED else -inf,
    "created_at": lambda each: each.created,
    "usage_count": lambda each: each.usage_count,
    "error_count": lambda each: each.health.errors,
    "average_response_time": lambda each: -inf if (took := each.health.average) is None else took,
}
