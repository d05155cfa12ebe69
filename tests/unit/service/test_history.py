"""What is kept of a day's figures, and how little of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.events import EventBus, MetricsCollected
from twikit_pool.service.history import (
    COARSE_SECONDS,
    FINE_SECONDS,
    MOST_COARSE,
    MOST_FINE,
    History,
    Kept,
    Point,
    as_one,
    in_columns,
    in_steps,
)


def point(at: float, **figures: Any) -> Point:
    usual: dict[str, Any] = {
        "seconds": 10.0,
        "total": 10,
        "active": 4,
        "target": 10,
        "most": 20,
        "queued": 0,
        "longest_wait": 0.0,
        "calls": 5.0,
        "errors": 0.0,
        "acquisition_p50": None,
        "acquisition_p95": None,
        "acquisition_p99": None,
        "response_p95": None,
    }
    return Point(at=at, **{**usual, **figures})


def kept(points: Iterable[Point]) -> Kept:
    found = Kept()
    for each in points:
        found.add(each)
    return found


def test_several_intervals_are_means_by_length_and_the_highest_of_what_peaks() -> None:
    one = as_one(
        [
            point(10, seconds=10, active=0, calls=0.0, queued=7, acquisition_p99=0.3),
            point(40, seconds=30, active=8, calls=4.0, queued=2, target=None, acquisition_p99=None),
        ]
    )
    assert (one.at, one.seconds, one.active, one.calls) == (40, 40, 6, 3)
    assert (one.queued, one.acquisition_p99, one.acquisition_p50) == (7, 0.3, None)
    assert one.target == 10, "what was not known weighs nothing"


def test_the_last_hour_is_as_it_was_and_a_minute_is_a_point_before() -> None:
    ends = 3 * 3600
    points = list(kept(point(float(at)) for at in range(10, ends + 1, 10)))
    fine = [each for each in points if each.seconds == 10]
    assert fine[0].at >= ends - FINE_SECONDS
    assert len(fine) >= FINE_SECONDS / 10
    coarse = [each for each in points if each.seconds == 60]
    assert len(coarse) == 119
    times = [each.at for each in points]
    assert times == sorted(set(times)), "in order, and none twice"
    assert sum(each.seconds for each in points) == ends, "none is lost"


def test_no_more_than_a_day_is_kept_however_short_intervals_are() -> None:
    found = kept(point(float(at), seconds=30.0) for at in range(30, int(2 * COARSE_SECONDS), 30))
    points = list(found)
    assert points[0].at >= points[-1].at - COARSE_SECONDS
    assert len(points) <= MOST_COARSE + MOST_FINE + 1
    busy = list(kept(point(at / 10, seconds=0.1) for at in range(100_000)))
    assert len([each for each in busy if each.seconds == 0.1]) <= MOST_FINE
    assert len(busy) < MOST_FINE + 200


def test_a_clock_that_jumps_back_loses_nothing_of_what_is_new() -> None:
    found = kept([point(10_000.0), point(10_010.0), point(5_000.0), point(5_010.0)])
    assert [each.at for each in found][-1] == 5_010


def test_steps_and_columns_are_what_charts_take() -> None:
    points = [point(float(at), calls=at / 3) for at in range(10, 130, 10)]
    stepped = list(in_steps(points, 60))
    assert [each.at for each in stepped] == [50, 110, 120]
    columns = in_columns(stepped)
    assert set(columns) == set(Point.__struct_fields__)
    assert {len(each) for each in columns.values()} == {3}
    assert columns["calls"][2] == 40
    assert columns["acquisition_p50"] == [None] * 3


def metrics() -> dict[str, Any]:
    return {
        "interval": 2.0,
        "calls": 10,
        "error_rate": 0.2,
        "total_connections": 5,
        "active_connections": 2,
        "target_connections": None,
        "max_connections": 9,
        "queued_requests": 1,
        "longest_wait": 0.5,
        "p50_acquisition_time": 0.01,
        "p95_acquisition_time": 0.02,
        "p99_acquisition_time": 0.03,
        "p95_response_time": None,
    }


async def test_what_is_collected_is_noted_while_it_is_entered_and_what_is_gone_is_dropped() -> None:
    manager: Any = SimpleNamespace(events=EventBus(), pools={"a": object(), "b": object()})
    history = History(manager)

    def collect(pool_id: str) -> None:
        manager.events.publish(MetricsCollected(pool_id=pool_id, at=SYSTEM_CLOCK.now(), metrics=metrics()))

    for _ in range(2):  # it may be entered again
        async with history:
            await asyncio.sleep(0)
            collect("a")
            collect("b")
            collect("unknown")
            await asyncio.sleep(0.01)
    [first, _] = history.points("a")
    assert (first.calls, first.errors, first.total, first.target) == (5, 1, 5, None)
    assert history.points("a", since=first.at)[0].at > first.at
    assert history.points("unknown") == []
    collect("a")
    assert len(history.points("a")) == 2, "it is not entered"
    del manager.pools["a"]
    history.note(MetricsCollected(pool_id="b", at=SYSTEM_CLOCK.now(), metrics=metrics()))
    assert history.points("a") == []
