"""What OpenTelemetry's own reader sees."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.analytics.test_anomalies import metrics
from twikit_pool.manager.integrations import AnalyticsSink

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from twikit_pool.analytics.otel import MOST_VALUES, OpenTelemetrySink


def read(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        each.name: list(each.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for each in scope.metrics
    }


async def test_names_and_numbers_are_those_of_the_conventions() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    sink = OpenTelemetrySink(provider)
    assert isinstance(sink, AnalyticsSink)
    await sink.process_real_time_pool_metrics(metrics(0, calls=20, errors=2))
    await sink.process_real_time_pool_metrics(metrics(10, calls=30, errors=0))
    seen = read(reader)
    counts = {
        each.attributes["db.client.connection.state"]: each.value
        for each in seen["db.client.connection.count"]
    }
    assert counts == {"used": 2, "idle": 3, "other": 0}
    assert [each.value for each in seen["db.client.connection.max"]] == [40]
    assert [each.value for each in seen["db.client.connection.pending_requests"]] == [0]
    calls = {each.attributes["twikit_pool.outcome"]: each.value for each in seen["twikit_pool.calls"]}
    assert calls == {"ok": 48, "transient": 2}
    [duration] = seen["twikit_pool.call.duration"]
    assert duration.count == 50
    assert duration.sum == pytest.approx(50 * 0.89, rel=0.01)
    assert "twikit_pool.connection.target" not in seen  # nobody has said how many there should be
    provider.shutdown()


async def test_many_calls_are_recorded_in_proportion() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    sink = OpenTelemetrySink(provider)
    await sink.process_real_time_pool_metrics(metrics(0, calls=100_000, errors=0))
    [duration] = read(reader)["twikit_pool.call.duration"]
    assert 0 < duration.count <= MOST_VALUES
    provider.shutdown()
