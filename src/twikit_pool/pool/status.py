"""What a pool is doing, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from twikit_pool.pool.connection import CLOSED, ConnectionState

if TYPE_CHECKING:
    from twikit_pool.pool.matching import Matching


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A pool, or several together, at one moment. Counts, unless said otherwise.

    Attributes:
        pool_id: the pool's name; several names joined by commas for several pools.
        at: when, in UTC.
        mode: new, open, suspended, emergency, draining, drained or closed; mixed when several pools differ.
        total: connections, those being opened included: idle + leased + reserved + opening + between leases.
        available: connections that are idle.
        active: connections that are leased.
        reserved: connections that are reserved and not leased.
        healthy: connections that nothing speaks against using.
        queued: requests that wait.
        longest_wait: seconds that the one who came first waits by now.
        accounts: accounts the pool may use.
        quarantined: accounts among them that may not be used now.
        queued_by_priority, active_by_priority: by the priority's number, 1 to 5.
        by_account: connections by account.
        by_state: connections by state.
        accounts_by_state: accounts by standing (active, locked, …), or `quarantined` by this pool.
    """

    pool_id: str
    at: datetime
    mode: str
    total: int
    available: int
    active: int
    reserved: int
    healthy: int
    queued: int
    longest_wait: float
    accounts: int
    quarantined: int
    queued_by_priority: dict[int, int]
    active_by_priority: dict[int, int]
    by_account: dict[str, int]
    by_state: dict[str, int]
    accounts_by_state: dict[str, int]


def status_of(matching: Matching, *, mode: str, at: datetime, now: float) -> PoolStatus:
    """The status of one pool; one look at each connection and account, since it is asked for all the time."""
    connections = matching.connections.values()
    states = dict.fromkeys(ConnectionState, 0)
    by_account: dict[str, int] = {}
    active_by_priority = dict.fromkeys(range(1, 6), 0)
    healthy = 0
    for each in connections:
        state, account_id = each.state, each.member.account.id
        states[state] += 1
        by_account[account_id] = by_account.get(account_id, 0) + 1
        healthy += each.healthy
        if state is ConnectionState.LEASED and each.request is not None:
            active_by_priority[int(each.request.priority)] += 1
    accounts: dict[str, int] = {}
    for each in matching.members.values():
        standing = each.state
        accounts[standing] = accounts.get(standing, 0) + 1
    return PoolStatus(
        pool_id=matching.pool_id,
        at=at,
        mode=mode,
        total=len(connections),
        available=states[ConnectionState.IDLE],
        active=states[ConnectionState.LEASED],
        reserved=states[ConnectionState.RESERVED],
        healthy=healthy,
        queued=matching.waiting.total,
        longest_wait=matching.waiting.longest(now),
        accounts=len(matching.members),
        quarantined=len(matching.members) - accounts.get("active", 0),
        queued_by_priority={each: matching.waiting.of_priority(each) for each in range(1, 6)},
        active_by_priority=active_by_priority,
        by_account=by_account,
        by_state={str(state): number for state, number in states.items() if state is not CLOSED},
        accounts_by_state=accounts,
    )


def together(statuses: Iterable[PoolStatus], at: datetime) -> PoolStatus:
    """Several pools as one."""
    every = [msgspec.structs.asdict(each) for each in statuses]
    modes = {each["mode"] for each in every}
    whole: dict[str, Any] = {
        "pool_id": ",".join(each["pool_id"] for each in every),
        "at": at,
        "mode": modes.pop() if len(modes) == 1 else "mixed",
        "longest_wait": max((each["longest_wait"] for each in every), default=0.0),
    }
    for name in PoolStatus.__struct_fields__:
        if name not in whole:
            parts = [each[name] for each in every]
            whole[name] = _tallied(parts) if "by_" in name else sum(parts)
    return PoolStatus(**whole)


def _tallied(parts: Iterable[dict[Any, int]]) -> dict[Any, int]:
    tally: Counter[Any] = Counter()
    for part in parts:
        tally.update(part)
    return dict(tally)
