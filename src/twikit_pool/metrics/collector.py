"""Collects the metrics of a pool, or of all pools of a manager, at intervals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self

from twikit_pool.errors import PoolError, PoolNotFound
from twikit_pool.events import MetricsCollected, Subscription
from twikit_pool.metrics.accounts import AccountTotals
from twikit_pool.metrics.pool_metrics import PoolMetrics, aggregate
from twikit_pool.metrics.tally import COUNTED, PoolTotals, Tally
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.request import check_seconds
from twikit_pool.pool.rounds import Rounds
from twikit_pool.redaction import without_frames
from twikit_pool.resources.figures import Usage

logger = logging.getLogger(__name__)

QUEUE: Final = 65_536
"""Events that are kept until they are counted."""

READING: Final = 1.0
"""Seconds after which they are counted at the latest, however long the interval is."""

UNMEASURED: Final = Usage()


class Collected(NamedTuple):
    """What the latest collection of one pool found.

    Attributes:
        metrics: the interval's numbers.
        totals: all since the beginning.
        accounts: those of each account; empty unless somebody asked for them.
    """

    metrics: PoolMetrics
    totals: PoolTotals
    accounts: Mapping[str, AccountTotals]


class PoolCollector:
    """Measures while it is entered, and tells `metrics_collected` at each interval's end.

    A pool, or a manager, may have several.

        async with PoolCollector(pool) as collector:
            ...
            print(collector.metrics["default"].p95_response_time)

    Args:
        source: the pool, or the manager whose pools are measured, those made later included.
        interval: seconds; the shortest `metrics_interval` of the pools when not given. Pools whose
            `enable_metrics` is off are left out.
        measure: what a pool costs now; it must not block. One that fails is logged.

    Raises:
        ConfigError: the interval is no positive number.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        *,
        interval: float | None = None,
        measure: Callable[[TwikitConnectionPool], Usage] | None = None,
    ) -> None:
        if interval is not None:
            check_seconds("interval", interval)
        self._source = source
        self._interval = interval
        self._measure = measure
        self._tallies: dict[str, Tally] = {}
        self._accounts = False
        self._subscription: Subscription | None = None
        """None while it is not entered."""
        self._rounds = Rounds("metrics collector")
        self._dropped = 0
        """Events lost before the latest collection."""
        self.latest: Mapping[str, Collected] = {}
        """By pool; replaced as a whole at each collection, never changed, so other threads may read it."""
        self.listeners: list[Callable[[PoolMetrics], None]] = []
        """Called with each pool's metrics when an interval ends, in the same step; they must not fail."""

    async def __aenter__(self) -> Self:
        source = self._source
        self._rounds.refuse_twice()
        self._subscription, self._dropped = source.events.subscribe(*COUNTED, maxlen=QUEUE), 0
        for pool in self._pools().values():
            self._tally(pool)
        if not isinstance(source, TwikitConnectionPool):
            source.on_pool.append(self._tally)
        self._rounds.begin(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._rounds.end()
        finally:
            if not isinstance(self._source, TwikitConnectionPool):
                self._source.on_pool.remove(self._tally)
            self.collect()
            self._events().close()
            self._subscription = None
            for tally in self._tallies.values():
                tally.close()
            self._tallies.clear()

    def tell_accounts(self) -> None:
        """Count by account from now on, too: `Collected.accounts`."""
        self._accounts = True
        for tally in self._tallies.values():
            tally.tell_accounts()

    @property
    def metrics(self) -> Mapping[str, PoolMetrics]:
        """The latest interval's numbers, by pool."""
        return MappingProxyType({pool_id: each.metrics for pool_id, each in self.latest.items()})

    def together(self) -> PoolMetrics:
        """Those of all pools as one.

        Raises:
            PoolNotFound: nothing was collected yet.
        """
        if not self.latest:
            raise PoolNotFound("no metrics were collected yet: wait for an interval, or call collect()")
        return aggregate(self.metrics.values())

    def collect(self) -> Mapping[str, PoolMetrics]:
        """End the interval now, and begin another. Returns what `metrics` has from now on.

        Raises:
            PoolError: the collector is not entered.
        """
        self._read()
        dropped = self._newly_dropped()
        pools = self._pools()
        latest: dict[str, Collected] = {}
        for pool_id, tally in list(self._tallies.items()):
            metrics = tally.collect(self._usage(tally.pool), dropped)
            latest[pool_id] = Collected(metrics, tally.totals, tally.accounts)
            if pools.get(pool_id) is not tally.pool:
                tally.close()
                del self._tallies[pool_id]
        for pool_id, pool in pools.items():
            if pool_id not in self._tallies:
                self._tally(pool)
        self.latest = MappingProxyType(latest)
        for listener in tuple(self.listeners):
            for each in latest.values():
                listener(each.metrics)
        told = self._source.events.tap(MetricsCollected)
        if told.subscriptions:
            for pool_id, (metrics, *_) in latest.items():
                told.send(MetricsCollected(pool_id=pool_id, at=metrics.timestamp, metrics=metrics.plain()))
        return self.metrics

    # ------------------------------------------------------------ by itself

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        began = time()
        ends = began + self._seconds()
        while True:
            await asyncio.sleep(min(max(ends - time(), 0.0), READING))
            ends = min(ends, began + self._seconds())  # a setting, or a pool made since, may want it sooner
            if time() < ends:
                self._read()
            else:
                self.collect()
                began = time()
                ends = began + self._seconds()

    def _seconds(self) -> float:
        if self._interval is not None:
            return self._interval
        return min((each.pool.config.metrics_interval for each in self._tallies.values()), default=READING)

    def _pools(self) -> Mapping[str, TwikitConnectionPool]:
        pools = pools_of(self._source)
        return {pool_id: pool for pool_id, pool in pools.items() if pool.config.enable_metrics}

    def _tally(self, pool: TwikitConnectionPool) -> None:
        if not pool.config.enable_metrics:
            return
        self._read()  # what is queued is about a former pool of this name
        if (former := self._tallies.pop(pool.pool_id, None)) is not None:
            former.close()
        self._tallies[pool.pool_id] = tally = Tally(pool)
        if self._accounts:
            tally.tell_accounts()

    def _events(self) -> Subscription:
        if self._subscription is None:
            raise PoolError(
                "the collector does not measure now: enter it with `async with PoolCollector(pool)`"
            )
        return self._subscription

    def _read(self) -> None:
        for event in self._events().take():
            if (tally := self._tallies.get(event.pool_id)) is not None:
                tally.hear(event)

    def _newly_dropped(self) -> int:
        before, self._dropped = self._dropped, self._events().dropped
        if self._dropped > before:
            logger.warning(
                "%d events came too fast to be counted: the metrics of this interval are too low",
                self._dropped - before,
            )
        return self._dropped - before

    def _usage(self, pool: TwikitConnectionPool) -> Usage:
        if self._measure is None:
            return UNMEASURED
        try:
            return self._measure(pool)
        except Exception as error:  # noqa: BLE001 - a boundary: measuring is the operator's own code
            logger.warning(
                "measuring what pool %s costs failed: %s", pool.pool_id, type(without_frames(error)).__name__
            )
            return UNMEASURED
