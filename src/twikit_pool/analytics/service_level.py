"""What callers had of a pool: availability, times, what went wrong, and when it is busy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from twikit_pool.analytics.recording import MINUTE, Hour, Minute, Recorded
from twikit_pool.analytics.report import (
    Availability,
    BusyHour,
    ErrorBudget,
    HeatMap,
    Percentiles,
    Throughput,
)
from twikit_pool.analytics.seasonal import HOUR, HOURS_A_DAY, hour_of_week
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.history.figures import Point

SHARES: Final = (0.5, 0.9, 0.95, 0.99)
BUSIEST: Final = 5


def moment(at: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(at, UTC)


def percentiles(histogram: Histogram) -> Percentiles:
    """Those of all that it has counted."""
    p50, p90, p95, p99 = histogram.quantiles(*SHARES)
    return Percentiles(
        count=histogram.count,
        average=histogram.average,
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        max=histogram.max if histogram.count else None,
    )


def availability(recorded: Recorded, whole: Point | None) -> Availability:
    """Whether callers were served."""
    length = recorded.until - recorded.since
    wanted = [each for each in recorded.minutes if each.came]
    served = sum(each.acquired > 0 for each in wanted)
    came = 0 if whole is None else whole.acquired + whole.timed_out
    return Availability(
        measured=0.0 if whole is None else min(1.0, whole.seconds / length),
        minutes=served / len(wanted) if wanted else None,
        requests=whole.acquired / came if whole is not None and came else None,
        calls=1 - whole.errors / whole.calls if whole is not None and whole.calls else None,
        longest_gap=_longest_gap(recorded),
    )


def _longest_gap(recorded: Recorded) -> float:
    """Of the minutes where they are kept, else of the hours."""
    times = [(each.at, each.at + MINUTE) for each in recorded.minutes]
    if not times:
        times = [(each.at, each.at + HOUR) for each in recorded.hours]
    longest, seen = 0.0, recorded.since
    for begins, ends in times:
        longest = max(longest, begins - seen)
        seen = max(seen, ends)
    longest = max(longest, recorded.until - seen)
    return longest if longest > MINUTE else 0.0


def throughput(recorded: Recorded, whole: Point | None) -> Throughput:
    """What was done."""
    rated = [
        (each.point.calls / each.point.seconds, each.at) for each in recorded.hours if each.point.seconds
    ]
    peak, peak_at = max(rated, default=(0.0, None))
    loads = [each.offered for each in recorded.minutes]
    return Throughput(
        calls=0 if whole is None else whole.calls,
        calls_per_second=whole.calls / whole.seconds if whole is not None and whole.seconds else 0.0,
        requests=0 if whole is None else whole.acquired + whole.timed_out,
        timed_out=0 if whole is None else whole.timed_out,
        peak_calls_per_second=peak,
        peak_at=None if peak_at is None else moment(peak_at),
        load=fmean(loads) if loads else 0.0,
        peak_load=max(loads, default=0.0),
        outcomes={} if whole is None else dict(sorted(whole.outcomes.items(), key=lambda pair: -pair[1])),
    )


def error_budget(recorded: Recorded, objective: float) -> ErrorBudget:
    """What may go wrong by the objective, and what did."""
    by_day: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for at, point in recorded.hours:
        day = moment(at).date().isoformat()
        failed, asked = by_day[day]
        by_day[day] = failed + point.errors + point.timed_out, asked + point.calls + point.timed_out
    failed = sum(each for each, _ in by_day.values())
    allowed = (1 - objective) * sum(asked for _, asked in by_day.values())
    return ErrorBudget(
        objective=objective,
        allowed=allowed,
        failed=failed,
        used=failed / allowed if allowed else None,
        by_day={day: failed / ((1 - objective) * asked) for day, (failed, asked) in by_day.items() if asked},
    )


# ---------------------------------------------------------------- hours


def late_of(point: Point, wait: float) -> float | None:
    """Share of the requests that waited longer than so many seconds, in vain or not; None without any."""
    came = point.acquired + point.timed_out
    if not came:
        return None
    times = point.acquisition.histogram
    [in_time] = times.at_most([wait])
    return min(1.0, (times.count - in_time + point.timed_out) / came)


def load_of(point: Point) -> float:
    """Erlangs that were asked for."""
    if not point.seconds:
        return 0.0
    served = point.busy_time / point.seconds
    return served * (1 + point.timed_out / point.acquired) if point.acquired else served


def heat_map(hours: Iterable[Hour], lates: Sequence[float | None]) -> HeatMap:
    """The load by weekday and hour."""
    loads: defaultdict[int, list[float]] = defaultdict(list)
    late: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for (at, point), share in zip(hours, lates, strict=True):
        hour = hour_of_week(at)
        loads[hour].append(load_of(point))
        if share is not None:
            late[hour].append((share, point.acquired + point.timed_out))
    means = {hour: fmean(each) for hour, each in loads.items()}
    shares = {
        hour: sum(share * came for share, came in each) / sum(came for _, came in each)
        for hour, each in late.items()
    }
    ranked = sorted(means.items(), key=lambda pair: -pair[1])[:BUSIEST]
    return HeatMap(
        load=_by_weekday(means),
        late=_by_weekday(shares),
        busiest=[
            BusyHour(weekday=hour // HOURS_A_DAY, hour=hour % HOURS_A_DAY, load=load)
            for hour, load in ranked
            if load > 0
        ],
    )


def _by_weekday(by_hour: dict[int, float]) -> list[list[float | None]]:
    return [[by_hour.get(day * HOURS_A_DAY + hour) for hour in range(HOURS_A_DAY)] for day in range(7)]


def late_by_hour(hours: Iterable[Hour], lates: Sequence[float | None]) -> list[float | None]:
    """Share of late requests by hour of the day."""
    late, came = [0.0] * HOURS_A_DAY, [0] * HOURS_A_DAY
    for (at, point), share in zip(hours, lates, strict=True):
        if share is not None:
            hour, requests = hour_of_week(at) % HOURS_A_DAY, point.acquired + point.timed_out
            late[hour] += share * requests
            came[hour] += requests
    return [each / requests if requests else None for each, requests in zip(late, came, strict=True)]


def needed_by_hour(minutes: Sequence[Minute], needed: Sequence[int]) -> dict[float, float]:
    """The mean of the connections that the minutes of each hour needed, by its start."""
    by_hour: defaultdict[float, list[int]] = defaultdict(list)
    for minute, each in zip(minutes, needed, strict=True):
        by_hour[minute.at // HOUR * HOUR].append(each)
    return {at: fmean(each) for at, each in by_hour.items()}
