"""What each account of a pool did, for those who ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.metrics.pool_metrics import FINE

if TYPE_CHECKING:
    from twikit_pool.events import CallFinished
    from twikit_pool.pool.pool import TwikitConnectionPool

MOST_ACCOUNTS: Final = 1_000
"""Accounts of a pool that are told of; each is a dozen series."""


class AccountTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What one account did.

    Attributes:
        connections: those of it that are not closed.
        leases: how often they were leased since the pool has the account.
        busy_time: seconds that they were, running leases included.
        calls: calls by outcome, since they are counted by account.
    """

    connections: int
    leases: int
    busy_time: float
    calls: Mapping[str, int]

    @property
    def errors(self) -> int:
        """Calls that failed for another reason than the caller's own fault."""
        return sum(times for outcome, times in self.calls.items() if outcome not in FINE)


class AccountTally:
    """Counts calls by account, for those that the pool has."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[str, Counter[str]] = {}

    def hear(self, event: CallFinished) -> None:
        """Count a call."""
        self._calls.setdefault(event.account_id, Counter())[event.outcome] += 1

    def totals(self, pool: TwikitConnectionPool, now: float) -> Mapping[str, AccountTotals]:
        """What was done, by account; the rest of more than `MOST_ACCOUNTS` is left out."""
        members = pool.matching.members
        self._calls = {each: calls for each, calls in self._calls.items() if each in members}
        totals: dict[str, AccountTotals] = {}
        for account_id, member in islice(members.items(), MOST_ACCOUNTS):
            leases, seconds = member.past.leases, member.past.seconds
            for each in member.connections:
                leases += each.usage_count
                seconds += each.usage_time + (now - each.leased_at if each.leased else 0.0)
            totals[account_id] = AccountTotals(
                connections=len(member.connections),
                leases=leases,
                busy_time=seconds,
                calls=dict(self._calls.get(account_id, {})),
            )
        return totals
