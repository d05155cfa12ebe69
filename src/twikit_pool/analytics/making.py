"""Makes a report of what was recorded: no I/O, no clock, no chance, so that a thread may do it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from twikit_pool.analytics.anomalies import anomalies
from twikit_pool.analytics.outlook import capacity_needs, demand_forecast
from twikit_pool.analytics.recommendations import recommendations
from twikit_pool.analytics.recording import Recorded
from twikit_pool.analytics.report import PoolReport, Recommendation
from twikit_pool.analytics.service_level import (
    availability,
    error_budget,
    heat_map,
    late_of,
    load_of,
    moment,
    needed_by_hour,
    percentiles,
    throughput,
)
from twikit_pool.analytics.sizing import needed_of, scaling_quality
from twikit_pool.analytics.trends import FIGURES, trend
from twikit_pool.analytics.wear import accounts_of, optimizer_of
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.history.figures import Point

OBJECTIVE: Final = 0.99
"""Share of requests and calls that is to go well, where nobody says otherwise."""


def report_of(
    recorded: Recorded,
    made_at: datetime,
    *,
    objective: float = OBJECTIVE,
    plan: Mapping[str, float] | None = None,
    suggest: bool = True,
) -> PoolReport:
    """The report.

    Args:
        recorded: what it is made of.
        made_at: when it is made.
        objective: share of requests and calls that is to go well, below 1.
        plan: calls a second by action or endpoint, of which it is told what they take.
        suggest: look for recommendations, which takes most of the time where something is wrong.

    Raises:
        ConfigError: the plan names what is not known.
    """
    hours, config = recorded.hours, recorded.facts.config
    whole = Point.merged([each.point for each in hours]) if hours else None
    needed = needed_of(recorded)
    lates = [late_of(each.point, config.scaling_target_wait) for each in hours]
    quality = scaling_quality(recorded, needed, whole, lates)
    accounts = accounts_of(recorded)
    notes = [*recorded.notes, *_gaps(recorded)]
    suggested: list[Recommendation] | None = None
    if suggest:
        suggested, said = recommendations(recorded, quality, accounts, needed)
        notes += said
    nothing = Histogram()
    by_hour = needed_by_hour(recorded.minutes, needed)
    return PoolReport(
        pool_id=recorded.pool_id,
        since=moment(recorded.since),
        until=moment(recorded.until),
        made_at=made_at,
        availability=availability(recorded, whole),
        throughput=throughput(recorded, whole),
        response=percentiles(nothing if whole is None else whole.response.histogram),
        acquisition=percentiles(nothing if whole is None else whole.acquisition.histogram),
        queue=percentiles(nothing if whole is None else whole.queue.histogram),
        error_budget=error_budget(recorded, objective),
        endpoints=list(recorded.facts.endpoints),
        trends=[found for each in FIGURES if (found := trend(each, hours, recorded.before)) is not None],
        heat=heat_map(hours, lates),
        scaling=quality,
        accounts=accounts,
        optimizer=optimizer_of(recorded.events.get("optimizer", ())),
        forecast=demand_forecast(recorded),
        capacity=capacity_needs(recorded.facts, plan or {}),
        anomalies=anomalies(hours, recorded.before),
        recommendations=suggested,
        series={
            "at": [each.at for each in hours],
            "calls": [_rate(each.point.calls, each.point) for each in hours],
            "errors": [_rate(each.point.errors, each.point) for each in hours],
            "load": [load_of(each.point) for each in hours],
            "size": [each.point.total for each in hours],
            "needed": [by_hour.get(each.at) for each in hours],
            "late": list(lates),
            "response_p95": [each.point.response.p95 for each in hours],
            "queue_p95": [each.point.queue.p95 for each in hours],
        },
        notes=notes,
    )


def _rate(number: int, point: Point) -> float | None:
    return number / point.seconds if point.seconds else None


def _gaps(recorded: Recorded) -> list[str]:
    if not recorded.hours:
        return ["nothing was recorded in this timeframe"]
    if not recorded.minutes:
        return ["no minutes are kept of this timeframe (metrics_retention_days): sizes are not judged"]
    missing = recorded.minutes[0].at - recorded.hours[0].at
    if missing > 2 * 3600:
        days = missing / 86_400
        return [f"minutes are not kept of the first {days:.1f} days: sizes are judged without them"]
    return []
