"""The course of a usual day and of a usual week."""

from __future__ import annotations

from math import ceil
from typing import Final

import msgspec

DAY: Final = 86_400.0
HOUR: Final = 3600.0
HOURS_A_WEEK: Final = 168
SLOT: Final = 300.0
"""Seconds of a slot of the day; longer buckets are a slot each."""

DAY_RATE: Final = 0.15
"""Share of a day's value in its slot: their mean age is six days, and the history has seven."""

WEEK_RATE: Final = 0.3
"""Share of a week's value in its hour."""

WEEKS: Final = 2
"""Weeks after which an hour of the week is believed."""

SMOOTHING: Final = 900.0
"""Seconds on both sides over which the course of the day is smoothed."""


class Profile(msgspec.Struct):
    """Exponentially weighted means by time of the day and by hour of the week, in UTC.

    Attributes:
        slot: seconds of a slot of the day.
        daily: the usual value in each slot; None where nothing was seen.
        latest: the last value seen in each slot.
        weekly: the usual mean of each hour of the week.
        weeks: how often each was seen.
        hour: the hour since 1970 that is running, the sum of its values and their number.
    """

    slot: float
    daily: list[float | None]
    latest: list[float | None]
    weekly: list[float | None]
    weeks: list[int]
    hour: tuple[int, float, int] | None = None

    @classmethod
    def for_buckets(cls, seconds: float) -> Profile:
        """One that has seen nothing yet, for buckets of that length."""
        slot = max(seconds, SLOT)
        slots, hours = ceil(DAY / slot), HOURS_A_WEEK
        return cls(
            slot=slot, daily=[None] * slots, latest=[None] * slots, weekly=[None] * hours, weeks=[0] * hours
        )

    def learn(self, moment: float, value: float, seconds: float) -> None:
        """See the value of a bucket of so many seconds."""
        slot = self._slot(moment)
        usual = self.daily[slot]
        rate = 1 - (1 - DAY_RATE) ** (seconds / self.slot)
        self.daily[slot] = value if usual is None else usual + rate * (value - usual)
        self.latest[slot] = value
        hour, total, count = self.hour or (int(moment // HOUR), 0.0, 0)
        if moment // HOUR != hour:
            self.learn_hour(hour * HOUR, total / count)
            hour, total, count = int(moment // HOUR), 0.0, 0
        self.hour = hour, total + value, count + 1

    def learn_hour(self, moment: float, mean: float) -> None:
        """See the mean of an hour."""
        hour = int(moment // HOUR) % HOURS_A_WEEK
        usual = self.weekly[hour]
        self.weekly[hour] = mean if usual is None else usual + WEEK_RATE * (mean - usual)
        self.weeks[hour] += 1

    def usual(self, moment: float) -> float | None:
        """The smoothed value of that time of the day; None when nothing near it was seen."""
        slot, slots, around = self._slot(moment), len(self.daily), round(SMOOTHING / self.slot)
        near = (self.daily[each % slots] for each in range(slot - around, slot + around + 1))
        total, count = 0.0, 0
        for each in near:
            if each is not None:
                total += each
                count += 1
        return total / count if count else None

    def a_day_before(self, moment: float) -> float | None:
        """What was seen last at that time of the day."""
        return self.latest[self._slot(moment)]

    def of_the_week(self, moment: float) -> float:
        """By how much that hour of the week usually differs from that hour of any day; 0 when not known."""
        hour = int(moment // HOUR)
        week = self.weekly[hour % HOURS_A_WEEK]
        if week is None or self.weeks[hour % HOURS_A_WEEK] < WEEKS:
            return 0.0
        day = self.usual((hour + 0.5) * HOUR)
        return 0.0 if day is None else week - day

    def _slot(self, moment: float) -> int:
        return int(moment % DAY // self.slot)
