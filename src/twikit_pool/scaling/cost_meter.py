"""What is used of accounts, proxies and the processor, measured from look to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from twikit_pool.scaling.autoscaler import Careful
from twikit_pool.scaling.costs import Consumption

if TYPE_CHECKING:
    from twikit_pool.pool.member import Member
    from twikit_pool.pool.pool import TwikitConnectionPool


class CostMeter:
    """Measures what pools use.

    An account counts while it has a connection, and once, however many pools have one of it. How many do is
    counted at each look, and taken for the mean of both between two looks: connections that come and go
    meanwhile make it too high as often as too low. Bytes count where the account has a proxy. They are read
    from the accounts, whose sums outlive their connections; an account that is gone is read once more, and
    one that comes and goes between two looks is never seen.

    Args:
        pools: those that there are. What they have used before is not counted.
        now: seconds on their clock.
        cpu: seconds of CPU so far. One that fails is logged; what it did not tell is counted later.
    """

    def __init__(self, pools: Iterable[TwikitConnectionPool], now: float, cpu: Callable[[], float]) -> None:
        self._read_cpu = cpu
        self._careful = Careful()
        self._at = now
        self._cpu: float | None = None
        self._connected = 0
        self._traffic: dict[Member, int] = {}
        """Bytes of each account as they were last read."""
        self.look(pools, now)

    def look(self, pools: Iterable[TwikitConnectionPool], now: float) -> Consumption:
        """What was used since the last look.

        Args:
            pools: those that there are, and those that were shut down since then.
            now: seconds on their clock.
        """
        connected, self._connected = self._connected, 0
        seconds, self._at = now - self._at, now
        traffic = self._look_at_accounts(pools)
        hours = (connected + self._connected) / 2 * seconds / 3600
        return Consumption(account_hours=hours, cpu_seconds=self._cpu_since(), traffic=traffic)

    def _look_at_accounts(self, pools: Iterable[TwikitConnectionPool]) -> int:
        """Count those that have connections, and return the bytes that have gone through proxies."""
        here: set[Member] = set()
        for pool in pools:
            here.update(pool.accounts())
            # An account that has left may still be leased.
            here.update(each.member for each in pool.connections())
        taken, traffic = 0, {}
        for member in here.union(self._traffic):
            sum_now = member.past.traffic + sum(each.traffic for each in member.connections)
            if member.account.proxy is not None:
                taken += sum_now - self._traffic.get(member, 0)
            if member in here:
                traffic[member] = sum_now
        self._traffic = traffic
        self._connected = len({member.id for member in here if member.connections})
        return taken

    def _cpu_since(self) -> float:
        now = self._careful("reading the seconds of CPU", self._read_cpu, None)
        if now is None:
            return 0.0
        before, self._cpu = self._cpu, now
        return 0.0 if before is None else max(0.0, now - before)
