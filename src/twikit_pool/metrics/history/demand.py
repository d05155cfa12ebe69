"""What was asked of a pool, for those who forecast it."""

from __future__ import annotations

from typing import Final, NamedTuple

from twikit_pool.metrics.history.figures import Point

BUCKET: Final = 300
"""Seconds of what a forecast learns at once."""


class Demand(NamedTuple):
    """What was asked of a pool, in erlangs, by when it began, in seconds since 1970; in order.

    Attributes:
        buckets: of `BUCKET` seconds; None where nobody can tell.
        hours: before those.
    """

    buckets: list[tuple[float, float | None]]
    hours: list[tuple[float, float]]


def offered(point: Point) -> float | None:
    """The load in erlangs: requests a second times the seconds that each held a connection."""
    came = point.acquired + point.timed_out
    if not point.seconds or (point.busy_time and not point.acquired):
        return None  # leases only went on, so nobody knows how long they take
    return came / point.seconds * point.busy_time / point.acquired if point.acquired else 0.0
