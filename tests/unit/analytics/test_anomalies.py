from __future__ import annotations

import random
from datetime import UTC, datetime
from math import cos, pi

import pytest

from tests.unit.analytics.weeks import BEGINS, DAY, HOUR, point_of
from twikit_pool.analytics.anomalies import anomalies
from twikit_pool.analytics.live import Live
from twikit_pool.analytics.recording import Hour
from twikit_pool.analytics.report import Anomaly
from twikit_pool.analytics.seasonal import HourlyValue, Usual, hour_of_week, weekend
from twikit_pool.analytics.trends import FIGURES, trend
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.history.figures import Point, Times
from twikit_pool.metrics.pool_metrics import PoolMetrics


def hours(days: int, seed: int, memory: float = 0.5, spread: float = 0.05) -> list[Hour]:
    """Hours of a pool that has nothing: days, a weekend, errors by chance, a level that wanders a little."""
    rng = random.Random(seed)
    level, made = 0.0, list[Hour]()
    for number in range(days * 24):
        at = BEGINS + number * HOUR
        level = memory * level + rng.gauss(0, spread)
        rate = (2 - cos((at % DAY / HOUR - 3) / 24 * 2 * pi)) * (0.6 if weekend(at) else 1.0)
        calls = round(3_600 * rate * 2.718 ** (level + rng.gauss(0, spread / 2)))
        errors = sum(rng.random() < 0.1 for _ in range(round(calls * 0.1)))
        slow = 2.718 ** rng.gauss(0, spread)
        made.append(Hour(at, of(at, calls, errors, slow)))
    return made


def of(at: float, calls: int, errors: int, slow: float = 1.0) -> Point:
    return point_of(
        at,
        HOUR,
        calls=calls,
        errors=errors,
        acquired=calls,
        busy_time=calls * 0.5 * slow,
        response=Times(b"", 0.4, 0.9 * slow, 1.5),
        acquisition=Times(b"", 0.0, 0.001, 0.01),
    )


def kinds(found: list[Anomaly]) -> set[tuple[str, str]]:
    return {(each.kind, each.figure) for each in found}


def test_clean_reports_are_quiet() -> None:
    """The stated rate: at most one clean report in twenty has any anomaly."""
    loud = [seed for seed in range(60) if anomalies(hours(7, seed))]
    assert len(loud) <= 3


def test_trends_of_clean_reports_are_flat() -> None:
    """The stated rate: at most one figure in fifty."""
    rising = [
        (seed, figure.name)
        for seed in range(30)
        for figure in FIGURES
        if (found := trend(figure, hours(7, seed))) is not None and found.direction != "flat"
    ]
    assert len(rising) <= 3


def test_an_hour_with_many_errors_is_an_outlier() -> None:
    made = hours(7, 1)
    at = made[80].at
    made[80] = Hour(at, of(at, 5_000, 1_500))
    found = anomalies(made)
    assert kinds(found) == {("outlier", "error rate")}
    assert found[0].since.timestamp() == at
    assert found[0].seen == pytest.approx(0.3)
    assert found[0].usual == pytest.approx(0.01, abs=0.005)


def test_hours_that_follow_each_other_are_one_outlier() -> None:
    made = hours(7, 2)
    for number in (100, 101, 102):
        at = made[number].at
        made[number] = Hour(at, of(at, 20, 0))
    calls = [each for each in anomalies(made) if each.figure == "calls"]
    assert len(calls) == 1
    assert (calls[0].until - calls[0].since).total_seconds() == 3 * HOUR


def test_a_level_that_stays_is_a_change() -> None:
    made = hours(14, 3)
    for number in range(200, len(made)):
        at, point = made[number]
        made[number] = Hour(at, of(at, point.calls, round(point.calls * 0.06)))
    found = [each for each in anomalies(made) if each.figure == "error rate"]
    assert [each.kind for each in found] == ["change"]
    assert abs(found[0].since.timestamp() - made[200].at) <= 2 * HOUR
    assert found[0].seen == pytest.approx(0.06, rel=0.05)


def test_a_rise_is_a_trend() -> None:
    made = hours(7, 4)
    for number, (at, point) in enumerate(made):
        made[number] = Hour(at, of(at, point.calls, point.errors, 1 + number / 168))
    found = trend(FIGURES[3], made)
    assert found is not None
    assert found.direction == "rising"
    assert found.low < found.per_day < found.high


def test_weekdays_and_weekends_have_their_own() -> None:
    values = [HourlyValue(each.at, 1.0 if weekend(each.at) else 3.0) for each in hours(14, 1)]
    usual = Usual(values)
    assert usual.left(values) == [0.0] * len(values)
    assert hour_of_week(BEGINS) == 0
    assert hour_of_week(BEGINS + 6 * DAY + 23 * HOUR) == 167


def test_what_is_unusual_is_known_at_once() -> None:
    live = Live()
    made = hours(14, 5)
    live.learn("default", made)
    assert live.unusual("default") == []
    at = made[-1].at + HOUR
    for number in range(90):
        live.add(metrics(at + number * 10, calls=round(made[-168].point.calls / 360), errors=3))
    assert {each.figure for each in live.unusual("default")} == {"error rate"}
    calm = Live()
    calm.learn("default", made)
    for number in range(90):
        calm.add(metrics(at + number * 10, calls=round(made[-168].point.calls / 360), errors=0))
    assert calm.unusual("default") == []


def metrics(at: float, *, calls: int, errors: int) -> PoolMetrics:
    response = Histogram()
    response.add(0.89, calls)
    counted = {name: None for name in PoolMetrics.__struct_fields__ if name in UNKNOWN}
    return PoolMetrics.of(
        **counted,
        pool_id="default",
        timestamp=datetime.fromtimestamp(at + 10, UTC),
        interval=10.0,
        unhealthy_connections=0,
        max_connections=40,
        connections_by_state={"leased": 2, "idle": 3, "reserved": 0},
        queued_by_priority={},
        longest_wait=0.0,
        acquired=calls,
        timed_out=0,
        busy_time=calls * 0.5,
        calls_by_outcome={"ok": calls - errors, "transient": errors},
        arrival_rate=calls / 10,
        throughput=calls / 10,
        scale_up_events=0,
        scale_down_events=0,
        health_checks_passed=0,
        health_checks_failed=0,
        dropped_events=0,
        acquisition_times=Histogram(),
        queue_times=Histogram(),
        response_times=response,
    )


UNKNOWN = (
    "memory_usage",
    "cpu_usage",
    "network_usage",
    "last_scaling_event",
    "target_connections",
    "wanted_connections",
)
