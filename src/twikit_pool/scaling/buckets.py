"""The load in the buckets that a forecast learns from."""

from __future__ import annotations

from math import isfinite
from typing import Final


class LoadBuckets:
    """The mean load of each bucket of the wall clock's time.

    A bucket without a measurement is left out; one that the clock left backwards is dropped.

    Args:
        seconds: how long a bucket is.
    """

    __slots__ = ("_count", "_number", "_seconds", "_sum")

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds
        self._number: int | None = None
        self._sum, self._count = 0.0, 0

    def add(self, epoch: float, load: float | None) -> tuple[float, float] | None:
        """Count a load in; returns the bucket that this finished: its start (epoch seconds) and its mean."""
        if load is None or not isfinite(epoch):
            return None
        number, finished = int(epoch // self._seconds), None
        if number != self._number:
            if self._number is not None and number > self._number:
                finished = self._number * self._seconds, self._sum / self._count
            self._number, self._sum, self._count = number, 0.0, 0
        self._sum += load
        self._count += 1
        return finished
