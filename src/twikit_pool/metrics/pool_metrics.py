"""A pool's numbers for one interval, and those of several pools together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from twikit_pool.metrics.histogram import Histogram
from twikit_pool.sessions.outcomes import FINE

TIMES: Final = ("acquisition", "response", "queue")


class PoolMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """A pool, or several together: how it is at one moment, and what happened in the interval before.

    Times are seconds and None when there were none; quantiles are right to 1%; rates are per second; shares
    go from 0 to 1.

    Attributes:
        pool_id: the pool's name; several names joined by commas for several pools.
        timestamp: when the interval ended, in UTC.
        interval: how long it was, in seconds; the longest of several.
        total_connections: connections in any state.
        active_connections: leased ones.
        idle_connections: free ones.
        reserved_connections: free ones that are kept for an owner.
        unhealthy_connections: those that something speaks against using.
        max_connections: how many there may be.
        connections_by_state: all of them, by state.
        queued_requests: requests that wait; by priority, 1 (LOW) to 5, in `queued_by_priority`.
        longest_wait: seconds that the one who came first waits by now.
        acquired: leases that began; one that needed no waiting took no time.
        timed_out: requests that waited in vain.
        busy_time: seconds that connections were leased, all added up; divided by `interval` it is the load in
            erlangs.
        utilization: the share of their time that they were; of those that there are now.
        average_acquisition_time, p50_…, p95_…, p99_…: of requests that had a connection, waiting or not.
        average_queue_time, p50_…, p95_…, p99_…: of requests that had to wait, in vain or not.
        average_response_time, p50_…, p95_…, p99_…: of calls.
        calls: calls that ended; by outcome in `calls_by_outcome`.
        arrival_rate: requests a second that were served or timed out, as a mean over about a minute.
        throughput: calls a second that ended, likewise.
        success_rate: share of calls that went well, or failed by the caller's own fault; None without calls.
        error_rate: the rest.
        memory_usage, cpu_usage, network_usage: as in `Usage`; None where nobody measures.
        scale_up_events, scale_down_events: times that the pool was resized to more or fewer.
        last_scaling_event: when it was last, since the collection began.
        target_connections: how many there should be, as the scaling engine has decided; None when it has not.
        wanted_connections: how many it would have without its ceilings.
        health_checks_passed, health_checks_failed: checks that ended.
        dropped_events: events that came too fast to be counted: then the calls, checks, timeouts and resizes
            here are too few. Of the whole collector, which may be that of several pools.
        acquisition_times, queue_times, response_times: what the times above are read from.
    """

    pool_id: str
    timestamp: datetime
    interval: float

    total_connections: int
    active_connections: int
    idle_connections: int
    reserved_connections: int
    unhealthy_connections: int
    max_connections: int
    connections_by_state: dict[str, int]
    queued_requests: int
    queued_by_priority: dict[int, int]
    longest_wait: float

    acquired: int
    timed_out: int
    busy_time: float
    utilization: float

    average_acquisition_time: float | None
    p50_acquisition_time: float | None
    p95_acquisition_time: float | None
    p99_acquisition_time: float | None
    average_response_time: float | None
    p50_response_time: float | None
    p95_response_time: float | None
    p99_response_time: float | None
    average_queue_time: float | None
    p50_queue_time: float | None
    p95_queue_time: float | None
    p99_queue_time: float | None

    calls: int
    calls_by_outcome: dict[str, int]
    arrival_rate: float
    throughput: float
    success_rate: float | None
    error_rate: float | None

    memory_usage: int | None
    cpu_usage: float | None
    network_usage: float | None

    scale_up_events: int
    scale_down_events: int
    last_scaling_event: datetime | None
    target_connections: int | None
    wanted_connections: int | None
    health_checks_passed: int
    health_checks_failed: int
    dropped_events: int

    acquisition_times: Histogram
    queue_times: Histogram
    response_times: Histogram

    @classmethod
    def of(cls, **counted: Any) -> PoolMetrics:
        """The metrics with these counts and histograms; what follows from them is worked out here."""
        for name in TIMES:
            times: Histogram = counted[f"{name}_times"]
            p50, p95, p99 = times.quantiles(0.5, 0.95, 0.99)
            counted |= {
                f"average_{name}_time": times.average,
                f"p50_{name}_time": p50,
                f"p95_{name}_time": p95,
                f"p99_{name}_time": p99,
            }
        outcomes: Mapping[str, int] = counted["calls_by_outcome"]
        calls = sum(outcomes.values())
        fine = sum(outcomes.get(each, 0) for each in FINE)
        states: Mapping[str, int] = counted["connections_by_state"]
        total = sum(states.values())
        connection_time = total * counted["interval"]
        return cls(
            **counted,
            total_connections=total,
            active_connections=states["leased"],
            idle_connections=states["idle"],
            reserved_connections=states["reserved"],
            queued_requests=sum(counted["queued_by_priority"].values()),
            utilization=min(counted["busy_time"] / connection_time, 1.0) if connection_time else 0.0,
            calls=calls,
            success_rate=fine / calls if calls else None,
            error_rate=(calls - fine) / calls if calls else None,
        )

    def plain(self) -> dict[str, Any]:
        """The numbers by name, as JSON could hold them, without the histograms."""
        values = msgspec.structs.asdict(self)
        return msgspec.to_builtins(
            {name: value for name, value in values.items() if not isinstance(value, Histogram)}, str_keys=True
        )


_MOST: Final = frozenset({"longest_wait", "dropped_events", "last_scaling_event"})
_FOLLOW: Final = frozenset(
    {
        "total_connections",
        "active_connections",
        "idle_connections",
        "reserved_connections",
        "queued_requests",
        "utilization",
        "calls",
        "success_rate",
        "error_rate",
        *(f"{what}_{name}_time" for name in TIMES for what in ("average", "p50", "p95", "p99")),
    }
)


def aggregate(metrics: Iterable[PoolMetrics]) -> PoolMetrics:
    """Several pools as one, over the same interval: quantiles are those of all requests and calls together.

    Raises:
        ValueError: there are none.
    """
    every: Sequence[PoolMetrics] = tuple(metrics)
    if not every:
        raise ValueError("there are no metrics to aggregate: collect those of at least one pool first")
    whole: dict[str, Any] = {
        "pool_id": ",".join(each.pool_id for each in every),
        "timestamp": max(each.timestamp for each in every),
        "interval": max(each.interval for each in every),
    }
    for name in PoolMetrics.__struct_fields__:
        if name not in whole and name not in _FOLLOW:
            parts = [value for each in every if (value := getattr(each, name)) is not None]
            whole[name] = _joined(name, parts)
    return PoolMetrics.of(**whole)


def _joined(name: str, parts: list[Any]) -> Any:
    if not parts:
        return None
    if isinstance(parts[0], Histogram):
        return Histogram.merged(parts)
    if isinstance(parts[0], dict):
        tally: Counter[Any] = Counter()
        for part in parts:
            tally.update(part)
        return dict(tally)
    return max(parts) if name in _MOST else sum(parts)
