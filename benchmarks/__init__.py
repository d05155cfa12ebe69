"""Speed, measured: `python -m benchmarks` lists them, `python -m benchmarks NAME [--json]` runs one.

Each module here is one benchmark: the first line of its docstring says what it measures, and its
`run()` returns a `Report`. A comparison runs both sides in one run and reports ratios of medians,
because the machine is shared and only ratios mean something.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Bar(msgspec.Struct, frozen=True):
    """What a figure must reach. `better` says on which side of the limit it holds."""

    name: str
    value: float
    limit: float
    better: Literal["higher", "lower"]

    @property
    def holds(self) -> bool:
        """Whether the value is on the right side of the limit, or on it."""
        return self.value >= self.limit if self.better == "higher" else self.value <= self.limit


class Report(msgspec.Struct, frozen=True):
    """What one run measured, and the bars it is held to."""

    figures: dict[str, float | int | str]
    bars: list[Bar]

    @property
    def holds(self) -> bool:
        """Whether every bar holds."""
        return all(bar.holds for bar in self.bars)
