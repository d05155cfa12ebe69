"""A histogram in steps of 2% that can be merged without loss.

Every value goes into the step `ceil(log(value) / log(GROWTH))`, so a step holds what lies between two powers
of `GROWTH`, and its middle is at most `ERROR` away from all of it (Masson, Rim and Lee, "DDSketch", VLDB
2019). Counts and sums are whole numbers: merging over pools, processes and time gives the same in any order
as one histogram that saw everything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal, Self

import msgspec

ERROR: Final = 0.01
"""How far a quantile may be from the value that is meant, as a share of it."""

GROWTH: Final = (1 + ERROR) / (1 - ERROR)

SMALLEST: Final = 1e-6
"""What is less counts as nothing; the unit of the sum, too."""

LARGEST: Final = 1e9
"""More is no measurement: 31 years, where it is seconds."""

_STEPS_PER_E: Final = 1 / math.log(GROWTH)
_MIDDLE: Final = 2 / (GROWTH + 1)
"""The middle of a step as a share of its upper end."""


class Histogram(msgspec.Struct, array_like=True):
    """How often which values occurred; seconds, or any other measure from a millionth to a billion.

    It is encoded by msgspec as it stands, or by `to_bytes`; 200 different steps take about 1 KB.

    Attributes:
        version: of the encoding.
        count: values added.
        zeros: those among them that are less than `SMALLEST`.
        millionths: their sum, each rounded to a millionth.
        max: the largest; 0 when there are none.
        steps: how many are in each step.
    """

    version: Literal[1] = 1
    count: int = 0
    zeros: int = 0
    millionths: int = 0
    max: float = 0.0
    steps: dict[int, int] = {}

    def __post_init__(self) -> None:
        if min(self.zeros, self.millionths, *self.steps.values()) < 0 or not 0 <= self.max <= LARGEST:
            raise ValueError("a histogram has no negative counts, sums or values")
        if self.count != self.zeros + sum(self.steps.values()):
            raise ValueError(f"a histogram's count ({self.count}) is what its steps hold, all together")

    def add(self, value: float, times: int = 1) -> None:
        """Count a value, once or so many times.

        Raises:
            ValueError: it is negative, not a number, or more than `LARGEST`.
        """
        if value >= SMALLEST:
            if value > LARGEST:
                raise ValueError(f"{value!r} is too large for a histogram (at most {LARGEST:g})")
            step = math.ceil(math.log(value) * _STEPS_PER_E)
            self.steps[step] = self.steps.get(step, 0) + times
            if value > self.max:
                self.max = value
        elif value >= 0:
            self.zeros += times
            if value > self.max and times:
                self.max = value
        else:
            raise ValueError(f"{value!r} cannot be counted in a histogram: it must be at least 0")
        self.count += times
        self.millionths += round(value * 1e6) * times

    @classmethod
    def merged(cls, histograms: Iterable[Self]) -> Self:
        """A new histogram of all that these have counted."""
        whole = cls()
        steps = whole.steps
        for each in histograms:
            if steps:
                for step, count in each.steps.items():
                    steps[step] = steps.get(step, 0) + count
            else:
                steps.update(each.steps)
            whole.count += each.count
            whole.zeros += each.zeros
            whole.millionths += each.millionths
            whole.max = max(whole.max, each.max)
        return whole

    @property
    def sum(self) -> float:
        """All values together."""
        return self.millionths / 1e6

    @property
    def average(self) -> float | None:
        """The mean value; None when there are none."""
        return self.millionths / 1e6 / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The least value that this share (0 to 1) of all does not exceed, to `ERROR`; None without any."""
        [value] = self.quantiles(share)
        return value

    def quantiles(self, *shares: float) -> tuple[float | None, ...]:
        """As `quantile`, of rising shares, in one go."""
        if not self.count:
            return (None,) * len(shares)
        found: list[float | None] = []
        steps = iter(sorted(self.steps))
        below, step = self.zeros, None
        for share in shares:
            rank = max(math.ceil(share * self.count), 1)
            while below < rank:
                step = next(steps)
                below += self.steps[step]
            found.append(0.0 if step is None else min(GROWTH**step * _MIDDLE, self.max))
        return tuple(found)

    def at_most(self, bounds: Iterable[float]) -> list[int]:
        """How many values are at most each of these rising bounds; a step counts where its middle lies."""
        counts: list[int] = []
        steps = sorted(self.steps)
        below, at = self.zeros, 0
        for bound in bounds:
            while at < len(steps) and GROWTH ** steps[at] * _MIDDLE <= bound:
                below += self.steps[steps[at]]
                at += 1
            counts.append(below)
        return counts

    def to_bytes(self) -> bytes:
        """For a file or another process."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """What `to_bytes` has made.

        Raises:
            msgspec.ValidationError: it is of another version, or does not agree with itself.
        """
        return msgspec.msgpack.decode(encoded, type=cls)
