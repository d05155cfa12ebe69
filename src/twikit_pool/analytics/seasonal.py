"""What is usual at an hour: the shape of a day and a week, learned so that no lasting change is taken for it.

A shape is what an hour differs by from the middle of its own day, or week, as a median over several. So it is
the same whether the level stays, rises, or jumps half-way; and a weekend is compared with the working days
beside it, not with those of weeks ago.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Final, NamedTuple

HOUR: Final = 3_600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
HOURS_A_DAY: Final = 24
HOURS_A_WEEK: Final = 168

WEEKS: Final = 3
"""Weeks that must be known for each hour of the week to have a shape of its own."""

WHOLE: Final = 0.75
"""Share of the hours of a day, or a week, that must be known for it to have a middle."""

MONDAY: Final = 4 * HOURS_A_DAY
"""The hour since 1970 at which a week begins: that year began on a Thursday."""


class HourlyValue(NamedTuple):
    """A value, and the start of its hour in seconds since 1970."""

    at: float
    value: float


def hour_of_week(at: float) -> int:
    """0 for Monday's first hour in UTC, 167 for Sunday's last."""
    return (int(at // HOUR) - MONDAY) % HOURS_A_WEEK


def weekend(at: float) -> bool:
    """Whether it is a Saturday or a Sunday in UTC."""
    return hour_of_week(at) >= 5 * HOURS_A_DAY


class Usual:
    """What is usual at each hour, learned from hourly values in the order of time."""

    def __init__(self, values: Iterable[HourlyValue]) -> None:
        every = tuple(values)
        weeks = _periods(every, WEEK, HOURS_A_WEEK, begin=MONDAY * HOUR)
        self._by_week = len(weeks) >= WEEKS
        self._middle = 0.0
        self._weekend = 0.0
        self._shape: Mapping[tuple[bool, int], float] = {}
        if not every:
            return
        if self._by_week:
            self._shape = _shape(weeks, lambda at: (False, hour_of_week(at)))
            self._middle = median(median(each.value for each in week) for week in weeks)
        else:
            self._learn_days(_periods(every, DAY, HOURS_A_DAY) or [every])

    def _learn_days(self, days: Sequence[Sequence[HourlyValue]]) -> None:
        working = [each for each in days if not weekend(each[0].at)]
        ending = [each for each in days if weekend(each[0].at)]
        self._shape = {
            **_shape(working or ending, lambda at: (True, int(at // HOUR) % HOURS_A_DAY)),
            **_shape(working or ending, lambda at: (False, int(at // HOUR) % HOURS_A_DAY)),
            **_shape(ending, lambda at: (True, int(at // HOUR) % HOURS_A_DAY)),
        }
        levels = {
            each[0].at // DAY: median(value - self._shape.get(self._slot(at), 0.0) for at, value in each)
            for each in days
        }
        self._weekend = _weekend_by_neighbours(levels)
        self._middle = median(
            level - (self._weekend if weekend(day * DAY) else 0.0) for day, level in levels.items()
        )

    def _slot(self, at: float) -> tuple[bool, int]:
        if self._by_week:
            return False, hour_of_week(at)
        return weekend(at), int(at // HOUR) % HOURS_A_DAY

    def comparable(self, at: float) -> bool:
        """Which hours can be compared with this one: what a weekend usually is, few weeks tell roughly."""
        return not self._by_week and weekend(at)

    def at(self, at: float) -> float:
        """What is usual at the hour in which this moment lies."""
        usual = self._middle + self._shape.get(self._slot(at), 0.0)
        return usual + self._weekend if weekend(at) and not self._by_week else usual

    def left(self, values: Sequence[HourlyValue]) -> list[float]:
        """What is left of values when the usual is taken away."""
        return [value - self.at(at) for at, value in values]


def _periods(
    values: Sequence[HourlyValue], seconds: int, hours: int, *, begin: float = 0.0
) -> list[list[HourlyValue]]:
    """The days, or weeks, of which most is known."""
    found: defaultdict[float, list[HourlyValue]] = defaultdict(list)
    for each in values:
        found[(each.at - begin) // seconds].append(each)
    return [each for each in found.values() if len(each) >= WHOLE * hours]


def _shape(
    periods: Iterable[Sequence[HourlyValue]], slot: Callable[[float], tuple[bool, int]]
) -> dict[tuple[bool, int], float]:
    """By how much each hour differs from the middle of its day, or week."""
    differs: defaultdict[tuple[bool, int], list[float]] = defaultdict(list)
    for period in periods:
        middle = median(each.value for each in period)
        for at, value in period:
            differs[slot(at)].append(value - middle)
    return {hour: median(each) for hour, each in differs.items()}


def _weekend_by_neighbours(levels: Mapping[float, float]) -> float:
    """By how much a weekend differs from the working days before and after it."""
    differs: list[float] = []
    for day, level in levels.items():
        if not weekend(day * DAY):
            continue
        saturday = day if not weekend((day - 1) * DAY) else day - 1
        beside = [levels[each] for each in (saturday - 1, saturday + 2) if each in levels]
        if beside:
            differs.append(level - fmean(beside))
    return median(differs) if differs else 0.0
