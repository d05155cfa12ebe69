"""What rules about states find in a pool, looked at as it is: nothing depends on having heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from twikit_pool.accounts.model import AccountState
from twikit_pool.clock import wall_time
from twikit_pool.pool.control import Mode
from twikit_pool.pool.needs import endpoint_bit

if TYPE_CHECKING:
    from twikit_pool.pool.member import Member
    from twikit_pool.pool.pool import TwikitConnectionPool

Found: TypeAlias = Mapping[str, str]
"""What each of those meets that a rule is about now, by name."""

LOST: Final = (AccountState.SUSPENDED, AccountState.LOCKED)


def of_accounts(pool: TwikitConnectionPool) -> dict[str, Found]:
    """What is found by rules about accounts now; it looks at every one of them."""
    return {
        "account_lost": {
            each.id: str(each.standing) for each in pool.accounts() if each.standing.state in LOST
        },
        "endpoint_spent": _spent(pool),
    }


def of_pool(pool: TwikitConnectionPool, stopped_because: str = "") -> dict[str, Found]:
    """What is found by the other rules.

    Args:
        pool: in which.
        stopped_because: why an emergency stop was made, where that is known.
    """
    stopped = pool.mode is Mode.EMERGENCY
    return {
        "circuit_open": {
            each.name: f"{each.reason}, since {_time(each.since)}"
            for each in pool.circuits()
            if each.kind != "account"
        },
        "emergency_stop": {"": stopped_because or "somebody has stopped the pool"} if stopped else {},
    }


def _spent(pool: TwikitConnectionPool) -> dict[str, str]:
    """Endpoints that are shut to every account that could be used, and until when."""
    able = [each for each in pool.accounts() if each.usable]
    if not able:
        return {}
    shut = able[0].lacks
    for each in able:
        shut &= each.lacks
    spent: dict[str, str] = {}
    # All of them lack it, so the first knows its name as well as any.
    for endpoint in able[0].windows.endpoints():
        bit = endpoint_bit(endpoint)
        if bit & shut:
            spent[endpoint] = _until(pool, able, bit)
    return spent


def _until(pool: TwikitConnectionPool, members: list[Member], bit: int) -> str:
    opens = [each.thaws[bit].when for each in members if bit in each.thaws]
    if not opens:
        return "a single call finds out how much is left"
    return f"until {_time(wall_time(pool.clock, min(opens)))}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
