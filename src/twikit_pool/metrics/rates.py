"""How often something happens, lately."""

from __future__ import annotations

import math
from typing import Final

MINUTE: Final = 60.0


class Rate:
    """An exponentially weighted mean of what happens in a second; the moments are the caller's clock's.

    What happened `over` seconds ago weighs 1/e of what happens now. From the first update on it is a mean of
    what was seen, not one that rises slowly from 0.
    """

    __slots__ = ("_at", "_over", "_sum", "_weight")

    def __init__(self, now: float, over: float = MINUTE) -> None:
        self._at = now
        self._over = over
        self._sum = self._weight = 0.0

    def update(self, times: float, now: float) -> None:
        """It happened so many times since the last update. Nothing is lost when no time has passed."""
        seconds = max(now - self._at, 1e-9)
        self._at = now
        new = -math.expm1(-seconds / self._over)
        self._sum += new * (times / seconds - self._sum)
        self._weight += new * (1 - self._weight)

    @property
    def per_second(self) -> float:
        """How often it happens in a second; 0 before the first update."""
        return self._sum / self._weight if self._weight else 0.0
