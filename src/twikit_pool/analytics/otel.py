"""The pool's metrics for OpenTelemetry (extra `otel`): an `AnalyticsSink`, to be given as an integration.

Names and units are those of OpenTelemetry's semantic conventions for connection pools
(`db.client.connection.*`) where there is one, with the attribute `db.client.connection.pool.name`; what they
have no name for begins with `twikit_pool.`. OpenTelemetry's API takes histograms value by value: each step of
ours is recorded by its middle, at most `MOST_VALUES` in an interval; beyond that each stands for several, so
counts stay in proportion alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any, Final

from opentelemetry import metrics as telemetry

from twikit_pool.metrics.histogram import GROWTH, Histogram
from twikit_pool.metrics.pool_metrics import PoolMetrics

MOST_VALUES: Final = 500
"""Values of a histogram that are recorded in an interval; each takes about 8 µs."""

POOL: Final = "db.client.connection.pool.name"
STATE: Final = "db.client.connection.state"

USED: Final = ("leased",)
"""States of a connection that count as `used`; idle and reserved ones are `idle`."""

FREE: Final = ("idle", "reserved")


class OpenTelemetrySink:
    """Passes each interval on.

        manager.create_pool("default", config, integrations=[OpenTelemetrySink()])

    Args:
        provider: whose instruments are used; the global one when not given.
    """

    def __init__(self, provider: telemetry.MeterProvider | None = None) -> None:
        meter = telemetry.get_meter("twikit_pool", meter_provider=provider)
        self._latest: dict[str, PoolMetrics] = {}
        self._timeouts = meter.create_counter(
            "db.client.connection.timeouts", "{timeout}", "Requests that waited in vain."
        )
        self._calls = meter.create_counter("twikit_pool.calls", "{call}", "Calls that ended, by outcome.")
        self._wait = meter.create_histogram(
            "db.client.connection.wait_time", "s", "Seconds to have a connection."
        )
        self._response = meter.create_histogram("twikit_pool.call.duration", "s", "Seconds that calls took.")
        gauge = meter.create_observable_up_down_counter
        gauge("db.client.connection.count", [self._counts], "{connection}", "Connections, by state.")
        for name, figure, words in (
            ("db.client.connection.max", "max_connections", "Connections that there may be."),
            ("twikit_pool.connection.target", "target_connections", "Connections that there should be."),
            ("twikit_pool.connection.unhealthy", "unhealthy_connections", "Connections that are ill."),
        ):
            gauge(name, [self._reads(figure)], "{connection}", words)
        gauge(
            "db.client.connection.pending_requests",
            [self._reads("queued_requests")],
            "{request}",
            "Requests that wait.",
        )

    async def process_real_time_pool_metrics(self, metrics: PoolMetrics) -> None:
        """Take those of an interval, as `AnalyticsSink` has it."""
        self._latest[metrics.pool_id] = metrics
        attributes = {POOL: metrics.pool_id}
        if metrics.timed_out:
            self._timeouts.add(metrics.timed_out, attributes)
        for outcome, calls in metrics.calls_by_outcome.items():
            if calls:
                self._calls.add(calls, {**attributes, "twikit_pool.outcome": str(outcome)})
        for value in _values(metrics.acquisition_times):
            self._wait.record(value, attributes)
        for value in _values(metrics.response_times):
            self._response.record(value, attributes)

    def _counts(self, _options: Any) -> Iterator[telemetry.Observation]:
        for pool_id, metrics in self._latest.items():
            states = metrics.connections_by_state
            for state, names in (("used", USED), ("idle", FREE)):
                number = sum(states.get(each, 0) for each in names)
                yield telemetry.Observation(number, {POOL: pool_id, STATE: state})
            rest = metrics.total_connections - sum(states.get(each, 0) for each in (*USED, *FREE))
            yield telemetry.Observation(rest, {POOL: pool_id, STATE: "other"})

    def _reads(self, figure: str) -> Any:
        def read(_options: Any) -> Iterator[telemetry.Observation]:
            for pool_id, metrics in self._latest.items():
                value = getattr(metrics, figure)
                if value is not None:
                    yield telemetry.Observation(value, {POOL: pool_id})

        return read


def _values(histogram: Histogram) -> Iterator[float]:
    """The middles of its steps, as often as they were counted, or in proportion."""
    every = max(1, ceil(histogram.count / MOST_VALUES))
    steps = {0.0: histogram.zeros} | {
        GROWTH**step * 2 / (GROWTH + 1): count for step, count in histogram.steps.items()
    }
    left = 0
    for value, count in steps.items():
        times, left = divmod(count + left, every)
        yield from (value for _ in range(times))
