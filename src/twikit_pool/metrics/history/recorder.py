"""Writes what happens in pools into the history, a second behind them, and never in their way.

One task reads what was told, another writes it. While the store is slow or gone, what happens waits in a
bounded buffer; what had to be dropped is counted and told: as a line of the log, as an event of each pool,
and as a number. A batch of which nobody knows whether it was written is sent again, and counts once.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from math import inf
from types import TracebackType
from typing import Final, Self

from twikit_pool.clock import Clock, in_words
from twikit_pool.errors import HistoryDamaged, HistoryError
from twikit_pool.events import CallFinished, HistoryFailed, HistoryResumed, Subscription
from twikit_pool.metrics.collector import PoolCollector
from twikit_pool.metrics.history.batch import Batch, HistoryStore
from twikit_pool.metrics.history.buffer import Buffer, Most
from twikit_pool.metrics.history.events import KEPT, KeptEvent
from twikit_pool.metrics.history.figures import DAY, Point
from twikit_pool.metrics.history.recent import Recent
from twikit_pool.metrics.pool_metrics import PoolMetrics
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.rounds import Rounds

logger = logging.getLogger(__name__)

FLUSH: Final = 1.0
"""Seconds between two writings."""

QUEUE: Final = 65_536
"""Events that may wait to be read."""

POINTS_AT_ONCE: Final = 5
"""Points of a batch: some milliseconds of work, between which the event loop does other things."""

EVENTS_AT_ONCE: Final = 100
ACCOUNTS_AT_ONCE: Final = 20

PATIENCE: Final = 10.0
"""Seconds that the store may take for one batch."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries while it cannot be written, at most; at first it is one."""

LAST: Final = 5.0
"""Seconds that what still waits has to be written when the recorder is left."""

TELLING: Final = 60.0
"""Seconds between two times that losses are told of."""

SETTLING: Final = 10.0
"""Seconds between two times that the store settles."""

PRUNING: Final = 60.0
"""Seconds between two rounds of deleting what is too old."""

QUIET: Final = 900.0
"""Seconds after its beginning in which nothing is deleted: a machine's clock may still be wrong."""

JUMP: Final = 600.0
"""Seconds ahead that are no drift of the clock. It was set, perhaps wrongly: nothing is deleted for a day."""


class Recorder:
    """Records while it is entered.

    Args:
        source: the pool, or the manager whose pools are recorded, those made later included.
        collector: who measures them.
        recent: what is kept in memory.
        store: where it is written; None keeps it in memory alone.
        clock: stamps, and says what is old.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        collector: PoolCollector,
        recent: Recent,
        store: HistoryStore | None,
        *,
        clock: Clock,
    ) -> None:
        self._source = source
        self._collector = collector
        self._recent = recent
        self._store = store
        self._clock = clock
        self._reading = Rounds("history reader")
        self._writing = Rounds("history writer")
        self._subscription: Subscription | None = None
        self._unread = 0
        """Events that the bus has dropped, as counted last."""
        self._buffer = Buffer()
        self._writer = uuid.uuid4().hex
        self._number = 0
        self._sending: Batch | None = None
        """What is being written, or has to be tried again."""
        self._days: dict[str, int] = {}
        """As the store knows them."""
        self._failing_since: float | None = None
        self._pause = FLUSH
        self._told: Counter[str] = Counter()
        """Losses that were told of."""
        self._told_at = -inf
        self._offset: float | None = None
        """By how much the wall clock is ahead of the monotonic one."""
        self._prune_at = self._settle_at = -inf
        self.failing: str | None = None
        """Why the store cannot be written now; None while it can."""
        self.written = 0
        """Intervals, events and accounts' hours that were written."""

    @property
    def lost(self) -> int:
        """How many were dropped, because the store was slow or gone for too long."""
        return self._buffer.lost.total()

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return len(self._buffer) + (0 if self._sending is None else self._sending.size)

    async def __aenter__(self) -> Self:
        self._reading.refuse_twice()
        kinds = KEPT if self._store is None else (*KEPT, CallFinished)
        self._subscription, self._unread = self._source.events.subscribe(*kinds, maxlen=QUEUE), 0
        self._collector.listeners.append(self._collected)
        self._offset = None
        self._prune_at = self._clock.monotonic() + QUIET
        self._reading.begin(self._read_all())
        if self._store is not None:
            self._writing.begin(self._write_all(self._store))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                await self._reading.end()
            finally:
                await self._writing.end()
        finally:
            self._collector.listeners.remove(self._collected)
            self._read()
            if self._subscription is not None:
                self._subscription.close()
                self._subscription = None
            if self._store is not None:
                await self._finish(self._store)

    # ------------------------------------------------------------ reading

    def _collected(self, metrics: PoolMetrics) -> None:
        point = Point.of(metrics)
        self._recent.add(metrics.pool_id, point)
        if self._store is not None:
            self._buffer.add(metrics.pool_id, point)

    async def _read_all(self) -> None:
        while True:
            await asyncio.sleep(FLUSH)
            self._read()
            self._recent.retain(pools_of(self._source))

    def _read(self) -> None:
        subscription = self._subscription
        if subscription is None:
            return
        now = self._clock.monotonic()
        for event in subscription.take():
            if isinstance(event, CallFinished):
                self._buffer.called(event, now)
            else:
                kept = KeptEvent.of(event)
                self._recent.tell(kept)
                if self._store is not None:
                    self._buffer.tell(kept)
        dropped, self._unread = subscription.dropped - self._unread, subscription.dropped
        if dropped:
            self._buffer.lost[""] += dropped  # nobody knows of which pool
        self._tell_losses()

    # ------------------------------------------------------------ writing

    async def _write_all(self, store: HistoryStore) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self._write(store, self._clock.monotonic())
                await self._tend(store)
            except HistoryDamaged as error:
                await self._begin_anew(store, error)
            except HistoryError as error:
                self._failed(str(error))

    async def _write(self, store: HistoryStore, due: float) -> None:
        """Write what is due by a moment of the monotonic clock, which may be none."""
        while (batch := self._next(due)) is not None:
            try:
                async with asyncio.timeout(PATIENCE):
                    await store.write(batch)
            except TimeoutError:
                raise HistoryError(f"it did not take a batch within {PATIENCE:.0f} s") from None
            self._sending = None
            self._days |= batch.days
            self.written += batch.size
            self._worked()

    def _next(self, due: float) -> Batch | None:
        if self._sending is None:
            days = {
                pool_id: pool.config.metrics_retention_days
                for pool_id, pool in pools_of(self._source).items()
                if self._days.get(pool_id) != pool.config.metrics_retention_days
            }
            self._sending = self._buffer.take(
                self._writer,
                self._number + 1,
                self._clock.now().timestamp(),
                due,
                days,
                most=Most(POINTS_AT_ONCE, EVENTS_AT_ONCE, ACCOUNTS_AT_ONCE),
            )
            self._number += self._sending is not None
        return self._sending

    async def _finish(self, store: HistoryStore) -> None:
        """Write what waits, if that is soon done."""
        try:
            async with asyncio.timeout(LAST):
                await self._write(store, inf)
        except (HistoryError, TimeoutError) as error:
            logger.warning(
                "the history was left with %d intervals, events and accounts that were not written: %s",
                self.waiting,
                str(error) or f"that would have taken longer than {LAST:.0f} s",
            )
        finally:
            await store.aclose()

    async def _tend(self, store: HistoryStore) -> None:
        """What is to be done besides writing."""
        now, wall = self._clock.monotonic(), self._clock.now().timestamp()
        before, self._offset = self._offset, wall - now
        if before is not None and self._offset - before > JUMP:
            self._prune_at = now + DAY
            logger.warning(
                "the clock is %s ahead of where it was: nothing of the history is deleted for a day",
                in_words(self._offset - before),
            )
        if now >= self._settle_at:
            self._settle_at = now + SETTLING
            await store.settle()
        if now >= self._prune_at and not await store.prune(wall):
            self._prune_at = now + PRUNING

    # ------------------------------------------------------------ when it cannot be written

    def _failed(self, why: str) -> None:
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.failing = why
        if self._failing_since is None:
            self._failing_since = self._clock.monotonic()
            logger.warning("%s; the pools go on, and what happens waits in memory", why)
            self._publish_failure(why, Counter())

    def _worked(self) -> None:
        self._pause, self.failing = FLUSH, None
        since, self._failing_since = self._failing_since, None
        if since is None:
            return
        seconds = self._clock.monotonic() - since
        lost = self._buffer.lost - self._told
        self._told = self._buffer.lost.copy()
        logger.warning(
            "the history is written again after %s; %d intervals and events were lost in all",
            in_words(seconds),
            self.lost,
        )
        for pool_id in pools_of(self._source):
            self._source.events.publish(
                HistoryResumed(pool_id=pool_id, at=self._clock.now(), seconds=seconds, lost=lost[pool_id])
            )

    async def _begin_anew(self, store: HistoryStore, error: HistoryDamaged) -> None:
        try:
            aside = await store.set_aside()
        except HistoryError as further:
            self._failed(str(further))
            return
        logger.error("%s; it is kept as %s, and a new one was begun", error, aside)
        self._days.clear()
        self._publish_failure(f"it is damaged: kept as {aside}, and begun anew", Counter())

    def _tell_losses(self) -> None:
        lost, now = self._buffer.lost - self._told, self._clock.monotonic()
        if not lost or now < self._told_at + TELLING:
            return
        self._told, self._told_at = self._buffer.lost.copy(), now
        why = self.failing or "it is written too slowly"
        logger.warning("%d intervals and events are lost to the history: %s", lost.total(), why)
        self._publish_failure(why, lost)

    def _publish_failure(self, why: str, lost: Counter[str]) -> None:
        for pool_id in pools_of(self._source):
            self._source.events.publish(
                HistoryFailed(pool_id=pool_id, at=self._clock.now(), reason=why, lost=lost[pool_id])
            )
