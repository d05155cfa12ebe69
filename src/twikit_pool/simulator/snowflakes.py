"""Ids as X makes them."""

from __future__ import annotations

from typing import Final

EPOCH: Final = 1_288_834_974.657
"""When X's ids begin, in epoch seconds: an id holds the milliseconds since then above its low 22 bits."""


class Snowflakes:
    """Ids that only rise, even when time does not."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def take(self, at: float) -> int:
        """The next id for something made at this epoch second."""
        made = int((at - EPOCH) * 1000) << 22
        self._last = max(made, self._last + 1)
        return self._last
