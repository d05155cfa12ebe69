"""Telling a load that has gone from one that only cannot get through."""

from __future__ import annotations

from math import inf
from typing import Final

from twikit_pool.scaling.recent import Recent

DROP: Final = 0.5
"""Share of the lowest load of the last minute below which a fall is no ebb."""

WITHIN: Final = 60.0
"""Seconds of that minute."""

LEAST: Final = 1.0
"""Erlangs below which a load is so small that chance alone halves it."""

HOLD: Final = 600.0
"""Seconds after which a load that fell like that is believed."""


class Outage:
    """Whether the load fell as it does when something is out: at once, and by half.

    It is over when the load is back, or has stayed away for so long that it is what callers want.
    """

    __slots__ = ("_before", "_lowest", "_until")

    def __init__(self) -> None:
        self._lowest: Final = Recent(min)
        self._before = 0.0
        """The load before the fall."""
        self._until = -inf

    def look(self, now: float, offered: float | None) -> None:
        """See the offered load, in erlangs; None is none seen."""
        self._until = min(self._until, now + HOLD)
        if offered is None:
            return
        lowest = self._lowest.extreme(now, WITHIN)
        if lowest is not None and lowest >= LEAST and offered < DROP * lowest:
            self._before, self._until = lowest, now + HOLD
        elif offered >= DROP * self._before:
            self._until = -inf
        self._lowest.note(now, offered)

    def suspected(self, now: float) -> bool:
        """Whether what was seen last may be an outage."""
        return now < self._until
