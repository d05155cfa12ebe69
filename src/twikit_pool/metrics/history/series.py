"""Figures over time, as charts and reports ask for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from twikit_pool.errors import ConfigError
from twikit_pool.metrics.history.figures import TEN_SECONDS, Point, Times
from twikit_pool.metrics.history.reading import Placed
from twikit_pool.metrics.pool_metrics import TIMES

Figure = Callable[[Point], float | None]


def _rate(name: str) -> Figure:
    return lambda point: getattr(point, name) / point.seconds if point.seconds else 0.0


def _share(part: str, whole: str) -> Figure:
    return lambda point: getattr(point, part) / getattr(point, whole) if getattr(point, whole) else None


def _utilization(point: Point) -> float:
    connection_time = point.total * point.seconds
    return min(point.busy_time / connection_time, 1.0) if connection_time else 0.0


def _average(name: str) -> Figure:
    def average(point: Point) -> float | None:
        times: Times = getattr(point, name)
        return times.histogram.average

    return average


FIGURES: Final[Mapping[str, Figure]] = {
    **{
        name: attrgetter(name)
        for name in (
            "total",
            "active",
            "idle",
            "reserved",
            "unhealthy",
            "target",
            "wanted",
            "most",
            "active_peak",
            "queued",
            "longest_wait",
            "memory",
            "cpu",
            "network",
            "scale_ups",
            "scale_downs",
            "checks_passed",
            "checks_failed",
            "dropped",
        )
    },
    **{name: _rate(name) for name in ("calls", "errors", "acquired", "timed_out")},
    "load": _rate("busy_time"),
    "error_rate": _share("errors", "calls"),
    "utilization": _utilization,
    **{f"{name}_{each}": attrgetter(f"{name}.{each}") for name in TIMES for each in ("p50", "p95", "p99")},
    **{f"{name}_average": _average(name) for name in TIMES},
}
"""What can be asked for, by name: rates are a second, times seconds, shares from 0 to 1."""

CHARTED: Final = (
    "total",
    "active",
    "target",
    "most",
    "queued",
    "longest_wait",
    "calls",
    "errors",
    "acquisition_p50",
    "acquisition_p95",
    "acquisition_p99",
    "response_p95",
)
"""Those that the dashboard shows."""

Columns = dict[str, list[float | None]]


def check_figures(figures: Collection[str]) -> None:
    """Raise a ConfigError where there is no such figure."""
    for name in figures:
        if name not in FIGURES:
            raise ConfigError(f"there is no figure {name[:80]!r}: there are {', '.join(FIGURES)}")


def whole_step(step: float) -> int:
    """Seconds of a point of a series, a multiple of ten.

    Raises:
        ConfigError: it is negative or no number.
    """
    if not 0 <= step < float("inf"):
        raise ConfigError(f"a step is 0 seconds or more, not {step}")
    return -int(-step // TEN_SECONDS) * TEN_SECONDS


def histograms_of(figures: Collection[str], *, merged: bool) -> list[str]:
    """The times whose histograms these figures need; `merged` where points become one."""
    needed = "" if merged else "_average"
    return [
        name
        for name in TIMES
        if any(each.startswith(f"{name}_") and each.endswith(needed) for each in figures)
    ]


def in_steps(placed: Iterable[Placed], step: int) -> list[Point]:
    """One point for each so many seconds."""
    groups = groupby(placed, key=lambda each: each.at // step)
    return [Point.merged([each.point for each in group]) for _, group in groups]


def in_columns(points: Sequence[Point], figures: Collection[str] = CHARTED) -> Columns:
    """The points by figure; `at` is when each ended, in seconds since 1970, and `seconds` how long it was."""
    columns: Columns = {
        "at": [_short(each.ended) for each in points],
        "seconds": [_short(each.seconds) for each in points],
    }
    for name in figures:
        figure = FIGURES[name]
        columns[name] = [_short(figure(each)) for each in points]
    return columns


def _short(value: float | None) -> float | None:
    """A number without digits that no chart shows; a day would take twice as many bytes with them."""
    return round(value, 6) if isinstance(value, float) else value
