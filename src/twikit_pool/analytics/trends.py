"""Whether something rises or falls, beyond what chance and the hour of the day explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Final, Literal, NamedTuple

from twikit_pool.analytics.recording import Hour
from twikit_pool.analytics.report import Trend
from twikit_pool.analytics.seasonal import DAY, HOUR, HourlyValue, Usual
from twikit_pool.analytics.service_level import load_of
from twikit_pool.analytics.statistics import theil_sen

CHANCE: Final = 0.01
"""How often chance alone may make a figure a trend."""

MOST: Final = 240
"""Values that a trend rests on: of more hours, means of several are taken."""

LEAST: Final = 48
"""Hours below which there is no trend."""

SMALL: Final = 0.01
"""Share of its median by which a figure must change in a day, to be worth a word."""


class Figured(NamedTuple):
    """A figure of hours: what it is called, its unit, and how it is read from one."""

    name: str
    unit: str
    of: Callable[[Hour], float | None]


def _calls(hour: Hour) -> float | None:
    return hour.point.calls / hour.point.seconds if hour.point.seconds else None


def _load(hour: Hour) -> float | None:
    return load_of(hour.point)


def _error_rate(hour: Hour) -> float | None:
    return hour.point.errors / hour.point.calls if hour.point.calls else None


def _response(hour: Hour) -> float | None:
    return hour.point.response.p95


def _acquisition(hour: Hour) -> float | None:
    return hour.point.acquisition.p95


FIGURES: Final = (
    Figured("calls", "calls a second", _calls),
    Figured("load", "erlangs", _load),
    Figured("error rate", "of the calls", _error_rate),
    Figured("response p95", "seconds", _response),
    Figured("acquisition p95", "seconds", _acquisition),
)


def values_of(figure: Figured, hours: Sequence[Hour]) -> list[HourlyValue]:
    """Its value in each hour that has one. What was hardly measured says nothing about its hour."""
    return [
        HourlyValue(each.at, value)
        for each in hours
        if each.point.seconds >= HOUR / 4 and (value := figure.of(each)) is not None
    ]


def trend(figure: Figured, hours: Sequence[Hour], before: Sequence[Hour] = ()) -> Trend | None:
    """The trend of a figure in these hours; what is usual may be learned from hours before, too."""
    values = values_of(figure, hours)
    if len(values) < LEAST:
        return None
    usual = Usual([*values_of(figure, before), *values])
    left = [HourlyValue(at, each) for (at, _), each in zip(values, usual.left(values), strict=True)]
    every = -(-len(left) // MOST)
    moments = [fmean(at for at, _ in left[n : n + every]) / DAY for n in range(0, len(left), every)]
    means = [fmean(value for _, value in left[n : n + every]) for n in range(0, len(left), every)]
    groups = [usual.comparable(left[n].at) for n in range(0, len(left), every)]
    found = theil_sen(moments, means, groups)
    level = median(value for _, value in values)
    relative = found.slope / level if level else None
    direction: Literal["rising", "falling", "flat"] = "flat"
    if found.p < CHANCE and (relative is None or abs(relative) >= SMALL) and found.slope:
        direction = "rising" if found.slope > 0 else "falling"
    return Trend(
        figure=figure.name,
        unit=figure.unit,
        direction=direction,
        per_day=found.slope,
        low=found.low,
        high=found.high,
        relative=relative,
        p=found.p,
        values=len(means),
    )
