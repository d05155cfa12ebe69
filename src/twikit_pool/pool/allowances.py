"""What an account's rate windows and caps allow now: which endpoints are shut, and how much is spent."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from twikit_pool.pool.member import Spending
from twikit_pool.pool.needs import endpoint_bit, low_bit
from twikit_pool.pool.shelf import LAST

if TYPE_CHECKING:
    from twikit_pool.config import ConnectionPoolConfig
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.member import Member

QUARTERS: Final = LAST
"""Tiers by what is spent: all of a shelf but the last."""


class Allowances:
    """Reads the windows of a pool's accounts, and sets a deadline wherever time alone will change them."""

    __slots__ = ("_matching", "_reserve", "_spread")

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._reserve: float
        self._spread: bool
        self._reserve, self._spread = _rules(matching.config)

    def heed_settings(self) -> None:
        """The settings may be others now."""
        rules = _rules(self._matching.config)
        if rules == (self._reserve, self._spread):
            return
        self._reserve, self._spread = rules
        for member in list(self._matching.members.values()):
            for endpoint in member.windows.endpoints():
                self._matching.window_changed(member, endpoint)

    def heed(self, member: Member, endpoint: str) -> tuple[int, int]:
        """What an account lacks, and its tier, now that something was spent of an endpoint or came back."""
        bit, windows = endpoint_bit(endpoint), member.windows
        lacks = self._heed_window(member, member.lacks, bit, windows.opens(endpoint), endpoint)
        opens_to_low = windows.opens(endpoint, keep=self._reserve)
        lacks = self._heed_window(member, lacks, low_bit(bit), opens_to_low, endpoint)
        return lacks, self._heed_spending(member, endpoint)

    def _heed_window(self, member: Member, lacks: int, bit: int, opens: float, endpoint: str) -> int:
        thaw = member.thaws.get(bit)
        shut = opens > self._matching.now()
        if thaw is not None and (thaw.when != opens or not shut):
            thaw.cancel()
            del member.thaws[bit]
        if not shut:
            return lacks & ~bit
        if opens < inf and bit not in member.thaws:
            again = partial(self._matching.window_changed, member, endpoint)
            member.thaws[bit] = self._matching.deadlines.add(opens, again)
        return lacks | bit

    def _heed_spending(self, member: Member, endpoint: str) -> int:
        share, until = member.windows.spent(endpoint) if self._spread else (0.0, inf)
        tier = min(int(share * QUARTERS), QUARTERS - 1)
        before = member.spending.get(endpoint)
        if before is not None:
            if before.tier == tier and before.over.when == until:
                return member.tier
            before.over.cancel()
            del member.spending[endpoint]
        if tier:
            again = partial(self._matching.window_changed, member, endpoint)
            member.spending[endpoint] = Spending(tier, self._matching.deadlines.add(until, again))
        return max((each.tier for each in member.spending.values()), default=0)


def _rules(config: ConnectionPoolConfig) -> tuple[float, bool]:
    """The share of each budget that LOW requests leave to others, and whether spending is spread."""
    return config.low_priority_reserve if config.enable_priority_queuing else 0.0, config.spread_evenly
