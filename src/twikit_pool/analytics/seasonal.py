"""What is usual at an hour: of the week where enough weeks are known, else of a working day or a weekend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

HOUR: Final = 3_600
DAY: Final = 86_400
HOURS_A_DAY: Final = 24
HOURS_A_WEEK: Final = 168

WEEKS: Final = 3
"""Weeks that an hour of the week must be known of, to be told apart from that of other days."""

DAYS: Final = 2
"""Days of a weekend, or working days, that an hour must be known of."""

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
    """What is usual at each hour, learned from hourly values."""

    def __init__(self, values: Iterable[HourlyValue]) -> None:
        by_slot: defaultdict[tuple[str, object], list[float]] = defaultdict(list)
        everything: list[float] = []
        for at, value in values:
            hour = hour_of_week(at)
            by_slot["week", hour].append(value)
            by_slot["kind", (weekend(at), hour % HOURS_A_DAY)].append(value)
            by_slot["day", hour % HOURS_A_DAY].append(value)
            everything.append(value)
        self._slots: Mapping[tuple[str, object], tuple[float, int]] = {
            slot: (median(every), len(every)) for slot, every in by_slot.items()
        }
        self._middle = median(everything) if everything else 0.0

    def at(self, at: float) -> float:
        """What is usual at the hour that begins then."""
        hour = hour_of_week(at)
        for slot, least in (
            (("week", hour), WEEKS),
            (("kind", (weekend(at), hour % HOURS_A_DAY)), DAYS),
            (("day", hour % HOURS_A_DAY), DAYS),
        ):
            value, count = self._slots.get(slot, (0.0, 0))
            if count >= least:
                return value
        return self._middle

    def left(self, values: Sequence[HourlyValue]) -> list[float]:
        """What is left of values when the usual is taken away."""
        return [value - self.at(at) for at, value in values]
