"""Points as pools might make them, and a clock that tests set."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from twikit_pool.metrics import Histogram
from twikit_pool.metrics.history import Columns
from twikit_pool.metrics.history.figures import Point, Times

NOON = 1_767_268_800
"""A noon in UTC, in seconds since 1970: the start of an hour, too."""


def times(values: Iterable[float]) -> Times:
    histogram = Histogram()
    for each in values:
        histogram.add(each)
    return Times.of(histogram)


def point(ended: float, *, responses: Iterable[float] = (), **figures: Any) -> Point:
    taken = list(responses)
    usual: dict[str, Any] = {
        "seconds": 10.0,
        "total": 10,
        "active": 4,
        "idle": 6,
        "reserved": 0,
        "unhealthy": 0,
        "most": 20,
        "target": 10,
        "wanted": None,
        "memory": 1_000,
        "cpu": 0.1,
        "network": None,
        "active_peak": 4,
        "queued": 0,
        "longest_wait": 0.0,
        "acquired": len(taken),
        "timed_out": 0,
        "busy_time": sum(taken),
        "calls": len(taken),
        "errors": 0,
        "scale_ups": 0,
        "scale_downs": 0,
        "checks_passed": 0,
        "checks_failed": 0,
        "dropped": 0,
        "outcomes": {"ok": len(taken)} if taken else {},
        "acquisition": times([0.0] * len(taken)),
        "queue": times([]),
        "response": times(taken),
    }
    return Point(ended=ended, **{**usual, **figures})


def busy_point(rng: random.Random, ended: float, calls: int = 20) -> Point:
    """One whose calls take their time."""
    return point(
        ended,
        responses=[rng.lognormvariate(-1, 0.8) for _ in range(calls)],
        queued=rng.randrange(5),
        active=rng.random() * 10,
        errors=rng.randrange(3),
    )


class SetClock:
    """Shows what it is set to, and the true monotonic time."""

    def __init__(self, seconds: float = NOON) -> None:
        self.seconds = seconds

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=self.seconds)


def calls_of(columns: Columns) -> float:
    """How many calls these columns tell of."""
    return sum(
        (rate or 0) * (seconds or 0)
        for rate, seconds in zip(columns["calls"], columns["seconds"], strict=True)
    )


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it is so, for some seconds at most."""
    for _ in range(1_500):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to be")


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
