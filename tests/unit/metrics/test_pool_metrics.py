from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from twikit_pool.metrics import Histogram, PoolMetrics, aggregate

SEED = {
    *(f"{each}_acquisition_time" for each in ("average", "p50", "p95", "p99")),
    *(f"{each}_response_time" for each in ("average", "p50", "p95", "p99")),
    *(f"{each}_queue_time" for each in ("average", "p50", "p95", "p99")),
    *(f"{which}_connections" for which in ("total", "active", "idle", "reserved", "unhealthy")),
    *("throughput", "success_rate", "error_rate", "memory_usage", "cpu_usage", "network_usage"),
    *("scale_up_events", "scale_down_events", "last_scaling_event", "queued_requests", "longest_wait"),
    *("health_checks_passed", "health_checks_failed", "timestamp"),
}  # fmt: skip


def times(*values: float) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def metrics(**others: Any) -> PoolMetrics:
    return PoolMetrics.of(
        **{
            "pool_id": "one",
            "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "interval": 10.0,
            "connections_by_state": {"idle": 1, "leased": 2, "reserved": 1},
            "unhealthy_connections": 1,
            "max_connections": 8,
            "queued_by_priority": {1: 1, 2: 0, 3: 2, 4: 0, 5: 0},
            "longest_wait": 1.5,
            "acquired": 3,
            "timed_out": 0,
            "busy_time": 20.0,
            "calls_by_outcome": {"ok": 6, "caller_fault": 1, "transient": 1},
            "arrival_rate": 0.5,
            "throughput": 0.8,
            "memory_usage": None,
            "cpu_usage": None,
            "network_usage": None,
            "scale_up_events": 1,
            "scale_down_events": 0,
            "last_scaling_event": None,
            "target_connections": None,
            "wanted_connections": None,
            "health_checks_passed": 4,
            "health_checks_failed": 1,
            "dropped_events": 0,
            "acquisition_times": times(0.0, 0.0, 3.0),
            "queue_times": times(3.0),
            "response_times": times(*[0.5] * 8),
            **others,
        }
    )


def test_it_has_every_field_that_was_asked_for() -> None:
    assert set(PoolMetrics.__struct_fields__) >= SEED


def test_what_follows_from_the_counts_is_worked_out() -> None:
    found = metrics()
    assert (found.total_connections, found.active_connections, found.idle_connections) == (4, 2, 1)
    assert (found.queued_requests, found.calls) == (3, 8)
    assert (found.success_rate, found.error_rate) == (7 / 8, 1 / 8)
    assert found.utilization == 0.5
    assert found.average_acquisition_time == pytest.approx(1)
    assert found.p95_acquisition_time == pytest.approx(3, rel=0.01)


def test_without_calls_there_is_neither_success_nor_error() -> None:
    found = metrics(
        calls_by_outcome={},
        response_times=Histogram(),
        connections_by_state=dict.fromkeys(("idle", "leased", "reserved"), 0),
    )
    assert (found.success_rate, found.error_rate, found.p50_response_time, found.utilization) == (
        None,
        None,
        None,
        0.0,
    )


def test_quantiles_of_several_pools_are_those_of_all_calls_and_no_mean_of_quantiles() -> None:
    quick = metrics(response_times=times(*[0.1] * 99))
    slow = metrics(pool_id="two", response_times=times(10.0))
    whole = aggregate([quick, slow])
    assert whole.p95_response_time == pytest.approx(0.1, rel=0.01)
    assert whole.p99_response_time == pytest.approx(0.1, rel=0.01)
    assert whole.average_response_time == pytest.approx((99 * 0.1 + 10) / 100)
    assert whole.response_times.max == 10


def test_several_pools_add_up() -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    other = metrics(
        pool_id="two",
        timestamp=later,
        longest_wait=9.0,
        memory_usage=100,
        last_scaling_event=later,
        target_connections=7,
        calls_by_outcome={"rate_limited": 8},
        connections_by_state={"idle": 5, "leased": 0, "reserved": 0, "opening": 1},
        dropped_events=3,
    )
    whole = aggregate([metrics(), other])
    assert (whole.pool_id, whole.timestamp, whole.interval) == ("one,two", later, 10.0)
    assert (whole.total_connections, whole.active_connections, whole.acquired) == (10, 2, 6)
    assert whole.connections_by_state == {"idle": 6, "leased": 2, "reserved": 1, "opening": 1}
    assert (whole.queued_requests, whole.longest_wait, whole.dropped_events) == (6, 9.0, 3)
    assert (whole.success_rate, whole.error_rate) == (7 / 16, 9 / 16)
    assert (whole.memory_usage, whole.cpu_usage, whole.last_scaling_event) == (100, None, later)
    assert (whole.target_connections, whole.wanted_connections) == (7, None)
    assert whole.utilization == pytest.approx(0.4)
    assert whole.throughput == pytest.approx(1.6)


def test_one_pool_together_is_itself() -> None:
    assert aggregate([metrics()]) == metrics()


def test_nothing_cannot_be_aggregated() -> None:
    with pytest.raises(ValueError, match="no metrics to aggregate"):
        aggregate([])


def test_it_comes_back_from_json_and_its_plain_values_are_json() -> None:
    found = metrics()
    assert msgspec.json.decode(msgspec.json.encode(found), type=PoolMetrics) == found
    plain = found.plain()
    assert plain["queued_by_priority"]["3"] == 2
    assert plain["timestamp"] == "2026-01-01T00:00:00Z"
    assert set(PoolMetrics.__struct_fields__) - plain.keys() == {
        "acquisition_times",
        "queue_times",
        "response_times",
    }
    assert msgspec.json.decode(msgspec.json.encode(plain)) == plain
