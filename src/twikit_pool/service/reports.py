"""Reports of the service's pools: one is made at a time, and kept for a minute."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from twikit_pool.analytics import PoolAnalytics, PoolReport, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twikit_pool.analytics import Facts
    from twikit_pool.clock import Clock
    from twikit_pool.manager import TwikitConnectionPoolManager
    from twikit_pool.metrics.history import History

KEPT: Final = 60.0
"""Seconds for which a report is given to others who ask for the same."""

MOST: Final = 20
"""Reports that are kept."""


class Reports:
    """Makes reports, in a thread.

    Args:
        manager: whose pools.
        history: what they did.
        clock: says what is now.
    """

    def __init__(self, manager: TwikitConnectionPoolManager, history: History, clock: Clock) -> None:
        self._manager = manager
        self._clock = clock
        self._began = clock.monotonic()
        self._analytics = PoolAnalytics(history, facts=self._facts, clock=clock)
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[object, tuple[float, PoolReport]] = OrderedDict()

    async def report(
        self, pool_id: str, last: timedelta, plan: Mapping[str, float], *, suggest: bool
    ) -> PoolReport:
        """The report of a pool, which may be up to a minute old.

        Args:
            pool_id: whose; it must be there.
            last: how far back it goes.
            plan: calls a second by action or endpoint, of which it says what they take.
            suggest: look for what should be changed.

        Raises:
            ConfigError: as `PoolAnalytics.generate_pool_performance_report`.
            HistoryError: the history cannot be read.
        """
        key = (pool_id, last, tuple(sorted(plan.items())), suggest, self._manager.pool(pool_id).config)
        async with self._turn:  # a report takes a core for a second or more
            now = self._clock.monotonic()
            at, kept = self._kept.get(key, (now - KEPT, None))
            if kept is not None and now - at < KEPT:
                return kept
            report = await self._analytics.generate_pool_performance_report(pool_id, last, suggest, plan=plan)
            self._kept[key] = now, report
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return report

    def _facts(self, pool_id: str) -> Facts:
        running = max(self._clock.monotonic() - self._began, 1.0)
        return facts_of(self._manager.pool(pool_id), running_for=running)
