"""Time, passed in.

Everything that stamps or measures takes a `Clock`; everything that waits does so on the running event
loop. In tests both are virtual, so a day of rate windows passes in a second and always the same way.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def monotonic(self) -> float:
        """Seconds that never go back, on the same timeline as the event loop's timers."""
        ...

    def now(self) -> datetime:
        """The wall clock, in UTC. For stamps only: it may jump, so nothing is measured with it."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    """Seconds, the same that asyncio's timers use. The function itself: it is read twice in every lease."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)


def wall_time(clock: Clock, moment: float) -> datetime:
    """A moment of the clock's monotonic time as UTC, by what both clocks show now."""
    return clock.now() + timedelta(seconds=moment - clock.monotonic())


def in_words(seconds: float) -> str:
    """A duration in its two largest units: `1 h 12 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    words = [f"{days} d" * (days > 0), f"{hours} h" * (hours > 0), f"{minutes} min" * (not days)]
    return " ".join(filter(None, words))


SYSTEM_CLOCK = SystemClock()
