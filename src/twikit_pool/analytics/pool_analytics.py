"""Reports over a history, and the same figures as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from twikit_pool.analytics.live import Live
from twikit_pool.analytics.making import OBJECTIVE, report_of
from twikit_pool.analytics.recording import Facts, Recording, read
from twikit_pool.analytics.report import PoolReport
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import ConfigError
from twikit_pool.metrics.pool_metrics import PoolMetrics

SHORTEST: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(days=366)


class PoolAnalytics:
    """Makes reports, and takes the metrics as they are collected; it is an `AnalyticsSink`.

        analytics = PoolAnalytics(history, facts=lambda pool_id: facts_of(manager.pool(pool_id)))
        report = await analytics.generate_pool_performance_report("default", timedelta(days=7))

    Args:
        recording: what is reported on; a `History`.
        facts: what is known of a pool besides, by its name; the defaults where it is not given.
        objective: share of requests and calls that is to go well, above 0 and below 1.
        clock: says what is now.

    Raises:
        ConfigError: the objective is out of its range.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        facts: Callable[[str], Facts] | None = None,
        objective: float = OBJECTIVE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not 0 < objective < 1:
            raise ConfigError(f"objective is {objective}: give a share above 0 and below 1")
        self._recording = recording
        self._facts = facts
        self._objective = objective
        self._clock = clock
        self.live: Final = Live()
        """What is unusual now, by the profile of the latest report of each pool."""

    async def generate_pool_performance_report(
        self,
        pool_id: str,
        timeframe: timedelta | float = timedelta(days=7),
        include_optimization_suggestions: bool = True,
        *,
        until: datetime | None = None,
        plan: Mapping[str, float] | None = None,
    ) -> PoolReport:
        """The report of a pool; it is worked out in a thread.

        Args:
            pool_id: whose.
            timeframe: how far back it goes, as such or in seconds: 10 minutes to a year.
            include_optimization_suggestions: look for what should be changed.
            until: where it ends; now, if not given.
            plan: calls a second by action or endpoint, of which the report says what they take.

        Raises:
            ConfigError: the timeframe is out of its range, or the plan names what is not known.
            HistoryError: the history cannot be read.
        """
        length = timeframe if isinstance(timeframe, timedelta) else timedelta(seconds=timeframe)
        if not SHORTEST <= length <= LONGEST:
            raise ConfigError(f"the timeframe is {length}: give {SHORTEST} to {LONGEST.days} days")
        now = self._clock.now()
        ends = now if until is None else until
        facts = Facts() if self._facts is None else self._facts(pool_id)
        recorded = await read(self._recording, pool_id, ends - length, ends, facts)
        report = await asyncio.to_thread(
            report_of,
            recorded,
            now,
            objective=self._objective,
            plan=plan,
            suggest=include_optimization_suggestions,
        )
        self.live.learn(pool_id, [*recorded.before, *recorded.hours])
        return report

    async def process_real_time_pool_metrics(self, metrics: PoolMetrics) -> None:
        """Take the metrics of an interval, as `AnalyticsSink` has it."""
        self.live.add(metrics)
