"""What is kept of a pool's interval, and how several become one.

Counts are sums, connections are means weighed by time, and what one looks for a peak in is the highest. Times
are histograms, which merge exactly: a percentile of an hour is that of all its calls, not one of percentiles.
So the order in which points are merged makes no difference, nor whether minutes are merged or what they are
made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.pool_metrics import TIMES, PoolMetrics
from twikit_pool.sessions.outcomes import FINE

QUANTILES: Final = (0.5, 0.95, 0.99)

TEN_SECONDS: Final = 10
MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

TIERS: Final = (TEN_SECONDS, MINUTE, HOUR)
"""Seconds of a point of each tier."""

_encoder: Final = msgspec.msgpack.Encoder()


class Times(msgspec.Struct, frozen=True, array_like=True):
    """A histogram as it is kept, with the percentiles that are asked for most; seconds.

    Attributes:
        encoded: the histogram; empty when it has counted nothing.
        p50, p95, p99: None when it has counted nothing.
    """

    encoded: bytes = b""
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> Times:
        """As it is to be kept."""
        if not histogram.count:
            return NONE
        return cls(_encoder.encode(histogram), *histogram.quantiles(*QUANTILES))

    @property
    def histogram(self) -> Histogram:
        """What was counted."""
        return Histogram.from_bytes(self.encoded) if self.encoded else Histogram()

    @classmethod
    def merged(cls, several: Iterable[Times]) -> Times:
        """All that these have counted."""
        counted = [each for each in several if each.encoded]
        if len(counted) <= 1:
            return counted[0] if counted else NONE
        return cls.of(Histogram.merged(each.histogram for each in counted))


NONE: Final = Times()


class Point(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a pool did in some time. Connections and requests are numbers, times seconds, sizes bytes.

    Attributes:
        ended: when it ended, in seconds since 1970.
        seconds: how much time of it was measured.
        total, active, idle, reserved, unhealthy: connections; those leased, free, kept and ill; means.
        most: connections that there might be.
        target, wanted: how many there were to be, and without what holds it back; None when nobody said.
        memory, cpu, network: bytes, share of a core, bytes a second; None where nobody measures.
        active_peak: the most connections that were leased at an interval's end.
        queued, longest_wait: the most requests that waited, and the longest wait.
        acquired, timed_out: requests that had a connection, and those that waited in vain.
        busy_time: seconds that connections were leased, added up.
        calls, errors: calls that ended; those that failed by no fault of their caller.
        scale_ups, scale_downs: times that the pool was resized.
        checks_passed, checks_failed: health checks.
        dropped: events that came too fast to be counted.
        outcomes: calls by outcome.
        acquisition, queue, response: times to acquire a connection, of waiting, and of calls.
    """

    ended: float
    seconds: float

    total: float
    active: float
    idle: float
    reserved: float
    unhealthy: float
    most: float
    target: float | None
    wanted: float | None
    memory: float | None
    cpu: float | None
    network: float | None

    active_peak: float
    queued: float
    longest_wait: float

    acquired: int
    timed_out: int
    busy_time: float
    calls: int
    errors: int
    scale_ups: int
    scale_downs: int
    checks_passed: int
    checks_failed: int
    dropped: int

    outcomes: dict[str, int]
    acquisition: Times
    queue: Times
    response: Times

    @classmethod
    def of(cls, metrics: PoolMetrics) -> Point:
        """What is kept of an interval."""
        return cls(
            ended=metrics.timestamp.timestamp(),
            seconds=metrics.interval,
            total=metrics.total_connections,
            active=metrics.active_connections,
            idle=metrics.idle_connections,
            reserved=metrics.reserved_connections,
            unhealthy=metrics.unhealthy_connections,
            most=metrics.max_connections,
            target=metrics.target_connections,
            wanted=metrics.wanted_connections,
            memory=metrics.memory_usage,
            cpu=metrics.cpu_usage,
            network=metrics.network_usage,
            active_peak=metrics.active_connections,
            queued=metrics.queued_requests,
            longest_wait=metrics.longest_wait,
            acquired=metrics.acquired,
            timed_out=metrics.timed_out,
            busy_time=metrics.busy_time,
            calls=metrics.calls,
            errors=sum(times for each, times in metrics.calls_by_outcome.items() if each not in FINE),
            scale_ups=metrics.scale_up_events,
            scale_downs=metrics.scale_down_events,
            checks_passed=metrics.health_checks_passed,
            checks_failed=metrics.health_checks_failed,
            dropped=metrics.dropped_events,
            outcomes=metrics.calls_by_outcome,
            acquisition=Times.of(metrics.acquisition_times),
            queue=Times.of(metrics.queue_times),
            response=Times.of(metrics.response_times),
        )

    @property
    def middle(self) -> float:
        """The moment by which it is told to which slot it belongs."""
        return self.ended - self.seconds / 2

    @classmethod
    def merged(cls, points: Sequence[Point]) -> Point:
        """Several as one; at least one.

        What nobody knew for a part of the time is the mean over the rest.
        """
        if len(points) == 1:
            return points[0]
        whole: dict[str, Any] = {name: max(getattr(each, name) for each in points) for name in HIGHEST}
        for name in SUMS:
            whole[name] = sum(getattr(each, name) for each in points)
        for name in MEANS:
            whole[name] = _mean(points, name)
        for name in TIMES:
            whole[name] = Times.merged(getattr(each, name) for each in points)
        outcomes: dict[str, int] = {}
        for each in points:
            for outcome, times in each.outcomes.items():
                outcomes[outcome] = outcomes.get(outcome, 0) + times
        return cls(**whole, outcomes=outcomes)


HIGHEST: Final = ("ended", "active_peak", "queued", "longest_wait")
SUMS: Final = (
    "seconds",
    "acquired",
    "timed_out",
    "busy_time",
    "calls",
    "errors",
    "scale_ups",
    "scale_downs",
    "checks_passed",
    "checks_failed",
    "dropped",
)
MEANS: Final = (
    "total",
    "active",
    "idle",
    "reserved",
    "unhealthy",
    "most",
    "target",
    "wanted",
    "memory",
    "cpu",
    "network",
)


def _mean(points: Sequence[Point], name: str) -> float | None:
    total = weight = 0.0
    latest: float | None = None
    for each in points:
        value: float | None = getattr(each, name)
        if value is not None:
            total += value * each.seconds
            weight += each.seconds
            latest = value
    return total / weight if weight else latest


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What an account did in some time.

    Attributes:
        calls, errors: calls that ended; those that failed by no fault of their caller.
        response: seconds that they took.
    """

    calls: int
    errors: int
    response: Times

    @classmethod
    def merged(cls, several: Iterable[AccountFigures]) -> AccountFigures:
        """Several as one."""
        every = tuple(several)
        return cls(
            calls=sum(each.calls for each in every),
            errors=sum(each.errors for each in every),
            response=Times.merged(each.response for each in every),
        )


def slot(moment: float, seconds: int) -> int:
    """The start of the point of so many seconds in which a moment lies."""
    return int(moment // seconds) * seconds
