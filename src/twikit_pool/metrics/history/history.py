"""The history of a program's pools: who records it, and what can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from math import isfinite, nan
from pathlib import Path
from typing import Final

import msgspec

from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import ConfigError, HistoryError
from twikit_pool.metrics.collector import PoolCollector
from twikit_pool.metrics.history.demand import BUCKET, Demand, offered
from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import DAY, HOUR, MINUTE, AccountFigures, Point, slot
from twikit_pool.metrics.history.forecasting import ForecastMemory
from twikit_pool.metrics.history.reading import Placed, Reading, Wanted, sums
from twikit_pool.metrics.history.recent import COARSE_SECONDS, Recent
from twikit_pool.metrics.history.recorder import Recorder
from twikit_pool.metrics.history.series import (
    CHARTED,
    Columns,
    check_figures,
    histograms_of,
    in_columns,
    in_steps,
    whole_step,
)
from twikit_pool.metrics.history.spans import Span, for_accounts, for_age, for_step, for_whole
from twikit_pool.metrics.history.store import WEEKS, DatabaseStore
from twikit_pool.metrics.pool_metrics import TIMES
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools
from twikit_pool.scaling.forecast import Forecaster

USUAL: Final = 100
"""Events of a page, where nobody says otherwise."""

PATIENCE: Final = 5.0
"""Seconds that the database may take to answer, before memory does."""

MOST: Final = 20_000
"""Points of an answer; one for each ten seconds of two days."""

MANY: Final = 500
"""Points of which a chart's are made beside the event loop."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, the latest first.

    Attributes:
        items: the events.
        next: give it as `before` for those that come after these; None when there are none.
    """

    items: Sequence[KeptEvent]
    next: str | None


class History:
    """What pools did: in a database, or in memory for a day.

        history = History("history.db")
        async with TwikitConnectionPoolManager(sessions, automation=Automation(history=history)) as manager:
            ...
            columns = await history.series("default", since=yesterday, step=3600)

    Times are datetimes, of which those without a zone are in UTC; `since` is a day ago where it is not given,
    and `until` now. What was written last is a second old. While the database cannot be read, `series`,
    `points`, `whole` and `events` answer with what is in memory.

    Args:
        url: the path of an SQLite file, `sqlite:///path` or `postgresql+psycopg://…`; None keeps the last day
            in memory alone.
        weeks: for how many hours, days of accounts, and events are kept; points of ten seconds and minutes
            are kept for a pool's `metrics_retention_days`.
        clock: says what is now.

    Raises:
        ConfigError: the URL is malformed, its driver is missing, or `weeks` is less than 1.
    """

    def __init__(
        self, url: str | Path | None = None, *, weeks: int = WEEKS, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = None if url is None else DatabaseStore(url, weeks=weeks, clock=clock)
        self._recent = Recent()
        self._clock = clock
        self._recorder: Recorder | None = None

    @property
    def name(self) -> str:
        """Where it is kept, without a password."""
        return "memory" if self._store is None else self._store.name

    @property
    def kept(self) -> int:
        """Seconds for which it is kept, if only by the hour."""
        return COARSE_SECONDS if self._store is None else self._store.weeks * 7 * DAY

    @property
    def lost(self) -> int:
        """Intervals and events that are not in it, because the database was slow or gone for too long."""
        return 0 if self._recorder is None else self._recorder.lost

    @property
    def failing(self) -> str | None:
        """Why it cannot be written now; None while it can."""
        return None if self._recorder is None else self._recorder.failing

    def recorder(self, source: TwikitConnectionPool | Pools, collector: PoolCollector) -> Recorder:
        """Who writes it, to be entered before the collector; `Automation(history=…)` sees to that."""
        self._recorder = Recorder(source, collector, self._recent, self._store, clock=self._clock)
        return self._recorder

    def forecasts(self, make: Callable[[str], Forecaster]) -> ForecastMemory:
        """Who teaches the forecasters that this makes what a pool was asked for before it began."""
        return ForecastMemory(self, make)

    async def aclose(self) -> None:
        """Close the database's connections. Reading opens them again; calling it twice is harmless."""
        if self._store is not None:
            await self._store.aclose()

    # ------------------------------------------------------------ pools

    async def pools(self) -> Sequence[str]:
        """The names of all pools that there is something of.

        Raises:
            HistoryError: it cannot be read.
        """
        return sorted(await self._database().pools())

    async def series(
        self,
        pool_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: float = 0,
        figures: Collection[str] = CHARTED,
    ) -> Columns:
        """A pool's figures over time, by column; all columns are of one length, the oldest first.

        Args:
            pool_id: whose.
            since: where the range begins, with a whole point.
            until: where it ends.
            step: seconds of a point, rounded up to tens; 0 gives ten seconds for the last hour, minutes for
                the 35 hours before, and hours before those.
            figures: some of `FIGURES`; `at` (when a point ended, in seconds since 1970) and `seconds` (how
                much of its time was measured) are always there.

        Raises:
            ConfigError: there is no such figure, the step is negative, or too small for the range.
        """
        check_figures(figures)
        seconds = whole_step(step)
        histograms = histograms_of(figures, merged=seconds > 0)
        return in_columns(
            await self._points(pool_id, since, until, seconds, histograms, outcomes=False), figures
        )

    async def points(
        self,
        pool_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: float = 0,
    ) -> list[Point]:
        """The same with everything that is kept, histograms included: `Point.merged` makes one of several.

        Raises:
            ConfigError: the step is negative, or too small for the range.
        """
        return await self._points(pool_id, since, until, whole_step(step), TIMES)

    async def whole(
        self, pool_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Point | None:
        """All that a pool did in a range, to ten seconds; None when it did nothing.

        Before a pool's `metrics_retention_days` the range begins with a whole hour.
        """
        begin, end = self._range(since, until)
        placed = await self._read(pool_id, TIMES, lambda from_: for_whole(begin, end, from_))
        return Point.merged([each.point for each in placed]) if placed else None

    # ------------------------------------------------------------ accounts and events

    async def accounts(
        self,
        pool_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account_id: str | None = None,
    ) -> Mapping[str, AccountFigures]:
        """What each account did in a range, by account, to whole hours; days before `metrics_retention_days`.

        Raises:
            HistoryError: it cannot be read, or is in memory alone.
        """
        begin, end = self._range(since, until)
        spans = for_accounts(begin, end, await self._minutes_from(pool_id))
        return sums(await self._database().accounts(pool_id, spans, account_id))

    async def account_series(
        self,
        pool_id: str,
        account_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by_day: bool = False,
    ) -> list[tuple[datetime, AccountFigures]]:
        """What an account did in each hour, or on each day (UTC), by when that began.

        Raises:
            HistoryError: it cannot be read, or is in memory alone.
        """
        begin, end = self._range(since, until)
        tier = DAY if by_day else HOUR
        found = await self._database().accounts(
            pool_id, [Span(tier, slot(begin, tier), int(end) + 1)], account_id
        )
        return [(datetime.fromtimestamp(at, UTC), each) for at, each in found.get(account_id, ())]

    async def events(
        self,
        pool_id: str,
        *,
        kind: str | None = None,
        account_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = USUAL,
        before: str | None = None,
    ) -> EventPage:
        """Decisions, results and changes of state, the latest first.

        Args:
            pool_id: of this pool.
            kind: a kind (scaling, optimizer, pool, emergency, circuit, account, connection) or a type
                (`scaling_decided`); None for all.
            account_id: about this account; None for all and none.
            since: where the range begins; all that is kept when it is not given.
            until: where it ends; likewise.
            limit: how many at most.
            before: what the page before had as `next`.

        Raises:
            ConfigError: `before` is none that was given.
        """
        wanted = Wanted(
            pool_id=pool_id,
            kind=kind,
            account_id=account_id,
            since=0.0 if since is None else _epoch(since),
            until=float("inf") if until is None else _epoch(until),
            before=None if before is None else _place(before),
            limit=limit + 1,
        )
        try:
            found = await self._database().events(wanted)
        except HistoryError:
            found = self._recent.events(wanted)
        more = found[limit - 1][0] if len(found) > limit else None
        return EventPage(
            items=tuple(event for _, event in found[:limit]),
            next=None if more is None else f"{more[0]!r}-{more[1]}",
        )

    # ------------------------------------------------------------ within

    def _database(self) -> Reading:
        if self._store is None:
            raise HistoryError("the history is in memory alone: give History() a file, or a URL")
        return self._store.reading

    def _range(self, since: datetime | None, until: datetime | None) -> tuple[float, float]:
        """The range in seconds since 1970, as far as there can be anything."""
        now = self._clock.now().timestamp()
        begin = now - DAY if since is None else max(_epoch(since), now - self.kept - DAY)
        # The clock may have been set back by a little: what has just happened is not in the future.
        return begin, now + HOUR if until is None else min(_epoch(until), now + HOUR)

    async def _points(
        self,
        pool_id: str,
        since: datetime | None,
        until: datetime | None,
        step: int,
        histograms: Collection[str],
        *,
        outcomes: bool = True,
    ) -> list[Point]:
        begin, end = self._range(since, until)
        now = self._clock.now().timestamp()
        if step and (end - begin) / step > MOST:
            raise ConfigError(
                f"that would be more than {MOST:,} points: ask for a larger step, or a shorter range"
            )

        def spans(minutes_from: float) -> list[Span]:
            if step:
                return for_step(begin, end, step, minutes_from)
            return for_age(begin, end, now, minutes_from)

        placed = await self._read(pool_id, histograms, spans, outcomes=outcomes)
        if not step:
            return [each.point for each in placed]
        if len(placed) > MANY:
            return await asyncio.to_thread(in_steps, placed, step)
        return in_steps(placed, step)

    async def demand(self, pool_id: str, *, days: int, weeks: int) -> Demand:
        """What was asked of a pool, for a forecast.

        Args:
            pool_id: whose.
            days: by `BUCKET` seconds of so many days, up to now.
            weeks: by the hour of so many weeks before.

        Raises:
            HistoryError: it cannot be read.
        """
        now = slot(self._clock.now().timestamp(), BUCKET)
        reading = self._database()
        begin = slot(max(now - days * DAY, await self._minutes_from(pool_id)), HOUR)
        buckets: list[tuple[float, float | None]] = []
        for first in range(begin, now, DAY):
            span = Span(MINUTE, first, min(first + DAY, now))
            placed = await reading.points(pool_id, [span], (), outcomes=False)
            for start, group in groupby(placed, key=lambda each: slot(each.at, BUCKET)):
                buckets.append((start, offered(Point.merged([each.point for each in group]))))
        span = Span(HOUR, begin - weeks * 7 * DAY, begin)
        hours = [
            (float(each.at), load)
            for each in await reading.points(pool_id, [span], (), outcomes=False)
            if (load := offered(each.point)) is not None
        ]
        return Demand(buckets=buckets, hours=hours)

    async def _read(
        self,
        pool_id: str,
        histograms: Collection[str],
        spans: Callable[[float], list[Span]],
        *,
        outcomes: bool = True,
    ) -> list[Placed]:
        """From the database; from memory while there is none, or it cannot be read."""
        try:
            reading = self._database()
            async with asyncio.timeout(PATIENCE):
                chosen = spans(await self._minutes_from(pool_id))
                return await reading.points(pool_id, chosen, histograms, outcomes=outcomes)
        except (HistoryError, TimeoutError):
            return self._recent.points(pool_id, spans(0.0))

    async def _minutes_from(self, pool_id: str) -> float:
        """From when on there is more than hours of a pool. What is just being deleted is left out."""
        days = (await self._database().pools()).get(pool_id, 0)
        return self._clock.now().timestamp() - days * DAY + HOUR


def _epoch(moment: datetime) -> float:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _place(before: str) -> tuple[float, int]:
    at, _, number = before.rpartition("-")
    try:
        place = float(at), int(number)
    except ValueError:
        place = (nan, 0)
    if not isfinite(place[0]) or not 0 <= place[1] < 2**63:
        raise ConfigError("`before` must be what the page before has as `next`")
    return place
